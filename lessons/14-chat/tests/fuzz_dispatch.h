/* fuzz_dispatch - the chat room, fed with a script of what its clients do.  See fuzz_dispatch.c. */
#ifndef FUZZ_DISPATCH_H
#define FUZZ_DISPATCH_H

#include "view.h"

#include <stddef.h>
#include <stdint.h>

struct extension;
struct hub;

/* The room's extensions: none, see fuzz_plain.c, unless a program brings this variable itself. */
extern const struct fuzz_room {
    const struct extension *const *extensions; /* NULL at the end */
    void (*begin)(struct hub *hub);            /* before each script; or NULL */
    view_hearer *hear;                         /* takes their messages; or NULL */
    const char *(*word)(
        void); /* what $$ stands for in a script: a word that no script can know; or NULL */
} fuzz_room;

/* LLVMFuzzerTestOneInput - run one script against a room of its own; abort with a line on standard
 * error that says what is wrong, if anything is.  Returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
