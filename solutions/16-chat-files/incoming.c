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

#ifdef STUB
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
#else
/* ---- an offer ------------------------------------------------------------------------------- */

static bool may_share(struct call *c, const struct vault_file *f)
{
    if (f->addressee[0] != '\0' || audience_room(c->session, f) != NULL)
        return true;
    call_error(c, "not_in_room", "You are not in this room.");
    return false;
}

/* [promised] What is on its way counts with all that was promised: else everybody could begin while there is
 * room for one. */
static int64_t promised(const struct session *s)
{
    int64_t bytes = 0;
    for (const struct upload *u = s->uploads; u != NULL; u = u->next)
        bytes += u->file.size;
    return bytes;
}

/* Whether so many more bytes are allowed beside what is kept and what is promised. */
static bool is_room(int64_t used, int64_t coming, int64_t size, unsigned long most)
{
    return used <= (int64_t)most && coming + size <= (int64_t)most - used;
}

static bool fits_quota(const struct session *s, int64_t size)
{
    return is_room(vault_used(s->name.text), promised(s), size, files_limits.quota);
}

static bool fits(const struct session *s, int64_t size)
{
    return fits_quota(s, size) &&
           is_room(vault_used(NULL), promised_in_all, size, files_limits.total);
}

/* [silent] A promise costs nothing: it holds the room of others only as long as something comes.  The syncer has
 * those that are whole. */
static void end_silent(int64_t now)
{
    for (struct upload *u = oldest, *newer;
         u != NULL && now - u->heard > SILENCE * INT64_C(1000000000); u = newer) {
        newer = u->newer;
        if (!u->whole)
            end(u);
    }
}

static int count(const struct session *s)
{
    int n = 0;
    for (const struct upload *u = s->uploads; u != NULL; u = u->next)
        n++;
    return n;
}

/* Something of it has come: it stands behind all others. */
static void hear(struct upload *u)
{
    take_out(u);
    u->heard = hub_now(u->session->hub);
    u->newer = NULL;
    u->place = newest;
    *newest = u;
    newest = &u->newer;
}

/* [whose] A guest's nickname is whoever's comes next, an account's is not. */
static uint64_t guest(const struct session *s, const struct vault_file *f)
{
    if (f->addressee[0] == '\0' || vault_has_account(f->addressee))
        return 0;
    return hub_find_user(s->hub, f->addressee)->serial;
}

/* NULL: there is no memory, or no room on the disk. */
static struct upload *begin(struct session *s, const struct vault_file *offered)
{
    unsigned char id[VAULT_ID_BYTES];
    struct upload *u = calloc(1, sizeof *u);
    if (u == NULL)
        return NULL;
    u->file = *offered;
    u->session = s;
    u->addressee = guest(s, offered);
    crypto_hash_sha256_init(&u->sum);
    /* [id] Whoever knows the id of a file has been told. */
    randombytes_buf(id, sizeof id);
    sodium_bin2hex(u->file.id, sizeof u->file.id, id, sizeof id);
    int fd = openat(vault_folder(), part(u), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                    0600);
    if (fd == -1) {
        free(u);
        return NULL;
    }
    close(fd);
    u->next = s->uploads;
    s->uploads = u;
    promised_in_all += u->file.size;
    hear(u);
    return u;
}

static void finish(struct call *c, struct upload *u);

void incoming_offer(struct call *c, const struct vault_file *offered)
{
    if (!may_share(c, offered))
        return;
    if (offered->size > (int64_t)files_limits.max) {
        call_error(c, "too_large", "The file is larger than a file may be here.");
        return;
    }
    bool room = fits(c->session, offered->size);
    if (!room) {
        end_silent(hub_now(c->hub));
        room = fits(c->session, offered->size);
    }
    if (!room) {
        call_error(c, "quota", "There is no room for this file beside those that are here.");
        return;
    }
    struct upload *u = count(c->session) < FILES_UPLOADS ? begin(c->session, offered) : NULL;
    if (u == NULL)
        call_error(c, "busy", "Too many uploads, or no room on the disk: try again later.");
    else if (u->file.size == 0)
        finish(c, u);
    else
        file_wire_reply(c, "file_ready", u->file.id, 0);
}

/* ---- when it is whole ----------------------------------------------------------------------- */

/* From a part to a file with a row. */
static bool put_into_vault(const struct upload *u)
{
    if (renameat(vault_folder(), part(u), vault_folder(), u->file.id) == -1)
        return false;
    if (vault_add(&u->file) == 0)
        return true;
    unlinkat(vault_folder(), u->file.id, 0);
    return false;
}

/* [again] The session has served no line meanwhile; but since the offer it may have left the room, or taken
 * another nickname; and so may the guest that it is for, whose nickname somebody else may have. */
static bool may_still_share(struct call *c, const struct upload *u)
{
    const struct session *addressee = hub_find_user(c->hub, u->file.addressee);
    if (!may_share(c, &u->file))
        return false;
    if (u->addressee != 0 && (addressee == NULL || addressee->serial != u->addressee))
        call_error(c, "no_such_user", "The guest for whom it was is not there any more.");
    else if (!fits_quota(c->session, 0))
        call_error(c, "quota", "There is no room for this file beside those of this nickname.");
    else
        return true;
    return false;
}

/* The file is on the disk, or cannot be: in the loop again. */
static void synced(void *context, int error)
{
    struct upload *u = context;
    struct call c = u->call;
    const bool here = u->session != NULL;
    if (here && call_is_open(&c) && may_still_share(&c, u)) {
        snprintf(u->file.owner, sizeof u->file.owner, "%s", u->session->name.text);
        if (error != 0 || !put_into_vault(u)) {
            call_error(&c, "busy", "The file could not be kept.");
        } else {
            file_wire_reply(&c, u->file.size > 0 ? "file_ack" : "file_ready", u->file.id,
                            u->received);
            if (!audience_tell(u->session, &u->file)) {
                vault_remove(u->file.id);
                call_error(&c, "busy", "Memory is short: the file could not be announced.");
            }
        }
    }
    end(u);
    if (here)
        call_end(&c);
}

/* All of it has come.  Is it what was promised? */
static void finish(struct call *c, struct upload *u)
{
    unsigned char sum[crypto_hash_sha256_BYTES];
    char text[VAULT_SUM_SIZE];
    crypto_hash_sha256_final(&u->sum, sum);
    sodium_bin2hex(text, sizeof text, sum, sizeof sum);
    if (strcmp(text, u->file.sha256) != 0) {
        end(u);
        call_error(c, "bad_checksum", "What has come has not the sum that was promised.");
    } else if (syncer_add(part(u), synced, u) == -1) {
        end(u);
        call_error(c, "busy", "Memory is short: try again.");
    } else {
        u->whole = true;
        u->call = call_keep(c);
    }
}

/* ---- a chunk -------------------------------------------------------------------------------- */

/* The file is opened for each: an upload that waits for its client costs no descriptor.  False with errno. */
static bool append(const struct upload *u, const struct file_chunk *k)
{
    int fd = openat(vault_folder(), part(u), O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd == -1)
        return false;
    ssize_t n = pwrite(fd, k->bytes, k->size, u->received);
    int error = n == (ssize_t)k->size ? 0 : ENOSPC;
    if (close(fd) == -1)
        error = errno;
    errno = error;
    return error == 0;
}

/* [free-chunks] What brings the file on is paced by its acks; a chunk of a few bytes is a line as any other. */
static void bound_rate(const struct upload *u, const struct file_chunk *k)
{
    if (k->size >= FILES_FREE || u->received == u->file.size)
        session_unmetered(u->session);
}

void incoming_chunk(struct call *c, const struct file_chunk *k)
{
    struct upload *u = find(c->session, k->file);
    if (u == NULL) {
        call_error(c, "no_such_file", "No upload of yours has this id.");
        return;
    }
    if (k->offset != u->received) {
        call_error(c, "bad_request", "The offset must be that of the last file_ack.");
        return;
    }
    if ((int64_t)k->size > u->file.size - u->received) {
        call_error(c, "bad_request", "That is more than the size that was promised.");
        return;
    }
    if (!append(u, k)) {
        if (errno == EMFILE || errno == ENFILE) {
            call_error(c, "busy", "No file can be opened just now: send the chunk again.");
        } else {
            end(u);
            call_error(c, "busy", "The disk takes no more: the upload has ended.");
        }
        return;
    }
    hear(u);
    crypto_hash_sha256_update(&u->sum, k->bytes, k->size);
    int64_t before = u->received;
    u->received += (int64_t)k->size;
    bound_rate(u, k);
    if (u->received == u->file.size) {
        finish(c, u);
        return;
    }
    if (before / EARLY != u->received / EARLY)
        syncer_add(part(u), NULL, NULL); /* so that little is left at the end */
    file_wire_reply(c, "file_ack", u->file.id, u->received);
}

/* ---- its end -------------------------------------------------------------------------------- */

void incoming_gone(const struct session *s)
{
    for (struct upload *u = s->uploads, *next; u != NULL; u = next) {
        next = u->next;
        leave_session(u);
        if (u->whole) /* the syncer has it: see synced */
            call_end(&u->call);
        else
            end(u);
    }
}

void incoming_start(void)
{
    struct vault_file f;
    int fd = openat(vault_folder(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *list = fd != -1 ? fdopendir(fd) : NULL;
    const struct dirent *entry;
    while (list != NULL && (entry = readdir(list)) != NULL)
        if (vault_find(entry->d_name, &f) == 0)
            unlinkat(vault_folder(), entry->d_name, 0); /* "." and ".." it does not remove */
    if (list != NULL)
        closedir(list);
}
#endif
