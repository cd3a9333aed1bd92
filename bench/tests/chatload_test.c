/*
 * chatload_test - does the chat room's load generator notice every way in which a room can be wrong?
 *
 * Each lie is told by a small chat server in a process of its own; the same server, honest, must pass.
 */

#include "net.h"
#include "testkit/fault.h"
#include "testkit/subject.h"
#include "testkit/suite.h"
#include "testkit/wait.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MEMBERS_MAX = 64, CONTENT_SIZE = 512, LINE_SIZE = 1024, LIE_AT = 10 };

static char chatload[4096];
static char chat_server[4096];

/* ---- a small chat server ------------------------------------------------------------------------- */

enum lie {
    HONEST,
    LOST,        /* one member does not get a message */
    LOST_BY_ALL, /* nobody does */
    DOUBLE,      /* one gets it twice */
    SWAPPED,     /* one gets two messages in the other order */
    ALL_SWAPPED, /* all do, and both are of one sender */
    ALTERED,     /* one byte, for one member */
    ALL_ALTERED, /* for all */
    SHORTENED,   /* the last byte of the content is missing */
    FOREIGN,     /* one gets a message of a room in which he is not */
    MISLABELED,  /* one gets a message of another room under the name of his own */
    FORGED,      /* another sender's name */
    INVENTED,    /* a message that nobody sent */
    LAST_TWICE,  /* the last message comes again, when all is over */
    SILENCE,     /* nothing more comes */
    CLOSED,      /* one is closed */
    COMPLAINT,   /* an error */
    NO_JSON,     /* a line that is none */
    TOLD_TWICE,  /* of somebody who comes */
    NOT_TOLD,    /* of somebody who comes */
    NO_WELCOME,  /* the last does not get in */
    LIES
};

struct member {
    char in[LINE_SIZE * 64];
    size_t length;
    char name[32], room[32];
};

static struct pollfd fds[MEMBERS_MAX + 1];
static struct member members[MEMBERS_MAX + 1]; /* the first is the listener's */
static nfds_t n_fds;
static enum lie lie;
static int messages, all_messages;

static void say(nfds_t i, const char *line)
{
    if (net_write_all(fds[i].fd, line, strlen(line)) == -1)
        fds[i].fd = -1;
}

/* The value of a field that is a string. */
static void field_text(const char *line, const char *name, char *value, size_t size)
{
    char key[32];
    snprintf(key, sizeof key, "\"%s\":\"", name);
    const char *at = strstr(line, key);
    at = at != NULL ? at + strlen(key) : "\"";
    snprintf(value, size, "%.*s", (int)strcspn(at, "\""), at);
}

static void broadcast_line(char *line, const char *from, const char *room, const char *content)
{
    snprintf(line, LINE_SIZE,
             "{\"type\":\"broadcast\",\"from\":\"%s\",\"room\":\"%s\",\"content\":\"%s\","
             "\"timestamp\":\"2024-01-15 10:30:00\"}\n",
             from, room, content);
}

/* One message to one member, number `nth` of those of its room; the lie is told to the third, or to
 * all. */
static void deliver(nfds_t i, bool third, const char *from, const char *room, const char *content)
{
    static char held[2][LINE_SIZE];
    char line[LINE_SIZE];
    char other[CONTENT_SIZE];
    bool now = messages == LIE_AT && (third || lie == ALL_ALTERED || lie == LOST_BY_ALL);
    snprintf(other, sizeof other, "%s", content);
    if (now && (lie == ALTERED || lie == ALL_ALTERED))
        other[50] ^= 1;
    if (now && lie == SHORTENED)
        other[strlen(other) - 1] = '\0';
    if (now && lie == INVENTED)
        memcpy(other + 7, "0000999999", 10);
    broadcast_line(line, now && lie == FORGED ? "m000003" : from,
                   now && lie == FOREIGN ? "r9" : room, other);
    if ((lie == SWAPPED && third) || lie == ALL_SWAPPED) { /* two of one sender, with --senders 1 */
        if (messages == LIE_AT) {
            memcpy(held[third], line, sizeof line);
            return;
        }
        say(i, line);
        if (messages == LIE_AT + 1)
            say(i, held[third]);
        return;
    }
    if (now && (lie == LOST || lie == LOST_BY_ALL))
        return;
    say(i, line);
    if (now && lie == DOUBLE)
        say(i, line);
    if (now && lie == COMPLAINT)
        say(i, "{\"type\":\"error\",\"code\":\"busy\",\"message\":\"Too busy.\"}\n");
    if (now && lie == NO_JSON)
        say(i, "hello\n");
    if (now && lie == CLOSED) {
        close(fds[i].fd);
        fds[i].fd = -1;
    }
    if (lie == LAST_TWICE && messages == all_messages && third)
        say(i, line);
}

static void serve_message(nfds_t from, const char *line)
{
    char content[CONTENT_SIZE];
    char room[32];
    field_text(line, "content", content, sizeof content);
    field_text(line, "room", room, sizeof room);
    messages++;
    if (lie == SILENCE && messages >= LIE_AT)
        return;
    int nth = 0;
    for (nfds_t i = 1; i < n_fds; i++)
        if (strcmp(members[i].room, room) == 0)
            deliver(i, ++nth == 3, members[from].name, room, content);
    for (nfds_t i = 1; lie == MISLABELED && messages == LIE_AT && i < n_fds; i++)
        if (strcmp(members[i].room, room) != 0) {
            char other[LINE_SIZE];
            broadcast_line(other, members[from].name, members[i].room, content);
            say(i, other);
            return;
        }
}

static void serve_join(nfds_t who, const char *line)
{
    struct member *m = &members[who];
    char notice[LINE_SIZE];
    field_text(line, "nickname", m->name, sizeof m->name);
    field_text(line, "room", m->room, sizeof m->room);
    snprintf(notice, sizeof notice,
             "{\"type\":\"user_joined\",\"nickname\":\"%s\",\"room\":\"%s\"}\n", m->name, m->room);
    for (nfds_t i = 1; i < n_fds; i++) {
        if (i == who || strcmp(members[i].room, m->room) != 0)
            continue;
        if (lie != NOT_TOLD || who != 3 || i != 1)
            say(i, notice);
        if (lie == TOLD_TWICE && who == 3 && i == 1)
            say(i, notice);
    }
    if (lie != NO_WELCOME || who != 4)
        say(who, "{\"type\":\"welcome\"}\n");
}

static void serve_line(nfds_t i, const char *line)
{
    if (strstr(line, "\"type\":\"join\"") != NULL)
        serve_join(i, line);
    else if (strstr(line, "\"type\":\"message\"") != NULL)
        serve_message(i, line);
    else if (strstr(line, "\"id\":\"probe\"") != NULL)
        say(i, "{\"type\":\"pong\",\"id\":\"probe\"}\n");
}

static void serve(nfds_t i)
{
    struct member *m = &members[i];
    ssize_t n = recv(fds[i].fd, m->in + m->length, sizeof m->in - 1 - m->length, 0);
    if (n <= 0) {
        close(fds[i].fd);
        fds[i].fd = -1;
        *m->room = '\0';
        return;
    }
    m->length += (size_t)n;
    m->in[m->length] = '\0';
    char *at = m->in;
    for (char *end = NULL; (end = strchr(at, '\n')) != NULL; at = end + 1) {
        *end = '\0';
        serve_line(i, at);
    }
    m->length -= (size_t)(at - m->in);
    memmove(m->in, at, m->length);
}

/* Serve until killed. */
static pid_t start_liar(enum lie a_lie, int in_all, char port[8])
{
    int lfd = net_listen("127.0.0.1", "0", 64);
    ck_assert_int_ne(lfd, -1);
    snprintf(port, 8, "%d", net_local_port(lfd));
    pid_t pid = fork();
    ck_assert_int_ne(pid, -1);
    if (pid > 0) {
        close(lfd);
        return pid;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGPIPE, SIG_IGN);
    lie = a_lie;
    all_messages = in_all;
    fds[n_fds++] = (struct pollfd){.fd = lfd, .events = POLLIN};
    for (;;) {
        poll(fds, n_fds, -1);
        for (nfds_t i = 1; i < n_fds; i++)
            if (fds[i].fd != -1 && fds[i].revents != 0)
                serve(i);
        if (fds[0].revents != 0 && n_fds <= MEMBERS_MAX)
            fds[n_fds++] = (struct pollfd){.fd = accept(lfd, NULL, NULL), .events = POLLIN};
    }
}

static void stop_liar(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

/* ---- what chatload says ---------------------------------------------------------------------------- */

/* A number out of its JSON object. */
static double field(const struct subject_outcome *o, const char *name)
{
    char key[32];
    snprintf(key, sizeof key, "\"%s\": ", name);
    const char *at = strstr(o->out, key);
    ck_assert_msg(at != NULL, "no %s in: %s%s", key, o->out, o->err);
    return strtod(at + strlen(key), NULL);
}

static void run_chatload(struct subject_outcome *o, const char *port, const char *const arguments[])
{
    const char *all[32] = {"--port", port, "--json"};
    for (int i = 0; arguments[i] != NULL; i++)
        all[i + 3] = arguments[i];
    ck_assert_msg(subject_run(o, chatload, all), "%s", fault_text());
}

static const struct {
    const char *name;
    enum lie lie;
    int errors; /* at least */
    const char *said;
    const char *if_first; /* what is said instead if he is the first to get it; or NULL */
} lies[] = {
    {"lost by one", LOST, 1, "and not the 1 before it", "came before its message"},
    {"lost by all", LOST_BY_ALL, 1, "came before its message", NULL},
    {"twice", DOUBLE, 1, "came twice, or out of order", NULL},
    {"swapped for one", SWAPPED, 2, "and not the 1 before it", "came before its message"},
    {"swapped for all", ALL_SWAPPED, 1, "came before its message", NULL},
    {"altered for one", ALTERED, 1, "a message was altered", NULL},
    {"altered for all", ALL_ALTERED, 4, "a message was altered", NULL},
    {"shortened", SHORTENED, 1, "a message was altered", NULL},
    {"of a room in which it is not", FOREIGN, 1, "a message of room 'r9', in which it is not",
     NULL},
    {"forged", FORGED, 1, "as if from m000003", NULL},
    {"invented", INVENTED, 1, "came, which nobody sent", NULL},
    {"the last one twice", LAST_TWICE, 1, "came twice, or out of order", NULL},
    {"silence", SILENCE, 4, "timed out after 0.5 s waiting for ", NULL},
    {"closed", CLOSED, 1, "closed by the server", NULL},
    {"a complaint", COMPLAINT, 1, "the server says: busy", NULL},
    {"no JSON", NO_JSON, 1, "a line that is no JSON object", NULL},
    {"told twice", TOLD_TWICE, 1, "1 notices too many", NULL},
    {"not told", NOT_TOLD, 1, "timed out after 0.5 s waiting for 1 notices of members who came",
     NULL},
    {"no welcome", NO_WELCOME, 1, "timed out after 0.5 s waiting for 1 clients to join", NULL},
};
enum { N_LIES = sizeof lies / sizeof lies[0] };

START_TEST(notices_the_lie)
{
    struct subject_outcome o;
    char port[8];
    pid_t liar = start_liar(lies[_i].lie, 40, port);
    run_chatload(&o, port,
                 SUBJECT_ARGS("--clients", "4", "--senders", "1", "--messages", "40", "--in-flight",
                              "4", "--timeout", "0.5"));
    stop_liar(liar);
    ck_assert_msg(o.status == 1, "%s: exit %d", lies[_i].name, o.status);
    ck_assert_msg(field(&o, "errors") >= lies[_i].errors, "%s: %s", lies[_i].name, o.out);
    /* Who is the first to get a message makes the order: a lie to him is one about the sender. */
    ck_assert_msg(strstr(o.err, lies[_i].said) != NULL ||
                      (lies[_i].if_first != NULL && strstr(o.err, lies[_i].if_first) != NULL),
                  "%s: said %s", lies[_i].name, o.err);
}
END_TEST

START_TEST(notices_a_message_of_another_room)
{
    struct subject_outcome o;
    char port[8];
    pid_t liar = start_liar(MISLABELED, 40, port);
    run_chatload(
        &o, port,
        SUBJECT_ARGS("--clients", "4", "--rooms", "2", "--messages", "10", "--timeout", "0.5"));
    stop_liar(liar);
    ck_assert_int_eq(o.status, 1);
    ck_assert_msg(strstr(o.err, "was sent to another room") != NULL, "said %s", o.err);
}
END_TEST

START_TEST(believes_the_honest)
{
    struct subject_outcome o;
    char port[8];
    pid_t server = start_liar(HONEST, 0, port);
    run_chatload(&o, port, SUBJECT_ARGS("--clients", "6", "--rooms", "2", "--messages", "50"));
    stop_liar(server);
    ck_assert_msg(o.status == 0, "exit %d: %s", o.status, o.err);
    ck_assert_str_eq(o.err, "");
    ck_assert(field(&o, "errors") == 0);
    ck_assert(field(&o, "messages") == 300);
    ck_assert(field(&o, "deliveries") == 900);
}
END_TEST

/* What is in flight on average is what was asked for, or the times are wrong (Little's law). */
START_TEST(obeys_littles_law)
{
    struct subject_outcome o;
    char port[8];
    pid_t server = start_liar(HONEST, 0, port);
    run_chatload(&o, port, SUBJECT_ARGS("--clients", "10", "--in-flight", "20", "--duration", "1"));
    stop_liar(server);
    ck_assert_msg(o.status == 0, "exit %d: %s", o.status, o.err);
    ck_assert_msg(field(&o, "in_flight") > 19 && field(&o, "in_flight") < 20.5, "%s", o.out);
}
END_TEST

START_TEST(keeps_the_rate)
{
    struct subject_outcome o;
    char port[8];
    pid_t server = start_liar(HONEST, 0, port);
    run_chatload(&o, port, SUBJECT_ARGS("--clients", "10", "--rate", "20", "--duration", "1"));
    stop_liar(server);
    ck_assert_msg(o.status == 0, "exit %d: %s", o.status, o.err);
    ck_assert_msg(field(&o, "messages") == 200, "%s", o.out);
    ck_assert_msg(field(&o, "seconds") > 0.9, "faster than asked: %s", o.out);
}
END_TEST

START_TEST(counts_every_refused_connection)
{
    struct subject_outcome o;
    char port[8];
    int lfd = net_listen("127.0.0.1", "0", 1);
    snprintf(port, sizeof port, "%d", net_local_port(lfd));
    close(lfd); /* nobody listens there any more */
    run_chatload(&o, port, SUBJECT_ARGS("--clients", "5"));
    ck_assert_int_eq(o.status, 1);
    ck_assert_msg(field(&o, "errors") == 5, "%s", o.out);
    ck_assert_msg(strstr(o.err, "Connection refused"), "said %s", o.err);
}
END_TEST

START_TEST(measures_slice_after_slice)
{
    struct subject_outcome o;
    char port[8];
    char command[5000];
    pid_t server = start_liar(HONEST, 0, port);
    snprintf(command, sizeof command,
             "printf '\\n\\n\\n' | '%s' --port %s --clients 3 --messages 5 --slices --json",
             chatload, port);
    ck_assert(subject_run(&o, "/bin/sh", SUBJECT_ARGS("-c", command)));
    stop_liar(server);
    ck_assert_msg(o.status == 0, "exit %d: %s", o.status, o.err);
    int count = 0;
    for (const char *at = o.out; (at = strstr(at, "\"deliveries\": 45,")) != NULL; at++)
        count++;
    ck_assert_msg(count == 3, "%d slices: %s", count, o.out);
}
END_TEST

/* With visitors, silent ones and resets, on the chat room itself. */
START_TEST(believes_the_chat_room)
{
    if (access(chat_server, X_OK) == -1)
        suite_skip("the chat room is not built");
    struct subject_outcome o;
    struct subject server;
    ck_assert_msg(subject_start(&server, chat_server,
                                SUBJECT_ARGS("--port", "0", "--quiet", "--rate", "0"), 0),
                  "%s", fault_text());
    run_chatload(&o, server.port,
                 SUBJECT_ARGS("--clients", "20", "--rooms", "4", "--rooms-each", "3", "--churn",
                              "300", "--resets", "100", "--never-reading", "3", "--idle", "30",
                              "--duration", "1"));
    ck_assert_msg(subject_stop(&server), "%s", fault_text());
    ck_assert_msg(o.status == 0, "exit %d: %s", o.status, o.err);
    ck_assert_msg(field(&o, "joins") > 50 && field(&o, "leaves") > 50 && field(&o, "resets") > 10,
                  "%s", o.out);
}
END_TEST

int main(int argc, char **argv)
{
    (void)argc;
    /* build/bench/tests/chatload_test: the programs stand two folders up. */
    char *here = realpath(argv[0], NULL);
    for (int i = 0; i < 3 && here != NULL; i++)
        *strrchr(here, '/') = '\0';
    snprintf(chatload, sizeof chatload, "%s/bench/chatload", here != NULL ? here : "");
    snprintf(chat_server, sizeof chat_server, "%s/lessons/14-chat/server",
             here != NULL ? here : "");
    free(here);

    Suite *suite = suite_create("chatload");
    TCase *lying = tcase_create("lying servers");
    tcase_set_timeout(lying, SUITE_TIMEOUT);
    tcase_add_loop_test(lying, notices_the_lie, 0, N_LIES);
    tcase_add_test(lying, notices_a_message_of_another_room);
    tcase_add_test(lying, counts_every_refused_connection);
    suite_add_tcase(suite, lying);
    TCase *counting = tcase_create("counting");
    tcase_set_timeout(counting, SUITE_TIMEOUT);
    tcase_add_test(counting, believes_the_honest);
    tcase_add_test(counting, believes_the_chat_room);
    tcase_add_test(counting, obeys_littles_law);
    tcase_add_test(counting, keeps_the_rate);
    tcase_add_test(counting, measures_slice_after_slice);
    suite_add_tcase(suite, counting);
    return suite_run("bench/chatload", suite, NULL);
}
