/*
 * The grader of exercise 15: the chat room that remembers what was said.
 *
 * Most of it is seen by the room's clients.  That a seq has been committed when it arrives is seen
 * in the database, which the grader reads as another process may; how many commits there were, in
 * its write-ahead log.  A disk that is full is a limit of the size of the program's files; and a
 * lock is held by the grader.
 */

#include "grader/grade.h"

#include "tests/room_peer.h"

#include <endian.h>
#include <poll.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CONTENT = 4096, /* bytes, the most that may be said */
    RETRY_MS = 1000,
    KILLS = 5,
    TALK = 40,   /* messages before a kill */
    BURST = 160, /* that are sent at once, and received at once */
    PAGES_OF = 230,
    PAGE = 50,
    PAGE_BYTES = 64 << 10,
    ROUNDS = 20
};

/* ---- a room, and what is said in it ---------------------------------------------------------- */

/* Start the server on the folder of this check, with up to two more options. */
static bool serve(struct trial *t, const char *option, const char *value)
{
    const char *folder = trial_folder(t);
    t->patience_ms = 3 * RETRY_MS; /* it may sleep until it tries again */
    t->blocking = true;            /* and that is seldom what is wrong */
    if (folder == NULL)
        return false;
    trial_step(t, "server --data DIR%s%s%s%s", option != NULL ? " " : "",
               option != NULL ? option : "", option != NULL ? " " : "",
               option != NULL ? value : "");
    return trial_serve(
        t, "server",
        SUBJECT_ARGS("--data", folder, "--rate", "0", "--drain-timeout", "2", option, value));
}

/* The next message of that type; NULL after a verdict. */
static json_t *next_of(struct trial *t, struct room_peer *p, const char *type)
{
    json_t *message = room_next_of(p, type);
    if (message == NULL)
        trial_fail(t, p->fd, "%s: %s was to come", fault_text(), type);
    return message;
}

static bool take(struct trial *t, struct room_peer *p, const char *type)
{
    json_t *message = next_of(t, p, type);
    json_decref(message);
    return message != NULL;
}

static bool come(struct trial *t, struct room_peer *p, const char *name, const char *room)
{
    return trial_ok(t, -1, room_connect(p, name, &t->s)) &&
           trial_ok(t, p->fd,
                    room_say(p, "{'type':'join','nickname':'%s','room':'%s'}", name, room)) &&
           take(t, p, "welcome");
}

static bool enter(struct trial *t, struct room_peer *p, const char *room)
{
    return trial_ok(t, p->fd, room_say(p, "{'type':'join_room','room':'%s'}", room)) &&
           take(t, p, "room_joined");
}

/* A line with JSON of its own, for content that must be escaped. */
static bool say_text(struct trial *t, struct room_peer *p, const char *room, const char *content)
{
    json_t *request = json_pack("{ss ss ss}", "type", "message", "room", room, "content", content);
    char *line = request != NULL ? json_dumps(request, JSON_COMPACT) : NULL;
    bool said = line != NULL && room_send(p, line, strlen(line)) && room_send(p, "\n", 1);
    free(line);
    json_decref(request);
    return trial_ok(t, p->fd, said);
}

/* Hear content, whose seq goes to *seq, 0 if there is none. */
static bool hear(struct trial *t, struct room_peer *p, const char *content, int64_t *seq)
{
    json_t *message = next_of(t, p, "broadcast");
    if (message == NULL)
        return false;
    bool same = strcmp(room_text(message, "content"), content) == 0;
    *seq = json_integer_value(json_object_get(message, "seq"));
    if (!same)
        trial_fail(t, p->fd, "%s heard '%.80s', and '%.80s' was to come", p->name,
                   room_text(message, "content"), content);
    json_decref(message);
    return same;
}

/* Say it in a room, and hear it with this seq. */
static bool say_as(struct trial *t, struct room_peer *p, const char *room, const char *content,
                   int64_t expected)
{
    int64_t seq;
    if (!say_text(t, p, room, content) || !hear(t, p, content, &seq))
        return false;
    if (seq == expected)
        return true;
    if (seq == 0)
        return trial_fail(t, p->fd, "what %s said in room %s came without a seq, and %lld was due",
                          p->name, room, (long long)expected);
    return trial_fail(t, p->fd,
                      "what %s said in room %s came with seq %lld, and %lld was due: each room "
                      "counts by itself, from 1 on, and goes on where it was",
                      p->name, room, (long long)seq, (long long)expected);
}

/* Say "N" for each of those seqs, with this seq each. */
static bool count_up(struct trial *t, struct room_peer *p, const char *room, int from, int to)
{
    char content[16];
    for (int i = from; i <= to; i++) {
        snprintf(content, sizeof content, "%d", i);
        if (!say_as(t, p, room, content, i))
            return false;
    }
    return true;
}

/* ---- the history ----------------------------------------------------------------------------- */

/* Ask for it; the reply, or NULL after a verdict.  limit 0, before 0: left out. */
static json_t *history_of(struct trial *t, struct room_peer *p, const char *room, int limit,
                          int64_t before)
{
    char more[80] = "";
    int size = limit > 0 ? snprintf(more, sizeof more, ",'limit':%d", limit) : 0;
    if (before > 0)
        snprintf(more + size, sizeof more - (size_t)size, ",'before':%lld", (long long)before);
    if (!trial_ok(t, p->fd, room_say(p, "{'type':'history','room':'%s'%s}", room, more)))
        return NULL;
    return next_of(t, p, "history");
}

struct row {
    int64_t seq;
    const char *from, *content, *timestamp;
};

static bool row_of(const json_t *page, size_t n, struct row *row)
{
    const json_t *m = json_array_get(json_object_get(page, "messages"), n);
    *row = (struct row){json_integer_value(json_object_get(m, "seq")), room_text(m, "from"),
                        room_text(m, "content"), room_text(m, "timestamp")};
    return json_object_size(m) == 4 && row->seq > 0 && *row->from != '\0' &&
           strlen(row->timestamp) == strlen("2024-01-15 10:30:00");
}

static size_t length_of(const json_t *page)
{
    return json_array_size(json_object_get(page, "messages"));
}

/* Is it a page of the seqs from..to, in that order, each with the content "N"? */
static bool is_page(struct trial *t, struct room_peer *p, const json_t *page, int from, int to,
                    bool more)
{
    char content[24];
    struct row row;
    size_t count = length_of(page);
    if (count > 1 && row_of(page, 0, &row) && row.seq == to && from < to)
        return trial_fail(t, p->fd,
                          "the newest message, seq %d, is the first of the page: the "
                          "oldest one of a page comes first",
                          to);
    for (size_t i = 0; i < count; i++) {
        int64_t due = from + (int64_t)i;
        if (!row_of(page, i, &row))
            return trial_fail(t, p->fd,
                              "message %zu of the page is not {seq, from, content, timestamp}", i);
        snprintf(content, sizeof content, "%lld", (long long)due);
        if (row.seq != due || due > to)
            return trial_fail(t, p->fd,
                              "message %zu of the page has seq %lld; the page is to be %d to %d", i,
                              (long long)row.seq, from, to);
        if (strcmp(row.content, content) != 0)
            return trial_fail(t, p->fd, "seq %lld is '%.80s' in the history, and '%s' was said",
                              (long long)row.seq, row.content, content);
    }
    if ((int64_t)count != (int64_t)to - from + 1)
        return trial_fail(t, p->fd, "the page has %zu messages; it is to be those of seq %d to %d",
                          count, from, to);
    if (json_is_true(json_object_get(page, "more")) == more)
        return true;
    return trial_fail(t, p->fd,
                      more ? "more is false, and there are older messages: one more than "
                             "asked for would tell"
                           : "more is true, and there is no older message");
}

/* Ask, and expect exactly that page. */
static bool expect_page(struct trial *t, struct room_peer *p, const char *room, int limit,
                        int64_t before, int from, int to, bool more)
{
    json_t *page = history_of(t, p, room, limit, before);
    bool right = page != NULL && is_page(t, p, page, from, to, more);
    json_decref(page);
    return right;
}

/* ---- the database, as others see it --------------------------------------------------------- */

static sqlite3 *open_database(struct trial *t)
{
    char path[256];
    sqlite3 *db = NULL;
    const char *folder = trial_folder(t);
    snprintf(path, sizeof path, "%s/chat.db", folder != NULL ? folder : "");
    if (folder != NULL && sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK)
        return db;
    trial_fail(t, -1, "there is no database DIR/chat.db: %s", sqlite3_errmsg(db));
    sqlite3_close(db);
    return NULL;
}

/* How many messages with this content are committed; -1 after a verdict. */
static int committed(struct trial *t, const char *content)
{
    sqlite3 *db = open_database(t);
    sqlite3_stmt *s = NULL;
    int count = -1;
    if (db == NULL)
        return -1;
    sqlite3_busy_timeout(db, 5000);
    if (sqlite3_prepare_v2(db, "SELECT count(*) FROM messages WHERE content = ?1", -1, &s, NULL) ==
            SQLITE_OK &&
        sqlite3_bind_text(s, 1, content, -1, SQLITE_STATIC) == SQLITE_OK &&
        sqlite3_step(s) == SQLITE_ROW)
        count = sqlite3_column_int(s, 0);
    else
        trial_fail(t, -1, "the database cannot be read: %s", sqlite3_errmsg(db));
    sqlite3_finalize(s);
    sqlite3_close(db);
    return count;
}

static bool is_intact(struct trial *t)
{
    sqlite3 *db = open_database(t);
    sqlite3_stmt *s = NULL;
    if (db == NULL)
        return false;
    sqlite3_busy_timeout(db, 5000);
    bool ok = sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &s, NULL) == SQLITE_OK &&
              sqlite3_step(s) == SQLITE_ROW &&
              strcmp((const char *)sqlite3_column_text(s, 0), "ok") == 0;
    if (!ok)
        trial_fail(t, -1, "the database does not pass its integrity check");
    sqlite3_finalize(s);
    sqlite3_close(db);
    return ok;
}

/* The commits in the write-ahead log: its header has 32 bytes, each frame 24 and a page; the last
 * frame of a commit tells the size of the database, and the others 0.  -1 after a fault. */
static int commits_in_log(struct trial *t)
{
    char path[256];
    uint32_t header[8], frame[6];
    int commits = 0;
    snprintf(path, sizeof path, "%s/chat.db-wal", trial_folder(t));
    FILE *log = fopen(path, "rb");
    if (log == NULL)
        return 0;
    if (fread(header, sizeof header, 1, log) == 1)
        while (fread(frame, sizeof frame, 1, log) == 1 && frame[2] == header[4] &&
               frame[3] == header[5]) {
            commits += frame[1] != 0;
            if (fseek(log, (long)be32toh(header[2]), SEEK_CUR) == -1)
                break;
        }
    fclose(log);
    return commits;
}

/* ---- the checks ----------------------------------------------------------------------------- */

static bool two_talk(struct trial *t, struct room_peer *ann, struct room_peer *bob)
{
    char content[16];
    trial_step(t, "ann and bob are in the lobby; each says something, in turn, 6 in all");
    trial_expect(t, "seq 1 to 6 with the broadcasts, for both of them");
    for (int i = 1; i <= 6; i++) {
        int64_t seq;
        snprintf(content, sizeof content, "%d", i);
        if (!say_as(t, i % 2 ? ann : bob, "lobby", content, i) ||
            !hear(t, i % 2 ? bob : ann, content, &seq))
            return false;
        if (seq != i)
            return trial_fail(t, bob->fd, "seq %lld for one of them, and %d for the other",
                              (long long)seq, i);
    }
    return true;
}

static void judge_remembers(struct trial *t)
{
    struct room_peer ann, bob;
    struct row row;
    if (!serve(t, NULL, NULL) || !come(t, &ann, "ann", "lobby") || !come(t, &bob, "bob", "lobby") ||
        !take(t, &ann, "user_joined") || !two_talk(t, &ann, &bob))
        return;
    trial_step(t, "bob asks for the history of the lobby");
    trial_expect(t, "the 6 messages, the oldest first, with who said each");
    json_t *page = history_of(t, &bob, "lobby", 0, 0);
    bool right = page != NULL && is_page(t, &bob, page, 1, 6, false);
    for (size_t i = 0; right && i < 6; i++)
        right = row_of(page, i, &row) &&
                (strcmp(row.from, i % 2 ? "bob" : "ann") == 0 ||
                 trial_fail(t, bob.fd, "seq %zu is from %s in the history", i + 1, row.from));
    json_decref(page);
    if (!right)
        return;
    trial_step(t, "ann goes to room den, and says 3 things there; then all leave it");
    trial_expect(t, "seq 1 to 3 there: each room counts by itself");
    if (!enter(t, &ann, "den") || !count_up(t, &ann, "den", 1, 3) ||
        !trial_ok(t, ann.fd, room_say(&ann, "{'type':'leave_room','room':'den'}")) ||
        !take(t, &ann, "room_left") || !enter(t, &ann, "den"))
        return;
    trial_step(t, "ann comes again, and goes on");
    trial_expect(t, "seq 4: a room that was empty goes on where it was");
    if (!count_up(t, &ann, "den", 4, 4))
        return;
    room_close(&ann);
    room_close(&bob);
    if (!trial_stop(t) || !serve(t, NULL, NULL) || !come(t, &ann, "ann", "lobby"))
        return;
    trial_step(t, "the server was stopped and started again; ann asks for the history, and talks");
    trial_expect(t, "the same 6 messages, and seq 7");
    if (expect_page(t, &ann, "lobby", 0, 0, 1, 6, false) && count_up(t, &ann, "lobby", 7, 9) &&
        enter(t, &ann, "den") && expect_page(t, &ann, "den", 2, 0, 3, 4, true) && trial_stop(t))
        trial_pass(t, "9 messages in one room and 4 in another, also after the server's restart");
}

/* Let ann say some things in a row, and kill the server when bob has heard so many of them. */
static bool talk_until_killed(struct trial *t, struct room_peer *ann, struct room_peer *bob,
                              int first, int heard)
{
    char content[16];
    int64_t seq;
    for (int i = first; i < first + TALK; i++)
        if (!trial_ok(t, ann->fd, room_say(ann, "{'type':'message','content':'%d'}", i)))
            return false;
    for (int i = first; i < first + heard; i++) {
        snprintf(content, sizeof content, "%d", i);
        if (!hear(t, bob, content, &seq))
            return false;
        if (seq != i)
            return trial_fail(t, bob->fd, "seq %lld came, and %d was due", (long long)seq, i);
    }
    kill(t->s.pid, SIGKILL);
    room_close(ann);
    room_close(bob);
    return trial_gone(t);
}

/* The server was killed and is started again.  The history must end with `seen` at least; returns
 * with what it ends, or -1 after a verdict. */
static int end_of_history(struct trial *t, struct room_peer *p, int seen)
{
    struct row row = {0};
    json_t *page = history_of(t, p, "lobby", 100, 0);
    if (page == NULL)
        return -1;
    size_t count = length_of(page);
    int end = count > 0 && row_of(page, count - 1, &row) ? (int)row.seq : 0;
    bool right = end >= seen ||
                 trial_fail(t, p->fd,
                            "bob had seen seq %d before the kill, and the history ends with %d: a "
                            "seq may leave only when it is committed",
                            seen, end);
    right = right && is_page(t, p, page, end > 100 ? end - 99 : 1, end, end > 100);
    json_decref(page);
    return right ? end : -1;
}

static void judge_survives_kill(struct trial *t)
{
    struct room_peer ann, bob;
    char content[16];
    int64_t seq;
    int kept = 0;
    if (!serve(t, NULL, NULL) || !come(t, &bob, "bob", "lobby") || !come(t, &ann, "ann", "lobby") ||
        !take(t, &bob, "user_joined"))
        return;
    for (int i = 0; i < KILLS; i++) {
        int heard = 1 + i * (TALK - 1) / (KILLS - 1);
        trial_expect(t, "every message whose seq bob has seen, once; and then the next seq");
        trial_step(t, "ann says %d things in a row; bob hears %d of them; kill -9 at once", TALK,
                   heard);
        if (!talk_until_killed(t, &ann, &bob, kept + 1, heard))
            return;
        trial_step(t, "the server is started again, and bob asks for the last messages");
        if (!is_intact(t) || !serve(t, NULL, NULL) || !come(t, &bob, "bob", "lobby") ||
            (kept = end_of_history(t, &bob, kept + heard)) == -1)
            return;
        trial_step(t, "ann says something");
        snprintf(content, sizeof content, "%d", ++kept);
        if (!come(t, &ann, "ann", "lobby") || !take(t, &bob, "user_joined") ||
            !say_as(t, &ann, "lobby", content, kept) || !hear(t, &bob, content, &seq))
            return;
    }
    if (trial_stop(t))
        trial_pass(t, "%d kills, each in the middle of %d messages: what was seen was there, once",
                   KILLS, TALK);
}

/* On a disk that is full: what ann says comes to bob, and has no seq that is not in the database.
 * */
static bool hear_without_seq(struct trial *t, struct room_peer *p, const char *content)
{
    int64_t seq;
    if (!hear(t, p, content, &seq))
        return false;
    if (seq == 0)
        return true;
    int count = committed(t, content);
    return count != -1 &&
           trial_fail(t, p->fd,
                      "the disk is full, and '%s' came to %s with seq %lld; in the database it is "
                      "%s: commit before the seq leaves, and blank it everywhere if that fails (a "
                      "sender whose request has an id gets a copy of his own)",
                      content, p->name, (long long)seq, count > 0 ? "there" : "not");
}

/* Hear count messages "N", none of them with a seq; among them it may be told that the history is
 * off, and with `told` it must be. */
static bool hear_burst(struct trial *t, struct room_peer *p, int count, bool told)
{
    char content[16];
    bool right = true;
    for (int i = 1; right && (i <= count || told);) {
        json_t *message = room_next(p);
        if (!trial_ok(t, p->fd, message != NULL))
            return false;
        snprintf(content, sizeof content, "%d", i);
        if (strcmp(room_text(message, "type"), "history_state") == 0)
            told = false;
        else if (i > count || strcmp(room_text(message, "content"), content) != 0)
            right = trial_fail(t, p->fd, "%s heard '%.80s', and '%s' was to come", p->name,
                               room_text(message, "content"), i > count ? "nothing more" : content);
        else if (json_object_get(message, "seq") != NULL)
            right = trial_fail(t, p->fd,
                               "the disk is full, and message %d of %d came with seq %lld: it was "
                               "sent before it was committed, and is lost",
                               i, count,
                               (long long)json_integer_value(json_object_get(message, "seq")));
        else
            i++;
        json_decref(message);
    }
    return right;
}

/* ann sends count messages "N" at once, behind what is queued for her. */
static bool send_burst(struct trial *t, struct room_peer *ann, int count)
{
    for (int i = 1; i <= count; i++)
        if (!trial_ok(t, ann->fd, room_queue(ann, "{'type':'message','content':'%d'}", i)))
            return false;
    bool sent = room_send(ann, queue_data(&ann->out), ann->out.length);
    queue_drop(&ann->out, ann->out.length);
    return trial_ok(t, ann->fd, sent);
}

static bool is_committed_when_it_arrives(struct trial *t, struct room_peer *ann,
                                         struct room_peer *bob)
{
    char content[16];
    int64_t seq;
    trial_step(t, "ann says 20 things; as each arrives, the database is read");
    trial_expect(t, "that it is committed when it arrives with its seq");
    for (int i = 1; i <= 20; i++) {
        snprintf(content, sizeof content, "%d", i);
        if (!say_text(t, ann, "lobby", content) || !hear(t, bob, content, &seq))
            return false;
        int count = committed(t, content);
        if (count == -1)
            return false;
        if (seq != i || count != 1)
            return trial_fail(t, bob->fd,
                              "'%s' came with seq %lld, and is in the database %d times", content,
                              (long long)seq, count);
        if (!hear(t, ann, content, &seq))
            return false;
    }
    return true;
}

static bool expect_state(struct trial *t, struct room_peer *p, bool on)
{
    json_t *state = room_next_of(p, "history_state");
    if (state == NULL)
        return trial_fail(t, p->fd, "%s: history_state was to come, for the history is %s",
                          fault_text(),
                          on ? "to be on again: a timer tries, and again if that fails" : "off");
    bool right = json_is_true(json_object_get(state, "on")) == on;
    if (!right)
        trial_fail(t, p->fd, "%s is told that the history is %s, and it is %s", p->name,
                   on ? "off" : "on", on ? "on" : "off");
    json_decref(state);
    return right;
}

static void judge_commit_first(struct trial *t)
{
    static const char like_a_seq[] = "look: ,\"seq\":17";
    struct room_peer ann, bob;
    if (!serve(t, NULL, NULL) || !come(t, &bob, "bob", "lobby") || !come(t, &ann, "ann", "lobby") ||
        !take(t, &bob, "user_joined") || !is_committed_when_it_arrives(t, &ann, &bob))
        return;
    trial_step(t, "the disk is full; ann sends at once a message with an id, and %d without",
               4 * BURST);
    trial_expect(t, "all of them, and none with a seq: they could not be committed");
    if (!trial_limit_files(t, 1) ||
        !trial_ok(t, ann.fd,
                  room_queue(&ann, "{'type':'message','content':'with an id','id':1}")) ||
        !send_burst(t, &ann, 4 * BURST) || !hear_without_seq(t, &bob, "with an id") ||
        !hear_without_seq(t, &ann, "with an id") || !hear_burst(t, &bob, 4 * BURST, false) ||
        !hear_burst(t, &ann, 4 * BURST, false))
        return;
    room_close(&ann);
    room_close(&bob);
    if (!trial_stop(t) || !serve(t, NULL, NULL) || !come(t, &ann, "ann", "lobby"))
        return;
    trial_step(t,
               "the server is started again; the disk is full, and ann says what looks like a seq");
    trial_expect(t, "what she said, unchanged");
    if (trial_limit_files(t, 1) && say_as(t, &ann, "lobby", like_a_seq, 0) && trial_stop(t))
        trial_pass(t, "20 of 20 were committed when they arrived; of %d on a full disk no seq left",
                   4 * BURST + 2);
}

/* Someone else writes, and holds the lock. */
static sqlite3 *lock_database(struct trial *t)
{
    sqlite3 *db = open_database(t);
    if (db == NULL)
        return NULL;
    sqlite3_busy_timeout(db, 5000);
    if (sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK)
        return db;
    trial_fault(t, "cannot lock the database: %s", sqlite3_errmsg(db));
    sqlite3_close(db);
    return NULL;
}

/* The history is off: the room goes on.  What was kept can be read. */
static bool goes_on_without(struct trial *t, struct room_peer *ann, struct room_peer *bob, int last)
{
    char content[32];
    int64_t seq;
    for (int i = 1; i <= 3; i++) {
        snprintf(content, sizeof content, "not kept, %d", i);
        if (!say_text(t, ann, "lobby", content) || !hear(t, ann, content, &seq) ||
            !hear(t, bob, content, &seq))
            return false;
        if (seq != 0)
            return trial_fail(t, bob->fd, "the history is off, and '%s' has seq %lld", content,
                              (long long)seq);
        if (i == 1 && (!expect_state(t, bob, false) || !expect_state(t, ann, false)))
            return false;
    }
    return expect_page(t, bob, "lobby", 3, 0, last - 2, last, true);
}

static void judge_off_and_on(struct trial *t)
{
    struct room_peer ann, bob, cid;
    if (!serve(t, NULL, NULL) || !come(t, &bob, "bob", "lobby") || !come(t, &ann, "ann", "lobby") ||
        !take(t, &bob, "user_joined") || !come(t, &cid, "cid", "den"))
        return;
    for (int i = 0; i < 2; i++) {
        sqlite3 *db = NULL;
        int last = 10 * (i + 1);
        trial_step(t, "ann says 10 things");
        for (int n = last - 9; n <= last; n++) {
            int64_t seq;
            char content[16];
            snprintf(content, sizeof content, "%d", n);
            if (!say_as(t, &ann, "lobby", content, n) || !hear(t, &bob, content, &seq))
                return;
        }
        trial_step(t, "then %s; she goes on, and bob asks for what was before",
                   i == 0 ? "the disk is full" : "another process has locked the database");
        trial_expect(t, "history_state off to all, cid in another room too; messages without seq; "
                        "and the last of those that were kept");
        if (i == 0 ? !trial_limit_files(t, 1) : (db = lock_database(t)) == NULL)
            return;
        bool went_on = goes_on_without(t, &ann, &bob, last) && expect_state(t, &cid, false);
        poll(NULL, 0, RETRY_MS + RETRY_MS / 2); /* it tries again, and in vain */
        trial_step(t, "%s", i == 0 ? "the disk has room again" : "the lock is released");
        trial_expect(t, "history_state on to all, without anybody's doing; and seq %d next",
                     last + 1);
        sqlite3_close(db);
        if (!went_on || (i == 0 && !trial_limit_files(t, 0)) || !expect_state(t, &bob, true) ||
            !expect_state(t, &ann, true) || !expect_state(t, &cid, true))
            return;
    }
    if (!count_up(t, &ann, "lobby", 21, 22) ||
        !expect_page(t, &ann, "lobby", 100, 0, 1, 22, false) || !is_intact(t))
        return;
    trial_step(t, "kill -9, and start again");
    trial_expect(t, "all that had a seq");
    kill(t->s.pid, SIGKILL);
    room_close(&ann);
    if (trial_gone(t) && serve(t, NULL, NULL) && come(t, &ann, "ann", "lobby") &&
        expect_page(t, &ann, "lobby", 100, 0, 1, 22, false) && trial_stop(t))
        trial_pass(t, "a full disk and a lock: the room went on, and the history came back");
}

static void judge_any_content(struct trial *t)
{
    static char longest[CONTENT + 1];
    static const char *const said[] = {
        "'); DROP TABLE messages; --",
        "it's \"quoted\", and 100% of it: %s %n",
        ",\"seq\":17",
        "\\ \\\" \\n",
        "\t\x01\x1b[31m\x7f",
        "\xe4\xbd\xa0\xe5\xa5\xbd \xf0\x9f\x98\x84 \xc3\xa9",
        "''",
        " ",
        longest,
    };
    enum { SAID = sizeof said / sizeof said[0] };
    struct room_peer ann;
    struct row row;
    memset(longest, '\'', CONTENT);
    if (!serve(t, NULL, NULL) || !come(t, &ann, "ann", "lobby"))
        return;
    trial_step(t, "ann says SQL, quotes, JSON, control characters, 4096 quotes");
    trial_expect(t, "each of them with its seq, and as it was in the history: it is data");
    for (int i = 0; i < SAID; i++)
        if (!say_as(t, &ann, "lobby", said[i], i + 1))
            return;
    json_t *page = history_of(t, &ann, "lobby", 0, 0);
    bool right = page != NULL && (length_of(page) == SAID ||
                                  trial_fail(t, ann.fd, "%d were said, and the history has %zu",
                                             SAID, length_of(page)));
    for (size_t i = 0; right && i < SAID; i++)
        if (!row_of(page, i, &row) || strcmp(row.content, said[i]) != 0)
            right = trial_fail(t, ann.fd, "'%.60s' was said, and '%.60s' is in the history",
                               said[i], row.content);
    json_decref(page);
    if (!right)
        return;
    if (is_intact(t) && trial_stop(t))
        trial_pass(t, "%d contents came back as they were", SAID);
}

static bool refuses(struct trial *t, struct room_peer *p, const char *fields, const char *code)
{
    trial_step(t, "{'type':'history',%s}", fields);
    trial_expect(t, "the error %s", code);
    return trial_ok(t, p->fd, room_say(p, "{'type':'history',%s}", fields)) &&
           trial_ok(t, p->fd, room_expect_error(p, code, NULL));
}

/* From the end to the beginning, page by page. */
static bool walk_back(struct trial *t, struct room_peer *p, int limit)
{
    int before = PAGES_OF + 1;
    trial_step(t,
               "from the end to the beginning, %d messages a page, each before the last page's "
               "first",
               limit);
    for (bool first = true; before > 1; first = false) {
        int from = before - limit > 1 ? before - limit : 1;
        if (!expect_page(t, p, "lobby", limit, first ? 0 : before, from, before - 1, from > 1))
            return false;
        before = from;
    }
    return true;
}

static bool pages_are_bounded(struct trial *t, struct room_peer *p)
{
    static char longest[CONTENT + 1];
    enum { LONG = 40 };
    memset(longest, 'x', CONTENT);
    trial_step(t, "%d messages of %d bytes each are said in a room; 100 of them are asked for",
               LONG, CONTENT);
    trial_expect(t, "at most 64 KiB of content in a page, and that there are more");
    if (!enter(t, p, "den"))
        return false;
    for (int i = 1; i <= LONG; i++)
        if (!say_as(t, p, "den", longest, i))
            return false;
    json_t *page = history_of(t, p, "den", 100, 0);
    if (page == NULL)
        return false;
    struct row first = {0}, last = {0};
    size_t count = length_of(page);
    bool right = count > 0 && row_of(page, 0, &first) && row_of(page, count - 1, &last);
    if (!right || count > PAGE_BYTES / CONTENT || last.seq != LONG ||
        !json_is_true(json_object_get(page, "more")))
        right = trial_fail(t, p->fd,
                           "a page with %zu messages of %d bytes, seq %lld to %lld of %d, more %s: "
                           "it ends with the newest, holds %d bytes of content at most, and more "
                           "is true if there are older ones",
                           count, CONTENT, (long long)first.seq, (long long)last.seq, LONG,
                           json_is_true(json_object_get(page, "more")) ? "true" : "false",
                           PAGE_BYTES);
    json_decref(page);
    return right;
}

static void judge_pages(struct trial *t)
{
    struct room_peer ann;
    if (!serve(t, NULL, NULL) || !come(t, &ann, "ann", "lobby"))
        return;
    trial_step(t, "ann says %d things", PAGES_OF);
    if (!count_up(t, &ann, "lobby", 1, PAGES_OF))
        return;
    trial_step(t, "she asks without a limit, and before seqs");
    trial_expect(t, "%d messages, if no limit is named; those with a smaller seq than before",
                 PAGE);
    if (!expect_page(t, &ann, "lobby", 0, 0, PAGES_OF - PAGE + 1, PAGES_OF, true) ||
        !expect_page(t, &ann, "lobby", 10, 51, 41, 50, true) ||
        !expect_page(t, &ann, "lobby", 10, 11, 1, 10, false) ||
        !expect_page(t, &ann, "lobby", 10, 12, 2, 11, true) ||
        !expect_page(t, &ann, "lobby", 10, 5, 1, 4, false) ||
        !expect_page(t, &ann, "lobby", 10, 1, 1, 0, false) ||
        !expect_page(t, &ann, "lobby", 1, 100000, PAGES_OF, PAGES_OF, true))
        return;
    trial_expect(t, "every message once, and more as long as there are older ones");
    if (!walk_back(t, &ann, 100) || !walk_back(t, &ann, 23) || !walk_back(t, &ann, 1) ||
        !pages_are_bounded(t, &ann) ||
        !refuses(t, &ann, "'room':'lobby','limit':0", "bad_request") ||
        !refuses(t, &ann, "'room':'lobby','limit':101", "bad_request") ||
        !refuses(t, &ann, "'room':'lobby','limit':'5'", "bad_request") ||
        !refuses(t, &ann, "'room':'lobby','before':0", "bad_request") ||
        !refuses(t, &ann, "'room':'lobby','before':-1", "bad_request") || !trial_stop(t))
        return;
    trial_pass(t, "%d messages in pages of 100, 23 and 1, each of them once", PAGES_OF);
}

static void judge_members_only(struct trial *t)
{
    static const char at_once[] = "{\"type\":\"message\",\"content\":\"6\"}\n"
                                  "{\"type\":\"history\",\"room\":\"den\"}\n";
    struct room_peer ann, bob;
    int64_t seq;
    if (!serve(t, NULL, NULL) || !come(t, &ann, "ann", "den") || !come(t, &bob, "bob", "lobby"))
        return;
    trial_step(t, "ann says 5 things in room den, and something to bob alone; bob is not in den");
    if (!count_up(t, &ann, "den", 1, 5) ||
        !trial_ok(t, ann.fd, room_say(&ann, "{'type':'private','to':'bob','content':'hush'}")) ||
        !take(t, &ann, "private") || !take(t, &bob, "private") ||
        !refuses(t, &bob, "'room':'den'", "not_in_room") ||
        !refuses(t, &bob, "'room':'DEN'", "not_in_room") ||
        !refuses(t, &bob, "'room':'nowhere'", "not_in_room") ||
        !refuses(t, &bob, "'room':'a b'", "bad_room") ||
        !refuses(t, &bob, "'limit':5", "bad_request"))
        return;
    trial_step(t, "bob goes to room den");
    trial_expect(t, "what was said before he came, without what was private");
    if (!enter(t, &bob, "den") || !expect_page(t, &bob, "den", 0, 0, 1, 5, false) ||
        !expect_page(t, &bob, "lobby", 0, 0, 1, 0, false))
        return;
    trial_step(t, "he leaves it");
    if (!trial_ok(t, bob.fd, room_say(&bob, "{'type':'leave_room','room':'den'}")) ||
        !take(t, &bob, "room_left") || !refuses(t, &bob, "'room':'den'", "not_in_room"))
        return;
    room_close(&bob);
    trial_step(t, "a client that has not joined asks");
    if (!take(t, &ann, "user_joined") || !take(t, &ann, "user_left") ||
        !trial_ok(t, -1, room_connect(&bob, "somebody", &t->s)) ||
        !refuses(t, &bob, "'room':'den'", "not_joined"))
        return;
    trial_step(t, "ann says something, and asks at once");
    trial_expect(t, "what she has just said");
    if (trial_ok(t, ann.fd, room_send(&ann, at_once, sizeof at_once - 1)) &&
        hear(t, &ann, "6", &seq)) {
        json_t *page = next_of(t, &ann, "history");
        bool right = page != NULL && is_page(t, &ann, page, 1, 6, false);
        json_decref(page);
        if (right && trial_stop(t))
            trial_pass(t, "who is in a room reads its history, and nobody else");
    }
}

static void judge_one_commit(struct trial *t)
{
    struct room_peer ann;
    char content[16];
    int64_t seq;
    if (!serve(t, NULL, NULL) || !come(t, &ann, "ann", "lobby") ||
        !count_up(t, &ann, "lobby", 1, 1))
        return;
    int before = commits_in_log(t);
    trial_step(t, "ann sends %d messages at once", BURST);
    trial_expect(t, "a commit for each turn of the loop, however many messages it brought");
    if (!send_burst(t, &ann, BURST))
        return;
    for (int i = 1; i <= BURST; i++) {
        snprintf(content, sizeof content, "%d", i);
        if (!hear(t, &ann, content, &seq))
            return;
        if (seq != i + 1) {
            trial_fail(t, ann.fd, "seq %lld came, and %d was due", (long long)seq, i + 1);
            return;
        }
    }
    int commits = commits_in_log(t) - before;
    if (commits < 1 || commits > BURST / 8)
        trial_fail(t, ann.fd,
                   "%d messages came at once, and the write-ahead log has %d commits of them: "
                   "before_output is called once for all that was said in a turn",
                   BURST, commits);
    else if (trial_stop(t))
        trial_pass(t, "%d commits for %d messages", commits, BURST);
}

static bool leave(struct trial *t, struct room_peer *p, const char *room)
{
    return trial_ok(t, p->fd, room_say(p, "{'type':'leave_room','room':'%s'}", room)) &&
           take(t, p, "room_left");
}

/* Something is said so many times. */
static bool fill(struct trial *t, struct room_peer *p, const char *room, int count)
{
    int64_t seq;
    for (int i = 0; i < count; i++)
        if (!say_text(t, p, room, "and again") || !hear(t, p, "and again", &seq))
            return false;
    return true;
}

static void judge_retention(struct trial *t)
{
    struct room_peer ann;
    trial_expect(t, "the last 10 of a room, and no more");
    if (!serve(t, "--history-keep", "10") || !come(t, &ann, "ann", "lobby"))
        return;
    trial_step(t, "ann says 30 things in the lobby, and 8 in room den");
    if (!count_up(t, &ann, "lobby", 1, 30) || !enter(t, &ann, "den") ||
        !count_up(t, &ann, "den", 1, 8) || !expect_page(t, &ann, "lobby", 100, 0, 21, 30, false) ||
        !expect_page(t, &ann, "den", 100, 0, 1, 8, false))
        return;
    room_close(&ann);
    trial_expect(t, "the last 12 in all: the oldest ones go, whatever room they are of");
    if (!trial_stop(t) || !serve(t, "--history-total", "12") || !come(t, &ann, "ann", "lobby") ||
        !enter(t, &ann, "den") || !expect_page(t, &ann, "lobby", 100, 0, 27, 30, false) ||
        !expect_page(t, &ann, "den", 100, 0, 1, 8, false))
        return;
    trial_step(t, "ann says 2 more in the lobby, and 14 in the new room hall");
    if (!count_up(t, &ann, "lobby", 31, 32) ||
        !expect_page(t, &ann, "lobby", 100, 0, 29, 32, false) || !enter(t, &ann, "hall") ||
        !count_up(t, &ann, "hall", 1, 9) || !expect_page(t, &ann, "den", 100, 0, 8, 8, false) ||
        !count_up(t, &ann, "hall", 10, 14) || !expect_page(t, &ann, "hall", 100, 0, 3, 14, false) ||
        !expect_page(t, &ann, "lobby", 100, 0, 1, 0, false))
        return;
    trial_step(
        t, "of den none is left, and its last was seq 8; ann leaves it, comes back and says one");
    trial_expect(t, "a seq above all that were used there before");
    int64_t seq;
    if (!leave(t, &ann, "den") || !enter(t, &ann, "den") || !say_text(t, &ann, "den", "again") ||
        !hear(t, &ann, "again", &seq))
        return;
    if (seq <= 8) {
        trial_fail(t, ann.fd, "seq %lld: the room has used it for another message", (long long)seq);
        return;
    }
    const long long begun_again = (long long)seq;
    trial_step(
        t, "of hall and of the lobby none is left, and others are far ahead of hall, where ann is");
    trial_expect(
        t, "seq 15 in hall, where she has seen 14: no gap for who has been there all the time");
    if (!fill(t, &ann, "den", 12) || !say_text(t, &ann, "hall", "at last") ||
        !hear(t, &ann, "at last", &seq))
        return;
    if (seq != 15)
        trial_fail(
            t, ann.fd,
            "seq %lld came after 14: the archive has forgotten the room, and ann has been in it",
            (long long)seq);
    else if (trial_stop(t))
        trial_pass(t, "10 of a room, 12 in all; and the next seq of an empty room was %lld",
                   begun_again);
}

/* All of it once more, under the sanitizers. */
static void judge_clean(struct trial *t)
{
    struct room_peer ann, bob;
    char room[16];
    trial_expect(t, "no error in memory, and nothing left at the end");
    if (!serve(t, "--history-total", "50") || !come(t, &bob, "bob", "lobby"))
        return;
    trial_step(t,
               "%d times ann comes to a new room and to the lobby, talks, asks, and goes; the "
               "disk is full each tenth time",
               ROUNDS);
    for (int i = 1; i <= ROUNDS; i++) {
        snprintf(room, sizeof room, "room-%d", i);
        if (!come(t, &ann, "ann", room) || !enter(t, &ann, "lobby") ||
            !take(t, &bob, "user_joined") || (i % 10 == 0 && !trial_limit_files(t, 1)) ||
            !send_burst(t, &ann, BURST))
            return;
        if (i % 10 == 0) {
            if (!hear_burst(t, &ann, BURST, true) || !hear_burst(t, &bob, BURST, true) ||
                !trial_limit_files(t, 0) || !expect_state(t, &bob, true) ||
                !expect_state(t, &ann, true))
                return;
        } else {
            for (int n = 0; n < BURST; n++)
                if (!take(t, &ann, "broadcast") || !take(t, &bob, "broadcast"))
                    return;
        }
        json_t *page = history_of(t, &ann, "lobby", 10, 0);
        bool right = page != NULL && (length_of(page) == 10 ||
                                      trial_fail(t, ann.fd, "the history has %zu messages, not 10",
                                                 length_of(page)));
        json_decref(page);
        if (!right)
            return;
        room_close(&ann);
        if (!take(t, &bob, "user_left"))
            return;
    }
    if (is_intact(t) && trial_stop(t))
        trial_pass(t, "%d rounds of %d messages, and nothing is left", ROUNDS, BURST);
}

static const struct check checks[] = {
    {"remembers", "each message has its seq, and is in the history", 1, NULL, TRIAL_PLAIN,
     judge_remembers, 0},
    {"any-content", "what was said is data, whatever it looks like", 1, "remembers", TRIAL_PLAIN,
     judge_any_content, 0},
    {"pages", "from the end to the beginning, every message once", 1, "remembers", TRIAL_PLAIN,
     judge_pages, 0},
    {"members-only", "who is in a room reads its history, and nobody else", 1, "remembers",
     TRIAL_PLAIN, judge_members_only, 0},
    {"commit-first", "a seq leaves when it is committed, and not before", 1, "remembers",
     TRIAL_PLAIN, judge_commit_first, 60},
    {"one-commit", "one commit for all that was said in a turn", 1, "remembers", TRIAL_PLAIN,
     judge_one_commit, 0},
    {"survives-kill", "after kill -9 every message that was seen is there", 1, "remembers",
     TRIAL_PLAIN, judge_survives_kill, 60},
    {"off-and-on", "the room goes on without the database, and it comes back", 1,
     "remembers commit-first", TRIAL_PLAIN, judge_off_and_on, 30},
    {"retention", "the oldest messages go, and no seq is used again", 1, "remembers", TRIAL_PLAIN,
     judge_retention, 0},
    {"clean", "nothing leaks, and nothing is touched that is gone", 1, "remembers", TRIAL_ADDRESS,
     judge_clean, 45},
    {0},
};

int main(int argc, char **argv)
{
    const struct exercise exercise = {"15-chat-history", "What was said is there after kill -9",
                                      checks};
    room_extensions = true;
    return grade_main(argc, argv, &exercise);
}
