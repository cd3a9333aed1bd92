/*
 * notice - what the server says of its own accord.
 *
 * Each of these encodes one message of the protocol and puts it where it belongs.
 */
#ifndef NOTICE_H
#define NOTICE_H

struct room;
struct session;

/* notice_joined, notice_left - tell the other members of a room who has come; who has gone, and why.
 * Short of memory notice_joined returns -1 and has told nobody. */
int notice_joined(struct room *r, struct session *s);
void notice_left(struct room *r, const char *nickname, const char *reason);

/* notice_ping - ask a silent client for a sign of life. */
void notice_ping(struct session *s);

/* notice_bye - tell a client why its connection is about to close. */
void notice_bye(struct session *s, const char *reason);

/* notice_time - the time of day as people read it, UTC: "2024-01-15 10:30:00". */
const char *notice_time(void);

#endif
