/* download - files on their way from the server.  See download.h. */

#include "download.h"

#include "catalogue.h"
#include "digest.h"
#include "message.h"
#include "printable.h"
#include "progress.h"
#include "shelf.h"
#include "talk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DOWNLOADS = 4, /* the server sends no more at once */ CHUNK_MAX = 4096 };

enum state {
    FREE,
    SUMMING, /* what was there already is read for the sum */
    WAITING, /* for a connection */
    ASKED,   /* or for the answer; what comes before it was asked for earlier, and cancelled */
    RECEIVING
};

static struct download {
    enum state state;
    struct announced file;
    const char *folder; /* for the user */
    int fd;
    int64_t have;      /* bytes */
    json_int_t asking; /* the id of that request */
    struct digest digest;
} downloads[DOWNLOADS];

static struct download *find(const char *id)
{
    for (size_t i = 0; i < DOWNLOADS; i++)
        if (downloads[i].state != FREE && strcmp(downloads[i].file.id, id) == 0)
            return &downloads[i];
    return NULL;
}

static void end(struct download *d)
{
    digest_stop(&d->digest);
    close(d->fd);
    d->state = FREE;
}

/* It does not come, and why; said is a stranger's.  What there is of it stays. */
static void fail(struct download *d, const char *said)
{
    char name[PROGRESS_NAME_SIZE];
    char *why = printable_copy(said, strlen(said));
    talk_tell("%s has not come: %s", progress_name(d->file.name, name), why != NULL ? why : "");
    free(why);
    end(d);
}

static void tell_server(const struct download *d)
{
    if ((d->state == ASKED || d->state == RECEIVING) && talk_joined())
        talk_send(json_pack("{ss ss}", "type", "file_cancel", "file", d->file.id));
}

/* What has come cannot be right: nothing of it stays. */
static void reject(struct download *d, const char *why)
{
    shelf_drop(d->file.id);
    tell_server(d);
    fail(d, why);
}

/* ---- on its way --------------------------------------------------------------------------------- */

static void ask(struct download *d)
{
    d->state = ASKED;
    d->asking = talk_send(json_pack("{ss ss sI}", "type", "file_get", "file", d->file.id, "offset",
                                    (json_int_t)d->have));
    if (d->asking == 0)
        fail(d, "there is no way to ask for it");
}

static void summed(void *context, int error)
{
    struct download *d = context;
    if (error != 0) {
        fail(d, strerror(error));
        return;
    }
    d->state = WAITING;
    if (talk_joined())
        ask(d);
}

static void finish(struct download *d)
{
    char kept[SHELF_NAME_SIZE];
    char sum[DIGEST_HEX_SIZE];
    char size[PROGRESS_SIZE_SIZE];
    bool announced = d->file.sum[0] != '\0';
    d->state = WAITING; /* the server has said all */
    digest_hex(&d->digest, sum);
    if (announced && strcmp(sum, d->file.sum) != 0) {
        reject(d, "its SHA-256 is not the one announced; it is thrown away");
        return;
    }
    if (shelf_keep(d->file.id, d->fd, d->file.name, kept) == -1) {
        fail(d, strerror(errno));
        return;
    }
    char *folder = printable_copy(d->folder, strlen(d->folder));
    char *name = printable_copy(kept, strlen(kept));
    talk_tell("%s/%s is there, %s%s", folder != NULL ? folder : "", name != NULL ? name : "",
              progress_size(d->have, size),
              announced ? "" : "; it has not been announced here, so its sum could not be checked");
    free(folder);
    free(name);
    end(d);
}

static bool write_all(struct download *d, const unsigned char *bytes, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = pwrite(d->fd, bytes + done, size - done, d->have + (int64_t)done);
        if (n == -1 && errno != EINTR)
            return false;
        done += n > 0 ? (size_t)n : 0;
    }
    return true;
}

/* Why a chunk is not what was asked for, or NULL; *count gets the number of its bytes. */
static const char *fault_of(const struct download *d, const json_t *message,
                            unsigned char bytes[CHUNK_MAX], size_t *count)
{
    const char *data = message_text(message, "data");
    int64_t size = message_number(message, "size");
    const char *rest = NULL;
    if (size < 0 || (d->file.size >= 0 && size != d->file.size))
        return "the server says another size than was announced";
    if (message_number(message, "offset") != d->have)
        return "the server sent another part of it than the next one";
    if (sodium_base642bin(bytes, CHUNK_MAX, data, strlen(data), NULL, count, &rest,
                          sodium_base64_VARIANT_ORIGINAL) == -1 ||
        *rest != '\0')
        return "the server sent what is no chunk of a file";
    if ((int64_t)*count > size - d->have)
        return "the server sent more than was announced";
    if (*count == 0 && d->have < size)
        return "the server sent a chunk with nothing in it";
    return NULL;
}

static void receive(struct download *d, const json_t *message)
{
    unsigned char bytes[CHUNK_MAX];
    size_t count = 0;
    const char *fault = fault_of(d, message, bytes, &count);
    if (fault != NULL) {
        reject(d, fault);
        return;
    }
    d->file.size = message_number(message, "size");
    if (!write_all(d, bytes, count)) {
        int error = errno;
        tell_server(d);
        fail(d, strerror(error));
        return;
    }
    crypto_hash_sha256_update(&d->digest.state, bytes, count);
    d->have += (int64_t)count;
    if (d->have == d->file.size)
        finish(d);
}

/* Nobody here has asked for that: we have left the room, or the server cannot read the file. */
static void ended_by_server(struct download *d)
{
    if (d != NULL && d->state == RECEIVING)
        fail(d, "the server has ended the transfer");
}

bool download_hear(const json_t *message, const json_t *request)
{
    bool error = message_is(message, "error");
    if (message_is(message, "file_cancelled") && request == NULL) {
        ended_by_server(find(message_text(message, "file")));
        return true;
    }
    if (error ? !message_is(request, "file_get") : !message_is(message, "file_data"))
        return false;
    struct download *d = find(message_text(error ? request : message, "file"));
    if (d != NULL && d->state == ASKED && message_number(request, "id") == d->asking)
        d->state = RECEIVING;
    if (d != NULL && d->state == RECEIVING) {
        if (error)
            fail(d, message_text(message, "message"));
        else
            receive(d, message);
    }
    return true;
}

void download_joined(void)
{
    for (size_t i = 0; i < DOWNLOADS; i++)
        if (downloads[i].state == WAITING)
            ask(&downloads[i]);
}

void download_lost(void)
{
    for (size_t i = 0; i < DOWNLOADS; i++)
        if (downloads[i].state == ASKED || downloads[i].state == RECEIVING)
            downloads[i].state = WAITING;
}

/* ---- beginning and end -------------------------------------------------------------------------- */

/* What is meant by a word: an announced file, or an id of which nothing more is known. */
static bool identify(struct announced *file, const char *word)
{
    const struct announced *known = catalogue_find(word);
    if (known != NULL)
        *file = *known;
    else if (is_file_id(word) && !shelf_recall(file, word))
        *file = (struct announced){.size = -1};
    else if (!is_file_id(word))
        return false;
    if (file->id[0] == '\0') {
        snprintf(file->id, sizeof file->id, "%s", word);
        snprintf(file->name, sizeof file->name, "%s", word);
    }
    return true;
}

/* Open what is there of the file, or begin it. */
static bool open_part(struct download *d)
{
    struct stat part;
    d->fd = shelf_part(d->file.id);
    if (d->fd == -1)
        return false;
    if (fstat(d->fd, &part) == -1 || (d->file.size >= 0 && part.st_size > d->file.size &&
                                      ftruncate(d->fd, part.st_size = 0) == -1)) {
        close(d->fd);
        return false;
    }
    d->have = part.st_size;
    return true;
}

static const char *reason(int error)
{
    return error == EBUSY ? "another client is fetching it" : strerror(error);
}

void download_start(struct command *c, const char *folder, const char *word)
{
    char shown[PROGRESS_NAME_SIZE];
    struct download *d = downloads;
    while (d < downloads + DOWNLOADS && d->state != FREE)
        d++;
    if (shelf_open(folder) == -1)
        command_wrong(c, "%s: %s", progress_name(folder, shown), strerror(errno));
    else if (d == downloads + DOWNLOADS)
        command_wrong(c, "%d files are on their way already", DOWNLOADS);
    else if (!identify(&d->file, word))
        command_wrong(c,
                      "%s: no file that was announced here, or several; the whole id has 32 digits",
                      progress_name(word, shown));
    else if (find(d->file.id) != NULL)
        command_wrong(c, "it is on its way already");
    else if (!open_part(d))
        command_wrong(c, "%s in %s: %s", d->file.id, progress_name(folder, shown), reason(errno));
    else {
        d->folder = folder;
        d->state = SUMMING;
        if (d->file.sum[0] != '\0')
            shelf_note(&d->file);
        digest_begin(&d->digest);
        digest_file(&d->digest, talk_reactor(), d->fd, d->have, summed, d);
    }
}

static bool is_meant(const struct download *d, const char *word)
{
    return d->state != FREE && file_is_meant(d->file.id, d->file.name, word);
}

size_t download_meant(const char *word)
{
    size_t count = 0;
    for (size_t i = 0; i < DOWNLOADS; i++)
        count += is_meant(&downloads[i], word);
    return count;
}

bool download_cancel(const char *word)
{
    for (size_t i = 0; i < DOWNLOADS; i++)
        if (is_meant(&downloads[i], word)) {
            reject(&downloads[i], "cancelled");
            return true;
        }
    return false;
}

void download_offer(struct words *found, const char *start)
{
    for (size_t i = 0; i < DOWNLOADS; i++)
        if (downloads[i].state != FREE)
            command_offer_word(found, downloads[i].file.id, start, " ");
}

bool download_busy(void)
{
    for (size_t i = 0; i < DOWNLOADS; i++)
        if (downloads[i].state != FREE)
            return true;
    return false;
}

void download_progress(FILE *out)
{
    for (size_t i = 0; i < DOWNLOADS; i++) {
        const struct download *d = &downloads[i];
        if (d->state != FREE)
            progress_bar(out, "fetching", d->file.name,
                         d->state == SUMMING ? d->digest.at : d->have, d->file.size, d->file.id);
    }
}

void download_stop(void)
{
    for (size_t i = 0; i < DOWNLOADS; i++)
        if (downloads[i].state != FREE)
            end(&downloads[i]);
    shelf_close();
}
