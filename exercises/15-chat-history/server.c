/*
 * The chat room that remembers what was said.
 *
 * Compare with: 14-chat, which forgets it
 */

#include "chat.h"
#include "history.h"
#include "store.h"

#include <stddef.h>

int main(int argc, char **argv)
{
    static const struct extension *const extensions[] = {&store, &history, NULL};
    return chat_run(argc, argv, "a chat room with a history", "chat", extensions);
}
