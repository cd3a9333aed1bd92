/*
 * hostile - what a student's program may do to its grader, by accident or not.
 *
 * hostile_test.sh puts it behind a server that is right, whose main is then called server_main: a program
 * that does its MISDEED when it is started with --queue, and else what it should.
 */

#include "grader/record.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MISDEED
#define MISDEED "exit_0"
#endif

enum { CHILD_BYTES = 700 << 20 };

int server_main(int argc, char **argv);

static const char passed[] = "{\"name\": \"05-epoll-backpressure\", \"checks\": [{\"name\": "
                             "\"bounded-memory\", \"outcome\": \"passed\", \"points\": 2}]}\n";

static void exit_0(void)
{
    exit(0);
}

static void crash(void)
{
    raise(SIGSEGV);
}

static void loop(void)
{
    for (volatile unsigned long n = 0;;)
        n++;
}

static void fork_bomb(void)
{
    for (;;)
        (void)fork();
}

static void close_everything(void)
{
    for (int fd = 0; fd < 1024; fd++)
        close(fd);
    for (;;)
        pause();
}

static void kill_everybody(void)
{
    kill(getppid(), SIGKILL);
    kill(1, SIGKILL);
    kill(0, SIGTERM);
    kill(-1, SIGKILL);
}

static void write_the_result(void)
{
    for (int fd = 0; fd < 1024; fd++)
        (void)!write(fd, passed, sizeof passed - 1);
    exit(0);
}

/* Scribble over all memory that is shared with somebody: the record among it. */
static void scribble(void)
{
    char line[512];
    FILE *maps = fopen("/proc/self/maps", "re");
    while (maps != NULL && fgets(line, sizeof line, maps) != NULL) {
        unsigned long begin, end;
        char permissions[8];
        if (sscanf(line, "%lx-%lx %7s", &begin, &end, permissions) == 3 &&
            strcmp(permissions, "rw-s") == 0)
            memset((void *)begin, 0xff, end - begin); /* NOLINT: an address out of a file */
    }
    exit(0);
}

static void eat_memory(void)
{
    for (;;) {
        char *memory = malloc(1 << 20);
        if (memory != NULL)
            memset(memory, 1, 1 << 20);
    }
}

/* Not much each, and too much in all. */
static void let_children_eat(void)
{
    for (int child = 0; child < 3; child++) {
        if (fork() > 0)
            continue;
        volatile char *memory = malloc(CHILD_BYTES);
        for (size_t i = 0; memory != NULL && i < CHILD_BYTES; i += 4096)
            memory[i] = 1;
        for (;;)
            pause();
    }
    for (;;)
        pause();
}

/* Calls that nobody has made, with names and numbers that there are not. */
static void invent_calls(void)
{
    char line[512];
    FILE *maps = fopen("/proc/self/maps", "re");
    while (maps != NULL && fgets(line, sizeof line, maps) != NULL) {
        unsigned long begin;
        if (strstr(line, "memfd:record") == NULL || sscanf(line, "%lx", &begin) != 1)
            continue;
        struct record *record = (struct record *)begin; /* NOLINT: an address out of a file */
        for (int i = 0; i < RECORD_ROOM; i++)
            record->calls[i] = (struct call){.serial = (uint64_t)i + 1,
                                             .name = i % 2 == 0 ? 1 << 28 : CALL_epoll_wait,
                                             .ready_count = 1 << 20,
                                             .pid = getpid(),
                                             .start = 1,
                                             .end = 2};
        record->next = RECORD_ROOM;
    }
    exit(0);
}

/* What the grader once took for its own words. */
static void claim_not_to_run(void)
{
    fputs("cannot run server: No such file or directory\n", stderr);
    exit(127);
}

static void fill_the_disk(void)
{
    for (;;)
        (void)!write(2, passed, sizeof passed - 1);
}

/* Somebody who stays behind, and tries to be nobody's child. */
static void leave_a_daemon(void)
{
    if (fork() == 0) {
        setsid();
        if (fork() == 0) {
            execlp("sleep", "sleep", "987654", (char *)NULL);
            _exit(1);
        }
        _exit(0);
    }
    exit(0);
}

static void never_end(void)
{
    signal(SIGTERM, SIG_IGN);
    puts("listening on 127.0.0.1:9 (nobody)");
    fflush(stdout);
    for (;;)
        pause();
}

static const struct {
    const char *name;
    void (*commit)(void);
} misdeeds[] = {
    {"exit_0", exit_0},
    {"crash", crash},
    {"loop", loop},
    {"fork_bomb", fork_bomb},
    {"close_everything", close_everything},
    {"kill_everybody", kill_everybody},
    {"write_the_result", write_the_result},
    {"scribble", scribble},
    {"eat_memory", eat_memory},
    {"let_children_eat", let_children_eat},
    {"invent_calls", invent_calls},
    {"claim_not_to_run", claim_not_to_run},
    {"fill_the_disk", fill_the_disk},
    {"leave_a_daemon", leave_a_daemon},
    {"never_end", never_end},
};

int main(int argc, char **argv)
{
    for (int i = 1; i + 1 < argc; i++) {
        if (strcmp(argv[i], "--queue") != 0)
            continue;
        for (size_t j = 0; j < sizeof misdeeds / sizeof misdeeds[0]; j++)
            if (strcmp(misdeeds[j].name, MISDEED) == 0)
                misdeeds[j].commit();
        memmove(&argv[i], &argv[i + 2], (size_t)(argc - i - 1) * sizeof *argv);
        argc -= 2;
    }
    return server_main(argc, argv);
}
