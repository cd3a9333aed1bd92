/*
 * login_test - the chat room's accounts, from outside: what the requests answer, what they cost
 * and what they must not tell, and everything that can happen while a password is hashed.
 *
 * No clock decides here.  Work is compared as the CPU time of the server, and what has to come at
 * the same time is sent while the server is stopped.
 */

#include "../../../lessons/14-chat/tests/chat_suite.h"

#include "buckets.h"
#include "data_folder.h"
#include "net.h"
#include "testkit/memory.h"
#include "testkit/proc.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CROWD = 50 };

static const char right[] = "correct horse battery";
static const char wrong[] = "incorrect horse battery";
static const char p128[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
                           "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/* ---- steps ---------------------------------------------------------------------------------- */

#define start_on_folder(...)                                                                       \
    must(chat_start(0, SUBJECT_ARGS("--quiet", "--rate", "0", "--data", data_folder, __VA_ARGS__), \
                    0))

/* Options with which no test runs out of attempts. */
#define UNLIMITED "--login-attempts", "10000", "--login-attempts-address", "10000"

static void enter(struct room_peer *p, const char *name)
{
    must(room_connect(p, name, &server));
}

static void ask_register(struct room_peer *p, const char *nickname, const char *password)
{
    say(p, "{'type':'register','nickname':'%s','password':'%s'}", nickname, password);
}

static void ask_login(struct room_peer *p, const char *nickname, const char *password)
{
    say(p, "{'type':'login','nickname':'%s','password':'%s'}", nickname, password);
}

static void is_welcomed(struct room_peer *p, const char *nickname)
{
    json_t *welcome = room_next_of(p, "welcome");
    must(welcome != NULL);
    ck_assert_str_eq(room_text(welcome, "nickname"), nickname);
    json_decref(welcome);
}

/* Register on a connection that is closed again. */
static void enrol(const char *nickname, const char *password)
{
    struct room_peer p;
    enter(&p, nickname);
    ask_register(&p, nickname, password);
    expect(&p, "{'type':'registered','nickname':'%s'}", nickname);
    room_close(&p);
}

static void log_in(struct room_peer *p, const char *nickname, const char *password)
{
    enter(p, nickname);
    ask_login(p, nickname, password);
    is_welcomed(p, nickname);
}

/* The code of the next message, an error; or its type. */
static const char *next_word(struct room_peer *p)
{
    static char word[32];
    json_t *m = room_next(p);
    must(m != NULL);
    const char *code = room_text(m, "code");
    snprintf(word, sizeof word, "%s", *code != '\0' ? code : room_text(m, "type"));
    json_decref(m);
    return word;
}

static int64_t cpu_time(void)
{
    clockid_t id;
    struct timespec t;
    ck_assert_int_eq(clock_getcpuclockid(server.pid, &id), 0);
    ck_assert_int_eq(clock_gettime(id, &t), 0);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* ---- what is asked, and what is answered ---------------------------------------------------- */

START_TEST(who_registers_can_log_in)
{
    struct room_peer ann, bob;
    start_on_folder(NULL);
    come(&bob, "bob", "den");
    enter(&ann, "ann");
    say(&ann, "{'type':'register','nickname':'Ann','password':'%s','id':'r'}", right);
    expect(&ann, "{'type':'registered','nickname':'Ann','id':'r'}");
    say(&ann, "{'type':'message','content':'too early'}");
    expect_error(&ann, "not_joined", NULL); /* to register is not to join */
    say(&ann, "{'type':'login','nickname':'Ann','password':'%s','room':'den','id':7}", right);
    expect(&ann, "{'type':'welcome','nickname':'Ann','room':'den','users':['Ann','bob'],'id':7}");
    expect(&bob, "{'type':'user_joined','nickname':'Ann','room':'den'}");
    say(&ann, "{'type':'message','content':'hello'}");
    expect(&bob, "{'type':'broadcast','from':'Ann','room':'den','content':'hello'}");
    expect(&ann, "{'type':'broadcast','from':'Ann','room':'den','content':'hello'}");
    say(&bob, "{'type':'private','to':'aNN','content':'hello'}");
    expect(&ann, "{'type':'private','from':'bob','to':'Ann','content':'hello'}");
    stop_server();
}
END_TEST

START_TEST(the_lobby_is_where_one_logs_in_to)
{
    struct room_peer ann;
    start_on_folder(NULL);
    enrol("ann", right);
    enter(&ann, "ann");
    ask_login(&ann, "ann", right);
    expect(&ann, "{'type':'welcome','nickname':'ann','room':'lobby','users':['ann']}");
    ask_login(&ann, "ann", right);
    expect_error(&ann, "already_joined", NULL);
    say(&ann, "{'type':'login'}");
    expect_error(&ann, "already_joined", NULL);
    stop_server();
}
END_TEST

START_TEST(who_has_joined_can_register)
{
    struct room_peer ann, bob;
    start_on_folder(NULL);
    come(&ann, "ann", "lobby");
    ask_register(&ann, "ANN", right); /* her own, spelled in another way */
    expect(&ann, "{'type':'registered','nickname':'ANN'}");
    ask_register(&ann, "carl", right); /* and another one */
    expect(&ann, "{'type':'registered','nickname':'carl'}");
    expect_silence(&ann);
    room_close(&ann);
    log_in(&bob, "ann", right);
    stop_server();
}
END_TEST

struct refusal {
    const char *line, *code;
};

START_TEST(what_is_wrong_is_refused)
{
    static const struct refusal refusals[] = {
        {"{'type':'register'}", "bad_request"},
        {"{'type':'register','nickname':'zoe'}", "bad_request"},
        {"{'type':'register','password':'12345678'}", "bad_request"},
        {"{'type':'register','nickname':'zoe','password':null}", "bad_request"},
        {"{'type':'register','nickname':'zoe','password':12345678}", "bad_request"},
        {"{'type':'register','nickname':'zoe','password':['12345678']}", "bad_request"},
        {"{'type':'register','nickname':['zoe'],'password':'12345678'}", "bad_request"},
        {"{'type':'register','nickname':'z o e','password':7}", "bad_request"},
        {"{'type':'register','nickname':'z o e','password':'short'}", "bad_nickname"},
        {"{'type':'register','nickname':'','password':'12345678'}", "bad_nickname"},
        {"{'type':'register','nickname':'zo\\u00eb','password':'12345678'}", "bad_nickname"},
        {"{'type':'register','nickname':'a234567890123456789012345','password':'12345678'}",
         "bad_nickname"},
        {"{'type':'register','nickname':'zoe','password':''}", "bad_request"},
        {"{'type':'register','nickname':'zoe','password':'1234567'}", "bad_request"},
        {"{'type':'register','nickname':'zoe','password':'\\u4f60\\u597d'}", "bad_request"},
        {"{'type':'register','nickname':'ANN','password':'12345678'}", "nickname_registered"},
        {"{'type':'register','nickname':'Bob','password':'12345678'}", "nickname_taken"},
        {"{'type':'login'}", "bad_request"},
        {"{'type':'login','nickname':'ann'}", "bad_request"},
        {"{'type':'login','nickname':5,'password':'12345678'}", "bad_request"},
        {"{'type':'login','nickname':'ann','password':true}", "bad_request"},
        {"{'type':'login','nickname':'a/n','password':'12345678'}", "bad_nickname"},
        {"{'type':'login','nickname':'ann','password':'1234567'}", "bad_request"},
        {"{'type':'login','nickname':'ann','password':'12345678','room':5}", "bad_request"},
        {"{'type':'login','nickname':'ann','password':'12345678','room':'a room'}", "bad_room"},
        {"{'type':'login','nickname':'ann','password':'12345678','room':''}", "bad_room"},
        {"{'type':'login','nickname':'ann','password':'12345678'}", "bad_credentials"},
        {"{'type':'login','nickname':'bob','password':'12345678'}", "bad_credentials"},
        {"{'type':'login','nickname':'zoe','password':'12345678'}", "bad_credentials"},
    };
    struct room_peer bob, eve;
    start_on_folder(UNLIMITED);
    enrol("ann", right);
    come(&bob, "bob", "lobby");
    enter(&eve, "eve");
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        const char *line = refusals[i].line;
        say(&eve, "%s", line);
        must(room_expect_error(&eve, refusals[i].code, NULL) ||
             fault("%s\nto %s", fault_text(), line));
        say(&eve, "%.*s,'id':%zu}", (int)strlen(line) - 1, line, i);
        char id[24];
        snprintf(id, sizeof id, "%zu", i);
        expect_error(&eve, refusals[i].code, id);
        say(&eve, "{'type':'message','content':'x'}");
        expect_error(&eve, "not_joined", NULL);
    }
    say(&eve, "{'type':'login','nickname':'zoe','password':'x%s'}", p128);
    expect_error(&eve, "bad_request", NULL);
    ask_register(&eve, "zoe", "12345678");
    expect(&eve, "{'type':'registered','nickname':'zoe'}");
    ask_register(&eve, "zoe2", p128);
    expect(&eve, "{'type':'registered','nickname':'zoe2'}");
    ask_register(&eve, "zoe3", "\xe4\xbd\xa0\xe5\xa5\xbd\xe5\xa5\xbd"); /* 3 characters, 9 bytes */
    expect(&eve, "{'type':'registered','nickname':'zoe3'}");
    ask_login(&eve, "zoe2", p128);
    is_welcomed(&eve, "zoe2");
    expect(&bob, "{'type':'user_joined','nickname':'zoe2','room':'lobby'}");
    expect_silence(&bob);
    stop_server();
}
END_TEST

START_TEST(a_registered_nickname_is_its_owners)
{
    static const char *const spellings[] = {"ann", "ANN", "aNn"};
    struct room_peer ann, eve;
    start_on_folder(NULL);
    enrol("Ann", right);
    enter(&eve, "eve");
    for (size_t i = 0; i < 3; i++) {
        say(&eve, "{'type':'join','nickname':'%s'}", spellings[i]);
        expect_error(&eve, "nickname_registered", NULL);
    }
    say(&eve, "{'type':'join','nickname':'eve','room':'den'}");
    is_welcomed(&eve, "eve");
    for (size_t i = 0; i < 3; i++) {
        say(&eve, "{'type':'nick','nickname':'%s','id':1}", spellings[i]);
        expect_error(&eve, "nickname_registered", "1");
    }
    log_in(&ann, "ann", right);
    say(&ann, "{'type':'nick','nickname':'ANN'}");
    expect(&ann, "{'type':'nick_changed','old':'ann','nickname':'ANN'}");
    say(&eve, "{'type':'nick','nickname':'ann'}");
    expect_error(&eve, "nickname_taken", NULL);
    say(&ann, "{'type':'nick','nickname':'annie'}"); /* she may leave it, and it is still hers */
    expect(&ann, "{'type':'nick_changed','old':'ANN','nickname':'annie'}");
    say(&eve, "{'type':'nick','nickname':'ann'}");
    expect_error(&eve, "nickname_registered", NULL);
    say(&ann, "{'type':'quit'}");
    expect(&ann, "{'type':'bye','reason':'quit'}");
    say(&eve, "{'type':'nick','nickname':'ann'}");
    expect_error(&eve, "nickname_registered", NULL);
    say(&eve, "{'type':'nick','nickname':'annie'}");
    expect(&eve, "{'type':'nick_changed','old':'eve','nickname':'annie'}");
    stop_server();
}
END_TEST

/* ---- what it costs, and what it tells ------------------------------------------------------- */

/* The answer to a wrong login without its timestamp; *work grows by the CPU time that it cost. */
static json_t *answer_to(struct room_peer *p, const char *nickname, int64_t *work)
{
    int64_t before = cpu_time();
    ask_login(p, nickname, wrong);
    json_t *answer = room_next_of(p, "error");
    must(answer != NULL);
    *work += cpu_time() - before;
    json_object_del(answer, "timestamp");
    return answer;
}

START_TEST(an_unknown_nickname_cannot_be_told_from_a_wrong_password)
{
    enum { ROUNDS = 10 };
    struct room_peer eve;
    int64_t known = 0, unknown = 0, too_long = 0;
    char nickname[32];
    start_on_folder(UNLIMITED);
    enrol("ann", right);
    enter(&eve, "eve");
    for (int i = 0; i < ROUNDS; i++) {
        snprintf(nickname, sizeof nickname, "nobody-%d", i);
        json_t *first = answer_to(&eve, "ann", &known);
        json_t *second = answer_to(&eve, nickname, &unknown);
        ck_assert_str_eq(room_text(first, "code"), "bad_credentials");
        ck_assert(json_equal(first, second));
        json_decref(first);
        json_decref(second);
    }
    ck_assert_msg(known > ROUNDS * 1000000LL, ": %lld ns for %d hashes", (long long)known, ROUNDS);
    ck_assert_msg(unknown > known / 2 && known > unknown / 2, ": known %lld ns, unknown %lld ns",
                  (long long)known, (long long)unknown);
    int64_t before = cpu_time();
    for (int i = 0; i < ROUNDS; i++) {
        say(&eve, "{'type':'login','nickname':'ann','password':'x%s'}", p128);
        expect_error(&eve, "bad_request", NULL);
    }
    too_long = cpu_time() - before;
    ck_assert_msg(too_long < known / 3, ": %lld ns for what is too long, %lld ns for hashes",
                  (long long)too_long, (long long)known);
    stop_server();
}
END_TEST

START_TEST(a_password_is_nowhere)
{
    /* Each stands in the middle of a password: what free(3) leaves is overwritten at its
     * beginning. */
    static const char *const secrets[] = {"marmalade",    "thunderbolt",  "periwinkle",
                                          "quicksilver",  "tarantella",   "stratosphere",
                                          "rhododendron", "chrysanthemum"};
    struct room_peer ann, eve;
    struct memory_place place;
    must(chat_start(0,
                    SUBJECT_ARGS("--rate", "0", "--data", data_folder, "--login-attempts", "1",
                                 "--login-refill", "86400"),
                    0));
    enrol("annabelle", "12345678-marmalade-8765");
    log_in(&ann, "annabelle", "12345678-marmalade-8765");
    enter(&eve, "eve");
    ask_login(&eve, "annabelle", "12345678-thunderbolt-8765");
    expect_error(&eve, "bad_credentials", NULL);
    ask_login(&eve, "nobody", "12345678-periwinkle-8765");
    expect_error(&eve, "bad_credentials", NULL);
    say(&eve, "{'type':'login','nickname':'x','password':'12345678-quicksilver-%s'}", p128);
    expect_error(&eve, "bad_request", NULL);
    say(&eve, "{'type':'login','nickname':'x','password':'12345678-tarantella-8765'");
    expect_error(&eve, "bad_json", NULL);
    ask_login(&eve, "annabelle", "12345678-stratosphere-8765");
    expect_error(&eve, "busy", NULL);
    say(&eve, "{'type':'login','nickname':'a','password':'12345678-rhododendron-8765'}\n"
              "{'type':'login','nickname':'bb','password':'12345678-rhododendron-8765'}\n"
              "{'type':'login','nickname':'ccc','password':'12345678-rhododendron-8765'}");
    for (int i = 0; i < 3; i++)
        expect_error(&eve, "bad_credentials", NULL);
    must(room_send(&eve, "{\"type\":\"login\",\"password\":\"12345678-chrysanth", 43));
    expect_silence(&ann);
    must(room_send(&eve, "emum-8765\"}\n", 12)); /* in two pieces */
    expect_error(&eve, "bad_request", NULL);
    must(chat_log_has("annabelle"));
    ck_assert(memory_find(server.pid, "annabelle", NULL));
    for (size_t i = 0; i < sizeof secrets / sizeof secrets[0]; i++) {
        ck_assert_msg(strstr(chat_log(), secrets[i]) == NULL, ": %s is in the log", secrets[i]);
        ck_assert_msg(!memory_find(server.pid, secrets[i], &place),
                      ": %s is in the memory, %s, behind '%s'", secrets[i], place.mapping,
                      place.before);
    }
    ck_assert_int_eq(data_count("SELECT count(*) FROM accounts WHERE hash LIKE '%marmalade%'"), 0);
    stop_server();
}
END_TEST

/* Who has said good-bye is still read from, until he closes. */
START_TEST(a_password_that_comes_too_late_is_nowhere)
{
    struct room_peer ann;
    struct memory_place place;
    start_on_folder(NULL);
    long descriptors = proc_tree(server.pid).descriptors;
    enter(&ann, "ann");
    say(&ann, "{'type':'quit'}");
    expect(&ann, "{'type':'bye','reason':'quit'}");
    expect_end(&ann);
    ask_login(&ann, "ann", "12345678-marmalade-8765");
    room_close(&ann);
    must(chat_level(descriptors)); /* it has read to the end */
    ck_assert_msg(!memory_find(server.pid, "marmalade", &place),
                  ": it is in the memory, %s, behind '%s'", place.mapping, place.before);
    stop_server();
}
END_TEST

START_TEST(a_hash_is_worth_what_is_promised)
{
    start_on_folder(NULL);
    enrol("ann", right);
    enrol("bob", right);
    ck_assert_int_eq(data_count("SELECT count(*) FROM accounts"
                                " WHERE hash LIKE '$argon2id$v=19$m=19456,t=2,p=1$%'"),
                     2);
    ck_assert_int_eq(data_count("SELECT count(DISTINCT hash) FROM accounts"), 2); /* it is salted */
    stop_server();
}
END_TEST

/* ---- attempts ------------------------------------------------------------------------------- */

static void fails(struct room_peer *p, const char *nickname, const char *code)
{
    ask_login(p, nickname, wrong);
    expect_error(p, code, NULL);
}

START_TEST(attempts_at_a_nickname_are_limited)
{
    struct room_peer ann, bob, eve;
    start_on_folder("--login-attempts", "3", "--login-refill", "86400");
    enrol("ann", right);
    enrol("bob", right);
    enter(&eve, "eve");
    fails(&eve, "ann", "bad_credentials");
    fails(&eve, "ANN", "bad_credentials");
    fails(&eve, "aNn", "bad_credentials");
    fails(&eve, "Ann", "busy");
    enter(&ann, "ann");
    ask_login(&ann, "ann", right); /* it is the nickname that is limited, whoever asks */
    expect_error(&ann, "busy", NULL);
    for (int i = 0; i < 3; i++)
        fails(&eve, "nobody", "bad_credentials");
    fails(&eve, "nobody", "busy");
    for (int i = 0; i < 8; i++) { /* who is right has as many as he likes */
        log_in(&bob, "bob", right);
        say(&bob, "{'type':'quit'}");
        expect(&bob, "{'type':'bye','reason':'quit'}");
        room_close(&bob);
    }
    say(&eve, "{'type':'join','nickname':'eve'}");
    is_welcomed(&eve, "eve");
    stop_server();
}
END_TEST

static struct room_peer crowd[CROWD];

/* Count people come; the server is stopped, and each logs in with a wrong password, as guest-N or
 * all of them under one nickname. */
static void freeze_and_log_in(size_t count, const char *nickname)
{
    char name[32];
    for (size_t i = 0; i < count; i++) {
        snprintf(name, sizeof name, "guest-%zu", i);
        enter(&crowd[i], name);
        say(&crowd[i], "{'type':'ping'}");
        expect(&crowd[i], "{'type':'pong'}");
    }
    must(proc_freeze(server.pid));
    for (size_t i = 0; i < count; i++)
        ask_login(&crowd[i], nickname != NULL ? nickname : crowd[i].name, wrong);
}

/* How many of the crowd are told busy; the others are told bad_credentials. */
static size_t busy_of(size_t count)
{
    size_t busy = 0;
    for (size_t i = 0; i < count; i++) {
        const char *word = next_word(&crowd[i]);
        busy += strcmp(word, "busy") == 0;
        ck_assert_msg(strcmp(word, "busy") == 0 || strcmp(word, "bad_credentials") == 0,
                      ": %s got %s", crowd[i].name, word);
    }
    return busy;
}

START_TEST(attempts_at_the_same_time_count_as_well)
{
    start_on_folder("--login-attempts", "3", "--login-refill", "86400");
    enrol("ann", right);
    freeze_and_log_in(20, "ann");
    must(proc_thaw(server.pid));
    ck_assert_uint_eq(busy_of(20), 17);
    stop_server();
}
END_TEST

/* A peer who comes from 127.0.0.N. */
static void enter_from(struct room_peer *p, const char *name, const char *address)
{
    struct sockaddr_in from = {.sin_family = AF_INET};
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)strtoul(server.port, NULL, 10))};
    ck_assert_int_eq(inet_pton(AF_INET, address, &from.sin_addr), 1);
    ck_assert_int_eq(inet_pton(AF_INET, server.host, &to.sin_addr), 1);
    *p = (struct room_peer){.in.limit = 1 << 20, .out.limit = 1 << 20};
    snprintf(p->name, sizeof p->name, "%s", name);
    p->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(p->fd, (struct sockaddr *)&from, sizeof from), 0);
    ck_assert_int_eq(connect(p->fd, (struct sockaddr *)&to, sizeof to), 0);
}

START_TEST(attempts_from_an_address_are_limited)
{
    struct room_peer eve, bob;
    char nickname[32];
    start_on_folder("--login-attempts-address", "6", "--login-refill-address", "86400");
    enrol("ann", right); /* the first */
    enter(&eve, "eve");
    for (int i = 0; i < 5; i++) {
        snprintf(nickname, sizeof nickname, "victim-%d", i);
        fails(&eve, nickname, "bad_credentials");
    }
    fails(&eve, "victim-5", "busy");
    ask_register(&eve, "eve", right);
    expect_error(&eve, "busy", NULL);
    ask_login(&eve, "ann", right);
    expect_error(&eve, "busy", NULL);
    enter_from(&bob, "bob", "127.0.0.2");
    ask_login(&bob, "ann", right); /* another one may */
    is_welcomed(&bob, "ann");
    room_close(&bob);
    stop_server();
}
END_TEST

/* [right-costs] Who has one account and loops over logins that are right has what everybody else has. */
START_TEST(right_ones_count_for_the_address)
{
    enum { MOST = 10 };
    struct room_peer ann, bob;
    start_on_folder("--login-attempts-address", "10", "--login-refill-address", "86400");
    enrol("ann", right); /* the first */
    for (int i = 1; i < MOST; i++) {
        log_in(&ann, "ann", right);
        room_reset(&ann);
    }
    enter(&ann, "ann");
    ask_login(&ann, "ann", right);
    expect_error(&ann, "busy", NULL);
    ask_register(&ann, "annie", right);
    expect_error(&ann, "busy", NULL);
    enter_from(&bob, "bob", "127.0.0.2"); /* elsewhere the nickname has all of its own */
    ask_login(&bob, "ann", right);
    is_welcomed(&bob, "ann");
    room_close(&bob);
    stop_server();
}
END_TEST

/* A class behind one address, in batches that the queue holds. */
START_TEST(a_class_logs_in_at_once)
{
    enum { PUPILS = 200, AT_ONCE = CROWD };
    char name[32];
    start_on_folder("--login-attempts-address", "10000", "--login-refill-address", "86400");
    for (int n = 0; n < PUPILS; n += AT_ONCE) {
        for (int i = 0; i < AT_ONCE; i++) {
            snprintf(name, sizeof name, "pupil-%d", n + i);
            enter(&crowd[i], name);
            ask_register(&crowd[i], name, right);
        }
        for (int i = 0; i < AT_ONCE; i++)
            expect(&crowd[i], "{'type':'registered','nickname':'%s'}", crowd[i].name);
        chat_close(crowd, AT_ONCE);
    }
    stop_server();
    start_on_folder("--login-refill-address", "86400"); /* as many as there are by default */
    for (int n = 0; n < PUPILS; n += AT_ONCE) {
        for (int i = 0; i < AT_ONCE; i++) {
            snprintf(name, sizeof name, "pupil-%d", n + i);
            enter(&crowd[i], name);
            ask_login(&crowd[i], name, right);
        }
        for (int i = 0; i < AT_ONCE; i++)
            is_welcomed(&crowd[i], crowd[i].name);
        chat_close(crowd, AT_ONCE);
    }
    stop_server();
}
END_TEST

START_TEST(accounts_are_limited)
{
    struct room_peer eve, ann;
    start_on_folder("--login-accounts", "3");
    enrol("ann", right);
    enrol("bob", right);
    stop_server();
    start_on_folder("--login-accounts", "3"); /* it counts those that there are */
    enrol("carl", right);
    enter(&eve, "eve");
    ask_register(&eve, "dora", right);
    expect_error(&eve, "busy", NULL);
    ask_register(&eve, "ANN", right);
    expect_error(&eve, "nickname_registered", NULL);
    ask_login(&eve, "carl", right);
    is_welcomed(&eve, "carl");
    ck_assert_int_eq(data_count("SELECT count(*) FROM accounts"), 3);
    stop_server();
    start_on_folder("--login-accounts", "2"); /* fewer than there are: nobody loses his own */
    enter(&eve, "eve");
    ask_register(&eve, "dora", right);
    expect_error(&eve, "busy", NULL);
    log_in(&ann, "ann", right);
    stop_server();
}
END_TEST

/* Of an option's two attempts one comes back every second. */
static void come_back(const char *most, const char *refill)
{
    struct room_peer ann;
    const char *word;
    start_on_folder(most, "2", refill, "1");
    enter(&ann, "ann");
    int64_t deadline = wait_deadline();
    do /* one may have come back meanwhile */
        ask_login(&ann, "ann", wrong);
    while (strcmp(word = next_word(&ann), "busy") != 0 && wait_left_ms(deadline) > 0);
    ck_assert_str_eq(word, "busy");
    do {
        usleep(10000);
        ask_login(&ann, "ann", wrong);
    } while (strcmp(word = next_word(&ann), "busy") == 0 && wait_left_ms(deadline) > 0);
    ck_assert_str_eq(word, "bad_credentials");
    stop_server();
}

START_TEST(attempts_come_back)
{
    come_back("--login-attempts", "--login-refill");
    come_back("--login-attempts-address", "--login-refill-address");
}
END_TEST

START_TEST(what_was_not_hashed_does_not_count)
{
    enum { AT_ONCE = 40, MORE = 34 };
    struct room_peer eve;
    char nickname[32];
    start_on_folder("--login-threads", "1", "--login-queue", "1", "--login-attempts-address", "45",
                    "--login-refill-address", "86400");
    freeze_and_log_in(AT_ONCE, NULL);
    must(proc_thaw(server.pid));
    size_t busy = busy_of(AT_ONCE);
    ck_assert_uint_gt(busy, 0);
    size_t left = 45 - (AT_ONCE - busy);
    enter(&eve, "eve");
    for (size_t i = 0; i < MORE && i < left; i++) {
        snprintf(nickname, sizeof nickname, "victim-%zu", i);
        fails(&eve, nickname, "bad_credentials");
    }
    stop_server();
}
END_TEST

/* ---- buckets, by themselves ------------------------------------------------------------------ */

static struct buckets buckets;

/* Two of 65536 may fall together: then another one is tried. */
static uint32_t another_bucket(uint32_t than)
{
    char name[16] = "a";
    while (bucket_of_name(name) == than)
        name[0]++;
    return bucket_of_name(name);
}

START_TEST(a_bucket_is_emptied_and_filled)
{
    ck_assert_int_ne(sodium_init(), -1);
    buckets_init();
    buckets.most = 3;
    buckets.every = 3600;
    uint32_t ann = bucket_of_name("ann"), other = another_bucket(ann);
    ck_assert_uint_eq(ann, bucket_of_name("ANN"));
    ck_assert_uint_eq(bucket_of_name("A-very-long.nickname_Z9"),
                      bucket_of_name("a-very-long.nickname_z9"));
    for (int i = 0; i < 3; i++)
        ck_assert(buckets_take(&buckets, ann));
    ck_assert(!buckets_take(&buckets, ann));
    ck_assert(!buckets_take(&buckets, ann)); /* to be refused costs nothing */
    buckets_give(&buckets, ann);
    ck_assert(buckets_take(&buckets, ann));
    ck_assert(!buckets_take(&buckets, ann));
    ck_assert(buckets_take(&buckets, other));
    buckets_give(&buckets, other); /* one that is full does not get fuller */
    buckets_give(&buckets, other);
    for (int i = 0; i < 3; i++)
        ck_assert(buckets_take(&buckets, other));
    ck_assert(!buckets_take(&buckets, other));
}
END_TEST

static bool has_token(void *which)
{
    return buckets_take(&buckets, *(uint32_t *)which);
}

START_TEST(a_bucket_is_filled_by_time)
{
    ck_assert_int_ne(sodium_init(), -1);
    buckets_init();
    buckets.most = 2;
    buckets.every = 0.2;
    uint32_t ann = bucket_of_name("ann");
    int taken = 0;
    while (taken < 100 && buckets_take(&buckets, ann))
        taken++;
    ck_assert_int_ge(taken, 2);
    ck_assert_int_lt(taken, 100);
    must(wait_until(has_token, &ann, "a token to come back"));
}
END_TEST

/* The bucket of a client from there, as a listener sees it. */
static uint32_t bucket_of_client(int listener, const char *address)
{
    char port[8];
    snprintf(port, sizeof port, "%d", net_local_port(listener));
    int client = net_connect(address, port);
    ck_assert_int_ne(client, -1);
    int fd = accept(listener, NULL, NULL);
    ck_assert_int_ne(fd, -1);
    uint32_t bucket = bucket_of_address(fd);
    close(fd);
    close(client);
    return bucket;
}

START_TEST(an_address_has_one_bucket)
{
    ck_assert_int_ne(sodium_init(), -1);
    buckets_init();
    int v4 = net_listen("127.0.0.1", "0", 5), both = net_listen("::", "0", 5);
    ck_assert_int_ne(v4, -1);
    uint32_t bucket = bucket_of_client(v4, "127.0.0.1");
    ck_assert_uint_eq(bucket, bucket_of_client(v4, "127.0.0.1")); /* the port is none of it */
    if (both == -1)
        suite_skip("this machine has no IPv6");
    ck_assert_uint_eq(bucket, bucket_of_client(both, "127.0.0.1")); /* as ::ffff:127.0.0.1 */
    ck_assert_uint_eq(bucket_of_client(both, "::1"), bucket_of_client(both, "::1"));
    close(v4);
    close(both);
}
END_TEST

static uint32_t bucket_of_text(const char *address)
{
    unsigned char bytes[16];
    ck_assert_int_eq(inet_pton(AF_INET6, address, bytes), 1);
    return bucket_of_ipv6(bytes);
}

/* A second network of 64 bits is not to be had without privileges: the key alone. */
START_TEST(an_ipv6_network_has_one_bucket)
{
    static const char *const networks[] = {
        "2001:db8:0:1::", "2001:db8:0:2::", "2001:db8:1:1::", "2001:db9:0:1::", "fe80::"};
    enum { NETWORKS = sizeof networks / sizeof networks[0] };
    ck_assert_int_ne(sodium_init(), -1);
    int together = 0;
    for (int keys = 0; keys < 10; keys++) {
        uint32_t bucket[NETWORKS];
        char address[64];
        buckets_init();
        for (int i = 0; i < NETWORKS; i++) {
            bucket[i] = bucket_of_text(networks[i]);
            snprintf(address, sizeof address, "%s1", networks[i]);
            ck_assert_uint_eq(bucket[i], bucket_of_text(address));
            for (int j = 0; j < i; j++)
                together += bucket[i] == bucket[j];
        }
        ck_assert_uint_eq(bucket_of_text("2001:db8:0:1:ffff:ffff:ffff:ffff"), bucket[0]);
        ck_assert_uint_eq(bucket_of_text("2001:db8:0:2:a:b:c:d"), bucket[1]);
        ck_assert_uint_eq(bucket_of_text("::ffff:192.0.2.1"), bucket_of_text("::ffff:c000:201"));
        together += bucket_of_text("::ffff:192.0.2.1") == bucket_of_text("::ffff:192.0.2.2");
    }
    ck_assert_int_le(together, 3); /* of 110 pairs, each one in 65536 */
}
END_TEST

/* ---- many at once --------------------------------------------------------------------------- */

START_TEST(a_full_queue_is_busy)
{
    struct room_peer ann;
    start_on_folder(UNLIMITED, "--login-threads", "1", "--login-queue", "4");
    enrol("ann", right);
    freeze_and_log_in(CROWD, NULL);
    must(proc_thaw(server.pid));
    size_t busy = busy_of(CROWD);
    ck_assert_msg(busy > 0 && busy <= CROWD - 4, ": %zu of %d were busy", busy, CROWD);
    log_in(&ann, "ann", right);
    for (int i = 0; i < CROWD; i++)
        expect_silence(&crowd[i]);
    stop_server();
}
END_TEST

/* What comes to the two who talk while fifty log in. */
struct talk {
    size_t left;    /* messages yet to come, and welcomes */
    size_t next[2]; /* the number of the next message to each of the two */
};

static bool take(struct room_peer *p, json_t *message, void *context)
{
    struct talk *talk = context;
    const char *type = room_text(message, "type");
    if (p != &crowd[0] && p != &crowd[1]) {
        talk->left--;
        return strcmp(type, "welcome") == 0 || fault("%s: a %s, and no welcome", p->name, type);
    }
    char wanted[16];
    snprintf(wanted, sizeof wanted, "%zu", talk->next[p - crowd]++);
    talk->left--;
    return (strcmp(type, "broadcast") == 0 && strcmp(room_text(message, "content"), wanted) == 0) ||
           fault("%s: a %s '%s', and not message %s", p->name, type, room_text(message, "content"),
                 wanted);
}

START_TEST(fifty_log_in_while_others_chat)
{
    enum { MESSAGES = 200 };
    char name[32];
    struct talk talk = {.left = 2 * MESSAGES + CROWD - 2};
    start_on_folder(UNLIMITED);
    for (int i = 2; i < CROWD; i++) { /* in pairs: two threads hash */
        snprintf(name, sizeof name, "guest-%d", i);
        enter(&crowd[i], name);
        ask_register(&crowd[i], name, right);
    }
    for (int i = 2; i < CROWD; i++)
        expect(&crowd[i], "{'type':'registered','nickname':'%s'}", crowd[i].name);
    meet(crowd, 2, "ann", "bob");
    for (int i = 2; i < CROWD; i++)
        must(room_queue(&crowd[i],
                        "{'type':'login','nickname':'%s','password':'%s','room':'room-%d'}",
                        crowd[i].name, right, i));
    for (int i = 0; i < MESSAGES; i++)
        must(room_queue(&crowd[0], "{'type':'message','content':'%d'}", i));
    must(room_pump(crowd, CROWD, take, &talk, &talk.left, "the messages and the welcomes"));
    stop_server();
}
END_TEST

START_TEST(the_loop_does_not_hash)
{
    enum { LOGINS = 20 };
    char path[64];
    long long before, after;
    start_on_folder(UNLIMITED);
    snprintf(path, sizeof path, "/proc/%d/task/%d/schedstat", (int)server.pid, (int)server.pid);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        suite_skip("the kernel does not tell the CPU time of threads");
    fclose(file);
    freeze_and_log_in(LOGINS, NULL);
    file = fopen(path, "re");
    ck_assert_int_eq(fscanf(file, "%lld", &before), 1);
    fclose(file);
    int64_t all = cpu_time();
    must(proc_thaw(server.pid));
    ck_assert_uint_eq(busy_of(LOGINS), 0);
    all = cpu_time() - all;
    file = fopen(path, "re");
    ck_assert_int_eq(fscanf(file, "%lld", &after), 1);
    fclose(file);
    ck_assert_msg(after - before < all / 3, ": the loop has used %lld of %lld ns", after - before,
                  (long long)all);
    stop_server();
}
END_TEST

/* ---- races ---------------------------------------------------------------------------------- */

START_TEST(of_ten_who_register_one_has_it)
{
    enum { RIVALS = 10 };
    char name[32];
    int winner = -1;
    start_on_folder(UNLIMITED);
    for (int i = 0; i < RIVALS; i++) {
        snprintf(name, sizeof name, "password-%d", i);
        enter(&crowd[i], name);
    }
    must(proc_freeze(server.pid));
    for (int i = 0; i < RIVALS; i++)
        ask_register(&crowd[i], i % 2 == 0 ? "prize" : "PRIZE", crowd[i].name);
    must(proc_thaw(server.pid));
    for (int i = 0; i < RIVALS; i++) {
        const char *word = next_word(&crowd[i]);
        if (strcmp(word, "registered") == 0) {
            ck_assert_int_eq(winner, -1);
            winner = i;
        } else {
            ck_assert_str_eq(word, "nickname_registered");
        }
    }
    ck_assert_int_ne(winner, -1);
    for (int i = 0; i < RIVALS; i++)
        if (i != winner) {
            ask_login(&crowd[i], "prize", crowd[i].name);
            expect_error(&crowd[i], "bad_credentials", NULL);
        }
    ask_login(&crowd[winner], "prize", crowd[winner].name);
    is_welcomed(&crowd[winner], "prize");
    ck_assert_int_eq(data_count("SELECT count(*) FROM accounts"), 1);
    stop_server();
}
END_TEST

START_TEST(who_joins_while_another_registers_has_it)
{
    struct room_peer ann, bob, carl;
    start_on_folder(NULL);
    enter(&ann, "ann");
    enter(&bob, "bob");
    come(&carl, "carl", "den");
    must(proc_freeze(server.pid));
    ask_register(&ann, "prize", right);
    ask_register(&ann, "trophy", right);
    say(&bob, "{'type':'join','nickname':'prize'}");
    must(proc_thaw(server.pid));
    is_welcomed(&bob, "prize");
    expect_error(&ann, "nickname_taken", NULL);
    expect(&ann, "{'type':'registered','nickname':'trophy'}");
    must(proc_freeze(server.pid));
    ask_register(&ann, "medal", right);
    say(&carl, "{'type':'nick','nickname':'Medal'}");
    must(proc_thaw(server.pid));
    expect(&carl, "{'type':'nick_changed','old':'carl','nickname':'Medal'}");
    expect_error(&ann, "nickname_taken", NULL);
    ck_assert_int_eq(data_count("SELECT count(*) FROM accounts"), 1);
    stop_server();
}
END_TEST

/* ---- one owner, one session ----------------------------------------------------------------- */

START_TEST(a_second_login_replaces_the_first)
{
    struct room_peer old, new, bob;
    start_on_folder(NULL);
    enrol("ann", right);
    come(&bob, "bob", "lobby");
    log_in(&old, "ann", right);
    expect(&bob, "{'type':'user_joined','nickname':'ann','room':'lobby'}");
    say(&old, "{'type':'join_room','room':'den'}");
    expect(&old, "{'type':'room_joined','room':'den','users':['ann']}");
    enter(&new, "ann, elsewhere");
    ask_login(&new, "ANN", wrong); /* a wrong password disturbs nobody */
    expect_error(&new, "bad_credentials", NULL);
    expect_silence(&old);
    say(&new, "{'type':'login','nickname':'ANN','password':'%s'}", right);
    expect(&new, "{'type':'welcome','nickname':'ANN','room':'lobby','users':['ANN','bob']}");
    expect(&old, "{'type':'bye','reason':'logged in elsewhere'}");
    expect_end(&old);
    expect(&bob, "{'type':'user_left','nickname':'ann','room':'lobby','reason':'connection lost'}");
    expect(&bob, "{'type':'user_joined','nickname':'ANN','room':'lobby'}");
    say(&new, "{'type':'list_rooms'}");
    expect(&new, "{'type':'rooms','rooms':[{'name':'lobby','users':2}]}");
    say(&bob, "{'type':'private','to':'ann','content':'still you?'}");
    expect(&new, "{'type':'private','from':'bob','to':'ANN','content':'still you?'}");
    stop_server();
}
END_TEST

START_TEST(of_many_logins_at_once_the_last_one_stays)
{
    enum { TIMES = 8 };
    struct room_peer bob;
    int alive = -1;
    start_on_folder(UNLIMITED);
    enrol("ann", right);
    come(&bob, "bob", "den");
    for (int i = 0; i < TIMES; i++)
        enter(&crowd[i], "ann");
    must(proc_freeze(server.pid));
    for (int i = 0; i < TIMES; i++)
        ask_login(&crowd[i], "ann", right);
    must(proc_thaw(server.pid));
    for (int i = 0; i < TIMES; i++)
        is_welcomed(&crowd[i], "ann");
    for (int i = 0; i < TIMES; i++) {
        say(&crowd[i], "{'type':'ping'}");
        const char *word = next_word(&crowd[i]);
        if (strcmp(word, "bye") == 0) {
            expect_end(&crowd[i]);
            continue;
        }
        ck_assert_str_eq(word, "pong");
        ck_assert_int_eq(alive, -1);
        alive = i;
    }
    ck_assert_int_ne(alive, -1);
    say(&bob, "{'type':'list_users'}");
    expect(&bob, "{'type':'users','room':null,'users':['ann','bob']}");
    stop_server();
}
END_TEST

START_TEST(one_who_is_replaced_may_have_asked_for_something)
{
    struct room_peer old, new;
    start_on_folder(UNLIMITED, "--login-threads", "1");
    enrol("ann", right);
    log_in(&old, "ann", right);
    enter(&new, "ann, elsewhere");
    must(proc_freeze(server.pid));
    ask_login(&new, "ann", right);
    ask_register(&old, "another", right);
    say(&old, "{'type':'message','content':'and more'}");
    must(proc_thaw(server.pid));
    is_welcomed(&new, "ann");
    must(chat_serves());
    stop_server();
}
END_TEST

/* ---- order, and who does not wait ----------------------------------------------------------- */

START_TEST(what_follows_a_login_waits_for_it)
{
    struct room_peer ann;
    start_on_folder(UNLIMITED);
    enter(&ann, "ann");
    say(&ann,
        "{'type':'ping','id':1}\n{'type':'register','nickname':'ann','password':'%s','id':2}\n"
        "{'type':'ping','id':3}\n{'type':'login','nickname':'ann','password':'%s','id':4}\n"
        "{'type':'login','nickname':'ann','password':'%s','room':'den','id':5}\n"
        "{'type':'message','content':'hello'}\n{'type':'ping','id':6}",
        right, wrong, right);
    expect(&ann, "{'type':'pong','id':1}");
    expect(&ann, "{'type':'registered','nickname':'ann','id':2}");
    expect(&ann, "{'type':'pong','id':3}");
    expect_error(&ann, "bad_credentials", "4");
    expect(&ann, "{'type':'welcome','nickname':'ann','room':'den','users':['ann'],'id':5}");
    expect(&ann, "{'type':'broadcast','from':'ann','room':'den','content':'hello'}");
    expect(&ann, "{'type':'pong','id':6}");
    stop_server();
}
END_TEST

START_TEST(who_half_closes_gets_his_answers)
{
    struct room_peer ann;
    start_on_folder(NULL);
    enter(&ann, "ann");
    ask_register(&ann, "ann", right);
    say(&ann, "{'type':'login','nickname':'ann','password':'%s'}\n{'type':'list_users'}", right);
    must(room_finish(&ann));
    expect(&ann, "{'type':'registered','nickname':'ann'}");
    expect(&ann, "{'type':'welcome','nickname':'ann','room':'lobby','users':['ann']}");
    expect(&ann, "{'type':'users','room':null,'users':['ann']}");
    expect_end(&ann);
    stop_server();
}
END_TEST

/* Bob writes, so that the server finds out who has gone; until those who have are buried. */
static void notice_who_has_gone(struct room_peer *bob, int count)
{
    for (int i = 0; i < count; i++)
        say(bob, "{'type':'message','content':'who is there?'}");
    int left = 0, own = 0;
    while (left < count || own < count) {
        const char *word = next_word(bob);
        left += strcmp(word, "user_left") == 0;
        own += strcmp(word, "broadcast") == 0;
    }
}

START_TEST(who_leaves_while_he_is_hashed_is_forgotten)
{
    enum { LEAVERS = 9, BEFORE = 12 };
    struct room_peer bob, leaver[LEAVERS];
    char name[32];
    start_on_folder(UNLIMITED, "--login-threads", "1");
    come(&bob, "bob", "lobby");
    long descriptors = proc_tree(server.pid).descriptors;
    for (int i = 0; i < LEAVERS; i++) {
        snprintf(name, sizeof name, "leaver-%d", i);
        come(&leaver[i], name, "lobby");
        expect(&bob, "{'type':'user_joined','nickname':'%s','room':'lobby'}", name);
    }
    freeze_and_log_in(BEFORE, NULL);
    for (int i = 0; i < LEAVERS; i++) {
        snprintf(name, sizeof name, "late-%d", i);
        ask_register(&leaver[i], name, right);
        if (i % 3 == 1)
            say(&leaver[i], "{'type':'message','content':'pipelined'}\n{'type':'nick'");
    }
    say(&bob, "{'type':'ping'}");
    must(proc_thaw(server.pid));
    expect(&bob, "{'type':'pong'}");
    for (int i = 0; i < LEAVERS; i++)
        room_reset(&leaver[i]);
    notice_who_has_gone(&bob, LEAVERS);
    ck_assert_uint_eq(busy_of(BEFORE), 0);
    chat_close(crowd, BEFORE);
    must(chat_level(descriptors));
    must(chat_serves());
    stop_server();
}
END_TEST

START_TEST(who_has_no_time_to_wait_is_told_so)
{
    enum { WAITING = 40 };
    start_on_folder(UNLIMITED, "--login-threads", "1", "--join-timeout", "0.3");
    struct room_peer bob;
    come(&bob, "bob", "lobby");
    freeze_and_log_in(WAITING, NULL);
    must(proc_thaw(server.pid));
    for (int i = 0; i < WAITING; i++) {
        const char *word = next_word(&crowd[i]);
        if (strcmp(word, "bad_credentials") == 0)
            word = next_word(&crowd[i]);
        ck_assert_str_eq(word, "bye");
        expect_end(&crowd[i]);
    }
    expect_silence(&bob);
    stop_server();
}
END_TEST

START_TEST(the_server_ends_with_a_full_queue)
{
    struct room_peer bob;
    start_on_folder(UNLIMITED, "--login-threads", "1");
    come(&bob, "bob", "lobby");
    freeze_and_log_in(CROWD, NULL);
    say(&bob, "{'type':'ping'}");
    must(proc_thaw(server.pid));
    expect(&bob, "{'type':'pong'}");
    ck_assert_int_eq(kill(server.pid, SIGTERM), 0);
    expect(&bob, "{'type':'bye','reason':'server closing'}");
    expect_end(&bob);
    room_close_all();
    must(subject_ends_well(&server));
}
END_TEST

/* ---- what is kept --------------------------------------------------------------------------- */

START_TEST(an_account_is_there_after_a_restart)
{
    struct room_peer ann, bob;
    start_on_folder(NULL);
    enrol("ann", right);
    stop_server();
    start_on_folder(NULL);
    enter(&bob, "bob");
    say(&bob, "{'type':'join','nickname':'ANN'}");
    expect_error(&bob, "nickname_registered", NULL);
    log_in(&ann, "ann", right);
    stop_server();
}
END_TEST

START_TEST(an_account_is_there_after_kill_9)
{
    enum { TIMES = 5 };
    char nickname[32];
    for (int i = 0; i < TIMES; i++) {
        struct room_peer p;
        start_on_folder(UNLIMITED);
        for (int j = 0; j < i; j++) {
            snprintf(nickname, sizeof nickname, "user-%d", j);
            log_in(&p, nickname, right);
        }
        snprintf(nickname, sizeof nickname, "user-%d", i);
        enter(&p, nickname);
        ask_register(&p, nickname, right);
        expect(&p, "{'type':'registered','nickname':'%s'}", nickname);
        subject_kill(&server);
        room_close_all();
        ck_assert_str_eq(data_integrity(), "ok");
    }
}
END_TEST

START_TEST(a_lock_of_another_process_stops_nobody)
{
    struct room_peer ann, bob;
    start_on_folder(UNLIMITED);
    enrol("ann", right);
    sqlite3 *db = data_open();
    ck_assert_int_eq(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    enter(&bob, "bob");
    ask_register(&bob, "bob", right);
    expect_error(&bob, "busy", NULL);
    log_in(&ann, "ann", right);
    ck_assert_int_eq(sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    ask_register(&bob, "bob", right);
    expect(&bob, "{'type':'registered','nickname':'bob'}");
    stop_server();
}
END_TEST

/* What others say in the same turn is committed by itself. */
START_TEST(an_account_does_not_depend_on_what_is_said)
{
    struct room_peer bob;
    char name[32];
    start_on_folder(UNLIMITED);
    come(&bob, "bob", "den");
    for (int i = 0; i < 10; i++) {
        snprintf(name, sizeof name, "guest-%d", i);
        enter(&crowd[i], name);
        ask_register(&crowd[i], name, right);
        for (int j = 0; j < 20; j++)
            say(&bob, "{'type':'message','content':'%d'}", j);
    }
    for (int i = 0; i < 10; i++)
        expect(&crowd[i], "{'type':'registered','nickname':'%s'}", crowd[i].name);
    for (int i = 0; i < 200; i++)
        expect(&bob, "{'type':'broadcast','from':'bob','room':'den','content':'%d'}", i % 20);
    ck_assert_int_eq(data_count("SELECT count(*) FROM accounts"), 10);
    ck_assert_int_eq(data_count("SELECT count(*) FROM messages"), 200);
    stop_server();
}
END_TEST

int main(void)
{
    chat_program = data_server();
    room_extensions = true;
    Suite *suite = suite_create("login");
    TCase *group = chat_group(suite, "login");
    tcase_add_checked_fixture(group, data_make, data_remove);
    tcase_add_test(group, who_registers_can_log_in);
    tcase_add_test(group, the_lobby_is_where_one_logs_in_to);
    tcase_add_test(group, who_has_joined_can_register);
    tcase_add_test(group, what_is_wrong_is_refused);
    tcase_add_test(group, a_registered_nickname_is_its_owners);
    tcase_add_test(group, an_unknown_nickname_cannot_be_told_from_a_wrong_password);
    tcase_add_test(group, a_password_is_nowhere);
    tcase_add_test(group, a_password_that_comes_too_late_is_nowhere);
    tcase_add_test(group, a_hash_is_worth_what_is_promised);
    tcase_add_test(group, attempts_at_a_nickname_are_limited);
    tcase_add_test(group, attempts_at_the_same_time_count_as_well);
    tcase_add_test(group, attempts_from_an_address_are_limited);
    tcase_add_test(group, right_ones_count_for_the_address);
    tcase_add_test(group, a_class_logs_in_at_once);
    tcase_add_test(group, accounts_are_limited);
    tcase_add_test(group, attempts_come_back);
    tcase_add_test(group, a_bucket_is_emptied_and_filled);
    tcase_add_test(group, a_bucket_is_filled_by_time);
    tcase_add_test(group, an_address_has_one_bucket);
    tcase_add_test(group, an_ipv6_network_has_one_bucket);
    tcase_add_test(group, what_was_not_hashed_does_not_count);
    tcase_add_test(group, a_full_queue_is_busy);
    tcase_add_test(group, fifty_log_in_while_others_chat);
    tcase_add_test(group, the_loop_does_not_hash);
    tcase_add_test(group, of_ten_who_register_one_has_it);
    tcase_add_test(group, who_joins_while_another_registers_has_it);
    tcase_add_test(group, a_second_login_replaces_the_first);
    tcase_add_test(group, of_many_logins_at_once_the_last_one_stays);
    tcase_add_test(group, one_who_is_replaced_may_have_asked_for_something);
    tcase_add_test(group, what_follows_a_login_waits_for_it);
    tcase_add_test(group, who_half_closes_gets_his_answers);
    tcase_add_test(group, who_leaves_while_he_is_hashed_is_forgotten);
    tcase_add_test(group, who_has_no_time_to_wait_is_told_so);
    tcase_add_test(group, the_server_ends_with_a_full_queue);
    tcase_add_test(group, an_account_is_there_after_a_restart);
    tcase_add_test(group, an_account_is_there_after_kill_9);
    tcase_add_test(group, a_lock_of_another_process_stops_nobody);
    tcase_add_test(group, an_account_does_not_depend_on_what_is_said);
    return suite_run("login_test", suite, NULL);
}
