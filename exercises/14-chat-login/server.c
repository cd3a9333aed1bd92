/*
 * The chat room in which a nickname can be kept for its owner.
 *
 * Compare with: 14-chat, where it is whoever comes first
 */

#include "chat.h"
#include "login.h"
#include "store.h"

#include <stddef.h>

int main(int argc, char **argv)
{
    static const struct extension *const extensions[] = {&store, &login, NULL};
    return chat_run(argc, argv, "a chat room with accounts", "chat", extensions);
}
