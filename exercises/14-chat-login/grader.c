/*
 * The grader of exercise 14: nicknames that are kept for their owners.
 *
 * How long a hash takes is the subject here, and no check looks at a clock for it: what is
 * compared is the CPU time of the program's threads, as the kernel counts it, and who has used it.
 * What has to happen at the same time is sent while the program is stopped, so that it finds all
 * of it at once.
 */

#include "grader/grade.h"
#include "grader/scene.h"

#include "testkit/memory.h"
#include "tests/room_peer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    CROWD = 40,  /* logins at once */
    TEXT = 4096, /* of a list of arguments, or a path */
};

static const char right[] = "correct horse battery";
static const char wrong[] = "incorrect horse battery";

/* As trial_ok; but if a sanitizer has ended the program, that is what came. */
static bool is_well(struct trial *t, int client, bool well)
{
    const char *complaint = well ? NULL : trial_complaint(t);
    return complaint != NULL ? trial_fail(t, client, "%s", complaint) : trial_ok(t, client, well);
}

/* Steps of a talk: false with the verdict. */
#define SAY(t, p, ...)    is_well(t, (p)->fd, room_say(p, __VA_ARGS__))
#define EXPECT(t, p, ...) is_well(t, (p)->fd, room_expect(p, __VA_ARGS__))

/* ---- the server ----------------------------------------------------------------------------- */

/* Start it with these arguments and with the data folder of that number: 0, 1, 2 ... of this
 * check. */
static bool serve(struct trial *t, int folder, const char *const arguments[])
{
    const char *all[24] = {"--rate", "0", "--data"};
    char path[TEXT], shown[TEXT] = "";
    size_t count = 3;
    const char *above = trial_folder(t);
    if (above == NULL)
        return false;
    snprintf(path, sizeof path, "%s/%d", above, folder);
    all[count++] = path;
    for (; *arguments != NULL; arguments++) {
        size_t length = strlen(shown);
        snprintf(shown + length, sizeof shown - length, " %s", *arguments);
        all[count++] = *arguments;
    }
    room_extensions = true;
    room_close_all();
    trial_step(t, "server --data DIR%s", shown);
    return trial_serve(t, "server", all);
}
#define SERVE(t, folder, ...) serve(t, folder, SUBJECT_ARGS(__VA_ARGS__))

static bool stop(struct trial *t)
{
    room_close_all();
    return trial_stop(t);
}

static bool come(struct trial *t, struct room_peer *p, const char *name)
{
    return trial_ok(t, -1, room_connect(p, name, &t->s));
}

/* Come, and join the lobby. */
static bool join(struct trial *t, struct room_peer *p, const char *name)
{
    if (!come(t, p, name) || !SAY(t, p, "{'type':'join','nickname':'%s'}", name))
        return false;
    json_t *welcome = room_next_of(p, "welcome");
    json_decref(welcome);
    return trial_ok(t, p->fd, welcome != NULL);
}

/* The next message is an error with this code; else what it means that it is not. */
static bool refused(struct trial *t, struct room_peer *p, const char *code, const char *meaning)
{
    return room_expect_error(p, code, NULL) ||
           trial_fail(t, p->fd, "%s: %s", fault_text(), meaning);
}

static bool enrol(struct trial *t, struct room_peer *p, const char *nickname, const char *password)
{
    return SAY(t, p, "{'type':'register','nickname':'%s','password':'%s'}", nickname, password) &&
           EXPECT(t, p, "{'type':'registered','nickname':'%s'}", nickname);
}

/* A peer who comes only to register, and goes. */
static bool enrol_one(struct trial *t, const char *nickname, const char *password)
{
    struct room_peer p = {.fd = -1};
    bool done = come(t, &p, nickname) && enrol(t, &p, nickname, password);
    room_close(&p);
    return done;
}

static bool ask_login(struct trial *t, struct room_peer *p, const char *nickname,
                      const char *password)
{
    return SAY(t, p, "{'type':'login','nickname':'%s','password':'%s'}", nickname, password);
}

/* The answer to a login that is right: into the lobby. */
static bool is_welcomed(struct trial *t, struct room_peer *p, const char *nickname)
{
    json_t *welcome = room_next_of(p, "welcome");
    bool same = welcome != NULL && strcmp(room_text(welcome, "nickname"), nickname) == 0;
    if (welcome != NULL && !same)
        fault("%s: welcomed as %s", p->name, room_text(welcome, "nickname"));
    json_decref(welcome);
    return is_well(t, p->fd, same);
}

/* ---- the checks ----------------------------------------------------------------------------- */

struct refusal {
    const char *line, *code, *meaning;
};

static const char p128[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
                           "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

static bool refuses_what_is_wrong(struct trial *t, struct room_peer *p)
{
    static const struct refusal refusals[] = {
        {"{'type':'register','nickname':'zoe'}", "bad_request", "there is no password"},
        {"{'type':'register','nickname':'zoe','password':12345678}", "bad_request",
         "the password is no string"},
        {"{'type':'register','nickname':'z o e','password':'12345678'}", "bad_nickname",
         "a nickname has no space"},
        {"{'type':'register','nickname':'zoe','password':'1234567'}", "bad_request",
         "a password has 8 bytes at least"},
        {"{'type':'register','nickname':'Ann','password':'12345678'}", "nickname_registered",
         "ann has registered this nickname"},
        {"{'type':'login','nickname':'ann','password':'1234567'}", "bad_request",
         "a password has 8 bytes at least"},
        {"{'type':'login','nickname':'ann','password':'12345678','room':'a room'}", "bad_room",
         "a room's name has no space"},
    };
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        trial_step(t, "%s", refusals[i].line);
        trial_expect(t, "the error %s", refusals[i].code);
        if (!SAY(t, p, "%s", refusals[i].line) ||
            !refused(t, p, refusals[i].code, refusals[i].meaning))
            return false;
    }
    trial_step(t, "a password of 129 bytes is to be registered, then one of 128");
    trial_expect(t, "bad_request, then registered");
    return SAY(t, p, "{'type':'register','nickname':'zoe','password':'x%s'}", p128) &&
           refused(t, p, "bad_request", "a password has 128 bytes at most") &&
           enrol(t, p, "zoe", p128);
}

static void judge_registers(struct trial *t)
{
    struct room_peer ann = {.fd = -1}, bob = {.fd = -1}, eve = {.fd = -1};
    trial_expect(t, "registered; and then a welcome for who knows the password");
    if (!SERVE(t, 0, NULL) || !join(t, &bob, "bob"))
        return;
    trial_step(t, "ann registers, before she has joined");
    if (!come(t, &ann, "ann") ||
        !SAY(t, &ann, "{'type':'register','nickname':'ann','password':'%s','id':7}", right) ||
        !EXPECT(t, &ann, "{'type':'registered','nickname':'ann','id':7}"))
        return;
    trial_step(t, "ann logs in to a room");
    if (!SAY(t, &ann, "{'type':'login','nickname':'ann','password':'%s','room':'den','id':8}",
             right) ||
        !EXPECT(t, &ann,
                "{'type':'welcome','nickname':'ann','room':'den','users':['ann'],'id':8}") ||
        !SAY(t, &ann, "{'type':'message','content':'hello'}") ||
        !EXPECT(t, &ann, "{'type':'broadcast','from':'ann','room':'den','content':'hello'}"))
        return;
    trial_step(t, "ann logs in once more on the same connection");
    if (!ask_login(t, &ann, "ann", right) ||
        !refused(t, &ann, "already_joined", "she has a nickname here already"))
        return;
    trial_step(t, "bob, who has joined, registers the nickname that he has");
    if (!enrol(t, &bob, "bob", right) || !come(t, &eve, "eve") || !refuses_what_is_wrong(t, &eve))
        return;
    trial_step(t, "kill -9; and the server starts again on the same folder");
    trial_kill(t);
    trial_expect(t, "that who was registered is so still");
    if (!SERVE(t, 0, NULL) || !come(t, &ann, "ann") || !ask_login(t, &ann, "ann", right) ||
        !is_welcomed(t, &ann, "ann") || !come(t, &bob, "bob") || !ask_login(t, &bob, "zoe", p128) ||
        !is_welcomed(t, &bob, "zoe"))
        return;
    trial_step(t, "the server is told to end when all of its threads sleep");
    if (!trial_ok(t, -1, trial_quiet(t, 20)) || !stop(t))
        return;
    trial_pass(t,
               "ann, bob and zoe registered, and logged in again after a kill -9; 8 wrong requests "
               "were refused, each with its code");
}

static void judge_owner_only(struct trial *t)
{
    static const char *const spellings[] = {"ann", "ANN", "aNn"};
    struct room_peer ann = {.fd = -1}, bob = {.fd = -1}, eve = {.fd = -1};
    trial_expect(t, "nickname_registered for everybody but ann, however it is spelled");
    if (!SERVE(t, 0, NULL) || !enrol_one(t, "ann", right) || !come(t, &eve, "eve"))
        return;
    for (size_t i = 0; i < 3; i++) {
        trial_step(t, "eve joins as %s", spellings[i]);
        if (!SAY(t, &eve, "{'type':'join','nickname':'%s'}", spellings[i]) ||
            !refused(t, &eve, "nickname_registered",
                     "ann has registered it, and eve may join as "
                     "ann"))
            return;
    }
    trial_step(t, "eve logs in as ann with a wrong password");
    if (!ask_login(t, &eve, "ann", wrong) ||
        !refused(t, &eve, "bad_credentials", "the password is wrong") ||
        !SAY(t, &eve, "{'type':'list_users'}") ||
        !EXPECT(t, &eve, "{'type':'users','room':null,'users':[]}"))
        return;
    trial_step(t, "eve joins as eve, and asks nick for ann");
    if (!SAY(t, &eve, "{'type':'join','nickname':'eve'}") || !is_welcomed(t, &eve, "eve"))
        return;
    for (size_t i = 0; i < 3; i++)
        if (!SAY(t, &eve, "{'type':'nick','nickname':'%s'}", spellings[i]) ||
            !refused(t, &eve, "nickname_registered",
                     "ann has registered it, and eve gets it with nick"))
            return;
    trial_step(t, "ann logs in, and spells her nickname in another way");
    trial_expect(t, "nick_changed: it is hers");
    if (!come(t, &ann, "ann") || !ask_login(t, &ann, "ann", right) ||
        !is_welcomed(t, &ann, "ann") ||
        !EXPECT(t, &eve, "{'type':'user_joined','nickname':'ann','room':'lobby'}") ||
        !SAY(t, &ann, "{'type':'nick','nickname':'Ann'}"))
        return;
    if (!room_expect(&ann, "{'type':'nick_changed','old':'ann','nickname':'Ann'}")) {
        trial_fail(t, ann.fd, "%s: a session may spell its own nickname in another way",
                   fault_text());
        return;
    }
    trial_step(t, "ann leaves, and eve asks for her nickname again");
    trial_expect(t, "nickname_registered: it is ann's also when she is away");
    if (!EXPECT(t, &eve, "{'type':'nick_changed','old':'ann','nickname':'Ann'}") ||
        !SAY(t, &ann, "{'type':'quit'}") || !EXPECT(t, &ann, "{'type':'bye','reason':'quit'}") ||
        !EXPECT(t, &eve, "{'type':'user_left','nickname':'Ann','room':'lobby','reason':'quit'}") ||
        !SAY(t, &eve, "{'type':'nick','nickname':'ann'}") ||
        !refused(t, &eve, "nickname_registered", "ann has registered it"))
        return;
    trial_step(t, "bob joins, and eve registers Bob");
    trial_expect(t, "nickname_taken: somebody else has it now");
    if (!join(t, &bob, "bob") ||
        !EXPECT(t, &eve, "{'type':'user_joined','nickname':'bob','room':'lobby'}") ||
        !SAY(t, &eve, "{'type':'register','nickname':'Bob','password':'%s'}", right) ||
        !refused(t, &eve, "nickname_taken", "bob has this nickname now, and eve may register it") ||
        !stop(t))
        return;
    trial_pass(t,
               "a registered nickname was refused to join, nick and register, in 3 spellings; its "
               "owner could spell it as she likes");
}

/* ---- what it costs -------------------------------------------------------------------------- */

/* The CPU time of all its threads until now. */
static int64_t cpu_of_all(struct trial *t)
{
    return trial_look(t)->cpu_ns;
}

/* And of the thread that main runs in: the loop's. */
static int64_t cpu_of_loop(struct trial *t)
{
    const struct trial_view *view = trial_look(t);
    for (int i = 0; i < view->task_count; i++)
        if (view->tasks[i].tid == (int)t->s.pid)
            return view->tasks[i].cpu_ns;
    return 0;
}

static double ms(int64_t ns)
{
    return (double)ns / 1e6;
}

/* Log in, and take the answer; *work is increased by what it cost. */
static json_t *answer_of(struct trial *t, struct room_peer *p, const char *nickname,
                         const char *password, int64_t *work)
{
    const int64_t before = cpu_of_all(t);
    if (!ask_login(t, p, nickname, password))
        return NULL;
    json_t *answer = room_next_of(p, "error");
    if (!is_well(t, p->fd, answer != NULL))
        return NULL;
    *work += cpu_of_all(t) - before;
    json_object_del(answer, "timestamp");
    return answer;
}

static bool are_same(struct trial *t, const struct room_peer *p, json_t *known, json_t *unknown)
{
    if (known == NULL || unknown == NULL)
        return false;
    if (strcmp(room_text(known, "code"), "bad_credentials") != 0)
        return trial_fail(t, p->fd, "a wrong password got %s, and not bad_credentials",
                          room_text(known, "code"));
    return json_equal(known, unknown) ||
           trial_fail(t, p->fd,
                      "a wrong password got %s \"%s\", and an unknown nickname %s \"%s\": so the "
                      "answer tells which nicknames there are",
                      room_text(known, "code"), room_text(known, "message"),
                      room_text(unknown, "code"), room_text(unknown, "message"));
}

static void judge_same_answer(struct trial *t)
{
    enum { ROUNDS = 6 };
    struct room_peer eve = {.fd = -1};
    int64_t known = 0, unknown = 0, too_long = 0;
    char nickname[32];
    trial_expect(t, "one answer, after the same work");
    if (!SERVE(t, 0, "--login-attempts", "1000", "--login-attempts-address", "1000") ||
        !enrol_one(t, "ann", right) || !come(t, &eve, "eve"))
        return;
    trial_step(t, "%d times: a wrong password for ann; and the same for a nickname that nobody has",
               ROUNDS);
    for (int i = 0; i < ROUNDS; i++) {
        snprintf(nickname, sizeof nickname, "nobody-%d", i);
        json_t *first = answer_of(t, &eve, "ann", wrong, &known);
        json_t *second = first != NULL ? answer_of(t, &eve, nickname, wrong, &unknown) : NULL;
        bool same = are_same(t, &eve, first, second);
        json_decref(first);
        json_decref(second);
        if (!same)
            return;
    }
    if (known < (int64_t)ROUNDS * 1000000) {
        trial_fail(t, eve.fd, "%d wrong passwords took %.1f ms of CPU time: they were not hashed",
                   ROUNDS, ms(known));
        return;
    }
    if (unknown < known / 3 || unknown > known * 3) {
        trial_fail(t, eve.fd,
                   "%d wrong passwords took %.1f ms of CPU time, and as many unknown nicknames "
                   "%.1f: the time of the answer tells which nicknames there are",
                   ROUNDS, ms(known), ms(unknown));
        return;
    }
    trial_step(t, "%d times: a password of 129 bytes", ROUNDS);
    trial_expect(t, "bad_request, and no hash");
    for (int i = 0; i < ROUNDS; i++) {
        const int64_t before = cpu_of_all(t);
        if (!SAY(t, &eve, "{'type':'login','nickname':'ann','password':'x%s'}", p128) ||
            !refused(t, &eve, "bad_request", "a password has 128 bytes at most"))
            return;
        too_long += cpu_of_all(t) - before;
    }
    if (too_long > known / 3) {
        trial_fail(t, eve.fd,
                   "%d passwords that are too long took %.1f ms of CPU time, and as many of the "
                   "right length %.1f: they were hashed before they were refused",
                   ROUNDS, ms(too_long), ms(known));
        return;
    }
    if (stop(t))
        trial_pass(
            t,
            "%d wrong passwords took %.0f ms of CPU time, %d unknown nicknames %.0f; and the "
            "answers were the same",
            ROUNDS, ms(known), ROUNDS, ms(unknown));
}

/* ---- many at once --------------------------------------------------------------------------- */

static struct room_peer crowd[CROWD]; /* who come together */

/* Count clients come, the server stands still, and each logs in as somebody of its own. */
static bool log_in_together(struct trial *t, size_t count)
{
    char name[32];
    for (size_t i = 0; i < count; i++) {
        snprintf(name, sizeof name, "guest-%zu", i);
        if (!come(t, &crowd[i], name))
            return false;
    }
    if (!scene_freeze(t))
        return false;
    trial_step(t, "%zu clients log in at the same time, each under a nickname of its own", count);
    for (size_t i = 0; i < count; i++)
        if (!ask_login(t, &crowd[i], crowd[i].name, wrong))
            return false;
    return true;
}

/* How often each of the two answers came. */
struct answers {
    size_t checked, busy;
};

static bool answers_of(struct trial *t, size_t count, struct answers *sum)
{
    *sum = (struct answers){0};
    for (size_t i = 0; i < count; i++) {
        json_t *answer = room_next_of(&crowd[i], "error");
        if (!is_well(t, crowd[i].fd, answer != NULL))
            return false;
        char code[32];
        snprintf(code, sizeof code, "%s", room_text(answer, "code"));
        json_decref(answer);
        if (strcmp(code, "bad_credentials") == 0)
            sum->checked++;
        else if (strcmp(code, "busy") == 0)
            sum->busy++;
        else
            return trial_fail(t, crowd[i].fd, "%s: an error %s, and not bad_credentials or busy",
                              crowd[i].name, code);
    }
    return true;
}

static void judge_off_the_loop(struct trial *t)
{
    enum { LOGINS = 20 };
    struct room_peer bob = {.fd = -1};
    struct answers sum;
    trial_expect(t, "that others are served meanwhile: the loop does not hash");
    if (!SERVE(t, 0, "--login-threads", "2", "--login-attempts-address", "1000") ||
        !join(t, &bob, "bob") || !log_in_together(t, LOGINS))
        return;
    trial_step(t, "bob says something");
    if (!SAY(t, &bob, "{'type':'message','content':'meanwhile'}"))
        return;
    const int64_t all_before = cpu_of_all(t), loop_before = cpu_of_loop(t);
    if (!scene_thaw(t) ||
        !EXPECT(t, &bob,
                "{'type':'broadcast','from':'bob','room':'lobby','content':'meanwhile'}") ||
        !answers_of(t, LOGINS, &sum))
        return;
    const int64_t loop = cpu_of_loop(t) - loop_before, all = cpu_of_all(t) - all_before;
    if (sum.busy > 0) {
        trial_fail(t, -1, "%zu of %d logins were refused as busy, and the queue has room for 128",
                   sum.busy, LOGINS);
    } else if (all < (int64_t)LOGINS * 1000000) {
        trial_fail(t, -1, "%d logins took %.1f ms of CPU time: the passwords were not hashed",
                   LOGINS, ms(all));
    } else if (loop > all / 3) {
        trial_fail(t, bob.fd,
                   "of %.0f ms of CPU time for %d logins the loop's own thread has used %.0f: it "
                   "hashes itself, and bob, and everybody else, waits for it",
                   ms(all), LOGINS, ms(loop));
    } else if (stop(t)) {
        trial_pass(t, "%d logins took %.0f ms of CPU time, and the loop's own thread %.1f of them",
                   LOGINS, ms(all), ms(loop));
    }
}

static void judge_bounded_queue(struct trial *t)
{
    enum { ROOM = 4 };
    struct answers sum;
    struct room_peer ann = {.fd = -1};
    trial_expect(t, "that %d wait and some are refused as busy; and that each gets an answer",
                 ROOM);
    if (!SERVE(t, 0, "--login-threads", "1", "--login-queue", "4", "--login-attempts-address",
               "1000") ||
        !enrol_one(t, "ann", right) || !log_in_together(t, CROWD) || !scene_thaw(t) ||
        !answers_of(t, CROWD, &sum))
        return;
    if (sum.busy == 0) {
        trial_fail(
            t, -1,
            "all %d were let in, and --login-queue is %d: without a bound whoever sends many "
            "logins fills the memory, and all others wait behind them",
            CROWD, ROOM);
        return;
    }
    if (sum.checked < ROOM) {
        trial_fail(t, -1, "only %zu of %d logins were not refused, and there is room for %d",
                   sum.checked, CROWD, ROOM);
        return;
    }
    trial_step(t, "when the queue is empty again, ann logs in");
    trial_expect(t, "a welcome");
    if (come(t, &ann, "ann") && ask_login(t, &ann, "ann", right) && is_welcomed(t, &ann, "ann") &&
        stop(t))
        trial_pass(t,
                   "of %d logins at once %zu were checked and %zu refused as busy; the next one "
                   "was served",
                   CROWD, sum.checked, sum.busy);
}

/* ---- two who want the same ------------------------------------------------------------------ */

/* Both register the nickname at the same time.  Exactly one has it, and it is the one who is told
 * so. */
static bool race(struct trial *t, const char *nickname)
{
    static const char *const passwords[] = {"what ann has chosen", "what bob has chosen"};
    struct room_peer two[2] = {{.fd = -1}, {.fd = -1}};
    int winner = -1;
    if (!come(t, &two[0], "ann") || !come(t, &two[1], "bob") || !scene_freeze(t))
        return false;
    trial_step(t, "ann and bob register %s at the same time", nickname);
    for (int i = 0; i < 2; i++)
        if (!SAY(t, &two[i], "{'type':'register','nickname':'%s','password':'%s'}", nickname,
                 passwords[i]))
            return false;
    if (!scene_thaw(t))
        return false;
    for (int i = 0; i < 2; i++) {
        json_t *answer = room_next(&two[i]);
        if (!is_well(t, two[i].fd, answer != NULL))
            return false;
        bool won = strcmp(room_text(answer, "type"), "registered") == 0;
        bool lost = strcmp(room_text(answer, "code"), "nickname_registered") == 0;
        json_decref(answer);
        if (!won && !lost)
            return trial_fail(t, two[i].fd, "%s got neither registered nor nickname_registered",
                              two[i].name);
        if (won && winner != -1)
            return trial_fail(t, two[i].fd,
                              "both were told that %s is theirs: it was free when each of them "
                              "asked, and when the hash is there that has to be looked at again",
                              nickname);
        winner = won ? i : winner;
    }
    if (winner == -1)
        return trial_fail(t, -1, "neither of them has got the nickname, and it was free");
    trial_step(t, "each of them logs in with his password");
    if (!ask_login(t, &two[1 - winner], nickname, passwords[1 - winner]) ||
        !refused(t, &two[1 - winner], "bad_credentials", "the nickname is the other one's") ||
        !ask_login(t, &two[winner], nickname, passwords[winner]) ||
        !is_welcomed(t, &two[winner], nickname))
        return false;
    room_close(&two[0]);
    room_close(&two[1]);
    return true;
}

static void judge_two_at_once(struct trial *t)
{
    enum { RACES = 5 };
    struct room_peer ann = {.fd = -1}, bob = {.fd = -1};
    char nickname[32];
    trial_expect(t, "that exactly one of them gets it");
    if (!SERVE(t, 0, "--login-attempts-address", "1000"))
        return;
    for (int i = 0; i < RACES; i++) {
        snprintf(nickname, sizeof nickname, "prize-%d", i);
        if (!race(t, nickname))
            return;
    }
    trial_expect(t, "nickname_taken for ann: when her hash is there, bob has the nickname");
    if (!come(t, &ann, "ann") || !come(t, &bob, "bob") || !scene_freeze(t))
        return;
    trial_step(t, "ann registers bob, and bob joins as bob before her password is hashed");
    if (!SAY(t, &ann, "{'type':'register','nickname':'bob','password':'%s'}", right) ||
        !SAY(t, &bob, "{'type':'join','nickname':'bob'}") || !scene_thaw(t) ||
        !is_welcomed(t, &bob, "bob") ||
        !refused(t, &ann, "nickname_taken",
                 "bob has taken it while the password was hashed, and now it is somebody else's") ||
        !stop(t))
        return;
    trial_pass(t, "%d times two registered the same nickname, and one of them got it", RACES);
}

/* ---- attempts ------------------------------------------------------------------------------- */

/* So many attempts come back bad_credentials, and the next one is refused, right though it may be.
 * */
static bool limits_name(struct trial *t, struct room_peer *p, const char *nickname, int most,
                        const char *last)
{
    trial_step(t, "%d wrong passwords for %s, then the %s one", most, nickname,
               last == right ? "right" : "next");
    for (int i = 0; i < most; i++)
        if (!ask_login(t, p, nickname, wrong) ||
            !refused(t, p, "bad_credentials", "there were attempts left"))
            return false;
    if (!ask_login(t, p, nickname, last))
        return false;
    json_t *answer = room_next(p);
    bool busy = answer != NULL && strcmp(room_text(answer, "code"), "busy") == 0;
    bool got_in = answer != NULL && strcmp(room_text(answer, "type"), "welcome") == 0;
    json_decref(answer);
    return busy || trial_fail(t, p->fd,
                              "after %d wrong passwords for %s the next attempt %s: so one "
                              "can go on guessing for ever",
                              most, nickname,
                              answer == NULL ? fault_text()
                              : got_in       ? "was let in"
                                             : "was checked as well");
}

static bool limits_each_name(struct trial *t)
{
    struct room_peer eve = {.fd = -1}, bob = {.fd = -1};
    trial_expect(t,
                 "busy when a nickname's 3 attempts are used up; other nicknames are none of its "
                 "business");
    if (!SERVE(t, 0, "--login-attempts", "3", "--login-refill", "86400", "--login-attempts-address",
               "1000") ||
        !enrol_one(t, "ann", right) || !enrol_one(t, "bob", right) || !come(t, &eve, "eve") ||
        !limits_name(t, &eve, "ann", 3, right))
        return false;
    trial_expect(
        t, "the same for a nickname that nobody has registered: busy, too, must not tell that");
    if (!limits_name(t, &eve, "nobody", 3, wrong))
        return false;
    trial_step(t, "bob logs in again and again");
    trial_expect(t, "a welcome each time: what is right is not counted for the nickname");
    for (int i = 0; i < 5; i++) {
        if (!come(t, &bob, "bob") || !ask_login(t, &bob, "bob", right))
            return false;
        json_t *answer = room_next(&bob);
        bool busy = answer != NULL && strcmp(room_text(answer, "code"), "busy") == 0;
        bool in = answer != NULL && strcmp(room_text(answer, "type"), "welcome") == 0;
        json_decref(answer);
        if (busy)
            return trial_fail(t, bob.fd,
                              "bob was refused as busy at his login number %d, and each was "
                              "right: a success gives the nickname its attempt back",
                              i + 1);
        if (!in)
            return trial_fail(t, bob.fd, "bob was not welcomed: %s",
                              answer == NULL ? fault_text() : "");
        if (!SAY(t, &bob, "{'type':'quit'}") ||
            !EXPECT(t, &bob, "{'type':'bye','reason':'quit'}") ||
            !trial_ok(t, bob.fd, room_expect_end(&bob)))
            return false;
    }
    return true;
}

/* They come at the same time: what is charged when the answer is there comes too late. */
static bool limits_many_at_once(struct trial *t)
{
    enum { GUESSES = 10, MOST = 3 };
    struct answers sum;
    for (int i = 0; i < GUESSES; i++)
        if (!come(t, &crowd[i], "eve"))
            return false;
    trial_expect(t, "%d of them are checked, and %d are refused", MOST, GUESSES - MOST);
    if (!scene_freeze(t))
        return false;
    trial_step(t, "%d guesses at the password of carl, all at once", GUESSES);
    for (int i = 0; i < GUESSES; i++)
        if (!ask_login(t, &crowd[i], "carl", wrong))
            return false;
    if (!scene_thaw(t) || !answers_of(t, GUESSES, &sum))
        return false;
    return sum.checked == MOST ||
           trial_fail(t, -1,
                      "%zu of %d guesses at once were checked, and %d are allowed: an attempt is "
                      "charged before it is hashed",
                      sum.checked, GUESSES, MOST);
}

static bool limits_each_address(struct trial *t)
{
    enum { MOST = 4 };
    struct room_peer eve = {.fd = -1};
    char nickname[32];
    trial_expect(t, "busy when an address's %d attempts are used up, whatever the nickname", MOST);
    if (!SERVE(t, 1, "--login-attempts-address", "4", "--login-refill-address", "86400") ||
        !come(t, &eve, "eve"))
        return false;
    trial_step(t, "from one address: a password is tried on %d nicknames, then on one more", MOST);
    for (int i = 0; i <= MOST; i++) {
        snprintf(nickname, sizeof nickname, "victim-%d", i);
        if (!ask_login(t, &eve, nickname, wrong) ||
            !refused(t, &eve, i < MOST ? "bad_credentials" : "busy",
                     i < MOST ? "there were attempts left"
                              : "one password can be tried on all nicknames from one address"))
            return false;
    }
    trial_step(t, "and it registers");
    return SAY(t, &eve, "{'type':'register','nickname':'eve','password':'%s'}", right) &&
           refused(t, &eve, "busy", "register hashes as well, and counts for the address");
}

/* Logins that are right are not free: they are hashed as well. */
static bool limits_right_ones(struct trial *t)
{
    enum { MOST = 5 };
    struct room_peer ann = {.fd = -1};
    trial_expect(
        t, "%d times a welcome, then busy: what an address has spent comes back by time alone",
        MOST);
    if (!SERVE(t, 3, "--login-attempts-address", "6", "--login-refill-address", "86400") ||
        !enrol_one(t, "ann", right)) /* the first of the six */
        return false;
    trial_step(t, "ann logs in with the right password, again and again");
    for (int i = 0; i <= MOST; i++) {
        if (!come(t, &ann, "ann") || !ask_login(t, &ann, "ann", right))
            return false;
        if (i == MOST)
            return refused(t, &ann, "busy",
                           "whoever loops over right logins keeps the queue full, and everybody "
                           "else out: a right one is not given back to the address");
        if (!is_welcomed(t, &ann, "ann"))
            return false;
        room_reset(&ann);
    }
    return false;
}

/* With 50 ms until one comes back, it does not take long. */
static bool recovers(struct trial *t)
{
    struct room_peer ann = {.fd = -1};
    trial_expect(t, "busy for a while, and then a welcome");
    if (!SERVE(t, 2, "--login-attempts", "2", "--login-refill", "0.3", "--login-attempts-address",
               "1000") ||
        !enrol_one(t, "ann", right) || !come(t, &ann, "ann"))
        return false;
    trial_step(t, "wrong passwords for ann, and then the right one, again and again");
    for (int i = 0; i < 2; i++)
        if (!ask_login(t, &ann, "ann", wrong) ||
            !refused(t, &ann, "bad_credentials", "there were attempts left"))
            return false;
    for (int64_t end = wait_deadline(); wait_left_ms(end) > 0;) {
        if (!ask_login(t, &ann, "ann", right))
            return false;
        json_t *answer = room_next(&ann);
        bool in = answer != NULL && strcmp(room_text(answer, "type"), "welcome") == 0;
        bool busy = answer != NULL && strcmp(room_text(answer, "code"), "busy") == 0;
        json_decref(answer);
        if (in)
            return true;
        if (!busy)
            return trial_fail(t, ann.fd, "ann got neither busy nor a welcome");
        usleep(10000);
    }
    return trial_fail(t, ann.fd, "an attempt comes back every 0.3 s, and ann is refused for ever");
}

static void judge_attempts(struct trial *t)
{
    if (limits_each_name(t) && limits_many_at_once(t) && stop(t) && limits_each_address(t) &&
        stop(t) && limits_right_ones(t) && stop(t) && recovers(t) && stop(t))
        trial_pass(
            t,
            "3 attempts for a nickname, 4 for an address; right ones count for the address alone, "
            "10 at once for both, and they come back");
}

/* ---- one owner, one session ----------------------------------------------------------------- */

static void judge_replaces(struct trial *t)
{
    enum { TIMES = 5 };
    struct room_peer ann[2] = {{.fd = -1}, {.fd = -1}}, bob = {.fd = -1};
    trial_expect(t, "that the new session takes the place of the old one, which is told why");
    if (!SERVE(t, 0, NULL) || !enrol_one(t, "ann", right) || !join(t, &bob, "bob") ||
        !come(t, &ann[0], "ann") || !ask_login(t, &ann[0], "ann", right) ||
        !is_welcomed(t, &ann[0], "ann") ||
        !EXPECT(t, &bob, "{'type':'user_joined','nickname':'ann','room':'lobby'}"))
        return;
    for (int i = 0; i < TIMES; i++) {
        struct room_peer *old = &ann[i % 2], *new = &ann[1 - i % 2];
        trial_step(t, "ann logs in from elsewhere, as %s", i % 2 == 0 ? "Ann" : "ann");
        if (!come(t, new, "ann, elsewhere") ||
            !SAY(t, new, "{'type':'login','nickname':'%s','password':'%s'}",
                 i % 2 == 0 ? "Ann" : "ann", right))
            return;
        if (!room_expect(new,
                         "{'type':'welcome','nickname':'%s','room':'lobby','users':['%s','bob']}",
                         i % 2 == 0 ? "Ann" : "ann", i % 2 == 0 ? "Ann" : "ann")) {
            trial_fail(t, new->fd,
                       "%s: the owner gets her nickname, also while a session has it: it may be a "
                       "connection that is lost without anybody's having noticed",
                       fault_text());
            return;
        }
        if (!EXPECT(t, old, "{'type':'bye','reason':'logged in elsewhere'}") ||
            !trial_ok(t, old->fd, room_expect_end(old)) ||
            !EXPECT(
                t, &bob,
                "{'type':'user_left','nickname':'%s','room':'lobby','reason':'connection lost'}",
                i % 2 == 0 ? "ann" : "Ann") ||
            !EXPECT(t, &bob, "{'type':'user_joined','nickname':'%s','room':'lobby'}",
                    i % 2 == 0 ? "Ann" : "ann"))
            return;
    }
    trial_step(t, "bob writes to ann, who reads it and leaves");
    struct room_peer *last = &ann[TIMES % 2];
    if (!SAY(t, &bob, "{'type':'private','to':'ann','content':'still you?'}") ||
        !EXPECT(t, last, "{'type':'private','from':'bob','to':'Ann','content':'still you?'}") ||
        !EXPECT(t, &bob, "{'type':'private','from':'bob','to':'Ann','content':'still you?'}") ||
        !SAY(t, last, "{'type':'quit'}") ||
        !EXPECT(t, &bob, "{'type':'user_left','nickname':'Ann','room':'lobby','reason':'quit'}") ||
        !SAY(t, &bob, "{'type':'list_users'}") ||
        !EXPECT(t, &bob, "{'type':'users','room':null,'users':['bob']}") || !stop(t))
        return;
    trial_pass(t, "%d times ann's new session took the place of the old one, which got its bye",
               TIMES);
}

/* ---- where a password must not be ----------------------------------------------------------- */

/* What is sought: each stands in the middle of a password, for what free(3) leaves is overwritten
 * at its beginning. */
struct secret {
    const char *text, *used;
};
static const struct secret secrets[] = {
    {"marmalade", "to register"},
    {"marmalade", "in a login that was right"},
    {"thunderbolt", "in a login that was wrong"},
    {"periwinkle", "for a nickname that nobody has"},
    {"quicksilver", "in a login with a password that is too long"},
    {"tarantella", "in a line that is no JSON"},
    {"stratosphere", "in a login that was refused as busy"},
    {"rhododendron", "in a login that waited behind another"},
};

/* Whether a file in its data folder has the text. */
static bool is_in_file(struct trial *t, const char *name, const char *text)
{
    char path[TEXT];
    bool found = false;
    snprintf(path, sizeof path, "%s/0/%s", trial_folder(t), name);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return false;
    static char bytes[1 << 20];
    size_t size = fread(bytes, 1, sizeof bytes, file);
    found = memmem(bytes, size, text, strlen(text)) != NULL;
    fclose(file);
    return found;
}

static bool is_nowhere(struct trial *t, const struct secret *s)
{
    struct memory_place place;
    if (strstr(trial_errors(t), s->text) != NULL)
        return trial_fail(
            t, -1,
            "the password that was used %s stands in the log: whoever may read it can "
            "be that user, here and wherever else he uses it",
            s->used);
    if (is_in_file(t, "chat.db", s->text) || is_in_file(t, "chat.db-wal", s->text))
        return trial_fail(t, -1,
                          "the password that was used %s stands in the database, and not its "
                          "hash alone",
                          s->used);
    if (!memory_find(t->s.pid, s->text, &place))
        return true;
    return trial_fail(t, -1,
                      "the password that was used %s stands in the program's memory (%s, behind "
                      "'%s') when it is not needed any more: every copy is to be erased, the job's "
                      "and, by hub->wipes, what was received and what the parser made of it",
                      s->used, place.mapping, place.before);
}

/* All that is said in the check about passwords. */
static bool use_the_passwords(struct trial *t)
{
    struct room_peer anna = {.fd = -1}, eve = {.fd = -1};
    trial_step(t, "annabelle registers and logs in; eve tries, in every way that fails");
    if (!enrol_one(t, "annabelle", "12345678-marmalade-8765") || !come(t, &anna, "annabelle") ||
        !ask_login(t, &anna, "annabelle", "12345678-marmalade-8765") ||
        !is_welcomed(t, &anna, "annabelle") || !come(t, &eve, "eve") ||
        !ask_login(t, &eve, "annabelle", "12345678-thunderbolt-8765") ||
        !refused(t, &eve, "bad_credentials", "it is wrong") ||
        !ask_login(t, &eve, "nobody", "12345678-periwinkle-8765") ||
        !refused(t, &eve, "bad_credentials", "it is wrong") ||
        !SAY(t, &eve, "{'type':'login','nickname':'nobody','password':'12345678-quicksilver%s'}",
             p128) ||
        !refused(t, &eve, "bad_request", "it is too long") ||
        !SAY(t, &eve, "{'type':'login','nickname':'x','password':'12345678-tarantella-87'") ||
        !refused(t, &eve, "bad_json", "it is no JSON") ||
        !ask_login(t, &eve, "annabelle", "12345678-stratosphere-8765") ||
        !refused(t, &eve, "busy", "the nickname has used its attempts up") ||
        !SAY(t, &eve,
             "{'type':'login','nickname':'a','password':'12345678-rhododendron-8765'}\n"
             "{'type':'login','nickname':'bb','password':'12345678-rhododendron-8765'}\n"
             "{'type':'login','nickname':'ccc','password':'12345678-rhododendron-8765'}"))
        return false;
    for (int i = 0; i < 3; i++)
        if (!refused(t, &eve, "bad_credentials", "it is wrong"))
            return false;
    return true;
}

static void judge_no_password(struct trial *t)
{
    trial_expect(t,
                 "that a moment later no password stands in the log, the database or its memory");
    if (!SERVE(t, 0, "--loud", "--login-attempts", "1", "--login-refill", "86400") ||
        !use_the_passwords(t) || !trial_ok(t, -1, trial_quiet(t, 50)))
        return;
    if (!memory_find(t->s.pid, "annabelle", NULL)) {
        trial_fault(t, "the nickname is not found in the program's memory: can it be read?");
        return;
    }
    if (strstr(trial_errors(t), "annabelle") == NULL) {
        trial_fail(t, -1, "the log has no line about annabelle, who has joined");
        return;
    }
    for (size_t i = 0; i < sizeof secrets / sizeof secrets[0]; i++)
        if (!is_nowhere(t, &secrets[i]))
            return;
    if (stop(t))
        trial_pass(t,
                   "of %zu passwords nothing was left; and nicknames were found where they were "
                   "sought",
                   sizeof secrets / sizeof secrets[0]);
}

/* ---- who does not wait ---------------------------------------------------------------------- */

/* The hasher has so much to do that what is asked for now has to wait. */
static bool keep_busy(struct trial *t, size_t count, struct room_peer *probe)
{
    return log_in_together(t, count) && SAY(t, probe, "{'type':'ping'}");
}

/* They leave while their passwords wait to be hashed; the server learns it when it sends them
 * something, and buries their sessions.  Then their jobs come back. */
static bool leave_while_hashed(struct trial *t, struct room_peer *bob)
{
    enum { LEAVERS = 6, BEFORE = 12 };
    struct room_peer gone[LEAVERS];
    struct answers sum;
    char name[32];
    trial_expect(t, "that nothing is done to a session that is not there any more");
    for (int i = 0; i < LEAVERS; i++) {
        gone[i] = (struct room_peer){.fd = -1};
        snprintf(name, sizeof name, "leaver-%d", i);
        if (!join(t, &gone[i], name) ||
            !EXPECT(t, bob, "{'type':'user_joined','nickname':'%s','room':'lobby'}", name))
            return false;
    }
    if (!keep_busy(t, BEFORE, bob))
        return false;
    trial_step(t, "%d who have joined register; then, before it is their turn, they are gone",
               LEAVERS);
    for (int i = 0; i < LEAVERS; i++)
        if (!SAY(t, &gone[i], "{'type':'register','nickname':'late-%d','password':'%s'}", i, right))
            return false;
    if (!scene_thaw(t) || !EXPECT(t, bob, "{'type':'pong'}"))
        return false;
    for (int i = 0; i < LEAVERS; i++)
        room_reset(&gone[i]);
    for (int i = 0; i < LEAVERS; i++) /* of which each is told: that is when it is noticed */
        if (!SAY(t, bob, "{'type':'message','content':'who is there?'}"))
            return false;
    int left = 0, own = 0;
    while (left < LEAVERS || own < LEAVERS) {
        json_t *message = room_next(bob);
        if (!is_well(t, bob->fd, message != NULL))
            return false;
        left += strcmp(room_text(message, "type"), "user_left") == 0;
        own += strcmp(room_text(message, "type"), "broadcast") == 0;
        json_decref(message);
    }
    return answers_of(t, BEFORE, &sum);
}

static bool finish_while_hashed(struct trial *t)
{
    struct room_peer ann = {.fd = -1};
    trial_step(t, "ann logs in, asks who is there, and says that she will send nothing more");
    trial_expect(t, "both answers, in this order, and then the end");
    if (!enrol_one(t, "ann", right) || !come(t, &ann, "ann") ||
        !SAY(t, &ann,
             "{'type':'login','nickname':'ann','password':'%s','room':'den'}\n"
             "{'type':'list_users','room':'den','id':1}",
             right) ||
        !trial_ok(t, ann.fd, room_finish(&ann)) ||
        !EXPECT(t, &ann, "{'type':'welcome','nickname':'ann','room':'den','users':['ann']}") ||
        !EXPECT(t, &ann, "{'type':'users','room':'den','users':['ann'],'id':1}") ||
        !trial_ok(t, ann.fd, room_expect_end(&ann)))
        return false;
    return true;
}

static bool stop_while_hashed(struct trial *t, struct room_peer *bob)
{
    enum { WAITING = 30 };
    if (!keep_busy(t, WAITING, bob) || !scene_thaw(t) || !EXPECT(t, bob, "{'type':'pong'}"))
        return false;
    trial_step(t, "SIGTERM, while most of their passwords wait to be hashed");
    trial_expect(t, "exit 0: no thread is left, no memory is leaked");
    return stop(t);
}

static void judge_clean_end(struct trial *t)
{
    struct room_peer bob = {.fd = -1};
    if (SERVE(t, 0, "--login-threads", "1", "--login-attempts-address", "1000") &&
        join(t, &bob, "bob") && leave_while_hashed(t, &bob) && finish_while_hashed(t) &&
        stop_while_hashed(t, &bob))
        trial_pass(
            t, "6 left while their passwords were hashed, one half-closed, and the server ended "
               "while 30 waited");
}

static const struct check checks[] = {
    {"registers-and-logs-in", "who registers can log in, also after kill -9", 1, NULL,
     TRIAL_ADDRESS, judge_registers, 0},
    {"owner-only", "a registered nickname is refused to everybody else", 1, "registers-and-logs-in",
     TRIAL_PLAIN, judge_owner_only, 0},
    {"same-answer", "an unknown nickname and a wrong password are one answer, after one hash", 1,
     "registers-and-logs-in", TRIAL_PLAIN, judge_same_answer, 0},
    {"off-the-loop", "the loop serves others while passwords are hashed", 1,
     "registers-and-logs-in", TRIAL_PLAIN, judge_off_the_loop, 0},
    {"bounded-queue", "40 logins at once: some wait, the others are told busy", 1,
     "registers-and-logs-in", TRIAL_THREAD, judge_bounded_queue, 60},
    {"two-at-once", "of two who register a nickname at once one gets it", 1,
     "registers-and-logs-in", TRIAL_THREAD, judge_two_at_once, 60},
    {"attempts", "attempts are limited for a nickname and for an address, and come back", 1,
     "registers-and-logs-in", TRIAL_PLAIN, judge_attempts, 60},
    {"replaces-session", "an owner who logs in again takes the place of the old session", 1,
     "registers-and-logs-in", TRIAL_ADDRESS, judge_replaces, 0},
    {"no-password", "a password is in no log, and soon in no memory", 1, "registers-and-logs-in",
     TRIAL_PLAIN, judge_no_password, 0},
    {"clean-end", "who leaves while his password is hashed does no harm, nor does SIGTERM", 1,
     "registers-and-logs-in", TRIAL_ADDRESS, judge_clean_end, 60},
    {0},
};

int main(int argc, char **argv)
{
    const struct exercise exercise = {"14-chat-login", "Accounts for the chat room", checks};
    return grade_main(argc, argv, &exercise);
}
