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

#ifdef STUB
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
#else
/* ---- attempts ------------------------------------------------------------------------------- */

/* A request whose password is being hashed. */
struct attempt {
    struct hash_job job; /* the first member: it is what comes back */
    struct call call;    /* its session is NULL once that is gone */
    bool known;          /* login: somebody has registered this nickname */
    uint32_t name, address;
    struct attempt *next, *previous;
};

static struct attempt *attempts; /* all of them */
static char nobodys_hash[HASH_SIZE];

static const char too_many[] = "Too many attempts: try again later.";
static const char too_busy[] = "Too many others are logging in: try again.";
static const char all_taken[] = "There are as many accounts as there may be.";
static const char unwritten[] = "Accounts cannot be read or written now: try again later.";

static void attempt_end(struct attempt *a)
{
    struct call call = a->call;
    if (a->next != NULL)
        a->next->previous = a->previous;
    if (a->previous != NULL)
        a->previous->next = a->next;
    else
        attempts = a->next;
    sodium_memzero(a, sizeof *a);
    free(a);
    if (call.session != NULL)
        call_end(&call); /* the last thing: it serves what the client has sent meanwhile */
}

/* [charge] Before the hash, for otherwise many attempts at once would all be free; and whether or
 * not there is such a nickname, or it could be asked for in this way.  [right-costs] A right password
 * gives back what it took from the nickname, whose owner may come as often as he likes, and not what
 * it took from the address: one who has a few accounts would keep the queue full with logins that
 * are all right, and everybody else out.  A class of 200 behind one address has a token for each,
 * and so has one that comes back a few minutes later.  Returns false after it has been refused. */
static bool charge(struct attempt *a, struct call *c, const char *nickname)
{
    a->name = bucket_of_name(nickname);
    a->address = bucket_of_address(c->session->connection.number);
    if (buckets_take(&addresses, a->address)) {
        if (a->job.make || buckets_take(&names, a->name))
            return true;
        buckets_give(&addresses, a->address);
    }
    call_error(c, "busy", too_many);
    return false;
}

/* It shall not count: it was no attempt at all. */
static void discharge(const struct attempt *a)
{
    buckets_give(&addresses, a->address);
    if (!a->job.make)
        buckets_give(&names, a->name);
}

/* Let a password be hashed.  Takes a over. */
static void attempt_start(struct attempt *a, struct call *c, const struct credentials *who)
{
    if (!charge(a, c, who->nickname)) {
        free(a);
        return;
    }
    a->job.size = who->size;
    memcpy(a->job.password, who->password, who->size);
    json_object_del(c->body, "password"); /* one copy is enough; and the body is kept */
    if (!hasher_put(&a->job)) {
        discharge(a);
        sodium_memzero(a, sizeof *a);
        free(a);
        call_error(c, "busy", too_busy);
        return;
    }
    a->call = call_keep(c);
    a->next = attempts;
    if (attempts != NULL)
        attempts->previous = a;
    attempts = a;
}

static struct attempt *attempt_new(struct call *c, bool make, reactor_call *done)
{
    struct attempt *a = calloc(1, sizeof *a);
    if (a == NULL) {
        call_error(c, "busy", "Memory is short: try again.");
        return NULL;
    }
    a->job.make = make;
    a->job.done = done;
    return a;
}

/* Whether somebody waits for the answer. */
static bool is_awaited(const struct attempt *a)
{
    return a->call.session != NULL && call_is_open(&a->call);
}

static const char *wanted_nickname(struct call *c)
{
    return json_string_value(json_object_get(c->body, "nickname"));
}

/* Another session has this nickname now. */
static bool is_in_use(const struct call *c, const char *nickname)
{
    const struct session *owner = hub_find_user(c->hub, nickname);
    return owner != NULL && owner != c->session;
}

/* ---- register ------------------------------------------------------------------------------- */

/* The password has been hashed. */
static void finish_register(struct call *c, const struct hash_job *j)
{
    const char *nickname = wanted_nickname(c);
    /* [again] Somebody else may have been here while it was hashed: of two who register at once
     * the one whose row is there first has it. */
    if (is_in_use(c, nickname)) {
        call_error(c, "nickname_taken", "Somebody else has this nickname.");
    } else if (j->verdict == PASSWORD_FAILED) {
        call_error(c, "busy", "Memory is short: try again.");
    } else if (accounts_add(c->hub, nickname, j->hash) == 0) {
        server_report("client %d: registered %s", c->session->connection.number, nickname);
        call_reply(c, json_pack("{ss ss ss}", "type", "registered", "nickname", nickname,
                                "timestamp", notice_time()));
    } else if (errno == EEXIST) {
        call_error(c, "nickname_registered", "Somebody has registered this nickname.");
    } else {
        call_error(c, "busy", errno == ENOSPC ? all_taken : unwritten);
    }
}

static void registered(struct reactor *r, void *job)
{
    struct attempt *a = job;
    (void)r;
    if (is_awaited(a))
        finish_register(&a->call, &a->job);
    attempt_end(a);
}

static void serve_register(struct call *c)
{
    struct credentials who;
    if (!read_credentials(c, &who))
        return;
    int found = accounts_find(who.nickname, NULL);
    if (found == 1) {
        call_error(c, "nickname_registered", "Somebody has registered this nickname.");
    } else if (found == -1) {
        call_error(c, "busy", unwritten);
    } else if (is_in_use(c, who.nickname)) {
        call_error(c, "nickname_taken", "Somebody else has this nickname.");
    } else {
        struct attempt *a = attempt_new(c, true, registered);
        if (a != NULL)
            attempt_start(a, c, &who);
    }
}

/* ---- login ---------------------------------------------------------------------------------- */

/* [replace] The owner is here, so whoever has the nickname goes: it is he himself, on a connection
 * that he has lost, perhaps without our having noticed yet. */
static void replace(struct session *old)
{
    session_finish(old, "connection lost", "logged in elsewhere");
    session_leave_rooms(old,
                        "connection lost"); /* if it had ended already: it still has its name */
}

static void finish_login(struct attempt *a)
{
    struct call *c = &a->call;
    if (a->job.verdict == PASSWORD_FAILED) {
        discharge(a);
        call_error(c, "busy", "Memory is short: try again.");
        return;
    }
    if (!a->known || a->job.verdict != PASSWORD_RIGHT) {
        call_error(c, "bad_credentials", "The nickname or the password is wrong.");
        return;
    }
    buckets_give(&names, a->name); /* see [right-costs] */
    struct session *old = hub_find_user(c->hub, wanted_nickname(c));
    if (old != NULL)
        replace(old);
    const json_t *room = json_object_get(c->body, "room");
    if (call_is_open(c))
        call_join(c, wanted_nickname(c), room != NULL ? json_string_value(room) : "lobby");
}

static void checked(struct reactor *r, void *job)
{
    struct attempt *a = job;
    (void)r;
    if (is_awaited(a))
        finish_login(a);
    attempt_end(a);
}

static void serve_login(struct call *c)
{
    struct credentials who;
    if (session_joined(c->session)) {
        call_error(c, "already_joined", "You have joined already; nick changes the nickname.");
        return;
    }
    if (!read_credentials(c, &who) || call_name(c, "room", "lobby", ROOM_MOST, "bad_room") == NULL)
        return;
    struct attempt *a = attempt_new(c, false, checked);
    if (a == NULL)
        return;
    int found = accounts_find(who.nickname, a->job.hash);
    if (found == -1) {
        free(a);
        call_error(c, "busy", unwritten);
        return;
    }
    /* [same-work] Where there is nobody, somebody is made up: an answer that came at once would
     * tell which nicknames are worth guessing at. */
    a->known = found == 1;
    if (!a->known)
        memcpy(a->job.hash, nobodys_hash, HASH_SIZE);
    attempt_start(a, c, &who);
}

/* ---- the extension -------------------------------------------------------------------------- */

/* May this session take this nickname?  NULL, or the error code that says why not.  A session that
 * has it already only spells it in another way.  When that cannot be told, nobody gets it. */
static const char *refuse_nickname(struct session *s, const char *nickname)
{
    if (hub_find_user(s->hub, nickname) == s)
        return NULL;
    int found = accounts_find(nickname, NULL);
    return found == 0 ? NULL : found == 1 ? "nickname_registered" : "busy";
}

/* A session is being buried: its memory is released as soon as this returns.  [orphan] The job is
 * still the hasher's, so it is left alone: it finds out when it comes back. */
/* cppcheck-suppress constParameter ; a member of struct extension */
static void gone(struct session *s)
{
    for (struct attempt *a = attempts; a != NULL; a = a->next)
        if (a->call.session == s) {
            call_end(&a->call);
            a->call.session = NULL;
        }
}

static int start(struct hub *hub)
{
    char nobody[PASSWORD_LEAST];
    buckets_init();
    if (accounts_open(most_accounts) == -1 || passwords_init() == -1)
        return -1;
    /* [wipe] Passwords come by in what is received, and in what the parser makes of it. */
    hub->wipes = reserve_wipes = true;
    randombytes_buf(nobody, sizeof nobody);
    if (password_hash(nobodys_hash, nobody, sizeof nobody) == PASSWORD_FAILED) {
        errno = ENOMEM;
        return -1;
    }
    return hasher_start(hub->reactor, thread_count(), queue);
}

/* All sessions are gone; some jobs may not be. */
static void stop(struct hub *hub)
{
    (void)hub;
    hasher_stop();
    for (struct attempt *a = attempts, *next; a != NULL; a = next) {
        next = a->next;
        attempt_end(a);
    }
}
#endif

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
