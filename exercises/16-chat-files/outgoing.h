/*
 * outgoing - files on their way from the server.
 *
 * [pace] A client may be slow, and it wants to hear what is said meanwhile.  So a download is put into the
 * outbox a few chunks at a time, when what was there before has gone; once in a turn of the loop, so that
 * others have theirs; and not at all while the connection takes nothing.
 *
 * Interface:
 *   outgoing_get             serve file_get
 *   outgoing_cancel          end a download of a session
 *   outgoing_gone            end all of them
 *   outgoing_before_output   at the end of each turn
 */
#ifndef OUTGOING_H
#define OUTGOING_H

#include "file_wire.h"

/* outgoing_get - answer with the first file_data, and have the others follow; or an error: no_such_file,
 * bad_request, busy. */
void outgoing_get(struct call *c, const char *id, int64_t offset);

/* outgoing_cancel - false: this session has no download of the file with this id. */
bool outgoing_cancel(const struct session *s, const char *id);

void outgoing_gone(const struct session *s);

/* outgoing_before_output - see struct extension: what has been put into the outboxes is about to be sent, and
 * a session whose connection has become writable is no longer marked as blocked. */
void outgoing_before_output(struct hub *hub);

#endif
