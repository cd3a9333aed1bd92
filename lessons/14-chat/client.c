/*
 * The chat room's client: for people at a terminal, and for scripts as a filter.
 *
 * The new idea: a program at a terminal waits for two at once, the user and the server, and neither
 * may wait for the other.  So it stands on the same reactor as the server does, and what strangers
 * send is made harmless before it reaches the terminal (printable.h).
 *
 * Compare with: 01-blocking's client, which waits in each call.
 * Left out on purpose: TLS, and names that are resolved anew after a loss (link.h); passwords,
 * history, files: see talk.h for where they would go.
 */

#include "talk.h"

#include <stddef.h>

int main(int argc, char **argv)
{
    static const struct talk_extension *const none[] = {NULL};
    return talk_run(argc, argv, "a client of the chat room", none);
}
