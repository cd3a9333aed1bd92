/*
 * workspace - a folder for each test, which is its working directory, and a client that starts
 * there.
 *
 * Interface:
 *   workspace_begin, workspace_end   before the first test, after the last
 *   workspace_enter                  in a test
 *   workspace_write, _read, _count   files there
 *   workspace_start                  the client, joined, as client_test's
 */
#ifndef WORKSPACE_H
#define WORKSPACE_H

#include <stddef.h>

/* workspace_begin - make the folder of all tests; stage_client is found from argv[0]. */
void workspace_begin(const char *program);
void workspace_end(void);

/* workspace_enter - a new, empty folder, from now on the working directory. */
void workspace_enter(void);

void workspace_write(const char *path, const void *bytes, size_t size);

/* workspace_read - a file whole, with a final 0; to be freed.  NULL if it is not there. */
char *workspace_read(const char *path, size_t *size);

/* workspace_count - how many files a folder has, hidden ones as well; 0 if it is not there. */
size_t workspace_count(const char *folder);

/* workspace_start - enter a new folder and start the client, which joins; more arguments may be
 * NULL. */
void workspace_start(int columns, const char *const *more);

#endif
