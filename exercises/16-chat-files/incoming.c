/* incoming - files on their way to the server.  See incoming.h. */

#include "incoming.h"

#include "audience.h"
#include "hub.h"
#include "syncer.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    PART_SIZE = VAULT_ID_SIZE + 5,
    EARLY = 8 << 20, /* bytes behind which an upload is synced while it grows */
    SILENCE = 60     /* seconds without a chunk, behind which others may have its room */
};

struct upload {
    struct vault_file file;
    struct session *session; /* NULL: it has gone while its file was synced */
    struct call call;        /* its last chunk's, kept while the file is synced */
    uint64_t addressee;      /* the serial of the guest that it is for; or 0 */
    bool whole;
    int64_t received;
    int64_t heard;                 /* when its last chunk came; or its offer */
    crypto_hash_sha256_state sum;  /* of what has been received */
    struct upload *next;           /* of its session: s->uploads */
    struct upload *newer, **place; /* among all of them; place: NULL outside */
};

static struct upload *oldest, **newest = &oldest; /* all, in the order of `heard` */
static int64_t promised_in_all;                   /* their sizes */

/* ---- one upload ----------------------------------------------------------------------------- */

/* What the file is called while it is not whole. */
static const char *part(const struct upload *u)
{
    static char name[PART_SIZE];
    snprintf(name, sizeof name, "%s.part", u->file.id);
    return name;
}

/* An upload of this session that is not whole yet. */
static struct upload *find(const struct session *s, const char *id)
{
    struct upload *u = s->uploads;
    while (u != NULL && (u->whole || strcmp(u->file.id, id) != 0))
        u = u->next;
    return u;
}

/* Out of the order of all. */
static void take_out(struct upload *u)
{
    if (u->place == NULL)
        return;
    *u->place = u->newer;
    if (u->newer != NULL)
        u->newer->place = u->place;
    else
        newest = u->place;
    u->place = NULL;
}

/* Out of the list of its session, which may be about to go. */
static void leave_session(struct upload *u)
{
    struct upload **place = &u->session->uploads;
    while (*place != u)
        place = &(*place)->next;
    *place = u->next;
    u->session = NULL;
}

/* Nothing of it stays but what has been put into the vault. */
static void end(struct upload *u)
{
    if (u->session != NULL)
        leave_session(u);
    take_out(u);
    promised_in_all -= u->file.size;
    unlinkat(vault_folder(), part(u), 0);
    free(u);
}

bool incoming_cancel(const struct session *s, const char *id)
{
    struct upload *u = find(s, id);
    if (u == NULL)
        return false;
    end(u);
    return true;
}

void incoming_stop(void)
{
    while (oldest != NULL)
        end(oldest);
}

void incoming_offer(struct call *c, const struct vault_file *offered)
{
    /* Yours: may it be offered, and is there room for it?  An id, an empty part, a place among the session's
     * uploads and in the order of all, its size in promised_in_all, and file_ready.  What is promised with a
     * size of 0 is whole at once. */
    (void)offered;
    call_error(c, "busy", "No files are taken yet.");
}

void incoming_chunk(struct call *c, const struct file_chunk *k)
{
    /* Yours: is it the next one, and no more than was promised?  Then it is appended, and file_ack says so; and it
     * costs none of the client's rate if it has FILES_FREE bytes, or is the last.
     * The last one is answered when the file has been looked at, synced and put into the vault; and then all
     * those for whom it is are told. */
    (void)k;
    call_error(c, "no_such_file", "No files are taken yet.");
}

void incoming_gone(const struct session *s)
{
    /* Yours: none of its uploads will be finished.  The syncer may have one of them just now: that one leaves the
     * session, and ends later. */
    (void)s;
}

void incoming_start(void)
{
    /* Yours: what stands in the vault's folder, and in none of its rows? */
}
