/* commands - what a user types.  See commands.h. */

#include "commands.h"

#include "printable.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char blanks[] = " \t";

void command_wrong(struct command *c, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(c->fault, sizeof c->fault, format, arguments);
    va_end(arguments);
    c->kind = COMMAND_WRONG;
}

void command_request(struct command *c, json_t *request)
{
    c->request = request;
    c->kind = COMMAND_REQUEST;
    if (request == NULL)
        command_wrong(c, "that is not valid UTF-8, or memory is short: not sent");
}

static void say(struct command *c, const char *content, const char *room)
{
    if (room == NULL)
        command_wrong(c, "you are in no room: /join one");
    else
        command_request(
            c, json_pack("{ss ss ss}", "type", "message", "room", room, "content", content));
}

char *command_word(char **text)
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
    command_request(c, json_pack("{ss ss}", "type", "nick", "nickname", command_word(&rest)));
}

static void do_msg(struct command *c, char *rest, const struct roster *roster)
{
    (void)roster;
    const char *to = command_word(&rest);
    const char *content = rest + strspn(rest, blanks);
    if (*content == '\0')
        command_wrong(c, "/msg NAME TEXT: the text is missing");
    else
        command_request(c,
                        json_pack("{ss ss ss}", "type", "private", "to", to, "content", content));
}

static void do_join(struct command *c, char *rest, const struct roster *roster)
{
    const char *room = command_word(&rest);
    for (size_t i = 0; i < roster->count; i++)
        if (strcmp(roster->rooms[i].name, room) == 0) {
            c->kind = COMMAND_ENTER;
            memcpy(c->room, roster->rooms[i].name, sizeof c->room);
            return;
        }
    command_request(c, json_pack("{ss ss}", "type", "join_room", "room", room));
}

static void do_leave(struct command *c, char *rest, const struct roster *roster)
{
    const char *room = command_word(&rest);
    if (*room == '\0')
        room = roster_current(roster);
    if (room == NULL)
        command_wrong(c, "you are in no room");
    else
        command_request(c, json_pack("{ss ss}", "type", "leave_room", "room", room));
}

static void do_users(struct command *c, char *rest, const struct roster *roster)
{
    (void)roster;
    const char *room = command_word(&rest);
    command_request(c, *room != '\0' ? json_pack("{ss ss}", "type", "list_users", "room", room)
                                     : json_pack("{ss}", "type", "list_users"));
}

static void do_rooms(struct command *c, char *rest, const struct roster *roster)
{
    (void)rest;
    (void)roster;
    command_request(c, json_pack("{ss}", "type", "list_rooms"));
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

static command_offer offer_person, offer_place;

static const struct command_row own[] = {
    {"/nick", offer_person, true, do_nick, "/nick NAME      be called NAME"},
    {"/msg", offer_person, true, do_msg, "/msg NAME TEXT  a message to NAME alone"},
    {"/join", offer_place, true, do_join, "/join ROOM      go to ROOM: what you write goes there"},
    {"/leave", offer_place, false, do_leave, "/leave [ROOM]   leave ROOM, or the one you write to"},
    {"/users", offer_place, false, do_users, "/users [ROOM]   who is in ROOM, or on the server"},
    {"/rooms", NULL, false, do_rooms, "/rooms          the rooms, and how many are in each"},
    {"/help", NULL, false, do_help, "/help           these lines"},
    {"/quit", NULL, false, do_quit, "/quit           the end; so is ctrl-D"},
    {0},
};

static const struct command_row *tables[COMMANDS_TABLES] = {own};
static size_t table_count = 1;

void commands_add(const struct command_row *rows)
{
    if (table_count < COMMANDS_TABLES)
        tables[table_count++] = rows;
}

/* Row i of all tables, or NULL behind the last one. */
static const struct command_row *row_at(size_t i)
{
    for (size_t t = 0; t < table_count; t++)
        for (const struct command_row *row = tables[t]; row->name != NULL; row++)
            if (i-- == 0)
                return row;
    return NULL;
}

/* The command of that name, of so many bytes; or NULL. */
static const struct command_row *find_row(const char *name, size_t length)
{
    const struct command_row *row = NULL;
    for (size_t i = 0; (row = row_at(i)) != NULL; i++)
        if (strlen(row->name) == length && strncmp(row->name, name, length) == 0)
            break;
    return row;
}

static void run_command(struct command *c, char *line, const struct roster *roster)
{
    char *rest = line;
    const char *name = command_word(&rest);
    const struct command_row *row = find_row(name, strlen(name));
    if (row != NULL && row->needed && rest[strspn(rest, blanks)] == '\0') {
        command_wrong(c, "%s needs a name", name);
        return;
    }
    if (row != NULL) {
        row->run(c, rest, roster);
        return;
    }
    char *shown = printable_copy(name, strnlen(name, 32));
    command_wrong(c, "there is no %s; /help lists the commands",
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
        command_wrong(&c, "memory is short");
    else
        run_command(&c, copy, roster);
    free(copy);
    return c;
}

/* ---- completion --------------------------------------------------------------------------------- */

void command_offer_word(struct words *found, const char *word, const char *start,
                        const char *behind)
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
        command_offer_word(found, set->word[i], start, behind);
}

static void offer_people(struct words *found, const struct roster *roster, const char *start,
                         const char *behind)
{
    for (size_t i = 0; i < roster->count; i++)
        offer_all(found, &roster->rooms[i].members, start, behind);
    offer_all(found, &roster->people, start, behind);
}

static void offer_person(struct words *found, const struct roster *roster, const char *start)
{
    offer_people(found, roster, start, " ");
}

static void offer_place(struct words *found, const struct roster *roster, const char *start)
{
    found->exact = true;
    offer_all(found, &roster->places, start, " ");
    for (size_t i = 0; i < roster->count; i++)
        command_offer_word(found, roster->rooms[i].name, start, " ");
}

static void offer_commands(struct words *found, const char *start)
{
    const struct command_row *row = NULL;
    for (size_t i = 0; (row = row_at(i)) != NULL; i++)
        command_offer_word(found, row->name, start, " ");
}

size_t command_complete(const char *before, const struct roster *roster, struct words *found)
{
    const char *word = before + strlen(before);
    while (word > before && strchr(blanks, word[-1]) == NULL)
        word--;
    size_t first = strcspn(before, blanks);
    bool argument = word > before && before[0] == '/' &&
                    before + first + strspn(before + first, blanks) == word;
    const struct command_row *row = argument ? find_row(before, first) : NULL;
    if (word == before && *word == '/')
        offer_commands(found, word);
    else if (!argument)
        offer_people(found, roster, word, word == before ? ": " : " ");
    else if (row != NULL && row->offer != NULL)
        row->offer(found, roster, word);
    return strlen(word);
}

const char *command_help(size_t i)
{
    const struct command_row *row = row_at(i);
    return row != NULL ? row->help : NULL;
}
