/*
 * secret - a password: asked for or read, kept where nobody looks, erased.
 *
 * Interface:
 *   secret_ask, secret_read    get it from the user, from a file
 *   secret_show, secret_hide   while it is used
 *   secret_forget              erase it
 *
 * It is kept because a lost connection has to be made good without the user.  Meanwhile its page is
 * not swapped out, not dumped, and not readable even for this program (see sodium_malloc).
 */
#ifndef SECRET_H
#define SECRET_H

#include <stdbool.h>

enum { SECRET_MIN = 8, SECRET_MAX = 128 /* bytes, as the protocol has it */ };

/* secret_ask - ask for the password of that name at the terminal, without echo; `twice` to be sure
 * that a new one is typed right.  Ends the program if there is no terminal. */
void secret_ask(const char *name, bool twice);

/* secret_read - take the first line of a file; ends the program if that is no password. */
void secret_read(const char *file);

/* secret_show - the password, with a final 0, until secret_hide; NULL if there is none. */
const char *secret_show(void);
void secret_hide(void);

void secret_forget(void);

#endif
