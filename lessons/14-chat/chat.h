/*
 * chat - the chat room as a program: options, listener, signals, loop.
 */
#ifndef CHAT_H
#define CHAT_H

struct extension;

/*
 * chat_run - be a chat server until SIGINT or SIGTERM; what main returns.
 *
 * summary     one line for --help
 * model       what the line "listening on" calls it
 * extensions  what it can do beyond lesson 14, NULL at the end
 */
int chat_run(int argc, char **argv, const char *summary, const char *model,
             const struct extension *const *extensions);

#endif
