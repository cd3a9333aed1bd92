/*
 * A chat room for many users, in one thread.
 *
 * It stands on the loop of lesson 10.  The new idea: clients do not get back what they sent, but what others sent.  So what one client
 * does costs every other, and the server must decide who waits, who is cut off, and that nobody else
 * pays for it.
 *
 * Compare with: 10-reactor
 * Left out on purpose: passwords, history, files; see dispatch.h for where they would go.
 */

#include "chat.h"

#include <stddef.h>

int main(int argc, char **argv)
{
    static const struct extension *const none[] = {NULL};
    return chat_run(argc, argv, "a chat room", "chat", none);
}
