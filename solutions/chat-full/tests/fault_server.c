/* fault_server - the server with all extensions, in which an allocation fails.  See fault_server.h. */

#undef _FORTIFY_SOURCE /* which has functions of its own in place of those that are defined here */

#include "fault_server.h"

#include "chat.h"
#include "die.h"
#include "dispatch.h"
#include "emoji.h"
#include "files.h"
#include "history.h"
#include "login.h"
#include "passwords.h"
#include "store.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static struct fault_shared *shared; /* or NULL */

/* Only of the loop's thread: of the others a sanitizer allocates something as well, when they begin. */
static bool goes_wrong(size_t size)
{
    if (shared == NULL || !shared->armed || gettid() != getpid())
        return false;
    if (shared->size == size) {
        shared->failed++;
        return true;
    }
    return ++shared->calls == shared->nth;
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
    if (!goes_wrong(size))
        return real(size);
    errno = ENOMEM;
    return NULL;
}

void *calloc(size_t count, size_t size)
{
    ORIGINAL(calloc);
    if (!goes_wrong(count * size))
        return real(count, size);
    errno = ENOMEM;
    return NULL;
}

void *realloc(void *old, size_t size)
{
    ORIGINAL(realloc);
    if (!goes_wrong(size))
        return real(old, size);
    errno = ENOMEM;
    return NULL;
}

int clock_gettime(clockid_t id, struct timespec *t)
{
    int got = (int)syscall(SYS_clock_gettime, id, t);
    if (shared != NULL && id == CLOCK_MONOTONIC && got == 0) {
        int64_t ns = t->tv_nsec + shared->skipped;
        t->tv_sec += ns / 1000000000;
        t->tv_nsec = ns % 1000000000;
    }
    return got;
}

int passwords_init(void)
{
    return sodium_init() == -1 ? -1 : 0;
}

enum password_verdict password_hash(char hash[HASH_SIZE], const char *password, size_t size)
{
    snprintf(hash, HASH_SIZE, "%.*s", (int)(size < 80 ? size : 80), password);
    return PASSWORD_RIGHT;
}

enum password_verdict password_check(const char hash[HASH_SIZE], const char *password, size_t size)
{
    return strlen(hash) == size && memcmp(hash, password, size) == 0 ? PASSWORD_RIGHT
                                                                     : PASSWORD_WRONG;
}

int main(int argc, char **argv)
{
    static const struct extension *const extensions[] = {&store,   &login, &emoji,
                                                         &history, &files, NULL};
    const char *path = getenv("FAULT");
    if (path != NULL) {
        int fd = open(path, O_RDWR);
        void *memory = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (memory == MAP_FAILED)
            die("%s", path);
        close(fd);
        shared = memory;
    }
    return chat_run(argc, argv, "a chat room with faults", "chat", extensions);
}
