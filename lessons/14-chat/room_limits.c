/* room_limits - how much of everything the room allows.  See room_limits.h. */

#include "room_limits.h"

#include <stdbool.h>

struct limits limits = {
    .max_clients = 10000,
    .max_line = 8192,
    .max_bad_lines = 10,
    .max_rooms = 10,
    .join_timeout = 15,
    .idle_timeout = 60,
    .ping_timeout = 30,
    .rate = 20,
    .burst = 40,
    .send_queue = 256 << 10,
    .send_queue_total = 256 << 20,
    .drain_timeout = 10,
};

enum { MILLION = 1000000 };

const struct option_spec limits_options[] = {
    {"max-clients", "N", OPTION_NUMBER, &limits.max_clients, 1, MILLION, "clients at a time"},
    {"max-line", "BYTES", OPTION_NUMBER, &limits.max_line, 64, 1 << 20, "length of a line"},
    {"max-bad-lines", "N", OPTION_NUMBER, &limits.max_bad_lines, 1, MILLION,
     "bad lines in a row that are forgiven"},
    {"max-rooms", "N", OPTION_NUMBER, &limits.max_rooms, 1, 1000, "rooms that a user is in"},
    {"join-timeout", "S", OPTION_DECIMAL, &limits.join_timeout, 0, MILLION,
     "seconds until a client must have joined"},
    {"idle-timeout", "S", OPTION_DECIMAL, &limits.idle_timeout, 0, MILLION,
     "seconds of silence until a ping"},
    {"ping-timeout", "S", OPTION_DECIMAL, &limits.ping_timeout, 0, MILLION,
     "seconds until it must be answered"},
    {"rate", "N", OPTION_DECIMAL, &limits.rate, 0, MILLION, "lines a second of one client; 0: any"},
    {"burst", "N", OPTION_NUMBER, &limits.burst, 1, MILLION, "lines that it may send at once"},
    {"send-queue", "BYTES", OPTION_NUMBER, &limits.send_queue, 1024, 1 << 30,
     "what may wait for one client"},
    {"send-queue-total", "BYTES", OPTION_NUMBER, &limits.send_queue_total, 1 << 16, 1UL << 40,
     "what may wait in all"},
    {"drain-timeout", "S", OPTION_DECIMAL, &limits.drain_timeout, 0, MILLION,
     "seconds that the end waits for slow clients"},
    {0},
};

json_t *limits_json(void)
{
    json_t *object = json_object();
    for (const struct option_spec *o = limits_options; o->name != NULL; o++) {
        json_t *value = NULL;
        if (o->type == OPTION_NUMBER) {
            value = json_integer((json_int_t) * (unsigned long *)o->target);
        } else {
            double number = *(double *)o->target;
            bool whole = number == (double)(json_int_t)number;
            value = whole ? json_integer((json_int_t)number) : json_real(number);
        }
        if (json_object_set_new(object, o->name, value) == -1) {
            json_decref(object);
            return NULL;
        }
    }
    return object;
}
