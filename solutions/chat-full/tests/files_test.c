/*
 * files_test - files that are passed on, from outside: the requests, names, sizes, who may, quotas.
 *
 * What ends in the middle, and what must not hurt, is files_harm_test's.
 */

#include "file_steps.h"

#include "data_folder.h"

#include <ftw.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MIB = 1 << 20, PEOPLE = 3 };

static const char lobby[] = "'room':'lobby'";

/* ---- steps ------------------------------------------------------------------------------------ */

/* ann, bob and eve come into the lobby. */
static void meet_three(struct room_peer people[PEOPLE])
{
    static const char *const names[] = {"ann", "bob", "eve"};
    for (int i = 0; i < PEOPLE; i++)
        come(&people[i], names[i], "lobby");
}

static void enter(struct room_peer *p, const char *room)
{
    say(p, "{'type':'join_room','room':'%s'}", room);
    file_expect(p, "room_joined", NULL);
}

static void leave(struct room_peer *p, const char *room)
{
    say(p, "{'type':'leave_room','room':'%s'}", room);
    file_expect(p, "room_left", NULL);
}

static void cancel(struct room_peer *p, const struct content *f)
{
    say(p, "{'type':'file_cancel','file':'%s'}", f->id);
    file_expect(p, "file_cancelled", f->id);
}

/* ---- the requests ----------------------------------------------------------------------------- */

START_TEST(each_request_and_its_reply)
{
    struct room_peer ann, bob;
    struct content f = {.seed = 1, .size = 10};
    char sum[65];
    file_server(NULL, NULL, NULL, NULL);
    come(&ann, "ann", "lobby");
    come(&bob, "bob", "lobby");
    file_sum(&f, sum);
    say(&ann,
        "{'type':'file_offer','room':'lobby','to':null,'name':'x','size':10,'sha256':'%s',"
        "'id':'offer'}",
        sum);
    json_t *ready = file_hear_of(&ann, "file_ready", NULL);
    snprintf(f.id, sizeof f.id, "%s", room_text(ready, "file"));
    ck_assert_str_eq(room_text(ready, "id"), "offer");
    ck_assert_int_eq(json_integer_value(json_object_get(ready, "offset")), 0);
    json_decref(ready);
    say(&ann, "{'type':'file_data','file':'%s','offset':0,'data':'!','id':1}", f.id);
    expect_error(&ann, "bad_request", "1");
    file_send(&ann, &f, 0, 5);
    say(&ann, "{'type':'file_cancel','file':'%s','id':2}", f.id);
    expect(&ann, "{'type':'file_cancelled','file':'%s','id':2}", f.id);
    say(&ann, "{'type':'file_cancel','file':'%s','id':3}", f.id);
    expect_error(&ann, "no_such_file", "3");

    file_offer(&ann, "'to':'BOB'", "x", &f);
    file_send(&ann, &f, 0, 9);
    file_send_chunk(&ann, &f, 9, 9, 1);
    expect(&ann, "{'type':'file_ack','file':'%s','offset':10}", f.id);
    for (int i = 0; i < 2; i++) {
        json_t *shared = file_hear_of(i == 0 ? &ann : &bob, "file_shared", f.id);
        ck_assert_str_eq(room_text(shared, "from"), "ann");
        ck_assert_str_eq(room_text(shared, "to"), "bob");
        ck_assert_ptr_null(json_object_get(shared, "room"));
        ck_assert_str_eq(room_text(shared, "sha256"), sum);
        json_decref(shared);
    }
    say(&bob, "{'type':'file_get','file':'%s','offset':10,'id':'get'}", f.id);
    expect(&bob, "{'type':'file_data','file':'%s','offset':10,'size':10,'data':'','id':'get'}",
           f.id);
    say(&bob, "{'type':'file_get','file':'%s','id':'%0100d'}", f.id, 7);
    json_t *data = file_hear_of(&bob, "file_data", f.id);
    ck_assert_int_eq((int)strlen(room_text(data, "id")), 100);
    json_decref(data);
    stop_server();
}
END_TEST

START_TEST(sizes)
{
    static const int64_t of[] = {0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 100000};
    struct room_peer ann, bob;
    file_server(NULL, NULL, NULL, NULL);
    come(&ann, "ann", "lobby");
    come(&bob, "bob", "lobby");
    for (size_t i = 0; i < sizeof of / sizeof of[0]; i++) {
        struct content f = {.seed = 10 + i, .size = of[i]};
        file_upload(&ann, lobby, "x", &f);
        file_expect_shared(&bob, &f, "ann", "x");
        file_fetch(&bob, &f, 0);
        if (f.size > 0)
            file_fetch(&bob, &f, f.size - 1);
        file_fetch(&bob, &f, f.size);
        file_say_get(&bob, f.id, f.size + 1);
        file_refused(&bob, "bad_request");
    }
    file_expect_kept((int)(sizeof of / sizeof of[0]));
    stop_server();
}
END_TEST

/* A line in which %s is the id of an upload, and the error that it gets. */
static const struct {
    const char *line, *code;
} wrong_lines[] = {
    {"{'type':'file_offer'}", "bad_request"},
    {"{'type':'file_offer','room':'lobby','name':'x','size':1}", "bad_request"},
    {"{'type':'file_offer','room':'lobby','name':'x','size':1,'sha256':'%.0saa'}", "bad_request"},
    {"{'type':'file_offer','room':'lobby','name':'x','size':1,'sha256':'%.0s"
     "zz000000000000000000000000000000000000000000000000000000000000aa'}",
     "bad_request"},
    {"{'type':'file_offer','room':'lobby','name':'x','size':1,'sha256':'%.0s"
     "0000000000000000000000000000000000000000000000000000000000000000aa'}",
     "bad_request"},
#define OFFER                         \
    "{'type':'file_offer','sha256':'" \
    "00000000000000000000000000000000000000000000000000000000000000aa',"
    {OFFER "'name':'x','size':1}", "bad_request"},
    {OFFER "'name':'x','size':1,'room':'lobby','to':'bob'}", "bad_request"},
    {OFFER "'name':'x','size':1,'room':'other'}", "not_in_room"},
    {OFFER "'name':'x','size':1,'room':'no room'}", "bad_room"},
    {OFFER "'name':'x','size':1,'room':7}", "bad_request"},
    {OFFER "'name':'x','size':1,'to':'nobody'}", "no_such_user"},
    {OFFER "'name':'x','size':-1,'room':'lobby'}", "bad_request"},
    {OFFER "'name':'x','size':1.5,'room':'lobby'}", "bad_request"},
    {OFFER "'name':'x','size':'1','room':'lobby'}", "bad_request"},
    {OFFER "'name':'x','size':true,'room':'lobby'}", "bad_request"},
    {OFFER "'name':'x','size':134217729,'room':'lobby'}", "too_large"},
    {OFFER "'name':'x','size':9223372036854775807,'room':'lobby'}", "too_large"},
    {OFFER "'name':'x','size':9223372036854775808,'room':'lobby'}", "bad_json"},
    {OFFER "'name':'','size':1,'room':'lobby'}", "bad_request"},
    {OFFER "'name':7,'size':1,'room':'lobby'}", "bad_request"},
    {OFFER "'name':'a\\u0000b','size':1,'room':'lobby'}", "bad_json"},
    {OFFER "'name':'a\\nb','size':1,'room':'lobby'}", "bad_request"},
    {OFFER "'name':'a\\u001b[2J','size':1,'room':'lobby'}", "bad_request"},
    {OFFER "'name':'a\\u007f','size':1,'room':'lobby'}", "bad_request"},
    {OFFER "'name':'a\\u0085','size':1,'room':'lobby'}", "bad_request"},
    {OFFER "'name':'\xff','size':1,'room':'lobby'}", "bad_json"},
#define DATA "{'type':'file_data','file':'%s',"
    {"{'type':'file_data'}", "bad_request"},
    {"{'type':'file_data','file':7,'offset':0,'data':'AAAA'}", "bad_request"},
    {"{'type':'file_data','file':'%.0s','offset':0,'data':'AAAA'}", "no_such_file"},
    {"{'type':'file_data','file':'../chat.db','offset':0,'data':'AAAA'}", "no_such_file"},
    {DATA "'data':'AAAA'}", "bad_request"},
    {DATA "'offset':-1,'data':'AAAA'}", "bad_request"},
    {DATA "'offset':'0','data':'AAAA'}", "bad_request"},
    {DATA "'offset':1,'data':'AAAA'}", "bad_request"},
    {DATA "'offset':9223372036854775807,'data':'AAAA'}", "bad_request"},
    {DATA "'offset':0}", "bad_request"},
    {DATA "'offset':0,'data':''}", "bad_request"},
    {DATA "'offset':0,'data':7}", "bad_request"},
    {DATA "'offset':0,'data':'AAA'}", "bad_request"},
    {DATA "'offset':0,'data':'AA=A'}", "bad_request"},
    {DATA "'offset':0,'data':'AAAA\\n'}", "bad_request"},
    {DATA "'offset':0,'data':' AAAA'}", "bad_request"},
    {DATA "'offset':0,'data':'AAAA===='}", "bad_request"},
    {DATA "'offset':0,'data':'A_A-'}", "bad_request"},
    {DATA "'offset':0,'data':'AAAAAAAAAAAA'}", "bad_request"}, /* 9 bytes of 8 */
    {"{'type':'file_get'}", "bad_request"},
    {"{'type':'file_get','file':'%s'}", "no_such_file"},
    {"{'type':'file_get','file':'%s.part'}", "no_such_file"},
    {"{'type':'file_get','file':'../chat.db'}", "no_such_file"},
    {"{'type':'file_get','file':'','offset':-1}", "bad_request"},
    {"{'type':'file_get','file':'','offset':0.0}", "bad_request"},
    {"{'type':'file_cancel'}", "bad_request"},
    {"{'type':'file_cancel','file':''}", "no_such_file"},
    {"{'type':'file_cancel','file':['%s']}", "bad_request"},
};

START_TEST(what_is_refused)
{
    struct room_peer ann, bob;
    struct content f = {.seed = 2, .size = 8};
    char line[1024], encoded[sodium_base64_ENCODED_LEN(CHUNK + 1, 1)];
    unsigned char bytes[CHUNK + 1] = {0};
    file_server(NULL, NULL, NULL, NULL);
    must(room_connect(&ann, "ann", &server));
    for (const char *const *type =
             (const char *const[]){"file_offer", "file_data", "file_get", "file_cancel", NULL};
         *type != NULL; type++) {
        say(&ann, "{'type':'%s','file':'x','offset':0,'data':'AAAA'}", *type);
        file_refused(&ann, "not_joined");
    }
    room_close(&ann);
    come(&ann, "ann", "lobby");
    come(&bob, "bob", "lobby");
    file_offer(&ann, lobby, "x", &f);
    for (size_t i = 0; i < sizeof wrong_lines / sizeof wrong_lines[0]; i++) {
        /* The formats are those of the table above. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        snprintf(line, sizeof line, wrong_lines[i].line, f.id);
#pragma GCC diagnostic pop
        say(&ann, "%s", line);
        json_t *m = file_hear(&ann);
        ck_assert_msg(strcmp(room_text(m, "code"), wrong_lines[i].code) == 0, "%s: %s %s", line,
                      room_text(m, "type"), room_text(m, "code"));
        json_decref(m);
    }
    sodium_bin2base64(encoded, sizeof encoded, bytes, sizeof bytes, 1);
    say(&ann, "{'type':'file_data','file':'%s','offset':0,'data':'%s'}", f.id, encoded);
    file_refused(&ann, "bad_request");
    /* Nothing of it has changed the upload. */
    file_send(&ann, &f, 0, f.size);
    file_expect_shared(&ann, &f, "ann", "x");
    file_expect_shared(&bob, &f, "ann", "x");
    file_fetch(&bob, &f, 0);
    file_expect_kept(1);
    stop_server();
}
END_TEST

START_TEST(a_sum_in_capitals)
{
    struct room_peer ann;
    struct content f = {.seed = 3, .size = 100};
    char sum[65], capitals[65];
    file_server(NULL, NULL, NULL, NULL);
    come(&ann, "ann", "lobby");
    file_sum(&f, sum);
    for (int i = 0; i < 65; i++)
        capitals[i] = (char)(sum[i] >= 'a' ? sum[i] - 'a' + 'A' : sum[i]);
    file_say_offer(&ann, lobby, "x", f.size, capitals);
    json_t *ready = file_hear_of(&ann, "file_ready", NULL);
    snprintf(f.id, sizeof f.id, "%s", room_text(ready, "file"));
    json_decref(ready);
    file_send(&ann, &f, 0, f.size);
    file_expect_shared(&ann, &f, "ann", "x");
    stop_server();
}
END_TEST

/* ---- names ------------------------------------------------------------------------------------ */

static char listing[65536];

static int note(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    (void)place;
    size_t length = strlen(listing);
    if (strstr(path, "/files/") == NULL && strstr(path, "/chat.db") == NULL)
        snprintf(listing + length, sizeof listing - length, "%s %d %lld\n", path, kind,
                 kind == FTW_F ? (long long)status->st_size : 0);
    return 0;
}

/* All that there is but for the files and the database. */
static char *list_all(const char *folder)
{
    listing[0] = '\0';
    nftw(folder, note, 16, FTW_PHYS);
    return strdup(listing);
}

START_TEST(names_are_data)
{
    static const char *const names[] = {"../x",
                                        "../../x",
                                        "../chat.db",
                                        "/etc/passwd",
                                        "..",
                                        ".",
                                        "a/../../b",
                                        "C:aux",
                                        "\\\\\\\\server\\\\share",
                                        "%2e%2e%2f",
                                        "~root",
                                        "$(reboot)",
                                        "x; rm -rf *",
                                        "photo \xe2\x80\xae.gpj.exe",
                                        "\xf0\x9f\x98\x80"};
    enum { NAMES = sizeof names / sizeof names[0] };
    struct room_peer ann, bob;
    char longest[256];
    file_server(NULL, NULL, NULL, NULL);
    come(&ann, "ann", "lobby");
    come(&bob, "bob", "lobby");
    char *before = list_all(data_folder);
    for (int i = 0; i < NAMES; i++) {
        struct content f = {.seed = 20 + (uint64_t)i, .size = 50};
        const char *told = strncmp(names[i], "\\\\", 2) == 0 ? "\\\\server\\share" : names[i];
        file_offer(&ann, lobby, names[i], &f);
        file_send(&ann, &f, 0, f.size);
        file_expect_shared(&ann, &f, "ann", told);
        file_expect_shared(&bob, &f, "ann", told);
        file_fetch(&bob, &f, 0);
    }
    memset(longest, 'x', 255);
    longest[255] = '\0';
    struct content f = {.seed = 4, .size = 0};
    file_upload(&ann, lobby, longest, &f);
    file_say_offer(&ann, lobby, "y", 0, file_wrong_sum); /* one more, and no more than that */
    file_refused(&ann, "bad_checksum");
    char *after = list_all(data_folder);
    ck_assert_str_eq(before, after);
    free(before);
    free(after);
    file_expect_kept(NAMES + 1);
    stop_server();
}
END_TEST

/* ---- sizes and sums that lie ------------------------------------------------------------------ */

START_TEST(sizes_that_lie)
{
    struct room_peer ann, bob;
    struct content f = {.seed = 5, .size = 2 * CHUNK + 10}, longer = f;
    file_server(NULL, NULL, NULL, NULL);
    come(&ann, "ann", "lobby");
    come(&bob, "bob", "lobby");
    file_offer(&ann, lobby, "x", &f);
    file_send(&ann, &f, 0, CHUNK);
    file_send_chunk(&ann, &f, CHUNK, 0, CHUNK); /* again; back; ahead; beyond */
    file_refused(&ann, "bad_request");
    file_send_chunk(&ann, &f, CHUNK, CHUNK - 1, CHUNK);
    file_refused(&ann, "bad_request");
    file_send_chunk(&ann, &f, 2 * CHUNK, 2 * CHUNK, 10);
    file_refused(&ann, "bad_request");
    file_send(&ann, &f, CHUNK, 2 * CHUNK);
    file_send_chunk(&ann, &f, 2 * CHUNK, 2 * CHUNK, 11);
    file_refused(&ann, "bad_request");
    file_silence(&bob);
    file_not_for(&bob, f.id);
    file_send(&ann, &f, 2 * CHUNK, f.size);
    file_expect_shared(&ann, &f, "ann", "x");
    file_expect_shared(&bob, &f, "ann", "x");
    file_fetch(&bob, &f, 0);
    file_send_chunk(&ann, &f, f.size, f.size, 1); /* and after its end */
    file_refused(&ann, "no_such_file");
    /* It promises more than it has: it is never whole. */
    longer.size += 100;
    file_offer(&ann, lobby, "x", &longer);
    file_send(&ann, &longer, 0, f.size);
    file_silence(&bob);
    file_expect_kept(2);
    room_close(&ann);
    file_expect_kept(1);
    file_silence(&bob);
    stop_server();
}
END_TEST

START_TEST(a_wrong_sum)
{
    struct room_peer ann, bob;
    struct content f = {.seed = 6, .size = 10000};
    file_server(NULL, NULL, NULL, NULL);
    come(&ann, "ann", "lobby");
    come(&bob, "bob", "lobby");
    file_say_offer(&ann, lobby, "x", f.size, file_wrong_sum);
    json_t *ready = file_hear_of(&ann, "file_ready", NULL);
    snprintf(f.id, sizeof f.id, "%s", room_text(ready, "file"));
    json_decref(ready);
    file_send(&ann, &f, 0, f.size - 1);
    file_send_chunk(&ann, &f, f.size - 1, f.size - 1, 1);
    file_refused(&ann, "bad_checksum");
    file_not_for(&bob, f.id);
    file_expect_kept(0);
    ck_assert_int_eq(data_count("SELECT count(*) FROM files"), 0);
    file_upload(&ann, lobby, "x", &f);
    file_expect_shared(&bob, &f, "ann", "x");
    stop_server();
}
END_TEST

/* ---- who may ---------------------------------------------------------------------------------- */

START_TEST(only_the_audience)
{
    struct room_peer people[PEOPLE], *ann = &people[0], *bob = &people[1], *eve = &people[2];
    struct content f = {.seed = 30, .size = 20000}, g = {.seed = 31, .size = 100};
    file_server(NULL, NULL, NULL, NULL);
    meet_three(people);
    enter(ann, "dev");
    enter(bob, "dev");
    file_upload(ann, "'room':'dev'", "x", &f);
    file_expect_shared(bob, &f, "ann", "x");
    file_silence(eve);
    file_not_for(eve, f.id);
    file_fetch(bob, &f, 0);
    leave(bob, "dev");
    file_not_for(bob, f.id);
    enter(eve, "dev"); /* who is in the room now may, and was not told */
    file_fetch(eve, &f, 0);
    leave(ann, "dev");
    file_not_for(ann, f.id); /* it is the room's */

    file_upload(ann, "'to':'bob'", "letter", &g);
    file_expect_shared(bob, &g, "ann", "letter");
    file_silence(eve);
    file_not_for(eve, g.id);
    file_not_for(ann, g.id);
    file_fetch(bob, &g, 0);
    say(bob, "{'type':'nick','nickname':'rob'}");
    file_expect(bob, "nick_changed", NULL);
    file_not_for(bob, g.id); /* it is that nickname's, whoever has it */
    say(bob, "{'type':'nick','nickname':'BOB'}");
    file_expect(bob, "nick_changed", NULL);
    file_fetch(bob, &g, 0);
    stop_server();
}
END_TEST

START_TEST(an_upload_is_of_one_session)
{
    struct room_peer ann, eve, again;
    struct content f = {.seed = 32, .size = 2 * CHUNK};
    file_server(NULL, NULL, NULL, NULL);
    come(&ann, "ann", "lobby");
    come(&eve, "eve", "lobby");
    file_offer(&ann, lobby, "x", &f);
    file_send_chunk(&eve, &f, 0, 0, CHUNK);
    file_refused(&eve, "no_such_file");
    say(&eve, "{'type':'file_cancel','file':'%s'}", f.id);
    file_refused(&eve, "no_such_file");
    file_send(&ann, &f, 0, CHUNK);
    room_close(&ann);
    file_expect_kept(0);
    come(&again, "ann", "lobby"); /* the same nickname is another session */
    file_send_chunk(&again, &f, CHUNK, CHUNK, CHUNK);
    file_refused(&again, "no_such_file");
    stop_server();
}
END_TEST

START_TEST(who_has_left_shares_nothing)
{
    struct room_peer ann, bob;
    struct content f = {.seed = 33, .size = 100};
    file_server(NULL, NULL, NULL, NULL);
    come(&ann, "ann", "lobby");
    come(&bob, "bob", "lobby");
    enter(&ann, "dev");
    enter(&bob, "dev");
    file_offer(&ann, "'room':'dev'", "x", &f);
    leave(&ann, "dev");
    file_send_chunk(&ann, &f, 0, 0, 100);
    file_refused(&ann, "not_in_room");
    file_silence(&bob);
    file_expect_kept(0);
    file_not_for(&bob, f.id);
    stop_server();
}
END_TEST

START_TEST(who_leaves_gets_no_more)
{
    struct room_peer ann, dan;
    struct content f = {.seed = 34, .size = 8 * MIB};
    int64_t at = 0;
    file_server(NULL, NULL, NULL, NULL);
    come(&ann, "ann", "lobby");
    enter(&ann, "dev");
    file_upload(&ann, "'room':'dev'", "x", &f);
    must(room_connect_narrow(&dan, "dan", &server));
    say(&dan, "{'type':'join','nickname':'dan','room':'dev'}");
    file_expect(&dan, "welcome", NULL);
    file_say_get(&dan, f.id, 0);
    json_t *m = file_hear_of(&dan, "file_data", f.id);
    must(file_take_data(m, &f, &at));
    say(&dan, "{'type':'leave_room','room':'dev'}");
    while (strcmp(room_text(m, "type"), "room_left") != 0) {
        json_decref(m);
        m = file_hear(&dan);
        must(strcmp(room_text(m, "type"), "room_left") == 0 || file_take_data(m, &f, &at));
    }
    json_decref(m);
    ck_assert_int_lt(at, f.size);
    file_expect(&dan, "file_cancelled", f.id);
    file_silence(&dan);
    file_not_for(&dan, f.id);
    stop_server();
}
END_TEST

START_TEST(from_is_the_nickname_of_now)
{
    struct room_peer ann, bob;
    struct content f = {.seed = 35, .size = 100};
    file_server(NULL, NULL, NULL, NULL);
    come(&ann, "ann", "lobby");
    come(&bob, "bob", "lobby");
    file_offer(&ann, lobby, "x", &f);
    say(&ann, "{'type':'nick','nickname':'anna'}");
    file_expect(&ann, "nick_changed", NULL);
    file_expect(&bob, "nick_changed", NULL);
    say(&bob, "{'type':'nick','nickname':'ann'}");
    file_expect(&ann, "nick_changed", NULL);
    file_expect(&bob, "nick_changed", NULL);
    file_send(&ann, &f, 0, f.size);
    file_expect_shared(&ann, &f, "anna", "x");
    file_expect_shared(&bob, &f, "anna", "x");
    stop_server();
}
END_TEST

static void take_nickname(struct room_peer *p, const char *nickname)
{
    say(p, "{'type':'nick','nickname':'%s','id':'nick'}", nickname);
    for (bool taken = false; !taken;) {
        json_t *m = file_hear_of(p, "nick_changed", NULL);
        taken = strcmp(room_text(m, "id"), "nick") == 0;
        json_decref(m);
    }
}

/* All of it but the last chunk. */
static void begin_letter(struct room_peer *ann, const char *to, struct content *f)
{
    char audience[32];
    snprintf(audience, sizeof audience, "'to':'%s'", to);
    file_offer(ann, audience, "letter", f);
    file_send(ann, f, 0, CHUNK);
}

static void end_letter(struct room_peer *ann, const struct content *f)
{
    file_send_chunk(ann, f, CHUNK, CHUNK, (size_t)f->size - CHUNK);
}

/* The guest for whom a file is goes during the upload, or takes another nickname, and somebody else his. */
START_TEST(a_guest_is_who_had_the_nickname)
{
    struct room_peer ann, bob, eve, again;
    struct content f = {.seed = 36, .size = CHUNK + 100};
    file_server(NULL, NULL, NULL, NULL);
    come(&ann, "ann", "anns");
    come(&bob, "bob", "bobs");
    begin_letter(&ann, "bob", &f);
    say(&bob, "{'type':'quit'}");
    file_expect(&bob, "bye", NULL);
    come(&eve, "BOB", "eves");
    end_letter(&ann, &f);
    file_refused(&ann, "no_such_user");
    file_silence(&eve);
    file_expect_kept(0);
    take_nickname(&eve, "eve");

    come(&again, "bob", "bobs");
    begin_letter(&ann, "bob", &f);
    take_nickname(&again, "rob");
    take_nickname(&eve, "bob");
    end_letter(&ann, &f);
    file_refused(&ann, "no_such_user");
    file_silence(&eve);
    file_silence(&again);
    file_expect_kept(0);

    begin_letter(&ann, "rob", &f); /* and it is he still, however it is written */
    take_nickname(&again, "ROB");
    end_letter(&ann, &f);
    file_expect(&ann, "file_ack", f.id);
    file_expect_shared(&ann, &f, "ann", "letter");
    file_expect_shared(&again, &f, "ann", "letter");
    file_fetch(&again, &f, 0);
    stop_server();
}
END_TEST

static void log_in(struct room_peer *p, const char *nickname)
{
    must(room_connect(p, nickname, &server));
    say(p, "{'type':'login','nickname':'%s','password':'correct horse'}", nickname);
    file_expect(p, "welcome", NULL);
}

/* An account is nobody else's: its owner need not be there at the end. */
START_TEST(an_account_is_one_person)
{
    struct room_peer ann, zoe;
    struct content f = {.seed = 37, .size = CHUNK + 100};
    file_server(NULL, NULL, NULL, NULL);
    come(&ann, "ann", "anns");
    must(room_connect(&zoe, "zoe", &server));
    say(&zoe, "{'type':'register','nickname':'zoe','password':'correct horse'}");
    file_expect(&zoe, "registered", NULL);
    room_close(&zoe);
    log_in(&zoe, "zoe");
    begin_letter(&ann, "zoe", &f);
    say(&zoe, "{'type':'quit'}");
    file_expect(&zoe, "bye", NULL);
    room_close(&zoe);
    end_letter(&ann, &f);
    file_expect(&ann, "file_ack", f.id);
    file_expect_shared(&ann, &f, "ann", "letter");
    log_in(&zoe, "zoe");
    file_fetch(&zoe, &f, 0);
    stop_server();
}
END_TEST

/* ---- downloads -------------------------------------------------------------------------------- */

START_TEST(resume)
{
    struct room_peer ann, bob;
    struct content f = {.seed = 40, .size = 100000};
    file_server(NULL, NULL, NULL, NULL);
    come(&ann, "ann", "lobby");
    file_upload(&ann, lobby, "x", &f);
    for (int64_t from = 0; from <= f.size; from += 12500)
        file_fetch(&ann, &f, from);
    stop_server();
    file_server(NULL, NULL, NULL, NULL);
    come(&bob, "bob", "lobby");
    file_fetch(&bob, &f, 50000);
    subject_kill(&server);
    room_close(&bob);
    file_server(NULL, NULL, NULL, NULL);
    come(&bob, "bob", "lobby");
    file_fetch(&bob, &f, 99999);
    stop_server();
}
END_TEST

/* What a client takes who fetches two files, and hears what is said meanwhile. */
struct pair {
    struct content files[2];
    int64_t at[2];
    size_t left;        /* files that have not come to their end, and words */
    int switches, last; /* from a chunk of the one to a chunk of the other */
    int words;
};

static bool take_pair(struct room_peer *p, json_t *m, void *context)
{
    struct pair *two = context;
    if (strcmp(room_text(m, "type"), "file_data") == 0) {
        int i = strcmp(room_text(m, "file"), two->files[1].id) == 0;
        if (!file_take_data(m, &two->files[i], &two->at[i]))
            return false;
        two->switches += two->last != i;
        two->last = i;
        two->left -= two->at[i] == two->files[i].size;
        return true;
    }
    two->words += strcmp(room_text(m, "type"), "broadcast") == 0;
    two->left -= strcmp(room_text(m, "type"), "broadcast") == 0;
    (void)p;
    return true;
}

START_TEST(two_downloads_and_talk)
{
    enum { WORDS = 50 };
    struct room_peer ann, bob;
    struct pair two = {{{.seed = 41, .size = 2 * MIB}, {.seed = 42, .size = 2 * MIB}},
                       .left = 2 + WORDS,
                       .last = 0};
    file_server(NULL, NULL, NULL, NULL);
    come(&ann, "ann", "lobby");
    come(&bob, "bob", "lobby");
    for (int i = 0; i < 2; i++) {
        file_upload(&ann, lobby, "x", &two.files[i]);
        file_expect_shared(&bob, &two.files[i], "ann", "x");
    }
    file_say_get(&bob, two.files[0].id, 0);
    file_say_get(&bob, two.files[1].id, 0);
    for (int i = 0; i < WORDS; i++)
        say(&ann, "{'type':'message','content':'word %d'}", i);
    must(room_pump(&bob, 1, take_pair, &two, &two.left, "two files and some words"));
    ck_assert_int_gt(two.switches, 50);
    file_silence(&bob);
    stop_server();
}
END_TEST

START_TEST(four_at_once)
{
    struct room_peer ann, bob;
    struct content f[5];
    file_server(NULL, NULL, NULL, NULL);
    come(&ann, "ann", "lobby");
    must(room_connect_narrow(&bob, "bob", &server));
    say(&bob, "{'type':'join','nickname':'bob'}");
    file_expect(&bob, "welcome", NULL);
    for (int i = 0; i < 5; i++) {
        f[i] = (struct content){.seed = 43 + (uint64_t)i, .size = i < 4 ? MIB : 10};
        file_upload(&ann, lobby, "x", &f[i]);
        file_expect_shared(&bob, &f[i], "ann", "x");
    }
    for (int i = 0; i < 4; i++)
        file_say_get(&bob, f[i].id, 0);
    say(&bob, "{'type':'file_get','file':'%s','id':'fifth'}", f[4].id);
    say(&bob, "{'type':'file_cancel','file':'%s'}", f[3].id);
    say(&bob, "{'type':'file_get','file':'%s','id':'again'}", f[0].id);
    int64_t at[4] = {0};
    int busy = 0, cancelled = 0;
    while (at[0] < MIB || at[1] < MIB || at[2] < MIB) {
        json_t *m = file_hear(&bob);
        if (strcmp(room_text(m, "type"), "error") == 0) {
            ck_assert_str_eq(room_text(m, "code"), "busy");
            ck_assert_str_eq(room_text(m, "id"), busy == 0 ? "fifth" : "again");
            busy++;
        } else if (strcmp(room_text(m, "type"), "file_cancelled") == 0) {
            ck_assert_str_eq(room_text(m, "file"), f[3].id);
            cancelled++;
        } else {
            int i = 0;
            while (i < 3 && strcmp(room_text(m, "file"), f[i].id) != 0)
                i++;
            must(file_take_data(m, &f[i], &at[i]));
            ck_assert(i < 3 || cancelled == 0); /* nothing after file_cancelled */
        }
        json_decref(m);
    }
    ck_assert_int_eq(busy, 2);
    ck_assert_int_eq(cancelled, 1);
    file_silence(&bob);
    file_fetch(&bob, &f[4], 0);
    for (int i = 0; i < 4; i++)
        file_offer(&ann, lobby, "x", &f[i]);
    file_say_offer(&ann, lobby, "x", 10, file_wrong_sum);
    file_refused(&ann, "busy");
    cancel(&ann, &f[2]);
    file_offer(&ann, lobby, "x", &f[2]);
    stop_server();
}
END_TEST

/* ---- quotas ----------------------------------------------------------------------------------- */

static void over_quota(struct room_peer *p, int64_t size)
{
    file_say_offer(p, lobby, "x", size, file_wrong_sum);
    file_refused(p, "quota");
}

static int64_t offered_now; /* by offer_in_time */

/* What has gone may still be being buried. */
static bool is_ready(void *context)
{
    struct room_peer *p = context;
    file_say_offer(p, lobby, "x", offered_now, file_wrong_sum);
    json_t *m = file_hear(p);
    bool ready = strcmp(room_text(m, "type"), "file_ready") == 0;
    json_decref(m);
    return ready;
}

START_TEST(quotas)
{
    struct room_peer people[PEOPLE], *ann = &people[0], *bob = &people[1], *eve = &people[2];
    struct content f = {.seed = 60, .size = 60000}, g = f, h = f;
    file_server("--file-quota", "100000", "--file-total", "150000");
    meet_three(people);
    file_say_offer(ann, lobby, "x", 100001, file_wrong_sum);
    file_refused(ann, "quota");
    file_offer(ann, lobby, "x", &f);
    over_quota(ann, 40001);
    file_offer(bob, lobby, "x", &g);
    over_quota(eve, 30001);
    cancel(ann, &f);
    file_offer(eve, lobby, "x", &h);
    over_quota(ann, 60000);
    room_reset(bob);
    offered_now = 60000;
    must(wait_until(is_ready, ann, "the quota of one who has gone"));
    room_close(ann);
    file_send(eve, &h, 0, h.size);
    file_expect_shared(eve, &h, "eve", "x");
    over_quota(eve, 40001);
    file_say_offer(eve, lobby, "x", 0, file_wrong_sum); /* nothing is no bytes */
    file_refused(eve, "bad_checksum");
    stop_server();

    file_server("--file-quota", "100000", "--file-total", "150000");
    come(eve, "EVE", "lobby");
    over_quota(eve, 40001);
    offered_now = 40000;
    ck_assert(is_ready(eve));
    come(ann, "ann", "lobby");
    over_quota(ann, 50001);
    stop_server();
}
END_TEST

/* The quota is of the nickname that the file gets. */
START_TEST(another_nickname_has_its_quota)
{
    struct room_peer ann, bob;
    struct content f = {.seed = 63, .size = 60000}, g = {.seed = 64, .size = 60000};
    file_server("--file-quota", "100000", NULL, NULL);
    come(&ann, "ann", "lobby");
    come(&bob, "bob", "bobs");
    file_upload(&ann, lobby, "x", &f);
    file_offer(&bob, "'room':'bobs'", "x", &g);
    file_send(&bob, &g, 0, 5 * CHUNK);
    take_nickname(&ann, "anna");
    take_nickname(&bob, "ann");
    file_send(&bob, &g, 5 * CHUNK, 14 * CHUNK);
    file_send_chunk(&bob, &g, 14 * CHUNK, 14 * CHUNK, (size_t)g.size - 14 * CHUNK);
    file_refused(&bob, "quota");
    file_expect_kept(1);
    stop_server();
}
END_TEST

START_TEST(old_ones_go)
{
    struct room_peer ann;
    struct content f = {.seed = 61, .size = 100}, g = {.seed = 62, .size = 100};
    file_server(NULL, NULL, NULL, NULL);
    come(&ann, "ann", "lobby");
    file_upload(&ann, lobby, "x", &f);
    file_upload(&ann, lobby, "x", &g);
    stop_server();
    sqlite3 *db = data_open();
    char text[200];
    snprintf(text, sizeof text, "UPDATE files SET made = made - 31 * 86400 WHERE id = '%s'", f.id);
    ck_assert_int_eq(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    file_server("--file-days", "0", NULL, NULL);
    come(&ann, "ann", "lobby");
    file_fetch(&ann, &f, 0);
    stop_server();
    file_server(NULL, NULL, NULL, NULL);
    come(&ann, "ann", "lobby");
    file_not_for(&ann, f.id);
    file_fetch(&ann, &g, 0);
    file_expect_kept(1);
    ck_assert_int_eq(data_count("SELECT count(*) FROM files"), 1);
    stop_server();
}
END_TEST

int main(void)
{
    chat_program = data_server();
    room_extensions = true;
    Suite *suite = suite_create("files");
    TCase *group = chat_group(suite, "files");
    tcase_add_checked_fixture(group, data_make, data_remove);
    tcase_add_test(group, each_request_and_its_reply);
    tcase_add_test(group, sizes);
    tcase_add_test(group, what_is_refused);
    tcase_add_test(group, a_sum_in_capitals);
    tcase_add_test(group, names_are_data);
    tcase_add_test(group, sizes_that_lie);
    tcase_add_test(group, a_wrong_sum);
    tcase_add_test(group, only_the_audience);
    tcase_add_test(group, an_upload_is_of_one_session);
    tcase_add_test(group, who_has_left_shares_nothing);
    tcase_add_test(group, who_leaves_gets_no_more);
    tcase_add_test(group, from_is_the_nickname_of_now);
    tcase_add_test(group, a_guest_is_who_had_the_nickname);
    tcase_add_test(group, an_account_is_one_person);
    tcase_add_test(group, resume);
    tcase_add_test(group, two_downloads_and_talk);
    tcase_add_test(group, four_at_once);
    tcase_add_test(group, quotas);
    tcase_add_test(group, another_nickname_has_its_quota);
    tcase_add_test(group, old_ones_go);
    return suite_run("files_test", suite, NULL);
}
