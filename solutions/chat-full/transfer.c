/* transfer - files: /send, /get and /cancel.  See transfer.h. */

#include "transfer.h"

#include "catalogue.h"
#include "die.h"
#include "download.h"
#include "message.h"
#include "paths.h"
#include "printable.h"
#include "progress.h"
#include "upload.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { PROGRESS_MS = 100 };

static const char *folder = "downloads";

static const struct option_spec options[] = {
    {"downloads", "DIR", OPTION_TEXT, &folder, 0, 0,
     "where /get puts files; made if it is not there"},
    {NULL, NULL, OPTION_FLAG, NULL, 0, 0, NULL},
};

/* ---- progress ----------------------------------------------------------------------------------- */

static struct reactor_timer again;

static bool busy(void)
{
    return upload_busy() || download_busy();
}

/* Show how far everything is, now and, while there is something, again. */
static void show_progress(struct reactor *r, void *context)
{
    (void)context;
    char *lines = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&lines, &size);
    if (out == NULL)
        return;
    upload_progress(out);
    download_progress(out);
    if (fclose(out) == 0)
        talk_progress(lines);
    free(lines);
    if (busy())
        reactor_timer_start(r, &again, PROGRESS_MS, show_progress, NULL);
}

/* ---- commands ----------------------------------------------------------------------------------- */

static void do_send(struct command *c, char *rest, const struct roster *roster)
{
    (void)roster;
    char whole[PATHS_SIZE];
    const char *path = paths_word(&rest);
    const char *to = command_word(&rest);
    if (*path == '\0')
        command_wrong(c, "/send FILE [TO]: the file is missing");
    else if (*to == '\0' && talk_room() == NULL)
        command_wrong(c, "you are in no room: /send FILE TO");
    else if (!talk_joined())
        command_wrong(c, "not connected: not sent");
    else
        upload_start(c, paths_at_home(path, whole), talk_room(), *to != '\0' ? to : NULL);
    show_progress(talk_reactor(), NULL);
}

static void do_get(struct command *c, char *rest, const struct roster *roster)
{
    (void)roster;
    if (!talk_joined())
        command_wrong(c, "not connected: not asked for");
    else
        download_start(c, folder, command_word(&rest));
    show_progress(talk_reactor(), NULL);
}

static void do_cancel(struct command *c, char *rest, const struct roster *roster)
{
    (void)roster;
    const char *word = paths_word(&rest);
    size_t meant = upload_meant(word) + download_meant(word);
    if (meant == 0)
        command_wrong(c, "/cancel ID: nothing of that id or name is on its way; %d digits will do",
                      FILE_ID_MIN);
    else if (meant > 1)
        command_wrong(c, "/cancel ID: several begin so, or have that name");
    else if (!upload_cancel(word))
        download_cancel(word);
    show_progress(talk_reactor(), NULL);
}

static void offer_known(struct words *found, const struct roster *roster, const char *start)
{
    (void)roster;
    catalogue_offer(found, start);
}

static void offer_moving(struct words *found, const struct roster *roster, const char *start)
{
    (void)roster;
    upload_offer(found, start);
    download_offer(found, start);
}

static const struct command_row commands[] = {
    {"/send", paths_offer, false, do_send, "/send FILE [TO] a file to this room, or to TO alone"},
    {"/get", offer_known, false, do_get, "/get ID         fetch a file, or go on with it"},
    {"/cancel", offer_moving, false, do_cancel, "/cancel ID      stop sending or fetching it"},
    {0},
};

/* ---- what the server says ----------------------------------------------------------------------- */

static void write_field(FILE *out, const json_t *message, const char *field)
{
    const char *text = message_text(message, field);
    for (struct printable p = printable_begin(text, strlen(text)); printable_next(&p);)
        fwrite(p.text, 1, p.length, out);
}

/* "[dev] ann shares notes.pdf, 12 kB: /get 3f2a5b6c" */
static void tell_shared(const json_t *message, const struct announced *file)
{
    char size[PROGRESS_SIZE_SIZE];
    char name[PROGRESS_NAME_SIZE];
    char *text = NULL;
    size_t length = 0;
    const char *room = message_text(message, "room");
    FILE *out = open_memstream(&text, &length);
    if (out == NULL)
        return;
    if (*room != '\0' && (talk_room() == NULL || strcmp(room, talk_room()) != 0)) {
        fputc('[', out);
        write_field(out, message, "room");
        fputs("] ", out);
    }
    write_field(out, message, "from");
    fprintf(out, " shares %s", progress_name(file->name, name));
    if (*room == '\0') {
        fputs(" with ", out);
        write_field(out, message, "to");
    }
    fprintf(out, ", %s: /get %.*s", progress_size(file->size, size), FILE_ID_SHOWN, file->id);
    if (fclose(out) == 0)
        talk_report(message, "%s", text);
    free(text);
}

/* Somebody shares a file: with a room, with us, or it is ours, and has come. */
static bool shared(const json_t *message)
{
    struct announced file;
    if (!announced_read(&file, message, message_text(message, "file")))
        return false; /* shown as something that is not understood */
    catalogue_add(&file);
    tell_shared(message, &file);
    upload_shared(file.id);
    return true;
}

static bool hear(const json_t *message, const json_t *request)
{
    bool was_busy = busy();
    bool heard = message_is(message, "file_shared")
                     ? shared(message)
                     : upload_hear(message, request) || download_hear(message, request) ||
                           message_is(request, "file_cancel");
    if (was_busy && !busy())
        show_progress(talk_reactor(), NULL);
    return heard;
}

static void joined(void)
{
    upload_joined();
    download_joined();
}

static void lost(void)
{
    upload_lost();
    download_lost();
}

static void start(const char *nickname)
{
    (void)nickname;
    errno = 0;
    if (sodium_init() == -1)
        die("no sums");
}

static void stop(void)
{
    if (talk_reactor() != NULL)
        reactor_timer_cancel(talk_reactor(), &again);
    upload_stop();
    download_stop();
}

const struct talk_extension transfer = {.options = options,
                                        .commands = commands,
                                        .start = start,
                                        .stop = stop,
                                        .hear = hear,
                                        .joined = joined,
                                        .lost = lost,
                                        .busy = busy};
