/*
 * files_fault_server - the chat room in which files are passed on, on a disk that fails, or with a clock that is
 * ahead: for files_fault_test.
 *
 * What stands in place of the library's functions is defined here: see fault_test.c of lesson 14.
 */

#include "files_fault_server.h"
#include "chat.h"
#include "dispatch.h"
#include "files.h"
#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static struct faults none, *shared = &none;

int clock_gettime(clockid_t id, struct timespec *t)
{
    long got = syscall(SYS_clock_gettime, id, t);
    if (got == 0 && id == CLOCK_MONOTONIC)
        t->tv_sec += shared->ahead;
    return (int)got;
}

static bool is_part(int fd)
{
    char link[64], path[256];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, path, sizeof path);
    return size > 5 && memcmp(path + size - 5, ".part", 5) == 0;
}

/* Told once, as the kernel does it: who asks later is told that all is well. */
int fsync(int fd)
{
    if (is_part(fd) && shared->failing > 0) {
        shared->failing--;
        errno = EIO;
        return -1;
    }
    return (int)syscall(SYS_fsync, fd);
}

int main(int argc, char **argv)
{
    static const struct extension *const extensions[] = {&store, &files, NULL};
    const char *path = getenv("FAULT");
    int fd = path != NULL ? open(path, O_RDWR) : -1;
    void *memory = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED)
        return 125;
    close(fd);
    shared = memory;
    return chat_run(argc, argv, "a chat room with faults", "chat", extensions);
}
