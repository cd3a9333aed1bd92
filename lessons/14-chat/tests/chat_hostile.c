/* chat_hostile - clients who reset, half-close, stop, never read and flood: what they do costs
 * themselves, and the others lose nothing. */

#include "chat_suite.h"
#include "testkit/proc.h"
#include "testkit/wire.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { KB = 1024, MB = 1024 * KB };

/* ann and bob, who talk while somebody else misbehaves. */
static struct room_peer people[2], *const ann = &people[0], *const bob = &people[1];
static int said;

/* Bytes of what ann says: with the message around it, far less than max-line. */
static char content[3001];

static void begin(int backend, const char *const arguments[])
{
    must(chat_start(backend, arguments, 0));
    memset(content, 'c', sizeof content - 1);
    meet(people, 2, "ann", "bob");
}

/* The next thing that p hears of ann; what is told of others in between is counted, if they left. */
static void hears(struct room_peer *p, int number, int *leavers)
{
    for (;;) {
        json_t *m = room_next(p);
        int got = -1;
        must(m != NULL);
        *leavers += strcmp(room_text(m, "type"), "user_left") == 0;
        bool is_ann = strcmp(room_text(m, "from"), "ann") == 0;
        if (is_ann)
            ck_assert_int_eq(sscanf(room_text(m, "content"), "%d", &got), 1);
        json_decref(m);
        if (is_ann) {
            ck_assert_int_eq(got, number);
            return;
        }
    }
}

/* Ann says something, and both hear it: within patience, and in order.  Returns how many have left
 * the room meanwhile, as both were told. */
static int talk(int messages)
{
    int leavers[2] = {0, 0};
    for (int i = 0; i < messages; i++) {
        said++;
        say(ann, "{'type':'message','room':'lobby','content':'%d %s'}", said, content);
        for (int k = 0; k < 2; k++)
            hears(&people[k], said, &leavers[k]);
    }
    ck_assert_int_eq(leavers[0], leavers[1]);
    return leavers[0];
}

static void joins_narrow(struct room_peer *p, const char *name)
{
    must(room_connect_narrow(p, name, &server));
    say(p, "{'type':'join','nickname':'%s'}", name);
    json_t *welcome = room_next_of(p, "welcome");
    must(welcome != NULL);
    json_decref(welcome);
}

/* Talk until so many have been closed. */
static void talk_until_gone(int wanted)
{
    int gone = 0;
    for (int i = 0; gone < wanted; i++) {
        ck_assert_msg(i < 20000, ": %d of %d are still there", wanted - gone, wanted);
        gone += talk(1);
    }
    ck_assert_int_eq(gone, wanted);
}

START_TEST(resets_end_only_those_who_are_reset)
{
    enum { RESETS = 100 };
    begin(_i, SUBJECT_ARGS("--quiet", "--rate", "0"));
    int gone = 0;
    for (int i = 0; i < RESETS; i++) {
        struct room_peer p;
        char name[24];
        snprintf(name, sizeof name, "reset%d", i);
        joins_narrow(&p, name);
        if (i % 4 == 1) /* with lines that are not served yet */
            for (int n = 0; n < 20; n++)
                say(&p, "{'type':'message','content':'x'}");
        if (i % 4 == 2) /* in the middle of a line */
            must(room_send(&p, "{\"type\":\"mess", 13));
        if (i % 4 == 3) { /* with lines and a reset that the server finds at once */
            must(proc_freeze(server.pid));
            say(&p, "{'type':'list_users'}\n{'type':'message','content':'y'}");
        }
        room_reset(&p);
        must(proc_thaw(server.pid));
        gone += talk(1);
    }
    for (int i = 0; gone < RESETS && i < 1000; i++)
        gone += talk(1);
    ck_assert_int_eq(gone, RESETS);
    for (int k = 0; k < 2; k++)
        expect_silence(&people[k]);
    say(ann, "{'type':'list_users'}");
    expect(ann, "{'type':'users','room':null,'users':['ann','bob']}");
    stop_server();
}
END_TEST

/* Twenty never read, in one room; the server's memory has a bound. */
START_TEST(never_reading_clients_are_closed)
{
    enum { STUCK = 20, QUEUE = 128 * KB };
    static struct room_peer stuck[STUCK];
    begin(_i, SUBJECT_ARGS("--quiet", "--rate", "0", "--send-queue", "131072"));
    for (int i = 0; i < STUCK; i++) {
        char name[24];
        snprintf(name, sizeof name, "stuck%d", i);
        joins_narrow(&stuck[i], name);
    }
    long before = chat_rss();
    talk_until_gone(STUCK);
    long grown = chat_rss() - before;
    ck_assert_msg(grown < (2 * MB + STUCK * QUEUE) * WAIT_SCALE, ": grew by %ld KB", grown / KB);
    for (int i = 0; i < STUCK; i++)
        must(wire_expect_gone(stuck[i].fd));
    for (int k = 0; k < 2; k++)
        expect_silence(&people[k]);
    stop_server();
}
END_TEST

/* A process of its own that joins and reads until the end; it exits 0 if that came. */
static _Noreturn void read_until_the_end(int ready)
{
    struct room_peer p;
    bool joined = chat_come(&p, "sleeper", "lobby") && write(ready, "x", 1) == 1;
    _exit(joined && wire_expect_gone(p.fd) ? 0 : 1);
}

static bool has_ended_well(void *sleeper)
{
    int status = 0;
    return waitpid(*(pid_t *)sleeper, &status, WNOHANG) > 0 && WIFEXITED(status) &&
           WEXITSTATUS(status) == 0;
}

START_TEST(a_stopped_process)
{
    int ends[2];
    char byte;
    begin(_i, SUBJECT_ARGS("--quiet", "--rate", "0"));
    ck_assert_int_eq(pipe(ends), 0);
    pid_t parent = getpid();
    pid_t sleeper = fork();
    if (sleeper == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() == parent)
            read_until_the_end(ends[1]);
        _exit(1);
    }
    must(wait_ready(ends[0], POLLIN, wait_deadline(), "the other process to join"));
    ck_assert_int_eq(read(ends[0], &byte, 1), 1);
    must(proc_freeze(sleeper));
    talk_until_gone(1);
    must(proc_thaw(sleeper));
    must(wait_until(has_ended_well, &sleeper, "the process that was stopped to see its end"));
    expect_silence(bob);
    stop_server();
}
END_TEST

START_TEST(half_closed_clients_leave)
{
    enum { CLIENTS = 20 };
    begin(_i, SUBJECT_ARGS("--quiet", "--rate", "0"));
    int gone = 0;
    for (int i = 0; i < CLIENTS; i++) {
        struct room_peer p;
        char name[24];
        snprintf(name, sizeof name, "half%d", i);
        joins_narrow(&p, name);
        say(&p, "{'type':'message','content':'good-bye'}");
        must(room_finish(&p));
        expect(&p, "{'type':'broadcast','from':'%s','room':'lobby','content':'good-bye'}", name);
        expect_end(&p);
        room_close(&p);
        gone += talk(1);
    }
    gone += talk(1);
    ck_assert_int_eq(gone, CLIENTS);
    stop_server();
}
END_TEST

/* ---- floods ------------------------------------------------------------------------------------ */

/* Send without pause, as much as the server takes, and read nothing.  Returns true once the server
 * takes no more, or has closed. */
static bool flood(struct room_peer *p, const char *bytes, size_t size, size_t *sent)
{
    struct pollfd room = {.fd = p->fd, .events = POLLOUT};
    for (int i = 0; i < 8; i++) {
        if (poll(&room, 1, 0) <= 0)
            return true;
        size_t at = *sent % size;
        ssize_t n = send(p->fd, bytes + at, size - at, MSG_NOSIGNAL);
        if (n == -1)
            return true;
        *sent += (size_t)n;
    }
    return false;
}

/* Fill bytes with the line again and again, whole.  Returns how many bytes that are. */
static size_t repeat(char *bytes, size_t room, const char *line)
{
    size_t length = strlen(line), size = 0;
    for (; size + length <= room; size += length)
        memcpy(bytes + size, line, length); /* NOLINT(bugprone-not-null-terminated-result) */
    return size;
}

static const char *const floods[] = {
    "{\"type\":\"ping\",\"id\":\"flood\"}\n",
    "{\"type\":\"private\",\"to\":\"flood\",\"content\":\"to myself\"}\n",
    "{\"type\":\"list_users\"}\n{\"type\":\"list_rooms\"}\n",
    "{\"type\":\"dance\"}\n",
    "\n",
    "no line feed at all",
};
enum { FLOODS = sizeof floods / sizeof floods[0] };

/* Each flood beside the talk of ann and bob, who notice nothing; and the server's memory has a
 * bound. */
START_TEST(floods_hold_nobody_up)
{
    enum { TURNS = 100 };
    static char bytes[64 * KB];
    begin(_i % BACKENDS, SUBJECT_ARGS("--quiet", "--rate", "0"));
    size_t size = repeat(bytes, sizeof bytes, floods[_i / BACKENDS]);
    struct room_peer p;
    come(&p, "flood", "elsewhere");
    must(talk(1) == 0);
    long before = chat_rss(), most = before;
    size_t sent = 0;
    for (int i = 0; i < TURNS; i++) {
        flood(&p, bytes, size, &sent);
        must(talk(1) == 0);
        long now = chat_rss();
        most = now > most ? now : most;
    }
    ck_assert_msg(most - before < 4 * MB * WAIT_SCALE, ": grew by %ld KB", (most - before) / KB);
    ck_assert_uint_gt(sent, 0);
    room_reset(&p);
    must(talk(10) == 0);
    stop_server();
}
END_TEST

/* Many who join, say nothing and read nothing, and one who floods their room at the default rate: the
 * rate holds the flood, and ann and bob are served beside it. */
START_TEST(the_rate_holds_a_flood)
{
    static const char line[] = "{\"type\":\"message\",\"room\":\"lobby\",\"content\":\"flood\"}\n";
    static char bytes[64 * KB];
    begin(_i, SUBJECT_ARGS("--quiet", "--rate", "50", "--burst", "50"));
    size_t size = repeat(bytes, sizeof bytes, line), sent = 0;
    struct room_peer p;
    come(&p, "flood", "lobby");
    for (int i = 0; i < 40; i++) {
        flood(&p, bytes, size, &sent);
        must(talk(1) == 0);
    }
    stop_server();
}
END_TEST

/* A signal in the middle of it all: talk, a flood, some who never read. */
START_TEST(stops_under_load)
{
    enum { STUCK = 5 };
    static char bytes[64 * KB];
    static const char line[] = "{\"type\":\"message\",\"room\":\"lobby\",\"content\":\"flood\"}\n";
    static struct room_peer stuck[STUCK];
    begin(_i, SUBJECT_ARGS("--quiet", "--rate", "0", "--drain-timeout", "1"));
    for (int i = 0; i < STUCK; i++) {
        char name[24];
        snprintf(name, sizeof name, "stuck%d", i);
        joins_narrow(&stuck[i], name);
    }
    size_t size = repeat(bytes, sizeof bytes, line), sent = 0;
    struct room_peer p;
    come(&p, "flood", "lobby");
    for (int i = 0; i < 20; i++) {
        flood(&p, bytes, size, &sent);
        must(talk(1) >= 0);
    }
    flood(&p, bytes, size, &sent);
    ck_assert_int_eq(kill(server.pid, SIGTERM), 0);
    flood(&p, bytes, size, &sent);
    must(subject_ends_well(&server));
}
END_TEST

void chat_hostile(Suite *suite)
{
    TCase *group = chat_group(suite, "hostile");
    tcase_add_loop_test(group, resets_end_only_those_who_are_reset, 0, BACKENDS);
    tcase_add_loop_test(group, never_reading_clients_are_closed, 0, BACKENDS);
    tcase_add_test(group, a_stopped_process);
    tcase_add_test(group, half_closed_clients_leave);
    tcase_add_loop_test(group, floods_hold_nobody_up, 0, FLOODS * BACKENDS);
    tcase_add_test(group, the_rate_holds_a_flood);
    tcase_add_loop_test(group, stops_under_load, 0, BACKENDS);
}
