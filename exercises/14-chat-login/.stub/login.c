/* login - a nickname that is registered can be taken only with its password.  See login.h. */

#include "login.h"

#include "accounts.h"
#include "buckets.h"
#include "hasher.h"
#include "hub.h"
#include "notice.h"
#include "options.h"
#include "reserve.h"
#include "server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { NICKNAME_MOST = 24, ROOM_MOST = 32, THREADS_ENOUGH = 4 };

static unsigned long threads = 0, queue = 128;
static unsigned long most_accounts = 100000;
static struct buckets names = {.most = 10, .every = 6}, addresses = {.most = 200, .every = 1};

static const struct option_spec options[] = {
    {"login-threads", "N", OPTION_NUMBER, &threads, 0, 64,
     "threads that hash passwords; 0: a processor is left to the loop"},
    {"login-queue", "N", OPTION_NUMBER, &queue, 1, 100000, "passwords that may wait for them"},
    {"login-attempts", "N", OPTION_NUMBER, &names.most, 1, 10000, "attempts at one nickname"},
    {"login-attempts-address", "N", OPTION_NUMBER, &addresses.most, 1, 10000,
     "attempts from one address, right ones included"},
    {"login-refill", "S", OPTION_DECIMAL, &names.every, 0, 86400,
     "seconds until a nickname has one more"},
    {"login-refill-address", "S", OPTION_DECIMAL, &addresses.every, 0, 86400,
     "seconds until an address has one more"},
    {"login-accounts", "N", OPTION_NUMBER, &most_accounts, 1, 1000000000,
     "nicknames that may be registered"},
    {0},
};

/* [a-processor-for-the-loop] As many threads as processors, and the loop would wait for its turn;
 * a lower priority alone does not spare it that.  A thread at work has 19 MiB: a few are enough. */
static unsigned long thread_count(void)
{
    long spare = sysconf(_SC_NPROCESSORS_ONLN) - 1;
    if (threads > 0)
        return threads;
    return spare < 1 ? 1 : spare < THREADS_ENOUGH ? (unsigned long)spare : THREADS_ENOUGH;
}

/* ---- the fields ----------------------------------------------------------------------------- */

/* What both requests have; it stays where it is as long as the call, the password until it is
 * deleted. */
struct credentials {
    const char *nickname, *password;
    size_t size; /* of the password */
};

/* Read them, and answer what is wrong with them. */
static bool read_credentials(struct call *c, struct credentials *who)
{
    if (call_text(c, "nickname", NULL) == NULL)
        return false;
    who->password = call_text(c, "password", &who->size);
    if (who->password == NULL)
        return false;
    who->nickname = call_name(c, "nickname", NULL, NICKNAME_MOST, "bad_nickname");
    if (who->nickname == NULL)
        return false;
    /* [long-password] Refused before anything is made of it. */
    if (who->size >= PASSWORD_LEAST && who->size <= PASSWORD_MOST)
        return true;
    call_error(c, "bad_request", "A password has 8 to 128 bytes.");
    return false;
}

/* ---- the requests --------------------------------------------------------------------------- */

/* Yours: what a request needs to have with it while its password is hashed, in hasher.c: its call,
 * kept (see call_keep in dispatch.h), and its job.  And a list of them, for the session may go
 * meanwhile. */

static void serve_register(struct call *c)
{
    struct credentials who;
    if (read_credentials(c, &who))
        call_error(c, "unknown_type", "Nobody can register as yet.");
}

static void serve_login(struct call *c)
{
    struct credentials who;
    if (read_credentials(c, &who))
        call_error(c, "unknown_type", "Nobody can log in as yet.");
}

/* ---- the extension -------------------------------------------------------------------------- */

/* May this session take this nickname?  NULL, or the error code that says why not. */
static const char *refuse_nickname(struct session *s, const char *nickname)
{
    (void)s;
    (void)nickname;
    return NULL;
}

/* A session is being buried: its memory is released as soon as this returns. */
static void gone(struct session *s)
{
    (void)s;
}

static int start(struct hub *hub)
{
    buckets_init();
    if (accounts_open(most_accounts) == -1 || passwords_init() == -1)
        return -1;
    return hasher_start(hub->reactor, thread_count(), queue);
}

static void stop(struct hub *hub)
{
    (void)hub;
    hasher_stop();
}

static const struct request login_requests[] = {
    {"register", serve_register, true},
    {"login", serve_login, true},
    {0},
};

const struct extension login = {
    .name = "login",
    .requests = login_requests,
    .options = options,
    .start = start,
    .stop = stop,
    .refuse_nickname = refuse_nickname,
    .gone = gone,
};
