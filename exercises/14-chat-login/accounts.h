/*
 * accounts - who has registered, and the hash of the password: a table of the store.
 *
 * Nicknames are the same in whatever case of letters.
 *
 * Interface:
 *   accounts_open   before the others
 *   accounts_find   the hash of a nickname
 *   accounts_add    one more
 */
#ifndef ACCOUNTS_H
#define ACCOUNTS_H

#include "passwords.h"

struct hub;

/* accounts_open - count them; most is how many there may be.  Whoever is removed by another program
 * is counted until the next start.  Returns 0, or -1 with errno EIO. */
int accounts_open(unsigned long most);

/*
 * accounts_find - look a nickname up.
 *
 * hash  gets its password's hash, unless it is NULL
 *
 * Returns 1, 0 if nobody has registered it, or -1 if that cannot be told now (errno EIO).
 */
int accounts_find(const char *nickname, char hash[HASH_SIZE]);

/* accounts_add - register a nickname.  When it returns 0 it is registered, also after kill -9;
 * else -1, with errno EEXIST if it was already, ENOSPC if there are as many as there may be, and EIO if it
 * cannot be written now. */
int accounts_add(struct hub *hub, const char *nickname, const char *hash);

#endif
