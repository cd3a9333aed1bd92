/*
 * signin - a client that proves who its user is: --login, --register.
 *
 * It logs in instead of joining, also after a loss.  A nickname taken over elsewhere is not taken
 * back: two clients of one owner would throw each other out for ever.
 */
#ifndef SIGNIN_H
#define SIGNIN_H

#include "talk.h"

extern const struct talk_extension signin;

#endif
