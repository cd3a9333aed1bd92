/*
 * The chat room in which files are passed on.
 *
 * Compare with: 14-chat, which passes on only what is said
 */

#include "chat.h"
#include "files.h"
#include "store.h"

#include <stddef.h>

int main(int argc, char **argv)
{
    static const struct extension *const extensions[] = {&store, &files, NULL};
    return chat_run(argc, argv, "a chat room that passes files on", "chat", extensions);
}
