/*
 * crash_test - kill -9, a hundred times, in the middle of it all.
 *
 * Several talk in several rooms, as fast as they can; the server is killed when a random number of
 * broadcasts has been seen, and started again on the same folder.  Whatever any client ever saw
 * with a seq must be in the history then, once and in its place, and the seqs have no gaps.  The
 * database must be intact each time.
 *
 *   CRASHES=1000 crash_test    more of them;  SEED=7 the same random numbers again
 */

#include "../../../lessons/14-chat/tests/chat_suite.h"

#include "data_folder.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PEOPLE = 5, /* all of whom talk, each to all the rooms where he is */
    ROOMS = 3,
    AT_ONCE = 300, /* lines that each sends before each kill: more than is received at once */
    CRASHES = 100,
    SEEN_MOST = AT_ONCE * PEOPLE, /* until a kill: what they hear of themselves, at least */
    TEXT = 32,
    PAGE = 100,
    KEPT = 2000 /* of a room; the last round's are among them */
};

/* One message of a room: who said what, by any client's word, or by the history's. */
struct said {
    char from[8], content[TEXT];
};

static struct {
    struct said *said; /* by seq - 1 */
    int64_t seen;      /* the highest seq that any client has ever seen */
    int64_t checked;   /* up to here the history has been compared with it, and was right */
    int64_t capacity;
} rooms[ROOMS];

static struct room_peer people[PEOPLE];
static int64_t last_heard[PEOPLE][ROOMS]; /* since the last start; 0: nothing yet */
static int round_number;

/* ---- what is seen --------------------------------------------------------------------------- */

static struct said *place_of(int room, int64_t seq)
{
    while (seq > rooms[room].capacity) {
        int64_t capacity = rooms[room].capacity > 0 ? 2 * rooms[room].capacity : 4096;
        struct said *all = realloc(rooms[room].said, (size_t)capacity * sizeof *all);
        ck_assert_ptr_nonnull(all);
        memset(all + rooms[room].capacity, 0,
               (size_t)(capacity - rooms[room].capacity) * sizeof *all);
        rooms[room].said = all;
        rooms[room].capacity = capacity;
    }
    return &rooms[room].said[seq - 1];
}

/* Somebody says that this has this seq.  It must be what others say. */
static bool note(int room, int64_t seq, const char *from, const char *content)
{
    struct said *s = place_of(room, seq);
    if (*s->from == '\0') {
        snprintf(s->from, sizeof s->from, "%s", from);
        snprintf(s->content, sizeof s->content, "%s", content);
    }
    return (strcmp(s->from, from) == 0 && strcmp(s->content, content) == 0) ||
           fault("seq %lld of r%d is <%s> %s, and was <%s> %s", (long long)seq, room, from, content,
                 s->from, s->content);
}

static bool hear(struct room_peer *p, json_t *message, void *context)
{
    size_t *left = context;
    if (strcmp(room_text(message, "type"), "broadcast") != 0)
        return true;
    int who = (int)(p - people), room = room_text(message, "room")[1] - '0';
    int64_t seq = json_integer_value(json_object_get(message, "seq"));
    int64_t *last = &last_heard[who][room];
    if (seq < 1 || (*last > 0 && seq != *last + 1))
        return fault("%s: seq %lld of r%d came after %lld", p->name, (long long)seq, room,
                     (long long)*last);
    *last = seq;
    if (seq > rooms[room].seen)
        rooms[room].seen = seq;
    if (*left > 0)
        (*left)--;
    return note(room, seq, room_text(message, "from"), room_text(message, "content"));
}

/* ---- what is kept --------------------------------------------------------------------------- */

/* Read back from the end to what has been compared before: each seq once, and as it was seen. */
static void compare(struct room_peer *reader, int room)
{
    int64_t before = 0, newest = 1;
    do {
        char more[48] = "";
        if (before > 0)
            snprintf(more, sizeof more, ",'before':%lld", (long long)before);
        say(reader, "{'type':'history','room':'r%d','limit':%d%s}", room, PAGE, more);
        json_t *page = room_next_of(reader, "history");
        must(page != NULL);
        const json_t *list = json_object_get(page, "messages");
        for (size_t i = json_array_size(list); i > 0; i--) {
            const json_t *m = json_array_get(list, i - 1);
            int64_t seq = json_integer_value(json_object_get(m, "seq"));
            if (before == 0)
                newest = before = seq + 1;
            ck_assert_int_eq(seq, before - 1);
            must(note(room, seq, room_text(m, "from"), room_text(m, "content")));
            before = seq;
        }
        bool older = json_is_true(json_object_get(page, "more"));
        json_decref(page);
        if (!older) {
            ck_assert_int_le(before, newest > KEPT ? newest - KEPT : 1);
            break;
        }
    } while (before > rooms[room].checked + 1);
    ck_assert_msg(newest - 1 >= rooms[room].seen,
                  "round %d: seq %lld of r%d was seen, and the history ends with %lld",
                  round_number, (long long)rooms[room].seen, room, (long long)newest - 1);
    rooms[room].seen = rooms[room].checked = newest - 1;
}

/* The newest of each room is compared with what was seen; all that is kept, at the end. */
static void compare_all(bool from_the_beginning)
{
    struct room_peer reader;
    come(&reader, "reader", "r0");
    for (int r = 0; r < ROOMS; r++) {
        if (r > 0) {
            say(&reader, "{'type':'join_room','room':'r%d'}", r);
            json_t *joined = room_next_of(&reader, "room_joined");
            must(joined != NULL);
            json_decref(joined);
        }
        if (from_the_beginning)
            rooms[r].checked = 0;
        compare(&reader, r);
    }
    say(&reader, "{'type':'quit'}");
    expect(&reader, "{'type':'bye','reason':'quit'}");
    room_close(&reader);
}

/* ---- a round -------------------------------------------------------------------------------- */

/* Everybody joins, goes to the other rooms, and talks, without waiting for anything. */
static void queue_lines(int who)
{
    static const char filler[] = "................";
    struct room_peer *p = &people[who];
    char name[8];
    snprintf(name, sizeof name, "p%d", who);
    must(room_connect(p, name, &server));
    must(room_queue(p, "{'type':'join','nickname':'%s','room':'r0'}", name));
    for (int r = 1; r < ROOMS; r++)
        if (r != 1 + who % (ROOMS - 1)) /* one of them is not for him */
            must(room_queue(p, "{'type':'join_room','room':'r%d'}", r));
    for (int i = 0; i < AT_ONCE; i++) {
        int room = rand() % 2 == 0 ? 0 : 1 + (who + 1) % (ROOMS - 1);
        must(room_queue(p, "{'type':'message','room':'r%d','content':'%d %d%.*s'%s}", room,
                        round_number, i, rand() % 8, filler, i % 5 == 0 ? ",'id':1" : ""));
    }
}

static void start(void)
{
    must(chat_start(
        0,
        SUBJECT_ARGS("--quiet", "--data", data_folder, "--rate", "0", "--send-queue", "67108864"),
        0));
}

static void round_of_talk(void)
{
    size_t left = 1 + (size_t)rand() % SEEN_MOST;
    memset(last_heard, 0, sizeof last_heard);
    for (int i = 0; i < PEOPLE; i++)
        queue_lines(i);
    must(room_pump(people, PEOPLE, hear, &left, &left, "what the others say"));
    subject_kill(&server);
    for (int i = 0; i < PEOPLE; i++) {
        /* What was on its way has been seen as well. */
        json_t *message;
        while ((message = room_next(&people[i])) != NULL) {
            size_t none = 0;
            must(hear(&people[i], message, &none));
            json_decref(message);
        }
        room_close(&people[i]);
    }
}

START_TEST(what_was_seen_is_there)
{
    const char *wanted = getenv("CRASHES"), *seed = getenv("SEED");
    int crashes = wanted != NULL ? atoi(wanted) : CRASHES;
    srand(seed != NULL ? (unsigned)atoi(seed) : 1);
    for (round_number = 1; round_number <= crashes; round_number++) {
        start();
        compare_all(false);
        ck_assert_str_eq(data_integrity(), "ok");
        round_of_talk();
    }
    start();
    compare_all(true);
    stop_server();
    ck_assert_str_eq(data_integrity(), "ok");
    printf("crash_test: %d kills, %ld messages in %d rooms\n", crashes,
           data_count("SELECT sum(last) FROM rooms"), ROOMS);
    fflush(stdout);
    for (int r = 0; r < ROOMS; r++)
        free(rooms[r].said);
}
END_TEST

int main(void)
{
    chat_program = data_server();
    room_extensions = true;
    Suite *suite = suite_create("crash");
    TCase *group = chat_group(suite, "crash");
    tcase_set_timeout(group, 5 * SUITE_TIMEOUT); /* a hundred starts */
    tcase_add_checked_fixture(group, data_make, data_remove);
    tcase_add_test(group, what_was_seen_is_there);
    return suite_run("crash_test", suite, NULL);
}
