/* files - the requests, the options, and what both directions have in common.  See files.h. */

#include "files.h"

#include "file_wire.h"
#include "hub.h"
#include "incoming.h"
#include "options.h"
#include "outgoing.h"
#include "syncer.h"
#include "vault.h"

#include <sodium.h>
#include <stdlib.h>

enum { HOUR_MS = 3600 * 1000 };

struct files_limits files_limits = {128UL << 20, 256UL << 20, 1UL << 30, 30};

static const struct option_spec options[] = {
    {"file-max", "BYTES", OPTION_NUMBER, &files_limits.max, 0, 1UL << 40, "of one file"},
    {"file-quota", "BYTES", OPTION_NUMBER, &files_limits.quota, 0, 1UL << 50,
     "of all files of one nickname"},
    {"file-total", "BYTES", OPTION_NUMBER, &files_limits.total, 0, 1UL << 50, "of all files"},
    {"file-days", "N", OPTION_NUMBER, &files_limits.days, 0, 36500,
     "days that a file is kept; 0: for ever"},
    {0},
};

/* ---- requests ------------------------------------------------------------------------------- */

static void serve_offer(struct call *c)
{
    struct vault_file offered;
    if (file_wire_offer(c, &offered))
        incoming_offer(c, &offered);
}

static void serve_data(struct call *c)
{
    struct file_chunk chunk;
    if (file_wire_chunk(c, &chunk))
        incoming_chunk(c, &chunk);
}

static void serve_get(struct call *c)
{
    const char *file;
    int64_t offset;
    if (file_wire_place(c, &file, &offset))
        outgoing_get(c, file, offset);
}

static void serve_cancel(struct call *c)
{
    const char *file;
    int64_t offset;
    if (!file_wire_place(c, &file, &offset))
        return;
    /* Yours: an upload or a download of this session ends. */
    call_error(c, "no_such_file", "There is nothing to be cancelled yet.");
}

static const struct request requests_about_files[] = {
    {"file_offer", serve_offer, false},
    {"file_data", serve_data, false},
    {"file_get", serve_get, false},
    {"file_cancel", serve_cancel, false},
    {NULL, NULL, false},
};

/* A session is being buried: nothing of it may be left. */
static void gone(struct session *s)
{
    /* Yours: what was it about to upload, or to download? */
    (void)s;
}

/* ---- from start to end ---------------------------------------------------------------------- */

/* Some of the old ones in a turn, and those of today within the hour. */
static void expire(struct reactor *r, void *timer)
{
    bool more = vault_expire(files_limits.days);
    reactor_timer_start(r, timer, more ? 0 : HOUR_MS, expire, timer);
}

static int start(struct hub *hub)
{
    static struct reactor_timer timer;
    if (sodium_init() == -1 || vault_open(hub) == -1 ||
        syncer_start(hub->reactor, vault_folder()) == -1)
        return -1;
    incoming_start();
    expire(hub->reactor, &timer);
    return 0;
}

static void stop(struct hub *hub)
{
    (void)hub;
    syncer_stop();
    incoming_stop();
    vault_close();
}

const struct extension files = {.name = "files",
                                .requests = requests_about_files,
                                .options = options,
                                .start = start,
                                .stop = stop,
                                .before_output = outgoing_before_output,
                                .gone = gone};
