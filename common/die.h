/* die - end a program that cannot start. */
#ifndef DIE_H
#define DIE_H

#include <stddef.h>

/*
 * die - print "program: message: reason" as one line on standard error and exit with status 1.
 *
 * The reason is the text of errno; it is left out if errno is 0.  For start-up failures only:
 * a client's failure ends that client, never the server.
 */
_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* calloc_or_die - calloc(3) at start-up; the caller frees the zeroed memory with free. */
void *calloc_or_die(size_t count, size_t size);

#endif
