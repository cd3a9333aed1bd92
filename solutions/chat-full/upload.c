/* upload - files on their way to the server.  See upload.h. */

#include "upload.h"

#include "catalogue.h"
#include "digest.h"
#include "message.h"
#include "printable.h"
#include "progress.h"
#include "talk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    UPLOADS = 4, /* the server takes no more of one session */
    WINDOW = 4,  /* chunks that it has not acknowledged */
    CHUNK = 4096,
    BASE64_SIZE = sodium_base64_ENCODED_LEN(CHUNK, sodium_base64_VARIANT_ORIGINAL)
};

enum state {
    FREE,
    SUMMING, /* the file is read for its sum */
    WAITING, /* for a connection */
    OFFERED, /* or for an answer */
    SENDING,
};

static struct upload {
    enum state state;
    int fd;
    char *name;
    char *room, *to; /* one of them is NULL */
    int64_t size;
    struct digest digest;
    char sum[DIGEST_HEX_SIZE];

    json_int_t offer;      /* the id of that request */
    char id[FILE_ID_SIZE]; /* the server's; "" before it has given one */
    int64_t sent, acknowledged;
    unsigned in_flight; /* chunks */
} uploads[UPLOADS];

static struct upload *find(const char *id)
{
    for (size_t i = 0; i < UPLOADS; i++)
        if (uploads[i].state == SENDING && strcmp(uploads[i].id, id) == 0)
            return &uploads[i];
    return NULL;
}

static void end(struct upload *u)
{
    digest_stop(&u->digest);
    close(u->fd);
    free(u->name);
    free(u->room);
    free(u->to);
    u->name = u->room = u->to = NULL;
    u->state = FREE;
}

/* It cannot be sent, and why; said is a stranger's. */
static void fail(struct upload *u, const char *said)
{
    char name[PROGRESS_NAME_SIZE];
    char *why = printable_copy(said, strlen(said));
    talk_tell("%s is not sent: %s", progress_name(u->name, name), why != NULL ? why : "");
    free(why);
    end(u);
}

static void abandon(struct upload *u, const char *why)
{
    talk_send(json_pack("{ss ss}", "type", "file_cancel", "file", u->id));
    fail(u, why);
}

/* ---- on its way --------------------------------------------------------------------------------- */

static void offer(struct upload *u)
{
    json_t *request = json_pack("{ss ss sI ss}", "type", "file_offer", "name", u->name, "size",
                                (json_int_t)u->size, "sha256", u->sum);
    json_object_set_new(request, u->to != NULL ? "to" : "room",
                        json_string(u->to != NULL ? u->to : u->room));
    u->offer = talk_send(request);
    u->state = OFFERED;
    if (u->offer == 0)
        fail(u, "there is no way to offer it");
}

static void summed(void *context, int error)
{
    struct upload *u = context;
    if (error != 0) {
        fail(u, error == ENODATA ? "it has become shorter" : strerror(error));
        return;
    }
    digest_hex(&u->digest, u->sum);
    u->state = WAITING;
    if (talk_joined())
        offer(u);
}

/* Send the next chunk.  Returns false if that was the end of the upload. */
static bool send_chunk(struct upload *u)
{
    unsigned char bytes[CHUNK];
    char text[BASE64_SIZE];
    int64_t left = u->size - u->sent;
    ssize_t n = pread(u->fd, bytes, left < CHUNK ? (size_t)left : CHUNK, u->sent);
    if (n <= 0) {
        abandon(u, n == 0 ? "it has become shorter" : strerror(errno));
        return false;
    }
    sodium_bin2base64(text, sizeof text, bytes, (size_t)n, sodium_base64_VARIANT_ORIGINAL);
    if (talk_send(json_pack("{ss ss sI ss}", "type", "file_data", "file", u->id, "offset",
                            (json_int_t)u->sent, "data", text)) == 0) {
        abandon(u, "the connection takes no more");
        return false;
    }
    u->sent += n;
    u->in_flight++;
    return true;
}

static void fill_window(struct upload *u)
{
    while (u->in_flight < WINDOW && u->sent < u->size)
        if (!send_chunk(u))
            return;
}

static struct upload *offered(const json_t *request)
{
    for (size_t i = 0; i < UPLOADS; i++)
        if (uploads[i].state == OFFERED && uploads[i].offer == message_number(request, "id"))
            return &uploads[i];
    return NULL;
}

static void ready(struct upload *u, const json_t *message)
{
    const char *id = message_text(message, "file");
    if (!is_file_id(id)) {
        fail(u, "the server gave it no id");
        return;
    }
    snprintf(u->id, sizeof u->id, "%s", id);
    u->state = SENDING;
    u->sent = u->acknowledged = 0;
    u->in_flight = 0;
    fill_window(u);
}

static void acknowledged(struct upload *u, int64_t offset)
{
    if (u->in_flight == 0 || offset <= u->acknowledged || offset > u->sent) {
        abandon(u, "the server acknowledged what was not sent");
        return;
    }
    u->acknowledged = offset;
    u->in_flight--;
    fill_window(u);
}

bool upload_hear(const json_t *message, const json_t *request)
{
    struct upload *u = NULL;
    bool error = message_is(message, "error");
    if (message_is(message, "file_ready") || (error && message_is(request, "file_offer"))) {
        u = offered(request);
        if (u != NULL && error)
            fail(u, message_text(message, "message"));
        else if (u != NULL)
            ready(u, message);
        else if (!error) /* it has been cancelled meanwhile */
            talk_send(
                json_pack("{ss ss}", "type", "file_cancel", "file", message_text(message, "file")));
        return true;
    }
    if (message_is(message, "file_ack")) {
        u = find(message_text(message, "file"));
        if (u != NULL)
            acknowledged(u, message_number(message, "offset"));
        return true;
    }
    if (error && message_is(request, "file_data")) {
        u = find(message_text(request, "file"));
        if (u != NULL) /* else another was refused before; the server may wait for this one again */
            abandon(u, message_text(message, "message"));
        return true;
    }
    return false;
}

bool upload_shared(const char *id)
{
    struct upload *u = find(id);
    if (u == NULL)
        return false;
    end(u);
    return true;
}

void upload_joined(void)
{
    for (size_t i = 0; i < UPLOADS; i++)
        if (uploads[i].state == WAITING)
            offer(&uploads[i]);
}

/* The server keeps nothing of what has not come whole. */
void upload_lost(void)
{
    for (size_t i = 0; i < UPLOADS; i++)
        if (uploads[i].state == OFFERED || uploads[i].state == SENDING) {
            uploads[i].state = WAITING;
            uploads[i].id[0] = '\0';
        }
}

/* ---- beginning and end -------------------------------------------------------------------------- */

/* Open a file to be sent.  Returns it with its size; or -1, and why is said. */
static int open_file(struct command *c, const char *path, int64_t *size)
{
    char name[PROGRESS_NAME_SIZE];
    struct stat file;
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd == -1 || fstat(fd, &file) == -1) {
        command_wrong(c, "%s: %s", progress_name(path, name), strerror(errno));
    } else if (!S_ISREG(file.st_mode)) {
        command_wrong(c, "%s is no file", progress_name(path, name));
    } else {
        *size = file.st_size;
        return fd;
    }
    if (fd != -1)
        close(fd);
    return -1;
}

void upload_start(struct command *c, const char *path, const char *room, const char *to)
{
    struct upload *u = uploads;
    while (u < uploads + UPLOADS && u->state != FREE)
        u++;
    if (u == uploads + UPLOADS) {
        command_wrong(c, "%d files are on their way already", UPLOADS);
        return;
    }
    const char *name = strrchr(path, '/') != NULL ? strrchr(path, '/') + 1 : path;
    json_t *valid = json_string(name);
    if (valid == NULL) {
        command_wrong(c, "the file's name is not UTF-8: it cannot be sent");
        return;
    }
    json_decref(valid);
    int64_t size = 0;
    int fd = open_file(c, path, &size);
    if (fd == -1)
        return;
    u->state = SUMMING;
    u->fd = fd;
    u->size = size;
    u->id[0] = '\0';
    u->name = strdup(name);
    u->room = to == NULL ? strdup(room) : NULL;
    u->to = to != NULL ? strdup(to) : NULL;
    if (u->name == NULL || (u->room == NULL && u->to == NULL)) {
        command_wrong(c, "memory is short");
        end(u);
        return;
    }
    digest_begin(&u->digest);
    digest_file(&u->digest, talk_reactor(), fd, size, summed, u);
}

static bool is_meant(const struct upload *u, const char *word)
{
    return u->state != FREE && file_is_meant(u->id, u->name, word);
}

size_t upload_meant(const char *word)
{
    size_t count = 0;
    for (size_t i = 0; i < UPLOADS; i++)
        count += is_meant(&uploads[i], word);
    return count;
}

bool upload_cancel(const char *word)
{
    for (size_t i = 0; i < UPLOADS; i++) {
        struct upload *u = &uploads[i];
        if (!is_meant(u, word))
            continue;
        if (u->state == SENDING)
            abandon(u, "cancelled");
        else
            fail(u, "cancelled");
        return true;
    }
    return false;
}

void upload_offer(struct words *found, const char *start)
{
    for (size_t i = 0; i < UPLOADS; i++)
        if (uploads[i].state == SENDING)
            command_offer_word(found, uploads[i].id, start, " ");
}

bool upload_busy(void)
{
    for (size_t i = 0; i < UPLOADS; i++)
        if (uploads[i].state != FREE)
            return true;
    return false;
}

void upload_progress(FILE *out)
{
    for (size_t i = 0; i < UPLOADS; i++) {
        const struct upload *u = &uploads[i];
        if (u->state == SUMMING)
            progress_bar(out, "reading", u->name, u->digest.at, u->size, "");
        else if (u->state != FREE)
            progress_bar(out, "sending", u->name, u->state == SENDING ? u->acknowledged : 0,
                         u->size, u->id);
    }
}

void upload_stop(void)
{
    for (size_t i = 0; i < UPLOADS; i++)
        if (uploads[i].state != FREE)
            end(&uploads[i]);
}
