/*
 * chat_test - the chat room's server, held against the protocol page from outside.
 *
 *   chat_test [--server PROGRAM [ARGUMENT...]]
 *
 * PROGRAM is lessons/14-chat/server unless it is given, here or as CHAT_SERVER; each server that is
 * started also gets the arguments.  Any program that keeps the page and has the options can be put
 * to these tests.  CK_RUN_CASE=requests in the environment runs one group alone.
 *
 * Every test starts a server of its own, on a free port, and at the end stops it with SIGTERM: it
 * must exit 0 and no sanitizer may complain.  A test that waits for nothing to happen sends a ping,
 * whose pong must be the next that comes.
 */

#include "chat_suite.h"
#include "die.h"
#include "testkit/sanitizer.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || SANITIZER_HAS(address_sanitizer)
#include <sanitizer/lsan_interface.h>
#define IGNORE_OWN_LEAKS() __lsan_disable()
#else
#define IGNORE_OWN_LEAKS() (void)0
#endif

/* The server that was built beside this test. */
static const char *built_server(void)
{
    static char path[PATH_MAX + 16];
    if (readlink("/proc/self/exe", path, PATH_MAX - 1) == -1)
        die("/proc/self/exe");
    for (int i = 0; i < 2; i++) /* tests/chat_test */
        *strrchr(path, '/') = '\0';
    strncat(path, "/server", sizeof path - strlen(path) - 1);
    return path;
}

static void choose_server(char **argv)
{
    const char *named = getenv("CHAT_SERVER");
    if (argv[1] != NULL && strcmp(argv[1], "--server") == 0 && argv[2] != NULL) {
        chat_program = argv[2];
        chat_arguments = (const char *const *)argv + 3;
        room_extensions = true; /* it may have some */
    } else if (argv[1] != NULL) {
        fprintf(stderr, "usage: chat_test [--server PROGRAM [ARGUMENT...]]\n");
        exit(2);
    } else {
        chat_program = named != NULL ? named : built_server();
    }
    if (access(chat_program, X_OK) == -1)
        die("%s", chat_program);
}

int main(int argc, char **argv)
{
    (void)argc;
    choose_server(argv);
    /* A test may end with messages that nobody has looked at: no leak that matters.  The server is
     * another program, and judged. */
    IGNORE_OWN_LEAKS();
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    Suite *suite = suite_create("chat");
    chat_requests(suite);
    chat_refusals(suite);
    chat_framing(suite);
    chat_order(suite);
    chat_limits(suite);
    chat_hostile(suite);
    chat_crowds(suite);
    chat_operation(suite);
    return suite_run("chat", suite, NULL);
}
