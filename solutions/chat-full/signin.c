/* signin - a client that proves who its user is.  See signin.h. */

#include "signin.h"

#include "message.h"
#include "secret.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool wants_login = false;
static bool wants_register = false;
static const char *password_file = NULL;

static const struct option_spec options[] = {
    {"login", NULL, OPTION_FLAG, &wants_login, 0, 0,
     "the nickname is registered: ask for its password"},
    {"register", NULL, OPTION_FLAG, &wants_register, 0, 0,
     "register the nickname with a password first"},
    {"password-file", "FILE", OPTION_TEXT, &password_file, 0, 0,
     "whose first line is the password"},
    {NULL, NULL, OPTION_FLAG, NULL, 0, 0, NULL},
};

static bool signs_in = false;
static char
    account[64]; /* the nickname that the password belongs to, whatever we are called by now */
static char entrance[64]; /* the room to go to once it is registered */

/* A request with the password in it; NULL if memory is short. */
static json_t *with_password(const char *type)
{
    json_t *request = json_pack("{ss ss ss}", "type", type, "nickname", account, "password",
                                secret_show());
    secret_hide();
    return request;
}

/* [wipe] JSON that is released may have held the password. */
static void erase_and_free(void *memory)
{
    if (memory != NULL)
        explicit_bzero(memory, malloc_usable_size(memory));
    free(memory);
}

static void start(const char *nickname)
{
    signs_in = wants_login || wants_register || password_file != NULL;
    if (!signs_in)
        return;
    json_set_alloc_funcs(malloc, erase_and_free);
    snprintf(account, sizeof account, "%s", nickname);
    if (password_file != NULL)
        secret_read(password_file);
    else
        secret_ask(account, wants_register);
    json_t *trial = with_password("login");
    if (trial == NULL)
        options_fail("the nickname or the password is not UTF-8");
    json_decref(trial);
}

static void stop(void)
{
    secret_forget();
}

static json_t *login(void)
{
    json_t *request = with_password("login");
    json_object_set_new(request, "room", json_string(entrance));
    return request;
}

static json_t *enter(const char *nickname, const char *room)
{
    (void)nickname;
    snprintf(entrance, sizeof entrance, "%s", room);
    if (!signs_in)
        return NULL;
    return wants_register ? with_password("register") : login();
}

static bool hear(const json_t *message, const json_t *request)
{
    if (message_is(message, "registered") && message_is(request, "register")) {
        wants_register = false; /* from now on it is the password that counts */
        talk_tell("%s is registered: from now on it is yours with --login", account);
        talk_send(login());
        return true;
    }
    if (strcmp(message_text(message, "code"), "nickname_registered") == 0 &&
        (!signs_in || wants_register))
        talk_tell("if it is yours: --login");
    if (message_is(message, "bye") &&
        strcmp(message_text(message, "reason"), "logged in elsewhere") == 0)
        talk_last();
    return false;
}

const struct talk_extension signin = {
    .options = options, .start = start, .stop = stop, .enter = enter, .hear = hear};
