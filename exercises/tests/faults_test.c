/*
 * faults_test - what an instrumented program meets: the same seed gives the same faults, and a fault
 * costs nobody a byte.
 *
 * The program is this test itself, run with --play: a server and its client in one, which do the same
 * calls each time.
 */

#include "grader/record.h"
#include "net.h"
#include "testkit/suite.h"
#include "testkit/wait.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    TRANSFER = FAULT_SHORT_READ | FAULT_SHORT_WRITE | FAULT_EINTR | FAULT_EAGAIN,
    TURNS = 200, /* messages there and back */
    SIZE = 64    /* bytes of each */
};

/* ---- what is played ------------------------------------------------------------------------------ */

static bool again(void)
{
    return errno == EINTR || errno == EAGAIN || errno == ECONNABORTED || errno == EMFILE;
}

/* The one client, whose calls are not the server's, and meet no fault. */
static int come(int lfd)
{
    struct sockaddr_in to;
    socklen_t length = sizeof to;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (getsockname(lfd, (struct sockaddr *)&to, &length) == -1 ||
        syscall(SYS_connect, fd, &to, length) == -1)
        exit(2);
    return fd;
}

/* No call finds nothing but by a fault: all plays are alike. */
static void await_bytes(int cfd)
{
    struct pollfd watched = {.fd = cfd, .events = POLLIN};
    while (syscall(SYS_ppoll, &watched, 1, NULL, NULL, 0) != 1)
        ;
}

static void echo(int cfd)
{
    char bytes[SIZE] = "";
    size_t held = 0;
    while (held < SIZE) {
        await_bytes(cfd);
        ssize_t n = recv(cfd, bytes + held, SIZE - held, 0);
        if (n == 0 || (n == -1 && !again()))
            exit(3);
        held += n > 0 ? (size_t)n : 0;
    }
    for (size_t sent = 0; sent < SIZE;) {
        ssize_t n = send(cfd, bytes + sent, SIZE - sent, MSG_NOSIGNAL);
        if (n == -1 && !again())
            exit(4);
        sent += n > 0 ? (size_t)n : 0;
    }
}

static void play(void)
{
    int cfd, lfd = net_listen("127.0.0.1", "0", 1);
    int client = lfd == -1 ? -1 : come(lfd);
    while ((cfd = accept4(lfd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) == -1)
        if (!again())
            exit(5);
    for (int turn = 0; turn < TURNS; turn++) {
        char said[SIZE], heard[SIZE];
        memset(said, turn, SIZE);
        if (syscall(SYS_sendto, client, said, SIZE, 0, NULL, 0) != SIZE)
            exit(6);
        echo(cfd);
        if (syscall(SYS_recvfrom, client, heard, SIZE, MSG_WAITALL, NULL, 0) != SIZE ||
            memcmp(said, heard, SIZE) != 0)
            exit(7);
    }
}

/* ---- what came of it ----------------------------------------------------------------------------- */

static struct record *new_record(int *fd)
{
    *fd = memfd_create("record", 0);
    ck_assert_int_ne(*fd, -1);
    ck_assert_int_eq(ftruncate(*fd, sizeof(struct record)), 0);
    void *memory = mmap(NULL, sizeof(struct record), PROT_READ | PROT_WRITE, MAP_SHARED, *fd, 0);
    ck_assert_ptr_ne(memory, MAP_FAILED);
    return memory;
}

/* Let it play with these faults.  Returns the record; it exits with 0 if no byte was lost. */
static struct record *play_with(struct fault_plan plan, int expected)
{
    int fd, status;
    char number[16];
    struct record *record = new_record(&fd);
    record->magic = RECORD_MAGIC;
    record->plan = plan;
    snprintf(number, sizeof number, "%d", fd);
    pid_t pid = fork();
    if (pid == 0) {
        setenv(RECORD_VARIABLE, number, 1);
        execl("/proc/self/exe", "faults_test", "--play", (char *)NULL);
        _exit(127);
    }
    close(fd);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == expected, "status %#x",
                  (unsigned)status);
    ck_assert_uint_lt(record->next, RECORD_ROOM); /* all of it is there */
    return record;
}

/* Whether two plays went alike: the same calls with the same faults and results. */
static bool alike(const struct record *a, const struct record *b)
{
    bool same = a->next == b->next && a->faults == b->faults;
    for (uint64_t i = 0; same && i < a->next; i++)
        same = a->calls[i].name == b->calls[i].name && a->calls[i].fault == b->calls[i].fault &&
               a->calls[i].result == b->calls[i].result && a->calls[i].error == b->calls[i].error;
    return same;
}

static unsigned count(const struct record *r, enum fault_kind kind)
{
    unsigned found = 0;
    for (uint64_t i = 0; i < r->next; i++)
        found += (r->calls[i].fault & kind) != 0;
    return found;
}

START_TEST(same_seed_same_faults)
{
    struct fault_plan plan = {.seed = 7, .kinds = TRANSFER, .one_in = 5};
    struct record *first = play_with(plan, 0), *second = play_with(plan, 0);
    ck_assert(alike(first, second));
    plan.seed = 8;
    struct record *other = play_with(plan, 0);
    ck_assert(!alike(first, other));
    for (unsigned kind = 1; kind <= TRANSFER; kind *= 2)
        if (kind & TRANSFER)
            ck_assert_uint_gt(count(first, (enum fault_kind)kind), 10);
}
END_TEST

START_TEST(no_plan_no_fault)
{
    struct record *record = play_with((struct fault_plan){.seed = 7, .one_in = 5}, 0);
    ck_assert_uint_eq(record->faults, 0);
    ck_assert_uint_ge(record->next, 2 * TURNS); /* but every call is noted */
}
END_TEST

/* Every accept fails until there have been as many faults as there may be. */
START_TEST(accept_fails)
{
    static const enum fault_kind kinds[] = {FAULT_EINTR, FAULT_ECONNABORTED, FAULT_EMFILE};
    static const int errors[] = {EINTR, ECONNABORTED, EMFILE};
    struct fault_plan plan = {.seed = 1, .kinds = kinds[_i], .one_in = 1, .most = 3};
    struct record *record = play_with(plan, 0);
    int failed = 0;
    for (uint64_t i = 0; i < record->next; i++)
        if (record->calls[i].name == CALL_accept4 && record->calls[i].result == -1)
            failed += record->calls[i].error == errors[_i];
    ck_assert_int_eq(failed, 3);
    ck_assert_uint_eq(record->faults, 3);
}
END_TEST

START_TEST(reset_stays)
{
    struct fault_plan plan = {.seed = 1, .kinds = FAULT_RESET, .one_in = 20, .most = 1};
    struct record *record = play_with(plan, 3); /* its recv fails for good */
    ck_assert_uint_eq(record->faults, 1);
}
END_TEST

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--play") == 0) {
        play();
        return 0;
    }
    Suite *suite = suite_create("faults");
    TCase *all = tcase_create("all");
    tcase_set_timeout(all, SUITE_TIMEOUT);
    tcase_add_test(all, same_seed_same_faults);
    tcase_add_test(all, no_plan_no_fault);
    tcase_add_loop_test(all, accept_fails, 0, 3);
    tcase_add_test(all, reset_stays);
    suite_add_tcase(suite, all);
    return suite_run("faults", suite, NULL);
}
