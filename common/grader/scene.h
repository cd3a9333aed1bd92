/*
 * scene - what the clients of an echo server do in more than one exercise.
 *
 * Interface:
 *   scene_exchange, scene_read_all    one client, and all that it is owed
 *   scene_new_client                  another one comes, is served, and goes
 *   scene_late_reader                 one that does not read yet: everything in between is full
 *   scene_owed_reader                 the same, but the server still reads from it
 *   scene_freeze, scene_thaw          what happens meanwhile is there before the server looks
 *   scene_descriptors                 every descriptor that clients cost is given back
 *
 * As with trial: what returns false has said the verdict.
 */
#ifndef GRADER_SCENE_H
#define GRADER_SCENE_H

#include "trial.h"

/* More bytes than all buffers between a client and a server hold. */
enum { SCENE_UNREAD_MOST = 64 << 20 };

bool scene_exchange(struct trial *t, struct peer *p, uint64_t size);
bool scene_read_all(struct trial *t, struct peer *p);

/* scene_new_client - the probe after what must not have hurt the server. */
bool scene_new_client(struct trial *t);

/* scene_late_reader - connect a client with a small window, which sends until the server takes no more,
 * and has not read a byte. */
bool scene_late_reader(struct trial *t, struct peer *p);

/* scene_owed_reader - the same, but it stops as soon as something is queued for it, by what the server's
 * last send said: less than its queue holds, so that the server reads on, and notices what it does next.
 * scene_send_until_owed does so with one that is connected, with a small window. */
bool scene_owed_reader(struct trial *t, struct peer *p);
bool scene_send_until_owed(struct trial *t, struct peer *p);

/* scene_freeze - let the server come to rest, and stop it; scene_thaw lets it go on. */
bool scene_freeze(struct trial *t);
bool scene_thaw(struct trial *t);

/* scene_descriptors - wait until the server has so many descriptors open. */
bool scene_descriptors(struct trial *t, long count);

#endif
