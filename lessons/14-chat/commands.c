/* commands - what a user types.  See commands.h. */

#include "commands.h"

#include "printable.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char blanks[] = " \t";

__attribute__((format(printf, 2, 3))) static void wrong(struct command *c, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(c->fault, sizeof c->fault, format, arguments);
    va_end(arguments);
    c->kind = COMMAND_WRONG;
}

/* A request whose text is UTF-8; jansson refuses any other. */
static void request(struct command *c, json_t *object)
{
    c->request = object;
    c->kind = COMMAND_REQUEST;
    if (object == NULL)
        wrong(c, "that is not valid UTF-8, or memory is short: not sent");
}

static void say(struct command *c, const char *content, const char *room)
{
    if (room == NULL)
        wrong(c, "you are in no room: /join one");
    else
        request(c, json_pack("{ss ss ss}", "type", "message", "room", room, "content", content));
}

/* Cut the next word off the front of a text. */
static char *next_word(char **text)
{
    char *word = *text + strspn(*text, blanks);
    *text = word + strcspn(word, blanks);
    if (**text != '\0')
        *(*text)++ = '\0';
    return word;
}

static void do_nick(struct command *c, char *rest, const struct roster *roster)
{
    (void)roster;
    request(c, json_pack("{ss ss}", "type", "nick", "nickname", next_word(&rest)));
}

static void do_msg(struct command *c, char *rest, const struct roster *roster)
{
    (void)roster;
    const char *to = next_word(&rest);
    const char *content = rest + strspn(rest, blanks);
    if (*content == '\0')
        wrong(c, "/msg NAME TEXT: the text is missing");
    else
        request(c, json_pack("{ss ss ss}", "type", "private", "to", to, "content", content));
}

static void do_join(struct command *c, char *rest, const struct roster *roster)
{
    const char *room = next_word(&rest);
    for (size_t i = 0; i < roster->count; i++)
        if (strcasecmp(roster->rooms[i].name, room) == 0) {
            c->kind = COMMAND_ENTER;
            memcpy(c->room, roster->rooms[i].name, sizeof c->room);
            return;
        }
    request(c, json_pack("{ss ss}", "type", "join_room", "room", room));
}

static void do_leave(struct command *c, char *rest, const struct roster *roster)
{
    const char *room = next_word(&rest);
    if (*room == '\0')
        room = roster_current(roster);
    if (room == NULL)
        wrong(c, "you are in no room");
    else
        request(c, json_pack("{ss ss}", "type", "leave_room", "room", room));
}

static void do_users(struct command *c, char *rest, const struct roster *roster)
{
    (void)roster;
    const char *room = next_word(&rest);
    request(c, *room != '\0' ? json_pack("{ss ss}", "type", "list_users", "room", room)
                             : json_pack("{ss}", "type", "list_users"));
}

static void do_rooms(struct command *c, char *rest, const struct roster *roster)
{
    (void)rest;
    (void)roster;
    request(c, json_pack("{ss}", "type", "list_rooms"));
}

static void do_help(struct command *c, char *rest, const struct roster *roster)
{
    (void)rest;
    (void)roster;
    c->kind = COMMAND_HELP;
}

static void do_quit(struct command *c, char *rest, const struct roster *roster)
{
    (void)rest;
    (void)roster;
    c->kind = COMMAND_QUIT;
}

enum argument { NONE, PERSON, PLACE };

static const struct {
    const char *name;
    enum argument argument; /* the first one: what completes it */
    bool needed;
    void (*run)(struct command *c, char *rest, const struct roster *roster);
    const char *help;
} commands[] = {
    {"/nick", PERSON, true, do_nick, "/nick NAME      be called NAME"},
    {"/msg", PERSON, true, do_msg, "/msg NAME TEXT  a message to NAME alone"},
    {"/join", PLACE, true, do_join, "/join ROOM      go to ROOM: what you write goes there"},
    {"/leave", PLACE, false, do_leave, "/leave [ROOM]   leave ROOM, or the one you write to"},
    {"/users", PLACE, false, do_users, "/users [ROOM]   who is in ROOM, or on the server"},
    {"/rooms", NONE, false, do_rooms, "/rooms          the rooms, and how many are in each"},
    {"/help", NONE, false, do_help, "/help           these lines"},
    {"/quit", NONE, false, do_quit, "/quit           the end; so is ctrl-D"},
};

enum { COMMANDS = sizeof commands / sizeof commands[0] };

static void run_command(struct command *c, char *line, const struct roster *roster)
{
    char *rest = line;
    const char *name = next_word(&rest);
    for (size_t i = 0; i < COMMANDS; i++) {
        if (strcmp(commands[i].name, name) != 0)
            continue;
        if (commands[i].needed && rest[strspn(rest, blanks)] == '\0')
            wrong(c, "%s needs a name", name);
        else
            commands[i].run(c, rest, roster);
        return;
    }
    char *shown = printable_copy(name, strnlen(name, 32));
    wrong(c, "there is no %.100s; /help lists the commands",
          shown != NULL ? shown : "such command");
    free(shown);
}

struct command command_parse(const char *line, const struct roster *roster, const char *room)
{
    struct command c = {.kind = COMMAND_NOTHING};
    if (line[strspn(line, blanks)] == '\0')
        return c;
    if (line[0] != '/' || line[1] == '/') {
        say(&c, line + (line[0] == '/'), room);
        return c;
    }
    char *copy = strdup(line);
    if (copy == NULL)
        wrong(&c, "memory is short");
    else
        run_command(&c, copy, roster);
    free(copy);
    return c;
}

/* ---- completion --------------------------------------------------------------------------------- */

static void offer(struct words *found, const char *word, const char *start, const char *behind)
{
    char offered[ROSTER_NAME_SIZE + 4];
    if (strncasecmp(word, start, strlen(start)) != 0)
        return;
    snprintf(offered, sizeof offered, "%s%s", word, behind);
    words_add(found, offered);
}

static void offer_all(struct words *found, const struct words *set, const char *start,
                      const char *behind)
{
    for (size_t i = 0; i < set->count; i++)
        offer(found, set->word[i], start, behind);
}

static void offer_people(struct words *found, const struct roster *roster, const char *start,
                         const char *behind)
{
    for (size_t i = 0; i < roster->count; i++)
        offer_all(found, &roster->rooms[i].members, start, behind);
    offer_all(found, &roster->people, start, behind);
}

/* What the first argument of the command at the start of a text is. */
static enum argument argument_of(const char *text, size_t name_length)
{
    for (size_t i = 0; i < COMMANDS; i++)
        if (strlen(commands[i].name) == name_length &&
            strncmp(commands[i].name, text, name_length) == 0)
            return commands[i].argument;
    return NONE;
}

size_t command_complete(const char *before, const struct roster *roster, struct words *found)
{
    const char *word = before + strlen(before);
    while (word > before && strchr(blanks, word[-1]) == NULL)
        word--;
    size_t first = strcspn(before, blanks);
    bool argument = word > before && before[0] == '/' &&
                    before + first + strspn(before + first, blanks) == word;
    if (word == before && *word == '/') {
        for (size_t i = 0; i < COMMANDS; i++)
            offer(found, commands[i].name, word, " ");
    } else if (argument && argument_of(before, first) == PLACE) {
        offer_all(found, &roster->places, word, " ");
        for (size_t i = 0; i < roster->count; i++)
            offer(found, roster->rooms[i].name, word, " ");
    } else if (!argument || argument_of(before, first) == PERSON) {
        offer_people(found, roster, word, word == before ? ": " : " ");
    }
    return strlen(word);
}

const char *command_help(size_t i)
{
    return i < COMMANDS ? commands[i].help : NULL;
}
