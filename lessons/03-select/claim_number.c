/*
 * The course says: select handles at most 1024 sockets.
 *
 * What is limited is the type fd_set: it has room for the descriptors *numbered* 0 to 1023, however
 * few of them are watched.  The system call itself takes a set of any size.
 *
 *   - Three sockets are watched, and one has a number past the end: FD_SET, without the check that
 *     _FORTIFY_SOURCE adds, writes into what stands behind the set.
 *   - Two thousand sockets are watched with an array of bits that is large enough: all are reported.
 */

#undef _FORTIFY_SOURCE /* which would end the process before it can be seen */
#include "claim.h"
#include "die.h"

#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    MANY = 2000,
    SPARE = 64, /* descriptors for all else */
    WORD = 8 * (int)sizeof(unsigned long),
    WORDS = 2 * MANY / WORD
};

static const struct claim claim = {
    "select handles at most 1024 sockets",
    "false: the limit is on the descriptor's number, and it is fd_set's"};

/* A set, and what happens to stand behind it in the program. */
struct neighbours {
    fd_set set;
    unsigned char behind[128];
};

/* The bytes behind the set that FD_SET(fd) changes.  In a process of its own, which may die of it:
 * -1. */
static int bytes_spoiled(int fd)
{
    struct neighbours *n = mmap(NULL, sizeof *n, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                                -1, 0);
    if (n == MAP_FAILED)
        die("mmap");
    int status = 0;
    pid_t pid = fork();
    if (pid == -1)
        die("fork");
    if (pid == 0) {
        close(STDERR_FILENO); /* a sanitizer has much to say about what follows */
        FD_SET(fd, &n->set);
        _exit(0);
    }
    if (waitpid(pid, &status, 0) == -1)
        die("waitpid");
    int changed = 0;
    for (size_t i = 0; i < sizeof n->behind; i++)
        changed += ((volatile unsigned char *)n->behind)[i] != 0;
    munmap(n, sizeof *n);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? changed : -1;
}

/* Watch MANY sockets that all have a byte to read, in one call.  Returns how many it reports. */
static int watch_many(int *highest)
{
    static unsigned long bits[WORDS];
    static int fds[MANY];
    *highest = 0;
    for (int i = 0; i < MANY; i++) { /* the two ends of a pair, each with a byte for the other */
        if (i % 2 == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, &fds[i]) == -1)
            die("socketpair");
        if (fds[i] >= WORDS * WORD || write(fds[i], "!", 1) != 1)
            die("write");
        if (fds[i] > *highest)
            *highest = fds[i];
        bits[fds[i] / WORD] |= 1UL << (fds[i] % WORD);
    }
    /* The library's select is for an fd_set; this is the system call behind it. */
    struct timespec at_once = {0, 0};
    return (int)syscall(SYS_pselect6, *highest + 1, bits, NULL, NULL, &at_once, NULL);
}

int main(void)
{
    size_t limit = claim_descriptors(2 * MANY);
    if (limit < MANY + SPARE)
        claim_cannot(&claim, "needs %d descriptors, and the limit is %zu (ulimit -n)", MANY + SPARE,
                     limit);
    int spoiled = bytes_spoiled(FD_SETSIZE);
    int inside = bytes_spoiled(FD_SETSIZE - 1);
    int highest = 0;
    int reported = watch_many(&highest);
    const char *what = spoiled == -1 ? "ends the process" : "writes behind the set";
    claim_end(
        &claim, spoiled != 0 && inside == 0 && reported == MANY,
        "FD_SET of one descriptor, number %d, %s; %d sockets, up to number %d, watched by one "
        "call with a longer array: %d reported",
        FD_SETSIZE, what, MANY, highest, reported);
}
