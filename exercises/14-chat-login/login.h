/*
 * login - a nickname that is registered can be taken only with its password.
 *
 *   register  nickname password         -> registered  nickname timestamp
 *   login     nickname password room?   -> welcome, in place of join
 *
 * What a request is refused for, in this order:
 *
 *   already_joined       login: this session has a nickname already
 *   bad_request          nickname or password is no string
 *   bad_nickname         as for join
 *   bad_request          the password has not PASSWORD_LEAST to PASSWORD_MOST bytes
 *   bad_room             login: as for join
 *   nickname_registered  register: somebody has registered it, in whatever case of letters
 *   nickname_taken       register: another session has this nickname now
 *   busy                 too many attempts, or too many others just now, or register: too many
 *                        accounts
 *   bad_credentials      login: the password is wrong, or nobody has registered this nickname
 *
 * Up to here nothing has been hashed but for the last one, and for too many accounts.  join and nick are refused a registered
 * nickname with nickname_registered; but a session may spell its own nickname in another way.
 */
#ifndef LOGIN_H
#define LOGIN_H

#include "dispatch.h"

/* To stand behind the store. */
extern const struct extension login;

#endif
