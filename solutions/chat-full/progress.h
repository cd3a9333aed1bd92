/*
 * progress - files that are under way, in words: names, sizes, bars.
 *
 * What these functions write is safe to print.
 */
#ifndef PROGRESS_H
#define PROGRESS_H

#include <stdint.h>
#include <stdio.h>

enum { PROGRESS_NAME_SIZE = 256, PROGRESS_SIZE_SIZE = 24 };

/* progress_name - a stranger's name, shortened to some 40 columns.  Returns shown. */
const char *progress_name(const char *name, char shown[PROGRESS_NAME_SIZE]);

/* progress_size - "12 kB".  Returns shown. */
const char *progress_size(int64_t bytes, char shown[PROGRESS_SIZE_SIZE]);

/*
 * progress_bar - one line: "sending notes.pdf [######........]  45 % of 12 kB 3f2a5b6c".
 *
 * size  may be -1: not known yet
 * id    what /cancel can be told, or ""
 */
void progress_bar(FILE *out, const char *what, const char *name, int64_t done, int64_t size,
                  const char *id);

#endif
