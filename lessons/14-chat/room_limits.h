/*
 * room_limits - how much of everything the room allows: the table of the protocol, as options.
 *
 * Times are in seconds, sizes in bytes.
 */
#ifndef ROOM_LIMITS_H
#define ROOM_LIMITS_H

#include "options.h"

#include <jansson.h>

struct limits {
    unsigned long max_clients;
    unsigned long max_line;
    unsigned long max_bad_lines; /* in a row */
    unsigned long max_rooms;     /* that one user is in */
    double join_timeout;
    double idle_timeout; /* then a ping, */
    double ping_timeout; /* and then so long */
    double rate;         /* lines a second; 0: no limit */
    unsigned long burst;
    unsigned long send_queue; /* of a client */
    unsigned long send_queue_total;
    double drain_timeout;
};

/* What is in force.  It does not change once the options are parsed. */
extern struct limits limits;

/* An option for each, which writes there; and its name in `welcome`. */
extern const struct option_spec limits_options[];

/* limits_json - what `welcome` tells of them: a new object, or NULL short of memory. */
json_t *limits_json(void);

#endif
