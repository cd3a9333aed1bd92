/*
 * The grader of exercise 16: files that are passed on.
 *
 * People come into the room, offer files, send them, and fetch them.  Every byte of a file follows from its
 * seed, so whoever fetches one knows what must come.  What lies on the disk is looked at as well: there is
 * one file for each that was announced, and nothing else.
 */

#include "grader/grade.h"

#include "testkit/proc.h"
#include "tests/room_peer.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sodium.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    CHUNK = 4096,
    WINDOW = 4, /* chunks sent ahead of the acks */
    ID = 32,    /* digits of an id */
    MIB = 1 << 20,
    BASE64 = sodium_base64_ENCODED_LEN(CHUNK, sodium_base64_VARIANT_ORIGINAL),
    OVERTAKEN = 100, /* chunks of a download that may come before what was said after them */
    QUIET_MS = 300
};

/* A file, as its owner has it. */
struct content {
    uint64_t seed;
    int64_t size;
    char id[64]; /* that the server has given it */
};

/* ---- bytes ----------------------------------------------------------------------------------- */

static void sum_of(const struct content *f, char text[65])
{
    unsigned char bytes[CHUNK], sum[crypto_hash_sha256_BYTES];
    crypto_hash_sha256_state state;
    crypto_hash_sha256_init(&state);
    for (int64_t at = 0; at < f->size; at += CHUNK) {
        size_t size = f->size - at < CHUNK ? (size_t)(f->size - at) : CHUNK;
        peer_pattern(f->seed, (uint64_t)at, bytes, size);
        crypto_hash_sha256_update(&state, bytes, size);
    }
    crypto_hash_sha256_final(&state, sum);
    sodium_bin2hex(text, 65, sum, sizeof sum);
}

/* ---- people ---------------------------------------------------------------------------------- */

/* The program with a folder that stays, and up to two more options. */
static bool serve_with(struct trial *t, const char *option, const char *value, const char *other,
                       const char *second)
{
    const char *folder = trial_folder(t);
    room_extensions = true;
    return folder != NULL && trial_serve(t, "server",
                                         (const char *const[]){"--data", folder, "--rate", "0",
                                                               option, value, other, second, NULL});
}

static bool serve(struct trial *t)
{
    return serve_with(t, NULL, NULL, NULL, NULL);
}

/* The next message that is no news of who comes and goes; NULL after a verdict. */
static json_t *hear(struct trial *t, struct room_peer *p)
{
    for (;;) {
        json_t *m = room_next(p);
        if (m == NULL) {
            bool closed = strstr(fault_text(), "has closed the connection") != NULL;
            trial_fail(t, p->fd, "%s%s", fault_text(),
                       closed ? ": so it does if more waits in the outbox than --send-queue allows"
                              : "");
            return NULL;
        }
        if (strncmp(room_text(m, "type"), "user_", 5) != 0)
            return m;
        json_decref(m);
    }
}

static bool is(const json_t *m, const char *type)
{
    return strcmp(room_text(m, "type"), type) == 0;
}

/* What came, for a story: an error by its code, all else by its type. */
static const char *shown(const json_t *m)
{
    static char text[2][96];
    static int turn;
    char *t = text[turn ^= 1];
    snprintf(t, sizeof text[0], "%s%s%s", room_text(m, "type"), is(m, "error") ? " " : "",
             room_text(m, "code"));
    return t;
}

/* The next message is of this type, about this file; else the failure says why that is wrong. */
static json_t *hear_of(struct trial *t, struct room_peer *p, const char *type, const char *id,
                       const char *why)
{
    json_t *m = hear(t, p);
    if (m == NULL || (is(m, type) && (id == NULL || strcmp(room_text(m, "file"), id) == 0)))
        return m;
    trial_fail(t, p->fd, "%s got %s, where %s must come: %s", p->name, shown(m), type, why);
    json_decref(m);
    return NULL;
}

static bool expect_of(struct trial *t, struct room_peer *p, const char *type, const char *id,
                      const char *why)
{
    json_t *m = hear_of(t, p, type, id, why);
    json_decref(m);
    return m != NULL;
}

/* The next message is an error with this code. */
static bool refused(struct trial *t, struct room_peer *p, const char *code, const char *why)
{
    json_t *m = hear(t, p);
    bool right = m != NULL && is(m, "error") && strcmp(room_text(m, "code"), code) == 0;
    if (m != NULL && !right)
        trial_fail(t, p->fd, "%s got %s, where error %s must come: %s", p->name, shown(m), code,
                   why);
    json_decref(m);
    return right;
}

/* Nothing has been said to this one. */
static bool untold(struct trial *t, struct room_peer *p, const char *why)
{
    if (!trial_ok(t, p->fd, room_say(p, "{'type':'ping'}")))
        return false;
    return expect_of(t, p, "pong", NULL, why);
}

static bool come_from(struct trial *t, struct room_peer *p, const char *name, const char *room,
                      bool narrow)
{
    if (!trial_ok(t, -1,
                  (narrow ? room_connect_narrow : room_connect)(p, name, &t->s) &&
                      room_say(p, "{'type':'join','nickname':'%s','room':'%s'}", name, room)))
        return false;
    json_t *welcome = room_next_of(p, "welcome");
    json_decref(welcome);
    return trial_ok(t, p->fd, welcome != NULL);
}

static bool come(struct trial *t, struct room_peer *p, const char *name, const char *room)
{
    return come_from(t, p, name, room, false);
}

static bool join_room(struct trial *t, struct room_peer *p, const char *room)
{
    return trial_ok(t, p->fd, room_say(p, "{'type':'join_room','room':'%s'}", room)) &&
           expect_of(t, p, "room_joined", NULL, "the room of lesson 14 still works");
}

static bool leave_room(struct trial *t, struct room_peer *p, const char *room)
{
    return trial_ok(t, p->fd, room_say(p, "{'type':'leave_room','room':'%s'}", room)) &&
           expect_of(t, p, "room_left", NULL, "the room of lesson 14 still works");
}

/* ---- uploads --------------------------------------------------------------------------------- */

/* Say that a file is to be shared: of this size and with this sum, whatever it really has. */
static bool say_offer(struct trial *t, struct room_peer *p, const char *audience, const char *name,
                      int64_t size, const char *sum)
{
    return trial_ok(t, p->fd,
                    room_say(p, "{'type':'file_offer',%s,'name':'%s','size':%lld,'sha256':'%s'}",
                             audience, name, (long long)size, sum));
}

/* The file may come: its id. */
static bool take_ready(struct trial *t, struct room_peer *p, struct content *f)
{
    json_t *m = hear_of(t, p, "file_ready", NULL, "nothing is wrong with this offer");
    if (m != NULL)
        snprintf(f->id, sizeof f->id, "%s", room_text(m, "file"));
    json_decref(m);
    return m != NULL &&
           ((strlen(f->id) == ID && strspn(f->id, "0123456789abcdef") == ID) ||
            trial_fail(t, p->fd, "the id of the file is '%s': it must have %d digits, 0 to f",
                       f->id, ID));
}

static bool offer(struct trial *t, struct room_peer *p, const char *audience, const char *name,
                  struct content *f)
{
    char sum[65];
    sum_of(f, sum);
    return say_offer(t, p, audience, name, f->size, sum) && take_ready(t, p, f);
}

/* Say size bytes of a file, from `from`, as if they stood at `offset`. */
static bool say_chunk(struct trial *t, struct room_peer *p, const struct content *f, int64_t from,
                      int64_t offset, size_t size)
{
    unsigned char bytes[CHUNK];
    char text[BASE64];
    peer_pattern(f->seed, (uint64_t)from, bytes, size);
    sodium_bin2base64(text, sizeof text, bytes, size, sodium_base64_VARIANT_ORIGINAL);
    return trial_ok(t, p->fd,
                    room_say(p, "{'type':'file_data','file':'%s','offset':%lld,'data':'%s'}", f->id,
                             (long long)offset, text));
}

static size_t next_size(int64_t at, int64_t end)
{
    return end - at < CHUNK ? (size_t)(end - at) : CHUNK;
}

static bool expect_ack(struct trial *t, struct room_peer *p, const struct content *f,
                       int64_t offset)
{
    json_t *m = hear_of(t, p, "file_ack", f->id, "the chunk was right");
    json_int_t told = json_integer_value(json_object_get(m, "offset"));
    json_decref(m);
    return m != NULL &&
           (told == offset ||
            trial_fail(t, p->fd, "file_ack says %lld, and %lld bytes have been received so far",
                       (long long)told, (long long)offset));
}

/* Send what stands from one place of a file to another, a few chunks ahead of the acks. */
static bool send_part(struct trial *t, struct room_peer *p, const struct content *f, int64_t from,
                      int64_t to)
{
    int64_t acked = from;
    for (int64_t at = from; acked < to;) {
        for (; at < to && at - acked < WINDOW * CHUNK; at += (int64_t)next_size(at, to))
            if (!say_chunk(t, p, f, at, at, next_size(at, to)))
                return false;
        acked += (int64_t)next_size(acked, to);
        if (!expect_ack(t, p, f, acked))
            return false;
    }
    return true;
}

/* The announcement, with all that was offered. */
static bool expect_shared(struct trial *t, struct room_peer *p, const struct content *f,
                          const char *from, const char *name)
{
    char sum[65];
    sum_of(f, sum);
    json_t *m = hear_of(t, p, "file_shared", f->id,
                        "the file is whole, its sum is right, and it is for them");
    const char *wrong = NULL;
    if (m != NULL) {
        wrong = strcmp(room_text(m, "from"), from) != 0    ? "from"
                : strcmp(room_text(m, "name"), name) != 0  ? "name"
                : strcmp(room_text(m, "sha256"), sum) != 0 ? "sha256"
                                                           : NULL;
        if (json_integer_value(json_object_get(m, "size")) != f->size)
            wrong = "size";
        if (wrong != NULL)
            trial_fail(t, p->fd, "the %s of file_shared is not what was offered: '%s'", wrong,
                       room_text(m, wrong));
    }
    json_decref(m);
    return m != NULL && wrong == NULL;
}

static bool upload(struct trial *t, struct room_peer *p, const char *audience, const char *name,
                   struct content *f)
{
    return offer(t, p, audience, name, f) && send_part(t, p, f, 0, f->size) &&
           expect_shared(t, p, f, p->name, name);
}

/* ---- downloads ------------------------------------------------------------------------------- */

static bool say_get(struct trial *t, struct room_peer *p, const char *id, int64_t offset)
{
    return trial_ok(
        t, p->fd,
        room_say(p, "{'type':'file_get','file':'%s','offset':%lld}", id, (long long)offset));
}

/* A chunk of a file, which must be the next one; *at is raised by its bytes. */
static bool take_data(struct trial *t, const struct room_peer *p, const json_t *m,
                      const struct content *f, int64_t *at)
{
    unsigned char bytes[CHUNK], right[CHUNK];
    const char *data = room_text(m, "data");
    const char *end = NULL;
    size_t size = 0;
    json_int_t offset = json_integer_value(json_object_get(m, "offset"));
    if (offset != *at)
        return trial_fail(t, p->fd, "a chunk at %lld came, where the one at %lld is next",
                          (long long)offset, (long long)*at);
    if (json_integer_value(json_object_get(m, "size")) != f->size)
        return trial_fail(t, p->fd, "the size of the file is told wrong in a file_data");
    if (sodium_base642bin(bytes, sizeof bytes, data, strlen(data), NULL, &size, &end,
                          sodium_base64_VARIANT_ORIGINAL) == -1 ||
        *end != '\0' || (int64_t)size > f->size - *at)
        return trial_fail(t, p->fd, "the data of a file_data is more than a chunk, or no base64");
    peer_pattern(f->seed, (uint64_t)*at, right, size);
    if (memcmp(bytes, right, size) != 0)
        return trial_fail(t, p->fd, "the chunk at %lld has not the bytes that were uploaded",
                          (long long)*at);
    if (size == 0 && *at < f->size)
        return trial_fail(t, p->fd, "a chunk at %lld without a byte came, and the file goes on",
                          (long long)*at);
    *at += (int64_t)size;
    return true;
}

/* All that is asked for comes, and nothing after it. */
static bool take_rest(struct trial *t, struct room_peer *p, const struct content *f, int64_t at)
{
    do {
        json_t *m = hear_of(t, p, "file_data", f->id, "the download has not come to its end");
        bool right = m != NULL && take_data(t, p, m, f, &at);
        json_decref(m);
        if (!right)
            return false;
    } while (at < f->size);
    return untold(t, p, "the file has come to its end");
}

static bool fetch(struct trial *t, struct room_peer *p, const struct content *f, int64_t from)
{
    return say_get(t, p, f->id, from) && take_rest(t, p, f, from);
}

static bool cannot_fetch(struct trial *t, struct room_peer *p, const char *id, const char *why)
{
    return say_get(t, p, id, 0) && refused(t, p, "no_such_file", why);
}

/* ---- the disk -------------------------------------------------------------------------------- */

/* What stands in the folder beside the database: its files in DIR/files, and whatever should not be. */
struct kept {
    int files;
    char stranger[300]; /* a name that is neither; or empty */
    char partial[300];  /* one in DIR/files that is no id */
};

static void look_into(const char *path, bool inner, struct kept *k)
{
    DIR *list = opendir(path);
    const struct dirent *entry;
    while (list != NULL && (entry = readdir(list)) != NULL) {
        const char *name = entry->d_name;
        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
            continue;
        bool is_id = strlen(name) == ID && strspn(name, "0123456789abcdef") == ID;
        if (inner) {
            k->files++;
            if (!is_id)
                snprintf(k->partial, sizeof k->partial, "%s", name);
        } else if (strncmp(name, "chat.db", 7) != 0 && strcmp(name, "files") != 0) {
            snprintf(k->stranger, sizeof k->stranger, "%s", name);
        }
    }
    if (list != NULL)
        closedir(list);
}

static struct kept look(struct trial *t)
{
    char path[300];
    struct kept k = {0};
    look_into(trial_folder(t), false, &k);
    snprintf(path, sizeof path, "%s/files", trial_folder(t));
    look_into(path, true, &k);
    return k;
}

struct wish {
    struct trial *t;
    int files;
    struct kept k;
};

static bool is_so(void *argument)
{
    struct wish *w = argument;
    w->k = look(w->t);
    return w->k.files == w->files;
}

/* There come to be so many files on the disk. */
static bool expect_kept(struct trial *t, int files, const char *why)
{
    struct wish w = {.t = t, .files = files};
    if (wait_until(is_so, &w, "the files on the disk to be as many"))
        return true;
    return trial_fail(t, -1, "DIR/files holds %d files, and %d must be there%s%s%s: %s", w.k.files,
                      files, w.k.partial[0] != '\0' ? " (there is " : "", w.k.partial,
                      w.k.partial[0] != '\0' ? ")" : "", why);
}

/* ---- the checks ------------------------------------------------------------------------------ */

static void judge_shares(struct trial *t)
{
    static const int64_t sizes[] = {0, 1, CHUNK, 3 * CHUNK + 1, 300000};
    enum { FILES = sizeof sizes / sizeof sizes[0] };
    struct room_peer ann, bob;
    trial_expect(t, "file_ready, a file_ack for each chunk, file_shared to both, and the bytes");
    if (!serve(t) || !come(t, &ann, "ann", "lobby") || !come(t, &bob, "bob", "lobby"))
        return;
    for (int i = 0; i < FILES; i++) {
        struct content f = {.seed = 10 + (uint64_t)i, .size = sizes[i]};
        trial_step(t, "ann offers a file of %lld bytes to the lobby, and sends half of it",
                   (long long)f.size);
        if (!offer(t, &ann, "'room':'lobby'", "notes.txt", &f))
            return;
        int64_t half = f.size / 2 / CHUNK * CHUNK;
        if (!send_part(t, &ann, &f, 0, half))
            return;
        if (f.size > 0 &&
            (!untold(t, &bob, "the file is not whole yet, and nobody is told of it before") ||
             !cannot_fetch(t, &bob, f.id, "the file is not whole yet")))
            return;
        trial_step(t, "ann sends the rest; bob is told, and fetches it");
        if (!send_part(t, &ann, &f, half, f.size) ||
            !expect_shared(t, &ann, &f, "ann", "notes.txt") ||
            !expect_shared(t, &bob, &f, "ann", "notes.txt") || !fetch(t, &bob, &f, 0))
            return;
    }
    trial_step(t, "bob says something, and both leave");
    if (trial_ok(t, bob.fd, room_say(&bob, "{'type':'message','content':'thanks'}")) &&
        expect_of(t, &ann, "broadcast", NULL, "the chat goes on") &&
        expect_kept(t, FILES, "each was announced, and is kept") && trial_stop(t))
        trial_pass(t, "%d files, of 0 to 300,000 bytes, were announced when whole, and came back",
                   FILES);
}

static void judge_chunks(struct trial *t)
{
    struct room_peer ann, bob;
    struct content f = {.seed = 20, .size = 3 * CHUNK + 700};
    char sum[65];
    trial_expect(t, "error bad_request for what is not the next chunk, and nothing changed by it");
    if (!serve_with(t, "--file-max", "100000", NULL, NULL) || !come(t, &ann, "ann", "lobby") ||
        !come(t, &bob, "bob", "lobby"))
        return;
    sum_of(&f, sum);
    trial_step(t, "--file-max is 100000; ann offers a file of 100001 bytes, and of 2^60");
    if (!say_offer(t, &ann, "'room':'lobby'", "x", 100001, sum) ||
        !refused(t, &ann, "too_large", "the size is over the limit") ||
        !say_offer(t, &ann, "'room':'lobby'", "x", (int64_t)1 << 60, sum) ||
        !refused(t, &ann, "too_large", "the size is over the limit"))
        return;
    trial_step(t, "ann offers one of %lld bytes, and sends its second chunk first",
               (long long)f.size);
    if (!offer(t, &ann, "'room':'lobby'", "x", &f) ||
        !say_chunk(t, &ann, &f, CHUNK, CHUNK, CHUNK) ||
        !refused(t, &ann, "bad_request",
                 "the chunk at 0 comes first: the offset is not to be "
                 "ignored") ||
        !send_part(t, &ann, &f, 0, CHUNK))
        return;
    trial_step(t, "she sends the first one again");
    if (!say_chunk(t, &ann, &f, 0, 0, CHUNK) ||
        !refused(t, &ann, "bad_request",
                 "that chunk has been acknowledged: the offset is not to "
                 "be ignored"))
        return;
    trial_step(t, "she sends all but the last 700 bytes, and then %d", CHUNK);
    if (!send_part(t, &ann, &f, CHUNK, 3 * CHUNK) ||
        !say_chunk(t, &ann, &f, 3 * CHUNK, 3 * CHUNK, CHUNK) ||
        !refused(t, &ann, "bad_request",
                 "700 bytes are left of the size that was promised, and "
                 "a size is believed to nobody"))
        return;
    trial_step(t, "she sends 699 bytes, and waits");
    if (!send_part(t, &ann, &f, 3 * CHUNK, f.size - 1) ||
        !untold(t, &bob, "a byte is missing still: it is not whole") ||
        !cannot_fetch(t, &bob, f.id, "a byte is missing still"))
        return;
    trial_step(t, "she sends the last byte; bob fetches the file");
    if (send_part(t, &ann, &f, f.size - 1, f.size) && expect_shared(t, &ann, &f, "ann", "x") &&
        expect_shared(t, &bob, &f, "ann", "x") && fetch(t, &bob, &f, 0) && trial_stop(t))
        trial_pass(t, "chunks out of order, twice, and beyond the size were refused; what came "
                      "was the file");
}

static void judge_sum(struct trial *t)
{
    struct room_peer ann, bob;
    struct content good = {.seed = 30, .size = 50000}, bad = good;
    char sum[65];
    trial_expect(t, "error bad_checksum, and nothing left of the file");
    if (!serve(t) || !come(t, &ann, "ann", "lobby") || !come(t, &bob, "bob", "lobby"))
        return;
    bad.seed = 31;
    sum_of(&good, sum);
    trial_step(t, "ann offers a file, and sends another of the same size");
    if (!say_offer(t, &ann, "'room':'lobby'", "x", bad.size, sum) || !take_ready(t, &ann, &bad) ||
        !send_part(t, &ann, &bad, 0, bad.size - 1) ||
        !say_chunk(t, &ann, &bad, bad.size - 1, bad.size - 1, 1) ||
        !refused(t, &ann, "bad_checksum", "what came has another sum than was promised") ||
        !untold(t, &bob, "what came has another sum than was promised") ||
        !cannot_fetch(t, &bob, bad.id, "it is not what was promised") ||
        !expect_kept(t, 0, "what has the wrong sum is not kept"))
        return;
    trial_step(t, "ann offers a file without a byte, and with that sum");
    if (!say_offer(t, &ann, "'room':'lobby'", "x", 0, sum) ||
        !refused(t, &ann, "bad_checksum", "it is whole at once, and has another sum"))
        return;
    trial_step(t, "ann sends the right one");
    if (upload(t, &ann, "'room':'lobby'", "x", &good) &&
        expect_shared(t, &bob, &good, "ann", "x") && fetch(t, &bob, &good, 0) &&
        expect_kept(t, 1, "this one is kept") && trial_stop(t))
        trial_pass(t, "50,000 wrong bytes were refused, and left nothing; the right ones came");
}

/* Nothing stands in the folder that should not. */
static bool expect_no_strangers(struct trial *t, const char *name)
{
    struct kept k = look(t);
    if (k.stranger[0] != '\0')
        return trial_fail(t, -1,
                          "a file named '%s' was offered, and DIR has a file '%s' now: a name is "
                          "data, and never a path",
                          name, k.stranger);
    return k.partial[0] == '\0' || strstr(k.partial, "part") != NULL ||
           trial_fail(t, -1,
                      "a file named '%s' was offered, and DIR/files has one '%s': it is called by "
                      "its id there",
                      name, k.partial);
}

static void judge_name(struct trial *t)
{
    static const char *const names[] = {"../outside",
                                        "../chat.db",
                                        "../../outside",
                                        "/tmp/outside",
                                        "a/b",
                                        "..",
                                        ".",
                                        "-rf *",
                                        "con\\\\aux",
                                        "%s%n%08x",
                                        "name; rm x",
                                        "\xe6\x96\x87\xe4\xbb\xb6.txt"};
    enum { NAMES = sizeof names / sizeof names[0] };
    struct room_peer ann, bob;
    trial_expect(t, "the name as it was offered, and a file that is called by its id");
    if (!serve(t) || !come(t, &ann, "ann", "lobby") || !come(t, &bob, "bob", "lobby"))
        return;
    for (int i = 0; i < NAMES; i++) {
        struct content f = {.seed = 40 + (uint64_t)i, .size = 100};
        const char *told = strcmp(names[i], "con\\\\aux") == 0 ? "con\\aux" : names[i];
        trial_step(t, "ann shares a file named '%s', and bob fetches it",
                   (names[i][0] & 0x80) != 0 ? "(two Chinese characters)" : told);
        if (!offer(t, &ann, "'room':'lobby'", names[i], &f) || !expect_no_strangers(t, told) ||
            !send_part(t, &ann, &f, 0, f.size) || !expect_shared(t, &ann, &f, "ann", told) ||
            !expect_shared(t, &bob, &f, "ann", told) || !expect_no_strangers(t, told) ||
            !fetch(t, &bob, &f, 0))
            return;
    }
    trial_step(t, "bob asks for files by paths");
    if (cannot_fetch(t, &bob, "../chat.db", "there is no file with this id") &&
        cannot_fetch(t, &bob, ".", "there is no file with this id") &&
        cannot_fetch(t, &bob, "", "there is no file with this id") &&
        expect_kept(t, NAMES, "each has its own") && trial_stop(t))
        trial_pass(t, "%d names came as they were offered, and led nowhere", NAMES);
}

/* ---- who may --------------------------------------------------------------------------------- */

static bool of_a_room(struct trial *t, struct room_peer *ann, struct room_peer *bob,
                      struct room_peer *eve)
{
    struct content f = {.seed = 50, .size = 20000};
    trial_step(t, "ann shares a file with the room dev; bob is in it, eve is not");
    if (!upload(t, ann, "'room':'dev'", "plan", &f) || !expect_shared(t, bob, &f, "ann", "plan") ||
        !untold(t, eve, "she is not in that room") ||
        !cannot_fetch(t, eve, f.id, "she is not in the room that it is for") ||
        !fetch(t, bob, &f, 0))
        return false;
    trial_step(t, "bob leaves dev, asks for the file, comes back, and asks again");
    if (!leave_room(t, bob, "dev") ||
        !cannot_fetch(t, bob, f.id,
                      "he is in the room no more: who may is asked at each request") ||
        !join_room(t, bob, "dev") || !fetch(t, bob, &f, 0))
        return false;
    trial_step(t, "eve offers a file to dev");
    return say_offer(t, eve, "'room':'dev'", "x", 1,
                     "00000000000000000000000000000000000000000000000000000000000000aa") &&
           refused(t, eve, "not_in_room", "she is not in that room");
}

static bool of_a_user(struct trial *t, struct room_peer *ann, struct room_peer *bob,
                      struct room_peer *eve)
{
    struct content f = {.seed = 51, .size = 20000};
    trial_step(t, "ann sends a file to bob alone");
    return upload(t, ann, "'to':'bob'", "letter", &f) &&
           expect_shared(t, bob, &f, "ann", "letter") && untold(t, eve, "it is for bob alone") &&
           cannot_fetch(t, eve, f.id, "it is for bob alone") && fetch(t, bob, &f, 0);
}

/* An upload is of one session. */
static bool of_another(struct trial *t, struct room_peer *ann, struct room_peer *bob,
                       struct room_peer *eve)
{
    struct content f = {.seed = 52, .size = 2 * CHUNK};
    trial_step(t, "ann uploads a file; meanwhile eve sends a chunk of it, and cancels it");
    return offer(t, ann, "'room':'dev'", "x", &f) && say_chunk(t, eve, &f, 0, 0, CHUNK) &&
           refused(t, eve, "no_such_file", "the upload is ann's") &&
           trial_ok(t, eve->fd, room_say(eve, "{'type':'file_cancel','file':'%s'}", f.id)) &&
           refused(t, eve, "no_such_file", "the upload is ann's") &&
           send_part(t, ann, &f, 0, f.size) && expect_shared(t, ann, &f, "ann", "x") &&
           expect_shared(t, bob, &f, "ann", "x");
}

/* Whoever has left cannot share any more; nor does he get more of what was on its way. */
static bool of_who_has_left(struct trial *t, struct room_peer *ann, struct room_peer *bob)
{
    struct content f = {.seed = 53, .size = 2 * CHUNK};
    trial_step(t, "ann offers a file to dev, leaves dev, and sends it");
    if (!offer(t, ann, "'room':'dev'", "x", &f) || !leave_room(t, ann, "dev") ||
        !send_part(t, ann, &f, 0, CHUNK) || !say_chunk(t, ann, &f, CHUNK, CHUNK, CHUNK))
        return false;
    json_t *m = hear(t, ann);
    bool right = m != NULL && is(m, "error");
    if (m != NULL && !right)
        trial_fail(t, ann->fd,
                   "ann got %s, where error not_in_room must come: she has left the room that it "
                   "is for, and who may is to be asked again",
                   shown(m));
    json_decref(m);
    return right && untold(t, bob, "the owner has left the room before it was whole");
}

static bool of_who_leaves(struct trial *t, struct room_peer *bob)
{
    struct room_peer dan;
    struct content f = {.seed = 54, .size = 4 * MIB};
    trial_step(t, "dan, who reads slowly, fetches %lld bytes, and leaves the room meanwhile",
               (long long)f.size);
    if (!come_from(t, &dan, "dan", "dev", true) || !upload(t, bob, "'room':'dev'", "film", &f) ||
        !expect_shared(t, &dan, &f, "bob", "film") || !say_get(t, &dan, f.id, 0) ||
        !trial_ok(t, dan.fd, room_say(&dan, "{'type':'leave_room','room':'dev'}")))
        return false;
    int64_t at = 0;
    bool left = false;
    while (!left) {
        json_t *m = hear(t, &dan);
        left = m != NULL && is(m, "room_left");
        bool right = m != NULL && (left || is(m, "file_data"));
        right = right && (left || take_data(t, &dan, m, &f, &at));
        if (m != NULL && !left && !is(m, "file_data"))
            trial_fail(t, dan.fd, "dan got %s, where file_data and room_left must come", shown(m));
        json_decref(m);
        if (!right)
            return false;
    }
    if (at == 0 || at == f.size)
        return trial_fail(t, dan.fd, "dan got %lld bytes before he had left: %s", (long long)at,
                          at == 0 ? "a download begins at once" : "all of them, in one piece");
    for (bool pong = false; !pong;) {
        if (!trial_ok(t, dan.fd, room_say(&dan, "{'type':'ping'}")))
            return false;
        json_t *m = hear(t, &dan);
        pong = m != NULL && is(m, "pong");
        bool data = m != NULL && is(m, "file_data");
        json_decref(m);
        if (data)
            return trial_fail(t, dan.fd,
                              "dan gets the file still, after room_left: who leaves "
                              "a room gets nothing of it afterwards");
        if (m == NULL)
            return false;
    }
    room_close(&dan);
    return true;
}

/* How many digits of two ids are not the same; of random ones, all but two. */
static int difference(const char *a, const char *b)
{
    int n = 0;
    for (int i = 0; i < ID; i++)
        n += a[i] != b[i];
    return n;
}

static bool has_random_ids(struct trial *t, struct room_peer *ann)
{
    enum { IDS = 4, LEAST = 12 };
    struct content f[IDS] = {{.id = ""}};
    trial_step(t, "twice the server is started anew, and ann offers two files each time");
    for (int i = 0; i < IDS; i++) {
        f[i] = (struct content){.seed = 55, .size = 100};
        if (i % 2 == 0 && (!trial_stop(t) || !serve(t) || !come(t, ann, "ann", "lobby")))
            return false;
        if (!offer(t, ann, "'room':'lobby'", "x", &f[i]))
            return false;
        for (int j = 0; j < i; j++)
            if (difference(f[i].id, f[j].id) < LEAST)
                return trial_fail(t, ann->fd,
                                  "a file's id is %s, and another's %s: whoever knows one can "
                                  "guess the other",
                                  f[j].id, f[i].id);
    }
    return true;
}

static void judge_audience(struct trial *t)
{
    struct room_peer ann, bob, eve;
    trial_expect(t, "that only those get a file for whom it is, and at that time");
    if (serve(t) && come(t, &ann, "ann", "lobby") && come(t, &bob, "bob", "lobby") &&
        come(t, &eve, "eve", "lobby") && join_room(t, &ann, "dev") && join_room(t, &bob, "dev") &&
        of_a_room(t, &ann, &bob, &eve) && of_a_user(t, &ann, &bob, &eve) &&
        of_another(t, &ann, &bob, &eve) && of_who_has_left(t, &ann, &bob) &&
        of_who_leaves(t, &bob) && has_random_ids(t, &ann) && trial_stop(t))
        trial_pass(t, "strangers, who had left, and who were not meant, got no_such_file; the "
                      "others the file; no id tells another");
}

/* ---- from where ------------------------------------------------------------------------------ */

static bool come_back(struct trial *t, struct room_peer *bob)
{
    room_close(bob);
    return serve(t) && come(t, bob, "bob", "lobby");
}

static void judge_resume(struct trial *t)
{
    static const int64_t offsets[] = {1, CHUNK, 50000, 99999, 100000};
    enum { OFFSETS = sizeof offsets / sizeof offsets[0] };
    struct room_peer ann, bob;
    struct content f = {.seed = 60, .size = 100000};
    trial_expect(t, "the file from the offset on, also after the server was started anew");
    if (!serve(t) || !come(t, &ann, "ann", "lobby") || !come(t, &bob, "bob", "lobby") ||
        !upload(t, &ann, "'room':'lobby'", "x", &f) || !expect_shared(t, &bob, &f, "ann", "x"))
        return;
    for (int i = 0; i < OFFSETS; i++) {
        trial_step(t, "bob fetches a file of 100000 bytes from %lld on", (long long)offsets[i]);
        if (!fetch(t, &bob, &f, offsets[i]))
            return;
    }
    trial_step(t, "bob wants it from 100001 on");
    if (!say_get(t, &bob, f.id, 100001) ||
        !refused(t, &bob, "bad_request", "the file has no byte there, and no end"))
        return;
    trial_step(t, "the server is stopped and started; bob comes back, and fetches the rest");
    if (!trial_stop(t) || !come_back(t, &bob) || !fetch(t, &bob, &f, 40000))
        return;
    trial_step(t, "the server is killed (kill -9) and started; bob comes back again");
    kill(t->s.pid, SIGKILL);
    if (trial_gone(t) && come_back(t, &bob) && fetch(t, &bob, &f, 80000) && trial_stop(t))
        trial_pass(t, "from 0 to 100,000: each download began where it was asked to, and went to "
                      "the end");
}

/* ---- what is to go --------------------------------------------------------------------------- */

static bool leave_partial(struct trial *t, struct room_peer *p, struct content *f, int files)
{
    return offer(t, p, "'room':'lobby'", "x", f) && send_part(t, p, f, 0, 2 * CHUNK) &&
           expect_kept(t, files, "some of it has been acknowledged");
}

static bool while_it_runs(struct trial *t)
{
    struct room_peer ann;
    struct content f = {.seed = 71, .size = 100000};
    if (!come(t, &ann, "ann", "lobby") || !leave_partial(t, &ann, &f, 2))
        return false;
    trial_step(t, "ann cancels an upload, and sends one chunk more");
    if (!trial_ok(t, ann.fd, room_say(&ann, "{'type':'file_cancel','file':'%s'}", f.id)) ||
        !expect_of(t, &ann, "file_cancelled", f.id, "the upload is hers, and has ended") ||
        !say_chunk(t, &ann, &f, 2 * CHUNK, 2 * CHUNK, CHUNK) ||
        !refused(t, &ann, "no_such_file", "the upload was cancelled") ||
        !expect_kept(t, 1, "an upload that was cancelled leaves nothing"))
        return false;
    trial_step(t, "ann uploads the half of a file, and her connection ends");
    if (!leave_partial(t, &ann, &f, 2))
        return false;
    room_close(&ann);
    if (!expect_kept(t, 1, "an upload whose client has gone leaves nothing"))
        return false;
    trial_step(t, "ann comes again, uploads the halves of two files, and resets the connection");
    if (!come(t, &ann, "ann", "lobby") || !leave_partial(t, &ann, &f, 2) ||
        !leave_partial(t, &ann, &f, 3))
        return false;
    room_reset(&ann);
    return expect_kept(t, 1, "uploads whose client has gone leave nothing");
}

/* A file that no row knows, as if the server had been killed just before it wrote the row; a row whose file
 * is not there is what the given part looks after. */
static bool plant_orphan(struct trial *t)
{
    char path[300];
    snprintf(path, sizeof path, "%s/files/0123456789abcdef0123456789abcdef", trial_folder(t));
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd == -1)
        return trial_fault(t, "cannot make %s", path);
    close(fd);
    return true;
}

static void judge_partials(struct trial *t)
{
    struct room_peer ann, bob;
    struct content whole = {.seed = 70, .size = 50000}, f = {.seed = 72, .size = 100000};
    trial_expect(t, "that of an upload that does not come to its end nothing is left");
    if (!serve(t) || !come(t, &bob, "bob", "lobby") ||
        !upload(t, &bob, "'room':'lobby'", "kept", &whole) ||
        !expect_kept(t, 1, "this one is whole") || !while_it_runs(t) ||
        !come(t, &ann, "ann", "lobby") || !leave_partial(t, &ann, &f, 2))
        return;
    trial_step(t, "in the middle of an upload the server is killed (kill -9), and started");
    kill(t->s.pid, SIGKILL);
    if (!trial_gone(t) || !plant_orphan(t) || !come_back(t, &bob) ||
        !expect_kept(t, 1,
                     "what was on its way when the server was killed is removed when it starts, "
                     "and so is a file that has no row") ||
        !cannot_fetch(t, &bob, f.id, "it never was whole") || !fetch(t, &bob, &whole, 0))
        return;
    trial_step(t, "in the middle of an upload the server is stopped (SIGTERM)");
    room_close(&ann);
    if (come(t, &ann, "ann", "lobby") && leave_partial(t, &ann, &f, 2) && trial_stop(t) &&
        expect_kept(t, 1, "a server that ends leaves only what is whole"))
        trial_pass(t, "cancel, end of connection, reset, kill -9 and SIGTERM: nothing was left but "
                      "the one that was whole");
}

/* ---- quotas ---------------------------------------------------------------------------------- */

static bool over_quota(struct trial *t, struct room_peer *p, int64_t size, const char *why)
{
    char sum[65];
    struct content f = {.seed = 80, .size = size};
    sum_of(&f, sum);
    return say_offer(t, p, "'room':'lobby'", "x", size, sum) && refused(t, p, "quota", why);
}

struct retry {
    struct trial *t;
    struct room_peer *p;
    struct content *f;
    char sum[65];
    bool failed;
};

/* A connection has ended; that its uploads have, too, may take the server a moment. */
static bool has_room(void *argument)
{
    struct retry *r = argument;
    struct trial *t = r->t;
    json_t *m = NULL;
    bool said = say_offer(t, r->p, "'room':'lobby'", "x", r->f->size, r->sum) &&
                (m = hear(t, r->p)) != NULL;
    bool ready = said && is(m, "file_ready");
    r->failed = !said;
    if (ready)
        snprintf(r->f->id, sizeof r->f->id, "%s", room_text(m, "file"));
    json_decref(m);
    return ready || r->failed;
}

static bool offer_in_time(struct trial *t, struct room_peer *p, struct content *f, const char *why)
{
    struct retry r = {.t = t, .p = p, .f = f};
    enum { TRIES = 40 };
    sum_of(f, r.sum);
    for (int i = 0; i < TRIES; i++) {
        if (has_room(&r))
            return !r.failed;
        poll(NULL, 0, 25);
    }
    return trial_fail(t, p->fd, "%s gets error quota still: %s", p->name, why);
}

static bool cancel(struct trial *t, struct room_peer *p, const struct content *f)
{
    return trial_ok(t, p->fd, room_say(p, "{'type':'file_cancel','file':'%s'}", f->id)) &&
           expect_of(t, p, "file_cancelled", f->id, "the upload is hers, and has ended");
}

static bool expect_busy(struct trial *t, struct room_peer *p)
{
    struct content f[4] = {{.id = ""}};
    char sum[65];
    for (int i = 0; i < 4; i++) {
        f[i] = (struct content){.seed = 81, .size = 10};
        if (!offer(t, p, "'room':'lobby'", "x", &f[i]))
            return false;
    }
    sum_of(&f[0], sum);
    if (!say_offer(t, p, "'room':'lobby'", "x", 10, sum) ||
        !refused(t, p, "busy", "four unfinished uploads are as many as a session may have"))
        return false;
    for (int i = 0; i < 4; i++)
        if (!cancel(t, p, &f[i]))
            return false;
    return true;
}

static void judge_quota(struct trial *t)
{
    struct room_peer ann, bob, eve;
    struct content f = {.seed = 82, .size = 60000}, g = f, h = f, bad = f;
    trial_expect(t, "error quota for what does not fit, and for nothing else");
    trial_step(t, "server --file-quota 100000 --file-total 150000");
    if (!serve_with(t, "--file-quota", "100000", "--file-total", "150000") ||
        !come(t, &ann, "ann", "lobby") || !come(t, &bob, "bob", "lobby") ||
        !come(t, &eve, "eve", "lobby"))
        return;
    trial_step(t, "ann offers 60000 bytes, sends none, and offers 60000 more");
    if (!offer(t, &ann, "'room':'lobby'", "x", &f) ||
        !over_quota(t, &ann, 60000, "what is on its way counts with all that was promised"))
        return;
    trial_step(t, "bob offers 60000 bytes, and so does eve");
    if (!offer(t, &bob, "'room':'lobby'", "x", &g) ||
        !over_quota(t, &eve, 60000, "that would be more than --file-total, of all nicknames"))
        return;
    trial_step(t, "ann cancels, and offers 60000 bytes again");
    if (!cancel(t, &ann, &f) ||
        !offer_in_time(t, &ann, &f, "what she had offered was cancelled: it is to be given back"))
        return;
    trial_step(t, "bob's connection ends, and eve offers 60000 bytes");
    room_close(&bob);
    if (!offer_in_time(t, &eve, &h, "who had offered them has gone: they are to be given back"))
        return;
    trial_step(t, "eve sends 60000 bytes with another sum, and offers the right ones");
    bad.seed = 83;
    memcpy(bad.id, h.id, sizeof bad.id);
    if (!send_part(t, &eve, &bad, 0, bad.size - 1) ||
        !say_chunk(t, &eve, &bad, bad.size - 1, bad.size - 1, 1) ||
        !refused(t, &eve, "bad_checksum", "what came has another sum than was promised") ||
        !offer_in_time(t, &eve, &h, "what had the wrong sum is to be given back"))
        return;
    trial_step(t, "ann sends all of hers; then she offers 60000 bytes, and 30000");
    if (!cancel(t, &eve, &h) || !send_part(t, &ann, &f, 0, f.size) ||
        !expect_shared(t, &ann, &f, "ann", "x") ||
        !over_quota(t, &ann, 60000, "what she has shared counts as long as it is kept") ||
        !offer(t, &ann, "'room':'lobby'", "x", &(struct content){.seed = 84, .size = 30000}))
        return;
    trial_step(t, "the server is stopped and started; ann comes back");
    room_close(&ann);
    if (trial_stop(t) && serve_with(t, "--file-quota", "100000", "--file-total", "150000") &&
        come(t, &ann, "Ann", "lobby") &&
        over_quota(t, &ann, 60000, "what she has shared is kept, and counts") &&
        expect_busy(t, &ann) && trial_stop(t))
        trial_pass(t, "promised and kept bytes count, of each nickname and of all; cancel, end of "
                      "connection and a wrong sum give them back");
}

/* ---- fairness -------------------------------------------------------------------------------- */

/* What was said comes before the rest of the file; returns how many chunks came before it, -1 after a
 * verdict. */
static int overtaken_by(struct trial *t, struct room_peer *p, const struct content *f, int64_t *at)
{
    for (int chunks = 0;; chunks++) {
        json_t *m = hear(t, p);
        bool said = m != NULL && is(m, "broadcast");
        bool right = m != NULL && (said || (is(m, "file_data") && take_data(t, p, m, f, at)));
        if (m != NULL && !said && !is(m, "file_data"))
            trial_fail(t, p->fd, "%s got %s, where file_data and a broadcast must come", p->name,
                       shown(m));
        json_decref(m);
        if (!right)
            return -1;
        if (said)
            return chunks;
    }
}

/* A download of which nothing is read: it costs little, and nobody else waits. */
static bool does_not_read(struct trial *t, struct room_peer *bob, struct room_peer *ann,
                          struct room_peer *eve, const struct content *f, int *overtaken)
{
    trial_step(t, "bob, who has a small window, asks for %lld bytes, and does not read",
               (long long)f->size);
    trial_expect(t, "that the server sleeps until he does, with little memory, and serves others");
    const long before = proc_memory(t->s.pid);
    if (!say_get(t, bob, f->id, 0))
        return false;
    if (!trial_quiet(t, QUIET_MS))
        return trial_fail(t, bob->fd,
                          "a download waits for its client to read, and the server does not "
                          "sleep: %s.  It is to be called again when something can be done",
                          fault_text());
    long more = proc_memory(t->s.pid) - before;
    if (more > f->size / 2)
        return trial_fail(t, bob->fd,
                          "bob reads nothing of %lld bytes, and the server has grown by %ld: a "
                          "few chunks are enough in an outbox, until they have gone",
                          (long long)f->size, more);
    trial_step(t, "meanwhile eve fetches the same file, and ann says something");
    if (!fetch(t, eve, f, 0) ||
        !trial_ok(t, ann->fd, room_say(ann, "{'type':'message','content':'hello'}")) ||
        !expect_of(t, ann, "broadcast", NULL, "the chat goes on") ||
        !expect_of(t, eve, "broadcast", NULL, "the chat goes on"))
        return false;
    trial_step(t, "now bob reads");
    trial_expect(t, "what ann said after at most %d chunks, and then the rest of the file",
                 OVERTAKEN);
    int64_t at = 0;
    int chunks = overtaken_by(t, bob, f, &at);
    if (chunks > OVERTAKEN)
        return trial_fail(t, bob->fd,
                          "%d chunks came before what ann had said: it is to wait behind a few "
                          "chunks, and not behind the file",
                          chunks);
    *overtaken = chunks;
    return chunks >= 0 && at < f->size && take_rest(t, bob, f, at);
}

/* Both go on at the same time. */
static bool two_at_once(struct trial *t, struct room_peer *bob, struct room_peer *eve,
                        const struct content *f, struct content *g)
{
    trial_step(t, "bob fetches two files at the same time");
    trial_expect(t, "chunks of the one between those of the other, and both whole");
    if (!upload(t, eve, "'to':'bob'", "second", g) || !expect_shared(t, bob, g, "eve", "second") ||
        !say_get(t, bob, f->id, 0) || !say_get(t, bob, g->id, 0))
        return false;
    int64_t first = 0, second = 0, second_when_first_ended = -1;
    while (first < f->size || second < g->size) {
        json_t *m = hear_of(t, bob, "file_data", NULL, "two downloads have not come to their ends");
        bool of_first = strcmp(room_text(m, "file"), f->id) == 0;
        bool right = m != NULL &&
                     take_data(t, bob, m, of_first ? f : g, of_first ? &first : &second);
        json_decref(m);
        if (!right)
            return false;
        if (first == f->size && second_when_first_ended == -1)
            second_when_first_ended = second;
    }
    return second_when_first_ended > g->size / 8 ||
           trial_fail(t, bob->fd,
                      "the first file came whole, and meanwhile %lld bytes of the second: they "
                      "are to take turns",
                      (long long)second_when_first_ended);
}

static void judge_fair(struct trial *t)
{
    struct room_peer ann, bob, eve;
    struct content f = {.seed = 90, .size = 8 * MIB}, g = {.seed = 91, .size = 8 * MIB};
    trial_expect(t, "file_ready, a file_ack for each chunk, file_shared");
    trial_step(t, "ann shares a file of %lld bytes", (long long)f.size);
    if (!serve(t) || !come(t, &ann, "ann", "lobby") || !come_from(t, &bob, "bob", "lobby", true) ||
        !come(t, &eve, "eve", "lobby") || !upload(t, &ann, "'room':'lobby'", "film", &f) ||
        !expect_shared(t, &bob, &f, "ann", "film") || !expect_shared(t, &eve, &f, "ann", "film"))
        return;
    int overtaken = 0;
    if (does_not_read(t, &bob, &ann, &eve, &f, &overtaken) && two_at_once(t, &bob, &eve, &f, &g) &&
        trial_stop(t))
        trial_pass(t,
                   "who did not read cost nobody anything; what was said overtook 8 MiB, but for "
                   "%d chunks; two downloads took turns",
                   overtaken);
}

static const struct check checks[] = {
    {"shares-and-fetches", "a file is announced when it is whole, and can be fetched", 1, NULL,
     TRIAL_PLAIN, judge_shares, 0},
    {"chunks", "a chunk is taken if it is the next, and fits into the size promised", 1,
     "shares-and-fetches", TRIAL_PLAIN, judge_chunks, 0},
    {"sum", "what has another sum than was promised is not kept", 1, "shares-and-fetches",
     TRIAL_PLAIN, judge_sum, 0},
    {"name-is-data", "a name is passed on, and is never a path", 1, "shares-and-fetches",
     TRIAL_PLAIN, judge_name, 0},
    {"resume", "a download begins at its offset, also after a restart", 1, "shares-and-fetches",
     TRIAL_PLAIN, judge_resume, 0},
    {"fair", "a download makes nobody wait, and costs little", 1, "shares-and-fetches", TRIAL_PLAIN,
     judge_fair, 90},
    {"only-the-audience", "only those get a file for whom it is", 2, "shares-and-fetches",
     TRIAL_PLAIN, judge_audience, 60},
    {"partials-removed", "nothing is left of an upload that does not come to its end", 1,
     "shares-and-fetches", TRIAL_ADDRESS, judge_partials, 60},
    {"quota", "what is promised counts, and is given back", 1, "shares-and-fetches", TRIAL_ADDRESS,
     judge_quota, 60},
    {0},
};

int main(int argc, char **argv)
{
    const struct exercise exercise = {"16-chat-files", "Files passed on in a chat room", checks};
    return grade_main(argc, argv, &exercise);
}
