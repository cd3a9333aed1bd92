/*
 * The chat room in which short codes become emoji.
 *
 * Compare with: 14-chat, which says what was typed
 */

#include "chat.h"
#include "emoji.h"

#include <stddef.h>

int main(int argc, char **argv)
{
    static const struct extension *const extensions[] = {&emoji, NULL};
    return chat_run(argc, argv, "a chat room with emoji", "chat", extensions);
}
