/*
 * fuzz_full - the fuzzer's room with all extensions: see fuzz_dispatch.c of lesson 14.
 *
 * The extensions are started once; before each script what they keep is emptied.  Accounts, messages and
 * files are in a temporary folder, which goes with the program.  A password is its own hash here: the true
 * one takes tens of milliseconds, and what is looked for is not in there.
 */

#include "tests/fuzz_dispatch.h"

#include "accounts.h"
#include "dispatch.h"
#include "emoji.h"
#include "files.h"
#include "history.h"
#include "hub.h"
#include "incoming.h"
#include "login.h"
#include "passwords.h"
#include "store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct extension *const extensions[] = {&store,   &login, &emoji,
                                                     &history, &files, NULL};
static struct hub *started; /* or NULL */
static char file[64] = "";  /* the id of the last file that anybody heard of */

static void stop(void)
{
    const struct extension *const *e = extensions;
    while (*e != NULL)
        e++;
    while (e > extensions)
        if ((*--e)->stop != NULL)
            (*e)->stop(started);
}

static void start(struct hub *hub)
{
    for (const struct extension *const *e = extensions; *e != NULL; e++)
        if ((*e)->start != NULL && (*e)->start(hub) == -1)
            abort();
    started = hub;
    atexit(stop);
}

static void begin(struct hub *hub)
{
    if (started == NULL)
        start(hub);
    file[0] = '\0';
    hub->wipes = true; /* as the login has said to the first hub here */
    if (sqlite3_exec(store_db(),
                     "BEGIN; DELETE FROM accounts; DELETE FROM rooms; DELETE FROM messages;"
                     "DELETE FROM files; COMMIT",
                     NULL, NULL, NULL) != SQLITE_OK ||
        accounts_open(1000) == -1 || history.start(hub) == -1)
        abort();
    incoming_start(); /* the files have no rows any more */
}

/* ---- passwords, in place of passwords.c --------------------------------------------------------- */

int passwords_init(void)
{
    return sodium_init() == -1 ? -1 : 0;
}

enum password_verdict password_hash(char hash[HASH_SIZE], const char *password, size_t size)
{
    sodium_bin2base64(hash, HASH_SIZE, (const unsigned char *)password, size < 80 ? size : 80,
                      sodium_base64_VARIANT_ORIGINAL);
    return PASSWORD_RIGHT;
}

enum password_verdict password_check(const char hash[HASH_SIZE], const char *password, size_t size)
{
    char other[HASH_SIZE];
    password_hash(other, password, size);
    return strcmp(hash, other) == 0 ? PASSWORD_RIGHT : PASSWORD_WRONG;
}

/* ---- what the extensions say ------------------------------------------------------------------- */

static bool is_text(const json_t *message, const char *field)
{
    return json_is_string(json_object_get(message, field));
}

static bool is_count(const json_t *message, const char *field)
{
    const json_t *value = json_object_get(message, field);
    return json_is_integer(value) && json_integer_value(value) >= 0;
}

static bool is_page(const struct view *v, const json_t *message)
{
    const json_t *list = json_object_get(message, "messages");
    const char *room = json_string_value(json_object_get(message, "room"));
    json_int_t last = 0;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *one = json_array_get(list, i);
        json_int_t seq = json_integer_value(json_object_get(one, "seq"));
        if (seq <= last || !is_text(one, "from") || !is_text(one, "content") ||
            !is_text(one, "timestamp"))
            return false;
        last = seq;
    }
    return json_is_array(list) && room != NULL && json_object_get(v->rooms, room) != NULL;
}

static bool hear(struct view *v, const char *type, const json_t *message)
{
    static const char *const codes[] = {"bad_credentials", "nickname_registered", "too_large",
                                        "no_such_file",    "bad_checksum",        "quota"};
    const char *code = json_string_value(json_object_get(message, "code"));
    for (size_t i = 0; code != NULL && i < sizeof codes / sizeof codes[0]; i++)
        if (strcmp(code, codes[i]) == 0)
            return true;
    if (is_text(message, "file"))
        snprintf(file, sizeof file, "%s", json_string_value(json_object_get(message, "file")));
    if (strcmp(type, "registered") == 0)
        return is_text(message, "nickname");
    if (strcmp(type, "history") == 0)
        return is_page(v, message);
    if (strcmp(type, "file_ready") == 0 || strcmp(type, "file_cancelled") == 0)
        return is_text(message, "file");
    if (strcmp(type, "file_ack") == 0)
        return is_text(message, "file") && is_count(message, "offset");
    if (strcmp(type, "file_data") == 0)
        return is_text(message, "file") && is_count(message, "offset") && is_text(message, "data");
    if (strcmp(type, "file_shared") == 0)
        return is_text(message, "file") && is_text(message, "from") && is_text(message, "name") &&
               is_count(message, "size") && is_text(message, "sha256");
    return false;
}

static const char *last_file(void)
{
    return file;
}

const struct fuzz_room fuzz_room = {
    .extensions = extensions, .begin = begin, .hear = hear, .word = last_file};
