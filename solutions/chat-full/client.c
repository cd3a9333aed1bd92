/*
 * The chat room's client, with everything: passwords, history, files, emoji.
 *
 * It is lesson 14's, extended where that can be extended (talk.h): each of these is one more table
 * of commands, and has its say in each message.
 *
 * Compare with: 14-chat's client
 */

#include "emoji_typing.h"
#include "glyph.h"
#include "printable.h"
#include "scrollback.h"
#include "signin.h"
#include "transfer.h"

#include <stddef.h>

int main(int argc, char **argv)
{
    static const struct talk_extension *const all[] = {&signin, &scrollback, &transfer,
                                                       &emoji_typing, NULL};
    printable_columns = glyph_columns;
    return talk_run(argc, argv, "a client of the chat room, with passwords, history and files",
                    all);
}
