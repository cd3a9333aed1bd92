/* wording - the server's messages as people read them.  See wording.h. */

#include "wording.h"

#include "printable.h"

#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A notice that is being written: a stream, so that memory is one worry less. */
struct notice {
    FILE *out;
    const json_t *message;
    const struct wording_style *style;
};

static const char *field(const json_t *message, const char *name)
{
    const char *text = json_string_value(json_object_get(message, name));
    return text != NULL ? text : "";
}

/* Write what a stranger wrote. */
static void write_safe(FILE *out, const char *text)
{
    for (struct printable p = printable_begin(text, strlen(text)); printable_next(&p);)
        fwrite(p.text, 1, p.length, out);
}

static void write_field(struct notice *n, const char *name)
{
    write_safe(n->out, field(n->message, name));
}

/* ---- colours ------------------------------------------------------------------------------------ */

static void colour(struct notice *n, int number)
{
    if (n->style->colours >= 8)
        fprintf(n->out, "\033[%dm", number);
}

/* A colour that follows from the nickname, whatever its case.  Black, white and the dark blue that
 * cannot be read on black are nobody's. */
static int colour_of(const char *nickname, int colours)
{
    static const int palette[] = {31, 32, 33, 35, 36, 91, 92, 93, 94, 95, 96};
    uint32_t hash = 2166136261U; /* FNV-1a */
    for (; *nickname != '\0'; nickname++)
        hash = (hash ^ (uint32_t)tolower((unsigned char)*nickname)) * 16777619U;
    return palette[hash % (colours >= 16 ? 11 : 5)];
}

static void write_nickname(struct notice *n, const char *nickname)
{
    colour(n, colour_of(nickname, n->style->colours));
    write_safe(n->out, nickname);
    colour(n, 0);
}

static void write_nickname_field(struct notice *n, const char *name)
{
    write_nickname(n, field(n->message, name));
}

/* ---- parts of a notice -------------------------------------------------------------------------- */

/* The server's time is UTC, the reader's is local.  A message without one is of now. */
static void write_time(struct notice *n)
{
    struct tm utc = {0};
    const char *end = strptime(field(n->message, "timestamp"), "%Y-%m-%d %H:%M:%S", &utc);
    time_t when = end != NULL && *end == '\0' ? timegm(&utc) : time(NULL);
    struct tm local = {0};
    struct tm today = {0};
    time_t now = time(NULL);
    char text[32];
    if (localtime_r(&when, &local) == NULL || localtime_r(&now, &today) == NULL)
        return;
    bool dated = n->style->dated || local.tm_yday != today.tm_yday ||
                 local.tm_year != today.tm_year;
    strftime(text, sizeof text, n->style->dated ? "%F %T" : dated ? "%F %R" : "%R", &local);
    colour(n, 2);
    fputs(text, n->out);
    colour(n, 0);
    fputc(' ', n->out);
}

/* The room that a message is in, where that is not plain. */
static void write_room(struct notice *n)
{
    const char *current = n->style->current;
    const char *room = field(n->message, "room");
    if (!n->style->dated && current != NULL && strcmp(current, room) == 0)
        return;
    fputc('[', n->out);
    write_safe(n->out, room);
    fputs("] ", n->out);
}

/* At most so many names: a room of thousands is not a screenful. */
static void write_names(struct notice *n, size_t most)
{
    const json_t *users = json_object_get(n->message, "users");
    size_t count = json_array_size(users);
    for (size_t i = 0; i < count && i < most; i++) {
        const char *name = json_string_value(json_array_get(users, i));
        if (i > 0)
            fputs(", ", n->out);
        write_nickname(n, name != NULL ? name : "");
    }
    if (count > most)
        fprintf(n->out, " and %zu more", count - most);
}

/* ---- a notice for each type --------------------------------------------------------------------- */

enum { NAMES_AT_ONCE = 20 };

static void say_broadcast(struct notice *n)
{
    write_room(n);
    fputc('<', n->out);
    write_nickname_field(n, "from");
    fputs("> ", n->out);
    write_field(n, "content");
}

static void say_private(struct notice *n)
{
    write_nickname_field(n, "from");
    fputs(" -> ", n->out);
    write_nickname_field(n, "to");
    fputs(": ", n->out);
    write_field(n, "content");
}

static void say_joined_room(struct notice *n)
{
    fputs("* you are ", n->out);
    write_nickname(n, n->style->self);
    fputs(", in ", n->out);
    write_field(n, "room");
    fputs(" with ", n->out);
    write_names(n, NAMES_AT_ONCE);
}

static void say_room_left(struct notice *n)
{
    fputs("* you have left ", n->out);
    write_field(n, "room");
}

static void say_user_joined(struct notice *n)
{
    fputs("* ", n->out);
    write_nickname_field(n, "nickname");
    fputs(" has joined ", n->out);
    write_field(n, "room");
}

static void say_user_left(struct notice *n)
{
    fputs("* ", n->out);
    write_nickname_field(n, "nickname");
    fputs(" has left ", n->out);
    write_field(n, "room");
    const char *reason = field(n->message, "reason");
    if (*reason == '\0' || strcmp(reason, "left") == 0)
        return;
    fputs(" (", n->out);
    write_safe(n->out, reason);
    fputc(')', n->out);
}

static void say_nick_changed(struct notice *n)
{
    fputs("* ", n->out);
    write_nickname_field(n, "old");
    fputs(" is now ", n->out);
    write_nickname_field(n, "nickname");
}

static void say_users(struct notice *n)
{
    const char *room = field(n->message, "room");
    fprintf(n->out, "* %zu ", json_array_size(json_object_get(n->message, "users")));
    fputs(*room != '\0' ? "in " : "on the server", n->out);
    write_safe(n->out, room);
    fputs(": ", n->out);
    write_names(n, SIZE_MAX);
}

static void say_rooms(struct notice *n)
{
    size_t i = 0;
    json_t *room = NULL;
    fputs("* rooms:", n->out);
    json_array_foreach(json_object_get(n->message, "rooms"), i, room)
    {
        fputc(' ', n->out);
        write_safe(n->out, field(room, "name"));
        fprintf(n->out, " (%" JSON_INTEGER_FORMAT ")",
                json_integer_value(json_object_get(room, "users")));
    }
}

static void say_bye(struct notice *n)
{
    fputs("* the server says goodbye: ", n->out);
    write_field(n, "reason");
}

static void say_error(struct notice *n)
{
    colour(n, 31);
    fputs("! ", n->out);
    write_field(n, "message");
    fputs(" (", n->out);
    write_field(n, "code");
    fputc(')', n->out);
    colour(n, 0);
}

/* A type that this client does not know is shown as it came. */
static void say_unknown(struct notice *n)
{
    char *text = json_dumps(n->message, JSON_COMPACT);
    fputs("? ", n->out);
    write_safe(n->out, text != NULL ? text : "");
    free(text);
}

typedef void notice_writer(struct notice *n);

static const struct {
    const char *type;
    notice_writer *say; /* NULL: it goes without saying */
} writers[] = {
    {"broadcast", say_broadcast},
    {"private", say_private},
    {"welcome", say_joined_room},
    {"room_joined", say_joined_room},
    {"room_left", say_room_left},
    {"user_joined", say_user_joined},
    {"user_left", say_user_left},
    {"nick_changed", say_nick_changed},
    {"users", say_users},
    {"rooms", say_rooms},
    {"bye", say_bye},
    {"error", say_error},
    {"ping", NULL},
    {"pong", NULL},
};

static notice_writer *writer_of(const char *type)
{
    for (size_t i = 0; i < sizeof writers / sizeof writers[0]; i++)
        if (strcmp(writers[i].type, type) == 0)
            return writers[i].say;
    return say_unknown;
}

/* Write a notice into memory. */
static char *notice(const json_t *message, const struct wording_style *style, notice_writer *say,
                    const char *text)
{
    char *bytes = NULL;
    size_t size = 0;
    struct notice n = {open_memstream(&bytes, &size), message, style};
    if (n.out == NULL)
        return NULL;
    write_time(&n);
    if (say != NULL)
        say(&n);
    else
        fprintf(n.out, "* %s", text);
    if (fclose(n.out) == 0)
        return bytes;
    free(bytes);
    return NULL;
}

char *wording_of(const json_t *message, const struct wording_style *style)
{
    notice_writer *say = writer_of(field(message, "type"));
    return say != NULL ? notice(message, style, say, NULL) : NULL;
}

char *wording_own(const json_t *message, const char *text, const struct wording_style *style)
{
    return notice(message, style, NULL, text);
}
