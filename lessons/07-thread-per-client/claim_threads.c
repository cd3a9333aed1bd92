/*
 * The course says: a few thousand threads at most.
 *
 * How many there can be is a matter of memory and of limits that can be read, and raised.  Threads
 * with a stack like the server's are started until one is refused, or there are MOST: each runs,
 * touches its stack and sleeps, as a thread does whose client is silent.
 *
 * Left out on purpose: what switching between them costs; see bench/README.md.
 */

#include "claim.h"
#include "die.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { MOST = 12000, STACK = 256 << 10, CHUNK = 16384, SPARE_MB = 256 };

static const struct claim claim = {
    "a few thousand threads at most",
    "not a constant: each costs memory, and limits that can be raised end it"};

/* The threads wait for `lock`, which main holds while it counts. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t running;

static void *silent_client(void *unused)
{
    char buf[CHUNK];
    explicit_bzero(buf, sizeof buf); /* a silent thread's, too, once it has answered much */
    pthread_barrier_wait(&running);
    pthread_mutex_lock(&lock);
    pthread_mutex_unlock(&lock);
    return unused;
}

/* The number behind a name in a file of /proc; or the whole file's, if name is "". */
static long proc_number(const char *path, const char *name)
{
    char line[256];
    long value = -1;
    FILE *f = fopen(path, "re");
    while (f != NULL && value == -1 && fgets(line, sizeof line, f) != NULL)
        if (strncmp(line, name, strlen(name)) == 0)
            value = strtol(line + strlen(name), NULL, 10);
    if (f != NULL)
        fclose(f);
    return value;
}

/* What limits the number of threads here, as text: the smallest of what can be read.  A thread is a
 * task with a number, and its stack with the guard below it two mappings. */
static void limits_text(char *text, size_t size)
{
    struct rlimit processes = {RLIM_INFINITY, RLIM_INFINITY};
    getrlimit(RLIMIT_NPROC, &processes);
    snprintf(text, size, "pid_max %ld, threads-max %ld, max_map_count / 2 = %ld",
             proc_number("/proc/sys/kernel/pid_max", ""),
             proc_number("/proc/sys/kernel/threads-max", ""),
             proc_number("/proc/sys/vm/max_map_count", "") / 2);
    if (geteuid() != 0 && processes.rlim_cur != RLIM_INFINITY) {
        size_t length = strlen(text);
        snprintf(text + length, size - length, ", ulimit -u %lu",
                 (unsigned long)processes.rlim_cur);
    }
}

int main(void)
{
    static pthread_t threads[MOST];
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK);
    long own = proc_number("/proc/self/status", "VmRSS:");
    long kernel = proc_number("/proc/meminfo", "KernelStack:");

    pthread_mutex_lock(&lock);
    pthread_barrier_init(&running, NULL, 2); /* the next one is started when this one has run */
    int count = 0, error = 0;
    bool memory = true;
    while (count < MOST && error == 0 && memory) {
        error = pthread_create(&threads[count], &attributes, silent_client, NULL);
        if (error == 0) {
            pthread_barrier_wait(&running);
            count++;
        }
        if (count % 500 == 0)
            memory = proc_number("/proc/meminfo", "MemAvailable:") > SPARE_MB * 1024L;
    }
    own = proc_number("/proc/self/status", "VmRSS:") - own;
    kernel = proc_number("/proc/meminfo", "KernelStack:") - kernel;
    pthread_mutex_unlock(&lock);
    for (int i = 0; i < count; i++)
        pthread_join(threads[i], NULL);

    char limits[256];
    limits_text(limits, sizeof limits);
    if (count == 0)
        claim_cannot(&claim, "no thread could be started: %s", strerror(error));
    claim_end(&claim, count == MOST || error != 0 || !memory,
              "%d threads started, then %s; %.1f KiB of memory each and %.1f of kernel stack; the "
              "limits: %s",
              count,
              error != 0 ? strerror(error)
              : memory   ? "stopped on purpose"
                         : "stopped for lack of memory",
              (double)own / count, (double)kernel / count, limits);
}
