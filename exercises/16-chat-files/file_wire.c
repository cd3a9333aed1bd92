/* file_wire - requests and messages about files.  See file_wire.h. */

#include "file_wire.h"

#include "hub.h"
#include "notice.h"
#include "utf8.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

enum {
    ROOM_MOST = 32,
    BASE64_SIZE = sodium_base64_ENCODED_LEN(FILES_CHUNK, sodium_base64_VARIANT_ORIGINAL),
    SUM_BYTES = crypto_hash_sha256_BYTES
};

/* ---- fields --------------------------------------------------------------------------------- */

static bool refuse(struct call *c, const char *sentence)
{
    call_error(c, "bad_request", sentence);
    return false;
}

static bool has(const struct call *c, const char *field)
{
    const json_t *value = json_object_get(c->body, field);
    return value != NULL && !json_is_null(value);
}

/* A field that is a whole number from 0. */
static bool read_number(struct call *c, const char *field, int64_t *number)
{
    char sentence[80];
    const json_t *value = json_object_get(c->body, field);
    *number = json_integer_value(value);
    snprintf(sentence, sizeof sentence,
             "This request needs a field '%s' that is an integer from 0.", field);
    return (json_is_integer(value) && *number >= 0) || refuse(c, sentence);
}

static bool has_control_characters(const char *text, size_t size)
{
    for (size_t at = 0; at < size;) {
        uint32_t character = 0;
        int length = utf8_decode(text + at, size - at, &character);
        if (length <= 0 || character < 0x20 || (character >= 0x7f && character <= 0x9f))
            return true;
        at += (size_t)length;
    }
    return false;
}

/* [data] A name is what its owner calls the file.  Nothing is taken out of it, and nothing done with it but
 * to pass it on: what is no path cannot lead anywhere. */
static bool read_name(struct call *c, struct vault_file *f)
{
    size_t size;
    const char *name = call_text(c, "name", &size);
    if (name == NULL)
        return false;
    if (size < 1 || size > VAULT_NAME_MOST || has_control_characters(name, size))
        return refuse(c, "A file's name has 1 to 255 bytes, and no control characters.");
    memcpy(f->name, name, size + 1);
    return true;
}

static bool read_sum(struct call *c, struct vault_file *f)
{
    unsigned char sum[SUM_BYTES];
    size_t size, count;
    const char *text = call_text(c, "sha256", &size);
    if (text == NULL)
        return false;
    if (size != 2 * SUM_BYTES ||
        sodium_hex2bin(sum, sizeof sum, text, size, NULL, &count, NULL) == -1 || count != SUM_BYTES)
        return refuse(c, "The field 'sha256' must have 64 hexadecimal digits.");
    sodium_bin2hex(f->sha256, sizeof f->sha256, sum, sizeof sum);
    return true;
}

static bool read_audience(struct call *c, struct vault_file *f)
{
    if (has(c, "room") == has(c, "to"))
        return refuse(c, "A file is for one room or for one user: 'room' or 'to'.");
    if (has(c, "room")) {
        const char *room = call_name(c, "room", NULL, ROOM_MOST, "bad_room");
        if (room != NULL)
            snprintf(f->room, sizeof f->room, "%s", room);
        return room != NULL;
    }
    const char *to = call_text(c, "to", NULL);
    const struct session *addressee = to != NULL ? hub_find_user(c->hub, to) : NULL;
    if (addressee != NULL)
        snprintf(f->addressee, sizeof f->addressee, "%s", addressee->name.text);
    else if (to != NULL)
        call_error(c, "no_such_user", "Nobody has this nickname now.");
    return addressee != NULL;
}

bool file_wire_offer(struct call *c, struct vault_file *f)
{
    *f = (struct vault_file){.size = 0};
    return read_name(c, f) && read_number(c, "size", &f->size) && read_sum(c, f) &&
           read_audience(c, f);
}

bool file_wire_chunk(struct call *c, struct file_chunk *k)
{
    size_t size;
    const char *end = NULL;
    k->file = call_text(c, "file", NULL);
    const char *data = k->file != NULL && read_number(c, "offset", &k->offset)
                           ? call_text(c, "data", &size)
                           : NULL;
    if (data == NULL)
        return false;
    if (sodium_base642bin(k->bytes, sizeof k->bytes, data, size, NULL, &k->size, &end,
                          sodium_base64_VARIANT_ORIGINAL) == -1 ||
        end != data + size || k->size == 0)
        return refuse(c, "The field 'data' must be 1 to 4096 bytes in base64.");
    return true;
}

bool file_wire_place(struct call *c, const char **file, int64_t *offset)
{
    *offset = 0;
    *file = call_text(c, "file", NULL);
    return *file != NULL && (!has(c, "offset") || read_number(c, "offset", offset));
}

/* ---- messages ------------------------------------------------------------------------------- */

void file_wire_reply(struct call *c, const char *type, const char *file, int64_t offset)
{
    if (offset == -1)
        call_reply(c, json_pack("{ss ss}", "type", type, "file", file));
    else
        call_reply(
            c, json_pack("{ss ss sI}", "type", type, "file", file, "offset", (json_int_t)offset));
}

/* The first one answers a request, and has its id. */
static void put_reply(struct call *c, const struct vault_file *f, int64_t offset, const char *data)
{
    call_reply(c, json_pack("{ss ss sI sI ss}", "type", "file_data", "file", f->id, "offset",
                            (json_int_t)offset, "size", (json_int_t)f->size, "data", data));
}

/* Nothing in the others needs escaping: written by hand they take a fraction of the time. */
void file_wire_put(struct session *s, struct call *c, const struct vault_file *f, int64_t offset,
                   const unsigned char *bytes, size_t size)
{
    char line[256 + BASE64_SIZE];
    char *data = line + snprintf(line, sizeof line - BASE64_SIZE,
                                 "{\"type\":\"file_data\",\"file\":\"%s\",\"offset\":%lld,"
                                 "\"size\":%lld,\"data\":\"",
                                 f->id, (long long)offset, (long long)f->size);
    sodium_bin2base64(data, BASE64_SIZE, bytes, size, sodium_base64_VARIANT_ORIGINAL);
    if (c != NULL) {
        put_reply(c, f, offset, data);
        return;
    }
    char *end = data + strlen(data);
    memcpy(end, "\"}\n", 4);
    session_put(s, line, (size_t)(end + 3 - line));
}

void file_wire_end(struct session *s, const char *file, const char *code, const char *sentence)
{
    struct call c = {.hub = s->hub, .session = s};
    if (code != NULL)
        call_error(&c, code, sentence);
    file_wire_reply(&c, "file_cancelled", file, -1);
}

json_t *file_wire_shared(const struct vault_file *f)
{
    bool private = f->room[0] == '\0';
    return json_pack("{ss ss ss ss sI ss ss ss}", "type", "file_shared", "file", f->id, "from",
                     f->owner, "name", f->name, "size", (json_int_t)f->size, "sha256", f->sha256,
                     private ? "to" : "room", private ? f->addressee : f->room, "timestamp",
                     notice_time());
}
