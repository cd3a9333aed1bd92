/*
 * history - what has been said in a room can be read afterwards.
 *
 * Each message of a room gets a number, seq, from 1 on and without a gap for those who are in it; who joins later, or comes
 * back after the server was killed, asks for what was said before.  The promise: a seq that anybody
 * has seen is in the database.  It is kept by the order of things in a turn of the loop:
 *
 *     serve, serve, serve ...    what is said gets its seq, and is put into the batch
 *     before_output              one transaction keeps the whole batch
 *     send                       only now does a seq leave
 *
 * [blank] If it cannot be kept, all of it still stands in memory: the seqs are overwritten with
 * blanks, which JSON allows, and the messages go out without them.  The room goes on; everybody is
 * told that the history is off, and every second it is tried again.
 *
 * The requests and replies are on the protocol page:
 *
 *     {"type":"history","room":"lobby","limit":50,"before":120}
 *     {"type":"history","room":"lobby","messages":[{"seq":70,"from":"ann","content":"hello",
 *      "timestamp":"2024-01-15 10:30:00"},...],"more":true}
 *     {"type":"history_state","on":false,"message":"...","timestamp":"..."}
 *
 * The database is archive.h's; here are the turn, the seqs that are on their way, and the wire.
 */
#ifndef HISTORY_H
#define HISTORY_H

#include "dispatch.h"

/* The extension: --history-keep, --history-total.  To stand behind the store. */
extern const struct extension history;

#endif
