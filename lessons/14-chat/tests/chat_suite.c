/* chat_suite - what the suites of the chat room's server have in common.  See chat_suite.h. */

#include "chat_suite.h"

#include "testkit/proc.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum { ARGUMENTS_MAX = 48, LOG_MAX = 1 << 20 };

const char *chat_program;
const char *const *chat_arguments = (const char *const[]){NULL};
const char *const chat_backends[BACKENDS] = {"epoll", "poll", "select"};
struct subject server = {.out = -1, .err = -1};

/* ---- the server -------------------------------------------------------------------------------- */

static size_t append(const char *all[], size_t count, const char *const more[])
{
    for (size_t i = 0; more[i] != NULL && count < ARGUMENTS_MAX; i++)
        all[count++] = more[i];
    return count;
}

bool chat_start(int backend, const char *const arguments[], rlim_t descriptors)
{
    const char *all[ARGUMENTS_MAX + 1] = {"--port", "0", "--backend", chat_backends[backend]};
    size_t count = append(all, 4, chat_arguments);
    append(all, count, arguments);
    return subject_start(&server, chat_program, all, descriptors);
}

bool chat_stop(void)
{
    room_close_all();
    return subject_stop(&server);
}

long chat_rss(void)
{
    return SANITIZER_ADDRESS ? 0 : proc_memory(server.pid);
}

struct level {
    long descriptors, now;
};

static bool is_level(void *argument)
{
    struct level *l = argument;
    l->now = proc_tree(server.pid).descriptors;
    return l->now == l->descriptors;
}

bool chat_level(long descriptors)
{
    struct level l = {.descriptors = descriptors};
    return wait_until(is_level, &l, "the server's descriptors to be as before") ||
           fault("%s: %ld, and %ld before", fault_text(), l.now, descriptors);
}

static int64_t own_cpu_time(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Less than a tenth of what we take at the same time by counting: on a busy machine both of us get
 * less, but so alike; a server that spins takes as much as we do. */
bool chat_sleeps(void)
{
    const int64_t window = 150 * 1000000;
    int64_t before = proc_tree(server.pid).cpu_ns;
    int64_t end = own_cpu_time() + window;
    while (own_cpu_time() < end)
        ;
    int64_t cpu = proc_tree(server.pid).cpu_ns - before;
    return cpu < window / 10 ||
           fault("the server took %lld ms of CPU time with nothing to do, while a process that "
                 "never sleeps got %lld",
                 (long long)cpu / 1000000, (long long)window / 1000000);
}

const char *chat_log(void)
{
    static char text[LOG_MAX];
    subject_errors(&server, text, sizeof text);
    return text;
}

static bool log_has(void *text)
{
    return strstr(chat_log(), text) != NULL;
}

bool chat_log_has(const char *text)
{
    char sought[128];
    snprintf(sought, sizeof sought, "%s", text);
    return wait_until(log_has, sought, "a line in the server's log") ||
           fault("%s with '%s': %.2000s", fault_text(), text, chat_log());
}

/* ---- people ------------------------------------------------------------------------------------ */

bool chat_come(struct room_peer *p, const char *name, const char *room)
{
    if (!room_connect(p, name, &server) ||
        !room_say(p, "{'type':'join','nickname':'%s','room':'%s'}", name, room))
        return false;
    json_t *welcome = room_next_of(p, "welcome");
    bool welcomed = welcome != NULL && strcmp(room_text(welcome, "nickname"), name) == 0 &&
                    strcmp(room_text(welcome, "room"), room) == 0;
    if (welcome != NULL && !welcomed)
        fault("%s: welcomed as %s in %s", name, room_text(welcome, "nickname"),
              room_text(welcome, "room"));
    json_decref(welcome);
    return welcomed;
}

bool chat_meet(struct room_peer *people, size_t count, const char *const names[])
{
    for (size_t i = 0; i < count; i++) {
        if (!chat_come(&people[i], names[i], "lobby"))
            return false;
        for (size_t j = 0; j < i; j++)
            if (!room_expect(&people[j], "{'type':'user_joined','nickname':'%s','room':'lobby'}",
                             names[i]))
                return false;
    }
    return true;
}

bool chat_serves(void)
{
    struct room_peer p;
    bool served = chat_come(&p, "newcomer", "a-room-of-its-own") &&
                  room_say(&p, "{'type':'message','content':'hello','id':1}") &&
                  room_expect(&p, "{'type':'broadcast','from':'newcomer','id':1,"
                                  "'room':'a-room-of-its-own','content':'hello'}") &&
                  room_say(&p, "{'type':'quit'}") &&
                  room_expect(&p, "{'type':'bye','reason':'quit'}") && room_expect_end(&p);
    room_close(&p);
    return served;
}

void chat_close(struct room_peer *people, size_t count)
{
    for (size_t i = 0; i < count; i++)
        room_close(&people[i]);
}

size_t chat_crowd(size_t most)
{
    enum { KEPT = 100 }; /* for whatever else the test and the server have open */
    struct rlimit limit = {0};
    getrlimit(RLIMIT_NOFILE, &limit);
    size_t left = limit.rlim_cur > 2 * KEPT ? (size_t)limit.rlim_cur - KEPT : KEPT;
    return left < most ? left : most;
}

TCase *chat_group(Suite *suite, const char *name)
{
    TCase *group = tcase_create(name);
    tcase_set_timeout(group, SUITE_TIMEOUT);
    suite_add_tcase(suite, group);
    return group;
}
