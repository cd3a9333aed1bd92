/*
 * incoming - files on their way to the server.
 *
 * An upload is of one session, and has an id that nobody can guess.  While it lasts, the bytes received so
 * far stand in the file ID.part of the vault's folder.  When all have come and their sum is right, they are
 * synced to the disk, the file is called ID and gets its row, and those for whom it is are told; until then
 * nobody is.
 *
 * Interface:
 *   incoming_start, incoming_stop   around the life of the server
 *   incoming_offer                  serve file_offer
 *   incoming_chunk                  serve file_data
 *   incoming_cancel                 end an upload of a session
 *   incoming_gone                   end all of them
 */
#ifndef INCOMING_H
#define INCOMING_H

#include "file_wire.h"

/* incoming_start - remove from the vault's folder whatever no row knows: what was on its way when the
 * server was killed. */
void incoming_start(void);

/* incoming_stop - no session is left, and nothing is synced any more. */
void incoming_stop(void);

/* incoming_offer - answer file_ready, or an error: not_in_room, too_large, quota, busy. */
void incoming_offer(struct call *c, const struct vault_file *offered);

/* incoming_chunk - answer file_ack, or an error: no_such_file, bad_request, bad_checksum, busy,
 * not_in_room. */
void incoming_chunk(struct call *c, const struct file_chunk *k);

/* incoming_cancel - false: this session has no upload with this id. */
bool incoming_cancel(const struct session *s, const char *id);

void incoming_gone(const struct session *s);

#endif
