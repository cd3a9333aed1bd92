/*
 * fault_server - the server with all extensions, in which an allocation of its loop fails.
 *
 * It finds what it shares with its test in the file that FAULT in its environment names; without
 * that it is the server as it is, but for the passwords, each of which is its own hash.
 */
#ifndef FAULT_SERVER_H
#define FAULT_SERVER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* All zero bytes at first: nothing fails. */
struct fault_shared {
    unsigned long nth;       /* allocation fails, from when on they are counted: */
    atomic_bool armed;       /* they are */
    atomic_ulong calls;      /* so far */
    atomic_size_t size;      /* and each of this size fails */
    atomic_ulong failed;     /* of those */
    _Atomic int64_t skipped; /* nanoseconds by which its time is ahead */
};

#endif
