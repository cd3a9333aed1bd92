/*
 * fault_full_test - the server with all extensions, while one allocation after the other fails.
 *
 * Two people use all of it, always in the same way, with a server in which the Nth allocation fails:
 * the room's, jansson's, SQLite's; then with another where a later one does, until there are no more.
 * Who is told busy, or loses his connection, tries once more, and then it must go well; at the end
 * the history is on, and has every seq that anybody has seen.
 *
 * Compare with: lesson 14's fault_test, for which other calls fail as well
 */

#include "../../../lessons/14-chat/tests/room_peer.h"

#include "data_folder.h"
#include "fault_server.h"
#include "testkit/fault.h"
#include "testkit/subject.h"
#include "testkit/suite.h"
#include "testkit/wait.h"

#include <linux/limits.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

/* ---- guests --------------------------------------------------------------------------------- */

enum { ANN, BOB, GUESTS, FILE_SIZE = 5000, CHUNK = 4096 };

static const char *const names[] = {"ann", "bob"};
static const char grin[] = "\xf0\x9f\x98\x84";

static struct room_peer guests[GUESTS];
static bool there[GUESTS]; /* they have joined */
static int64_t last_seq;   /* that anybody has seen */
static int losses;         /* of connections */
static char file[64];      /* the last one that was offered */
static struct subject server;
static struct fault_shared *shared;
static char label[80];

/* What the server has said last on standard error: a sanitizer's report, if it has crashed. */
static const char *server_said(void)
{
    static char text[4096];
    subject_last_errors(&server, text, sizeof text);
    return text;
}

#define REQUIRE(condition)                                                                 \
    ck_assert_msg((condition), "%s: not so: %s (%s)\n%s", label, #condition, fault_text(), \
                  server_said())

/* The next message; NULL once the connection is lost. */
static json_t *hear(int who)
{
    struct room_peer *p = &guests[who];
    json_t *m = room_next(p);
    if (m == NULL)
        REQUIRE(p->ended || strstr(fault_text(), "cannot receive") != NULL);
    int64_t seq = json_integer_value(json_object_get(m, "seq"));
    if (seq > last_seq) {
        REQUIRE(seq == last_seq + 1);
        last_seq = seq;
    }
    return m;
}

/* What is said when something could not be read: a file that cannot be found is none. */
static bool is_excuse(const char *code)
{
    return strcmp(code, "busy") == 0 || strcmp(code, "quota") == 0 ||
           strcmp(code, "no_such_file") == 0;
}

/* Hear until a message of this type comes; NULL if the guest is told busy, or his connection is lost. */
static json_t *hear_of(int who, const char *type)
{
    for (json_t *m; (m = hear(who)) != NULL; json_decref(m)) {
        if (strcmp(room_text(m, "type"), type) == 0)
            return m;
        if (strcmp(room_text(m, "type"), "error") == 0) {
            const char *code = room_text(m, "code");
            ck_assert_msg(is_excuse(code), "%s: %s waits for %s: %s: %s", label, names[who], type,
                          code, room_text(m, "message"));
            json_decref(m);
            return NULL;
        }
    }
    return NULL;
}

static bool hears(int who, const char *type)
{
    json_t *m = hear_of(who, type);
    json_decref(m);
    return m != NULL;
}

/* All that was on its way to a guest has come.  False if his connection is lost. */
static bool catch_up(int who)
{
    static int id = 0;
    bool found = false;
    if (!room_say(&guests[who], "{'type':'ping','id':%d}", ++id))
        return false;
    while (!found) {
        json_t *m = hear(who);
        if (m == NULL)
            return false;
        found = json_integer_value(json_object_get(m, "id")) == id;
        json_decref(m);
    }
    return true;
}

/* ---- what they do; each is false if it has to be done once more ------------------------------- */

static bool come(int who)
{
    if (guests[who].fd == -1)
        REQUIRE(room_connect(&guests[who], names[who], &server));
    return true;
}

static bool ann_registers(void)
{
    come(ANN);
    if (!room_say(&guests[ANN], "{'type':'register','nickname':'ann','password':'12345678'}"))
        return false;
    json_t *m = hear(ANN);
    bool done = strcmp(room_text(m, "type"), "registered") == 0 ||
                strcmp(room_text(m, "code"), "nickname_registered") == 0;
    json_decref(m);
    return done;
}

static bool ann_joins(void)
{
    come(ANN);
    there[ANN] = room_say(&guests[ANN],
                          "{'type':'login','nickname':'ann','password':'12345678'}") &&
                 hears(ANN, "welcome");
    return there[ANN];
}

static bool bob_joins(void)
{
    come(BOB);
    there[BOB] = room_say(&guests[BOB], "{'type':'join','nickname':'bob'}") &&
                 hears(BOB, "welcome");
    return there[BOB];
}

/* One says something, and both hear it.  Short of memory an emoji stays as it was typed. */
static bool talk(int who, const char *id)
{
    if (!room_say(&guests[who], "{'type':'message','content':':smile:'%s}", id))
        return false;
    for (int i = 0; i < GUESTS; i++) {
        json_t *m = hear_of((who + i) % GUESTS, "broadcast");
        if (m == NULL)
            return false;
        const char *content = room_text(m, "content");
        REQUIRE(strcmp(content, grin) == 0 || strcmp(content, ":smile:") == 0);
        json_decref(m);
    }
    return true;
}

static bool ann_talks(void)
{
    return talk(ANN, ",'id':1");
}

static bool bob_talks(void)
{
    return talk(BOB, "");
}

static bool talk_privately(void)
{
    return room_say(&guests[BOB], "{'type':'private','to':'ann','content':':smile:'}") &&
           hears(BOB, "private") && hears(ANN, "private");
}

/* All that was seen is there. */
static bool read_back(void)
{
    if (!room_say(&guests[BOB], "{'type':'history','room':'lobby'}"))
        return false;
    json_t *page = hear_of(BOB, "history");
    if (page == NULL)
        return false;
    const json_t *messages = json_object_get(page, "messages");
    REQUIRE((int64_t)json_array_size(messages) == last_seq);
    json_decref(page);
    return true;
}

/* A file of two chunks, of zeros, to all. */
static bool share(void)
{
    static const unsigned char zeros[FILE_SIZE];
    unsigned char sum[crypto_hash_sha256_BYTES];
    char text[65], data[sodium_base64_ENCODED_LEN(CHUNK, sodium_base64_VARIANT_ORIGINAL)];
    crypto_hash_sha256(sum, zeros, sizeof zeros);
    sodium_bin2hex(text, sizeof text, sum, sizeof sum);
    if (!room_say(&guests[ANN],
                  "{'type':'file_offer','room':'lobby','name':'zeros','size':%d,'sha256':'%s'}",
                  FILE_SIZE, text))
        return false;
    json_t *ready = hear_of(ANN, "file_ready");
    if (ready == NULL)
        return false;
    snprintf(file, sizeof file, "%s", room_text(ready, "file"));
    json_decref(ready);
    for (int at = 0; at < FILE_SIZE; at += CHUNK) {
        size_t size = FILE_SIZE - at < CHUNK ? (size_t)(FILE_SIZE - at) : CHUNK;
        sodium_bin2base64(data, sizeof data, zeros, size, sodium_base64_VARIANT_ORIGINAL);
        if (!room_say(&guests[ANN], "{'type':'file_data','file':'%s','offset':%d,'data':'%s'}",
                      file, at, data) ||
            !hears(ANN, "file_ack"))
            return false;
    }
    return hears(ANN, "file_shared") && hears(BOB, "file_shared");
}

static bool fetch(void)
{
    if (!room_say(&guests[BOB], "{'type':'file_get','file':'%s'}", file))
        return false;
    for (int at = 0; at < FILE_SIZE; at += CHUNK) {
        json_t *m = hear_of(BOB, "file_data");
        if (m == NULL)
            return false;
        REQUIRE(json_integer_value(json_object_get(m, "offset")) == at);
        json_decref(m);
        if (!room_say(&guests[ANN],
                      "{'type':'ping'}")) /* what could not go on does in a later turn */
            return false;
    }
    return true;
}

/* The history may be off: then it is on again soon, without anybody's doing. */
static bool be_kept(void)
{
    enum { TRIES = 10 };
    for (int i = 0; i < TRIES; i++) {
        if (!room_say(&guests[ANN], "{'type':'message','content':'again'}"))
            return false;
        json_t *m = hear_of(ANN, "broadcast");
        bool kept = json_object_get(m, "seq") != NULL;
        json_decref(m);
        if (m == NULL || kept)
            return kept;
        shared->skipped += 1100000000; /* more than a second is over */
    }
    ck_abort_msg("%s: the history is off for ever", label);
    return false;
}

/* Whoever has lost his connection comes back. */
static void come_back(void)
{
    for (int who = 0; who < GUESTS; who++) {
        if (guests[who].fd == -1 || catch_up(who))
            continue;
        losses++;
        room_close(&guests[who]);
        if (there[who])
            REQUIRE(who == ANN ? ann_joins() : bob_joins());
    }
    REQUIRE(losses <= 1);
}

/* ---- tests ---------------------------------------------------------------------------------- */

static const char *fault_server(void)
{
    static char path[PATH_MAX + 32];
    const char *beside = data_server();
    snprintf(path, sizeof path, "%.*stests/fault_server", (int)(strrchr(beside, '/') + 1 - beside),
             beside);
    return path;
}

static void start(const char *timeout)
{
    last_seq = losses = 0;
    for (int i = 0; i < GUESTS; i++)
        guests[i].fd = -1;
    memset(there, 0, sizeof there);
    data_make();
    REQUIRE(subject_start(&server, fault_server(),
                          SUBJECT_ARGS("--port", "0", "--quiet", "--rate", "0", "--join-timeout",
                                       timeout, "--idle-timeout", timeout, "--data", data_folder),
                          0));
}

static void stop(void)
{
    kill(server.pid, SIGTERM);
    room_close_all();
    REQUIRE(subject_ends_well(&server));
    ck_assert_msg(strcmp(data_integrity(), "ok") == 0, "%s: %s", label, data_integrity());
    REQUIRE(data_count("SELECT count(*) FROM messages") == last_seq);
    data_remove();
}

/* All of it, with a server whose nth allocation fails.  False if it has not made so many. */
static bool use_all(unsigned long nth)
{
    static bool (*const deeds[])(void) = {bob_joins, ann_registers,  ann_joins, ann_talks,
                                          bob_talks, talk_privately, read_back, share,
                                          fetch,     be_kept,        read_back};
    *shared = (struct fault_shared){.nth = nth};
    snprintf(label, sizeof label, "allocation %lu", nth);
    start("0");
    shared->armed = true;
    for (size_t i = 0; i < sizeof deeds / sizeof deeds[0]; i++) {
        snprintf(label, sizeof label, "allocation %lu, deed %zu", nth, i);
        if (deeds[i]())
            continue;
        come_back();
        snprintf(label, sizeof label, "allocation %lu, deed %zu once more", nth, i);
        REQUIRE(deeds[i]());
    }
    stop();
    return shared->calls >= nth;
}

START_TEST(everything_goes_on)
{
    enum { TESTS = 4 }; /* each has every fourth, so that none takes long */
    unsigned long nth = 1 + (unsigned long)_i;
    while (use_all(nth))
        nth += TESTS * (WAIT_SCALE > 1 ? 9 : 1);
    ck_assert_uint_gt(nth, 100);
}
END_TEST

static void limit_files(rlim_t bytes)
{
    struct rlimit limit = {.rlim_cur = bytes, .rlim_max = RLIM_INFINITY};
    REQUIRE(prlimit(server.pid, RLIMIT_FSIZE, &limit, NULL) == 0);
}

/* Each client has a timer, and for the 64th the reactor's heap has to grow, which it cannot (its tables
 * of descriptors have done so a little before): nor can the history's timer be started when the disk is
 * full.  Then there is memory again. */
START_TEST(the_history_comes_back_without_its_timer)
{
    enum { HEAP = 128 * sizeof(void *), BEFORE = 58, MOST = 64 };
    static struct room_peer others[MOST];
    *shared = (struct fault_shared){.size = HEAP};
    snprintf(label, sizeof label, "a timer that cannot be started");
    start("1000");
    REQUIRE(ann_registers() && ann_joins() && be_kept());
    for (int i = 0; i < MOST && shared->failed == 0; i++) {
        shared->armed = i >= BEFORE;
        REQUIRE(room_connect(&others[i], "somebody", &server) && catch_up(ANN));
    }
    REQUIRE(shared->failed == 1);
    limit_files(1);
    REQUIRE(room_say(&guests[ANN], "{'type':'message','content':'lost'}") &&
            hears(ANN, "broadcast"));
    REQUIRE(shared->failed >= 2);
    limit_files(RLIM_INFINITY);
    shared->armed = false;
    REQUIRE(be_kept());
    stop();
}
END_TEST

int main(void)
{
    int fd = memfd_create("shared", 0);
    if (fd == -1 || ftruncate(fd, sizeof *shared) == -1 || sodium_init() == -1)
        return 1;
    void *memory = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED)
        return 1;
    char name[64];
    snprintf(name, sizeof name, "/proc/%d/fd/%d", (int)getpid(), fd);
    setenv("FAULT", name, 1);
    shared = memory;
    room_extensions = true;

    Suite *suite = suite_create("fault_full");
    TCase *all = tcase_create("faults");
    tcase_add_loop_test(all, everything_goes_on, 0, 4);
    tcase_add_test(all, the_history_comes_back_without_its_timer);
    tcase_set_timeout(all, SUITE_TIMEOUT);
    suite_add_tcase(suite, all);
    return suite_run("fault_full", suite, NULL);
}
