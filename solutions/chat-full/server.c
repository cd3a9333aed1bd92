/*
 * The chat room with all its extensions.
 *
 * Compare with: 14-chat, which has none
 */

#include "chat.h"
#include "emoji.h"
#include "files.h"
#include "history.h"
#include "login.h"
#include "store.h"

#include <stddef.h>

int main(int argc, char **argv)
{
    static const struct extension *const extensions[] = {&store,   &login, &emoji,
                                                         &history, &files, NULL};
    return chat_run(argc, argv, "a chat room with accounts, a history, files and emoji", "chat",
                    extensions);
}
