/*
 * fault_test - the real server, while one call after the other goes wrong.
 *
 * A few people hold a conversation, always the same one, with a server in which the Nth call of a
 * function fails; then with another where the next one does, until there are no more.  One of them may
 * lose his connection by that, or be told that the server is busy.  The others must not notice more
 * than that he has left: they are told everything once and in order, and know of each other what is
 * true.
 *
 * The server is this program itself, started with FAULT in its environment.  What stands in place of
 * the library's functions is defined here, and so it is in place of those that jansson calls too.
 */

#undef _FORTIFY_SOURCE /* which has functions of its own in place of those that are defined here */

#include "../chat.h"
#include "../dispatch.h"
#include "queue.h"
#include "testkit/fault.h"
#include "testkit/subject.h"
#include "testkit/suite.h"
#include "testkit/wait.h"
#include "testkit/wire.h"
#include "view.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

/* ---- faults --------------------------------------------------------------------------------- */

enum target { MEMORY, RECV, SEND, ACCEPT, EPOLL_CTL, EPOLL_WAIT };

static const struct injection {
    const char *name;
    enum target target;
    int error;  /* or 0: less than asked for, namely */
    bool most;  /* all but the last byte; false: only the first */
    bool costs; /* somebody his connection, or at least his patience */
} injections[] = {
    {"no memory", MEMORY, ENOMEM, false, true},
    {"recv of one byte", RECV, 0, false, false},
    {"recv interrupted", RECV, EINTR, false, false},
    {"recv would block", RECV, EAGAIN, false, false},
    {"recv reset", RECV, ECONNRESET, false, true},
    {"send of one byte", SEND, 0, false, false},
    {"send of all but one byte", SEND, 0, true, false},
    {"send interrupted", SEND, EINTR, false, false},
    {"send would block", SEND, EAGAIN, false, false},
    {"send reset", SEND, ECONNRESET, false, true},
    {"accept aborted", ACCEPT, ECONNABORTED, false, false},
    {"accept interrupted", ACCEPT, EINTR, false, false},
    {"accept without descriptors", ACCEPT, EMFILE, false, true},
    {"epoll_ctl without memory", EPOLL_CTL, ENOMEM, false, true},
    {"epoll_wait interrupted", EPOLL_WAIT, EINTR, false, false},
};

/* What the test and the server share. */
static struct shared {
    int which;          /* of the injections */
    unsigned long nth;  /* call goes wrong */
    atomic_ulong calls; /* so far */
    atomic_bool armed;  /* they are counted */
    atomic_bool hold;   /* the server's next turn is to wait */
    atomic_bool idle;   /* the server waits for something to happen */
    atomic_ulong waits; /* times that it has */
} * shared;

/* ---- in the server -------------------------------------------------------------------------- */

static bool serving = false;

static bool goes_wrong(enum target target)
{
    return serving && shared->armed && injections[shared->which].target == target &&
           ++shared->calls == shared->nth;
}

/* The function that would have been called, but for the one here; dlsym(3) has it as an object. */
static void find(void *function, size_t size, const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);
    if (found == NULL)
        abort();
    memcpy(function, &found, size);
}

#define ORIGINAL(name)             \
    static __typeof__(name) *real; \
    if (real == NULL)              \
    find(&real, sizeof real, #name)

void *malloc(size_t size)
{
    ORIGINAL(malloc);
    if (!goes_wrong(MEMORY))
        return real(size);
    errno = ENOMEM;
    return NULL;
}

void *calloc(size_t count, size_t size)
{
    ORIGINAL(calloc);
    if (!goes_wrong(MEMORY))
        return real(count, size);
    errno = ENOMEM;
    return NULL;
}

void *realloc(void *old, size_t size)
{
    ORIGINAL(realloc);
    if (!goes_wrong(MEMORY))
        return real(old, size);
    errno = ENOMEM;
    return NULL;
}

ssize_t recv(int fd, void *buffer, size_t size, int flags)
{
    ORIGINAL(recv);
    if (!goes_wrong(RECV))
        return real(fd, buffer, size, flags);
    errno = injections[shared->which].error;
    return errno == 0 ? real(fd, buffer, 1, flags) : -1;
}

/* How many of size bytes are sent. */
static size_t cut(size_t size)
{
    return injections[shared->which].most && size > 1 ? size - 1 : 1;
}

ssize_t send(int fd, const void *bytes, size_t size, int flags)
{
    ORIGINAL(send);
    if (!goes_wrong(SEND))
        return real(fd, bytes, size, flags);
    errno = injections[shared->which].error;
    return errno == 0 ? real(fd, bytes, cut(size), flags) : -1;
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    ORIGINAL(sendmsg);
    if (!goes_wrong(SEND))
        return real(fd, message, flags);
    errno = injections[shared->which].error;
    if (errno != 0)
        return -1;
    char bytes[1 << 18];
    size_t size = 0;
    for (size_t i = 0; i < message->msg_iovlen; i++) {
        struct iovec piece = message->msg_iov[i];
        memcpy(bytes + size, piece.iov_base, piece.iov_len);
        size += piece.iov_len;
    }
    struct iovec whole = {bytes, cut(size)};
    struct msghdr shorter = {.msg_iov = &whole, .msg_iovlen = 1};
    return real(fd, &shorter, flags);
}

/* With a small buffer little is in flight to somebody who does not read. */
int accept4(int fd, __SOCKADDR_ARG address, socklen_t *length, int flags)
{
    ORIGINAL(accept4);
    if (goes_wrong(ACCEPT)) {
        errno = injections[shared->which].error;
        return -1;
    }
    int cfd = real(fd, address, length, flags);
    if (cfd != -1)
        setsockopt(cfd, SOL_SOCKET, SO_SNDBUF, &(int){4096}, sizeof(int));
    return cfd;
}

int epoll_ctl(int epfd, int op, int fd, struct epoll_event *event)
{
    ORIGINAL(epoll_ctl);
    if (op == EPOLL_CTL_DEL || !goes_wrong(EPOLL_CTL)) /* to watch less needs no memory */
        return real(epfd, op, fd, event);
    errno = injections[shared->which].error;
    return -1;
}

int epoll_wait(int epfd, struct epoll_event *events, int room, int timeout)
{
    ORIGINAL(epoll_wait);
    if (!serving)
        return real(epfd, events, room, timeout);
    shared->waits++;
    shared->idle = true;
    int n = real(epfd, events, room, timeout);
    while (shared->hold) {
        sched_yield();
        n = real(epfd, events, room, 0); /* what has come by then */
    }
    shared->idle = false;
    if (!goes_wrong(EPOLL_WAIT))
        return n;
    errno = EINTR;
    return -1;
}

static int be_the_server(int argc, char **argv, const char *path)
{
    static const struct extension *const none[] = {NULL};
    int fd = open(path, O_RDWR);
    void *memory = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED)
        return 125;
    close(fd);
    shared = memory;
    serving = true;
    return chat_run(argc, argv, "a chat room with faults", "chat", none);
}

/* ---- guests --------------------------------------------------------------------------------- */

enum { ANN, BOB, CEM, SUE, GUESTS, SAID_MOST = 40, LONG = 4000, TURNS_MOST = 3000, NARROW = 4096 };

static const char *const rooms[] = {"lobby", "garden", "attic", NULL};

static struct guest {
    struct queue in;
    struct view view;
    int fd;
    int heard[SAID_MOST]; /* which messages, heard_count of them, */
    int heard_count;      /* each by its number */
    int ping;             /* its id, when the guest catches up */
    int round;            /* how many of them when the round began */
    int waits_for;        /* messages of his own in this round, without an answer yet */
    int last[GUESTS];     /* of everybody else's */
    bool live;
    bool asleep; /* does not read */
} guests[GUESTS];

static int said; /* messages so far: */
static struct {
    int who;
    const char *room; /* NULL: to one */
} messages[SAID_MOST];

static struct subject server;
static char label[80];
static int losses; /* of connections, and of patience */
static int ids;

#define REQUIRE(condition) \
    ck_assert_msg((condition), "%s: not so: %s (%s)", label, #condition, fault_text())

static void leave(struct guest *g)
{
    close(g->fd);
    queue_free(&g->in);
    view_free(&g->view);
    g->live = false;
    g->waits_for = 0;
}

/* His connection has ended; without a bye it was lost. */
static void lose(struct guest *g)
{
    losses += !g->view.over;
    leave(g);
}

/* Send one line, in which ' stands for ".  Returns false if the connection has ended. */
__attribute__((format(printf, 2, 3))) static bool tell(const struct guest *g, const char *format,
                                                       ...)
{
    char line[LONG + 200];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(line, sizeof line - 1, format, arguments);
    va_end(arguments);
    for (char *c = line; (c = strchr(c, '\'')) != NULL;)
        *c = '"';
    line[size++] = '\n';
    return wire_send(g->fd, line, (size_t)size);
}

static const char *text(const json_t *message, const char *field)
{
    const char *value = json_string_value(json_object_get(message, field));
    return value != NULL ? value : "";
}

/* Take what is there.  Returns false once the connection has ended. */
static bool receive(struct guest *g, int64_t deadline)
{
    char bytes[16384];
    REQUIRE(wait_ready(g->fd, POLLIN, deadline, "the next message"));
    ssize_t n = read(g->fd, bytes, sizeof bytes);
    if (n > 0)
        REQUIRE(queue_put(&g->in, bytes, (size_t)n) == 0);
    return n > 0 || (n == -1 && errno == EAGAIN);
}

/* A message was heard: each once, those of one sender in the order in which he said them. */
static void note(struct guest *g, int n)
{
    REQUIRE(n >= 1 && n <= said);
    int who = messages[n].who;
    REQUIRE(n > g->last[who]);
    g->last[who] = n;
    g->heard[g->heard_count++] = n;
    if (g == &guests[who] && g->waits_for > 0)
        g->waits_for--;
}

/* The next message; NULL once the connection has ended. */
static json_t *hear(struct guest *g)
{
    int64_t deadline = wait_deadline();
    const char *end;
    while (g->in.length == 0 || (end = memchr(queue_data(&g->in), '\n', g->in.length)) == NULL)
        if (!receive(g, deadline))
            return NULL;
    size_t length = (size_t)(end - queue_data(&g->in));
    json_t *message = json_loadb(queue_data(&g->in), length, JSON_REJECT_DUPLICATES, NULL);
    queue_drop(&g->in, length + 1);
    view_hear(&g->view, message);
    const char *type = text(message, "type");
    if (strcmp(type, "broadcast") == 0 || strcmp(type, "private") == 0)
        note(g, atoi(text(message, "content")));
    return message;
}

/* ---- the server's turns --------------------------------------------------------------------- */

static bool is_idle(void *unused)
{
    (void)unused;
    return shared->idle;
}

/* Who has just been answered by a turn of the server waits for the end of that turn. */
static void let_finish(void)
{
    for (int i = 0; i < 1000 && !shared->idle; i++)
        sched_yield();
    REQUIRE(wait_until(is_idle, NULL, "the server's turn to end"));
}

static bool has_turned(void *before)
{
    return shared->waits > *(unsigned long *)before && shared->idle;
}

/* What the server does not answer has been noticed by it. */
static void let_notice(unsigned long before)
{
    for (int i = 0; i < 1000 && !has_turned(&before); i++)
        sched_yield();
    REQUIRE(wait_until(has_turned, &before, "a turn of the server"));
}

/* ---- what must be true after every step ----------------------------------------------------- */

static bool is_awake(const struct guest *g)
{
    return g->live && !g->asleep;
}

static bool is_in(const struct guest *g, const char *room)
{
    return g->live && json_object_get(g->view.rooms, room) != NULL;
}

/* Hear everything up to the answer to a ping.  Returns false if the connection has ended. */
static bool catch_up(struct guest *g)
{
    for (json_t *m; (m = hear(g)) != NULL; json_decref(m))
        if (json_integer_value(json_object_get(m, "id")) == g->ping) {
            json_decref(m);
            return true;
        }
    return false;
}

/* The members of a room, as one of them knows them, are those who know that they are. */
static void check_members(const char *room, const json_t *members)
{
    size_t known = json_object_size(members);
    for (int i = 0; i < GUESTS; i++) {
        const struct guest *g = &guests[i];
        bool listed = is_in(g, room) && json_object_get(members, g->view.nickname) != NULL;
        REQUIRE(listed == is_in(g, room) || g->asleep);
        known -= listed;
    }
    REQUIRE(known == 0);
}

/* The messages of one room that a guest has heard in this round. */
static int heard_in(const struct guest *g, const char *room, int *list)
{
    int count = 0;
    for (int i = g->round; i < g->heard_count; i++)
        if (messages[g->heard[i]].room == room)
            list[count++] = g->heard[i];
    return count;
}

/* All members have heard the same in the same order, and nobody else has. */
static void check_heard(const char *room)
{
    int expected[SAID_MOST], list[SAID_MOST];
    int count = -1;
    for (int i = 0; i < GUESTS; i++) {
        if (!is_awake(&guests[i]))
            continue;
        int n = heard_in(&guests[i], room, list);
        if (!is_in(&guests[i], room)) {
            REQUIRE(n == 0);
        } else if (count == -1) {
            count = n;
            memcpy(expected, list, sizeof list);
        } else {
            REQUIRE(n == count && memcmp(list, expected, (size_t)n * sizeof *list) == 0);
        }
    }
}

static void check_all(void)
{
    let_finish();
    shared->armed = false;
    for (bool lost = true; lost;) {
        lost = false;
        for (int i = 0; i < GUESTS; i++)
            if (is_awake(&guests[i]))
                tell(&guests[i], "{'type':'ping','id':%d}", guests[i].ping = ++ids);
        for (int i = 0; i < GUESTS; i++)
            if (is_awake(&guests[i]) && !catch_up(&guests[i])) {
                lose(&guests[i]);
                lost = true;
            }
    }
    REQUIRE(losses <= injections[shared->which].costs);
    for (int i = 0; i < GUESTS; i++) {
        const char *room;
        json_t *members;
        if (!is_awake(&guests[i]))
            continue;
        json_object_foreach(guests[i].view.rooms, room, members)
        {
            check_members(room, members);
        }
    }
    let_finish();
    shared->armed = true;
}

/* ---- steps ---------------------------------------------------------------------------------- */

static void begin_round(void)
{
    for (int i = 0; i < GUESTS; i++)
        if (!guests[i].asleep)
            guests[i].round = guests[i].heard_count;
}

static void end_round(void)
{
    check_all();
    for (const char *const *room = rooms; *room != NULL; room++)
        check_heard(*room);
}

static bool is_busy(const json_t *message)
{
    return strcmp(text(message, "code"), "busy") == 0;
}

enum answer { DONE, BUSY, LOST };

/* Read until the answer to a request has come, which is of a type and has the id. */
static enum answer answer_to(struct guest *g, const char *type, int id)
{
    for (json_t *m; (m = hear(g)) != NULL; json_decref(m)) {
        bool mine = json_integer_value(json_object_get(m, "id")) == id;
        enum answer answer = is_busy(m) ? BUSY : DONE;
        REQUIRE(strcmp(text(m, "type"), "error") != 0 || answer == BUSY);
        REQUIRE(!mine || strcmp(text(m, "type"), type) == 0 || answer == BUSY);
        if (mine || answer == BUSY) {
            json_decref(m);
            losses += answer == BUSY;
            return answer;
        }
    }
    lose(g);
    return LOST;
}

/* Ask for something, and once more if the server is busy. */
__attribute__((format(printf, 3, 4))) static void ask(int who, const char *type, const char *format,
                                                      ...)
{
    struct guest *g = &guests[who];
    char body[200];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(body, sizeof body, format, arguments);
    va_end(arguments);
    begin_round();
    for (enum answer answer = BUSY; g->live && answer == BUSY;) {
        int id = ++ids;
        if (tell(g, "{'id':%d,%s}", id, body)) {
            answer = answer_to(g, type, id);
        } else {
            lose(g);
            answer = LOST;
        }
    }
    end_round();
}

/* The number of a message that is about to be said. */
static int number(int who, const char *room)
{
    messages[++said].who = who;
    messages[said].room = room;
    return said;
}

static void come(int who)
{
    struct guest *g = &guests[who];
    unsigned long before = shared->waits;
    *g = (struct guest){.view.label = label, .in.limit = SIZE_MAX};
    g->fd = wire_connect(server.host, server.port, who == SUE ? NARROW : 0);
    REQUIRE(g->fd != -1);
    g->live = true;
    let_notice(before);
    check_all();
}

/* Between begin_speech and end_speech: what is said in one turn of the server, without an id. */
static void begin_speech(void)
{
    begin_round();
    shared->hold = true;
}

static void say(int who, const char *room, int times, int length)
{
    struct guest *g = &guests[who];
    for (int i = 0; g->live && is_in(g, room) && i < times; i++) {
        g->waits_for++;
        if (!tell(g, "{'type':'message','room':'%s','content':'%-*d'}", room, length,
                  number(who, room)))
            lose(g);
    }
}

static void end_speech(void)
{
    shared->hold = false;
    for (int i = 0; i < GUESTS; i++) {
        struct guest *g = &guests[i];
        while (g->waits_for > 0) {
            json_t *m = hear(g);
            if (m == NULL) {
                lose(g);
            } else if (is_busy(m)) {
                losses++;
                g->waits_for--;
            }
            json_decref(m);
        }
    }
    end_round();
}

/* ---- the conversation ----------------------------------------------------------------------- */

static void arrive(void)
{
    come(ANN);
    ask(ANN, "rooms", "'type':'list_rooms'");
    ask(ANN, "welcome", "'type':'join','nickname':'ann'");
    come(BOB);
    ask(BOB, "welcome", "'type':'join','nickname':'bob'");
    come(CEM);
    ask(CEM, "welcome", "'type':'join','nickname':'cem','room':'garden'");
    come(SUE);
    ask(SUE, "welcome", "'type':'join','nickname':'sue'");
}

static void talk(void)
{
    begin_speech();
    say(ANN, rooms[0], 1, 0);
    end_speech();
    ask(BOB, "broadcast", "'type':'message','room':'lobby','content':'%d'", number(BOB, rooms[0]));
    if (guests[BOB].live)
        ask(ANN, "private", "'type':'private','to':'BOB','content':'%d'", number(ANN, NULL));
    ask(ANN, "nick_changed", "'type':'nick','nickname':'Anna'");
    ask(BOB, "users", "'type':'list_users'");
    ask(SUE, "users", "'type':'list_users','room':'lobby'");
}

static void move(void)
{
    ask(ANN, "room_joined", "'type':'join_room','room':'garden'");
    begin_speech();
    say(ANN, rooms[1], 1, 0);
    say(ANN, rooms[0], 1, 0);
    say(CEM, rooms[1], 1, 0);
    end_speech();
    ask(ANN, "room_joined", "'type':'join_room','room':'attic'");
    ask(ANN, "nick_changed", "'type':'nick','nickname':'ann'");
    ask(ANN, "room_left", "'type':'leave_room','room':'attic'");
    ask(BOB, "room_joined", "'type':'join_room','room':'garden'");
    ask(BOB, "room_left", "'type':'leave_room','room':'garden'");
    ask(CEM, "room_joined", "'type':'join_room','room':'lobby'");
}

/* More than a tape holds, while somebody does not read. */
static void talk_much(void)
{
    begin_round();
    guests[SUE].asleep = true;
    begin_speech();
    say(ANN, rooms[0], 4, LONG);
    say(BOB, rooms[0], 4, LONG);
    say(CEM, rooms[0], 4, LONG);
    end_speech();
    guests[SUE].asleep = false;
    end_round();
}

static void go(void)
{
    struct guest *bob = &guests[BOB];
    ask(BOB, "bye", "'type':'quit'");
    REQUIRE(!bob->live);
    unsigned long before = shared->waits;

    if (guests[CEM].live) {
        wire_reset(guests[CEM].fd);
        guests[CEM].fd = -1;
        leave(&guests[CEM]);
        let_notice(before);
    }
    check_all();
}

static void stop(void)
{
    kill(server.pid, SIGTERM);
    for (int i = 0; i < GUESTS; i++) {
        struct guest *g = &guests[i];
        if (!g->live)
            continue;
        for (json_t *m; (m = hear(g)) != NULL;)
            json_decref(m);
        lose(g);
    }
    REQUIRE(losses <= injections[shared->which].costs);
    REQUIRE(subject_ends_well(&server));
    REQUIRE(shared->waits < TURNS_MOST);
}

/* ---- tests ---------------------------------------------------------------------------------- */

static const char *program;

/* The whole conversation, with a server whose nth call goes wrong.  Returns false if it has not made
 * so many. */
static bool converse(int which, unsigned long nth)
{
    *shared = (struct shared){.which = which, .nth = nth};
    said = losses = ids = 0;
    snprintf(label, sizeof label, "%s, call %lu", injections[which].name, nth);
    REQUIRE(
        subject_start(&server, program, SUBJECT_ARGS("--port", "0", "--quiet", "--rate", "0"), 0));
    shared->armed = true;
    arrive();
    talk();
    move();
    talk_much();
    go();
    stop();
    return shared->calls >= nth;
}

START_TEST(nobody_else_notices)
{
    /* Under a sanitizer each server takes ten times as long to start: not every place then. */
    unsigned long stride = 1;
    if (WAIT_SCALE > 1)
        stride = injections[_i].target == MEMORY ? 9 : 3;
    unsigned long nth = 1;
    while (converse(_i, nth))
        nth += stride;
    ck_assert_msg(nth > 1, "%s: no such call was made", injections[_i].name);
}
END_TEST

int main(int argc, char **argv)
{
    const char *path = getenv("FAULT");
    if (path != NULL)
        return be_the_server(argc, argv, path);
    int fd = memfd_create("shared", 0);
    if (fd == -1 || ftruncate(fd, sizeof *shared) == -1)
        return 1;
    void *memory = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED)
        return 1;
    char name[64];
    snprintf(name, sizeof name, "/proc/%d/fd/%d", (int)getpid(), fd);
    setenv("FAULT", name, 1);
    shared = memory;
    program = argv[0];

    Suite *suite = suite_create("fault");
    TCase *all = tcase_create("faults");
    tcase_add_loop_test(all, nobody_else_notices, 0, sizeof injections / sizeof injections[0]);
    tcase_set_timeout(all, SUITE_TIMEOUT);
    suite_add_tcase(suite, all);
    return suite_run("fault", suite, NULL);
}
