/* file_steps - steps of a test in which files are passed on.  See file_steps.h. */

#include "file_steps.h"

#include "data_folder.h"
#include "testkit/peer.h"

#include <dirent.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

enum {
    WINDOW = 4, /* chunks sent ahead of the acks */
    BASE64 = sodium_base64_ENCODED_LEN(CHUNK, sodium_base64_VARIANT_ORIGINAL)
};

const char file_wrong_sum[] = "00000000000000000000000000000000000000000000000000000000000000aa";

void file_server(const char *option, const char *value, const char *other, const char *second)
{
    must(chat_start(0,
                    SUBJECT_ARGS("--quiet", "--data", data_folder, "--rate", "0", "--idle-timeout",
                                 "0", option, value, other, second),
                    0));
}

/* ---- messages --------------------------------------------------------------------------------- */

json_t *file_hear(struct room_peer *p)
{
    for (;;) {
        json_t *m = room_next(p);
        must(m != NULL);
        if (strncmp(room_text(m, "type"), "user_", 5) != 0)
            return m;
        json_decref(m);
    }
}

json_t *file_hear_of(struct room_peer *p, const char *type, const char *file)
{
    json_t *m = file_hear(p);
    ck_assert_msg(strcmp(room_text(m, "type"), type) == 0 &&
                      (file == NULL || strcmp(room_text(m, "file"), file) == 0),
                  "%s got %s %s%s, and %s %s should come", p->name, room_text(m, "type"),
                  room_text(m, "code"), room_text(m, "file"), type, file != NULL ? file : "");
    return m;
}

void file_expect(struct room_peer *p, const char *type, const char *file)
{
    json_decref(file_hear_of(p, type, file));
}

void file_refused(struct room_peer *p, const char *code)
{
    json_t *m = file_hear_of(p, "error", NULL);
    ck_assert_str_eq(room_text(m, "code"), code);
    json_decref(m);
}

void file_silence(struct room_peer *p)
{
    say(p, "{'type':'ping'}");
    file_expect(p, "pong", NULL);
}

/* ---- up --------------------------------------------------------------------------------------- */

void file_sum(const struct content *f, char text[65])
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

void file_say_offer(struct room_peer *p, const char *audience, const char *name, int64_t size,
                    const char *sum)
{
    say(p, "{'type':'file_offer',%s,'name':'%s','size':%lld,'sha256':'%s'}", audience, name,
        (long long)size, sum);
}

void file_offer(struct room_peer *p, const char *audience, const char *name, struct content *f)
{
    char sum[65];
    file_sum(f, sum);
    file_say_offer(p, audience, name, f->size, sum);
    json_t *m = file_hear_of(p, "file_ready", NULL);
    snprintf(f->id, sizeof f->id, "%s", room_text(m, "file"));
    json_decref(m);
    ck_assert_int_eq((int)strlen(f->id), 32);
    ck_assert_int_eq((int)strspn(f->id, "0123456789abcdef"), 32);
}

void file_send_chunk(struct room_peer *p, const struct content *f, int64_t from, int64_t offset,
                     size_t size)
{
    unsigned char bytes[CHUNK];
    char text[BASE64];
    peer_pattern(f->seed, (uint64_t)from, bytes, size);
    sodium_bin2base64(text, sizeof text, bytes, size, sodium_base64_VARIANT_ORIGINAL);
    say(p, "{'type':'file_data','file':'%s','offset':%lld,'data':'%s'}", f->id, (long long)offset,
        text);
}

static int64_t next_size(int64_t at, int64_t end)
{
    return end - at < CHUNK ? end - at : CHUNK;
}

void file_send(struct room_peer *p, const struct content *f, int64_t from, int64_t to)
{
    int64_t acked = from;
    for (int64_t at = from; acked < to;) {
        for (; at < to && at - acked < (int64_t)WINDOW * CHUNK; at += next_size(at, to))
            file_send_chunk(p, f, at, at, (size_t)next_size(at, to));
        json_t *m = file_hear_of(p, "file_ack", f->id);
        acked += next_size(acked, to);
        ck_assert_int_eq(json_integer_value(json_object_get(m, "offset")), acked);
        json_decref(m);
    }
}

void file_expect_shared(struct room_peer *p, const struct content *f, const char *from,
                        const char *name)
{
    char sum[65];
    file_sum(f, sum);
    json_t *m = file_hear_of(p, "file_shared", f->id);
    ck_assert_str_eq(room_text(m, "from"), from);
    ck_assert_str_eq(room_text(m, "name"), name);
    ck_assert_str_eq(room_text(m, "sha256"), sum);
    ck_assert_int_eq(json_integer_value(json_object_get(m, "size")), f->size);
    json_decref(m);
}

void file_upload(struct room_peer *p, const char *audience, const char *name, struct content *f)
{
    file_offer(p, audience, name, f);
    file_send(p, f, 0, f->size);
    file_expect_shared(p, f, p->name, name);
}

/* ---- down ------------------------------------------------------------------------------------- */

void file_say_get(struct room_peer *p, const char *file, int64_t offset)
{
    say(p, "{'type':'file_get','file':'%s','offset':%lld}", file, (long long)offset);
}

bool file_take_data(const json_t *m, const struct content *f, int64_t *at)
{
    unsigned char bytes[CHUNK], right[CHUNK];
    const char *data = room_text(m, "data");
    const char *end = NULL;
    size_t size = 0;
    json_int_t offset = json_integer_value(json_object_get(m, "offset"));
    if (strcmp(room_text(m, "type"), "file_data") != 0)
        return fault("a %s came, and a file_data should", room_text(m, "type"));
    if (offset != *at || json_integer_value(json_object_get(m, "size")) != f->size)
        return fault("a chunk at %lld came, and the next is at %lld", (long long)offset,
                     (long long)*at);
    if (sodium_base642bin(bytes, sizeof bytes, data, strlen(data), NULL, &size, &end,
                          sodium_base64_VARIANT_ORIGINAL) == -1 ||
        *end != '\0' || (int64_t)size > f->size - *at || (size == 0 && *at < f->size))
        return fault("a chunk at %lld of %zu bytes came", (long long)*at, size);
    peer_pattern(f->seed, (uint64_t)*at, right, size);
    if (memcmp(bytes, right, size) != 0)
        return fault("the chunk at %lld has other bytes", (long long)*at);
    *at += (int64_t)size;
    return true;
}

void file_take_rest(struct room_peer *p, const struct content *f, int64_t at)
{
    do {
        json_t *m = file_hear_of(p, "file_data", f->id);
        must(file_take_data(m, f, &at));
        json_decref(m);
    } while (at < f->size);
    file_silence(p);
}

void file_fetch(struct room_peer *p, const struct content *f, int64_t from)
{
    file_say_get(p, f->id, from);
    file_take_rest(p, f, from);
}

/* Whether there is none, or it is for others. */
void file_not_for(struct room_peer *p, const char *file)
{
    file_say_get(p, file, 0);
    file_refused(p, "no_such_file");
}

/* ---- the disk --------------------------------------------------------------------------------- */

int file_kept(void)
{
    char path[128];
    int count = 0;
    snprintf(path, sizeof path, "%s/files", data_folder);
    DIR *list = opendir(path);
    const struct dirent *entry;
    while (list != NULL && (entry = readdir(list)) != NULL)
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    if (list != NULL)
        closedir(list);
    return count;
}

static bool are_kept(void *files)
{
    return file_kept() == *(int *)files;
}

void file_expect_kept(int files)
{
    ck_assert_msg(wait_until(are_kept, &files, "the files on the disk"),
                  "DIR/files has %d files, and should have %d", file_kept(), files);
}
