/*
 * hasher - threads that hash passwords, so that the loop need not.
 *
 *   loop      hasher_put --> [ j | j | j | . ]   at most `most` wait
 *                                 |
 *   threads                       +--> Argon2id, tens of milliseconds
 *                                        |
 *   loop      j->done  <--reactor_post---+
 *
 * A job is its owner's storage.  From hasher_put until `done` it is the hasher's alone: neither is
 * it changed nor freed by its owner, whatever becomes of the client meanwhile.
 *
 * Interface:
 *   hasher_start, hasher_stop    the threads
 *   hasher_put                   a job for them
 */
#ifndef HASHER_H
#define HASHER_H

#include "passwords.h"
#include "reactor.h"

#include <stdbool.h>
#include <stddef.h>

struct hash_job {
    struct hash_job *next;         /* in the queue */
    bool make;                     /* a new hash; else check the password against this one: */
    char hash[HASH_SIZE];          /* made, or checked against */
    enum password_verdict verdict; /* how it went */
    reactor_call *done;            /* called in the loop, with the job as its context */
    size_t size; /* of the password; which is erased as soon as it is not needed */
    char password[PASSWORD_MOST];
};

/*
 * hasher_start - start the threads, whose priority is less than the loop's.
 *
 * most  jobs that may wait for a thread
 *
 * Returns 0, or -1 with errno; no thread is left then.
 */
int hasher_start(struct reactor *r, unsigned long threads, unsigned long most);

/* hasher_put - put a job at the end of the queue.  Never waits: false if the queue is full. */
bool hasher_put(struct hash_job *j);

/* hasher_stop - let each thread end after the job that it is at, and wait for that.  The jobs are
 * their owner's again, all of them: those in the queue have not been done, and none is reported
 * any more. */
void hasher_stop(void);

#endif
