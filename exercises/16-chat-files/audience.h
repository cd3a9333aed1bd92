/*
 * audience - those for whom a file is: the members of a room, or one user.
 *
 * Interface:
 *   audience_room   the room of a file, to one who is in it
 *   audience_tell   a file is there
 */
#ifndef AUDIENCE_H
#define AUDIENCE_H

#include "vault.h"

#include <stdbool.h>

struct room;
struct session;

/* audience_room - the room that a file is for, if this session is in it now; else NULL, and for a file that
 * is for one user. */
struct room *audience_room(const struct session *s, const struct vault_file *f);

/* audience_tell - send file_shared to all members of the room, of whom the owner's session is one; or to the
 * addressee, if he is there, and to the owner.  False: memory was short, and nobody knows. */
bool audience_tell(struct session *owner, const struct vault_file *f);

#endif
