/*
 * files_harm_test - files that are passed on, when somebody goes, the server is killed, the disk fails, or a
 * client does not read; and what a large one costs those who talk.
 *
 * The requests are files_test's.
 */

#include "file_steps.h"

#include "clock.h"
#include "data_folder.h"
#include "testkit/proc.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MIB = 1 << 20 };

static const char lobby[] = "'room':'lobby'";

static void limit_files(rlim_t bytes)
{
    struct rlimit limit;
    ck_assert_int_eq(prlimit(server.pid, RLIMIT_FSIZE, NULL, &limit), 0);
    limit.rlim_cur = bytes > 0 ? bytes : limit.rlim_max;
    ck_assert_int_eq(prlimit(server.pid, RLIMIT_FSIZE, &limit, NULL), 0);
}

/* ---- who does not read ------------------------------------------------------------------------ */

/* A client that never reads: the server sleeps, holds little for it, and serves the others. */
START_TEST(who_never_reads)
{
    enum { DEAF = 10 };
    struct room_peer ann, bob, deaf[DEAF];
    struct content f = {.seed = 50, .size = 8 * MIB};
    file_server(NULL, NULL, NULL, NULL);
    come(&ann, "ann", "lobby");
    come(&bob, "bob", "lobby");
    file_upload(&ann, lobby, "x", &f);
    file_expect_shared(&bob, &f, "ann", "x");
    file_fetch(&bob, &f, 0);
    long before = chat_rss();
    for (int i = 0; i < DEAF; i++) {
        must(room_connect_narrow(&deaf[i], "deaf", &server));
        say(&deaf[i], "{'type':'join','nickname':'deaf-%d'}", i);
        file_expect(&deaf[i], "welcome", NULL);
        file_say_get(&deaf[i], f.id, 0);
    }
    file_fetch(&bob, &f, 0);
    say(&ann, "{'type':'message','content':'still there?'}");
    file_expect(&ann, "broadcast", NULL);
    file_expect(&bob, "broadcast", NULL);
    must(chat_sleeps());
    ck_assert_int_lt(chat_rss() - before, 4 * MIB);
    /* And when one of them reads, it hears what was said, and gets all of it. */
    int64_t at = 0;
    int chunks = 0;
    for (bool said = false; !said; chunks++) {
        json_t *m = file_hear(&deaf[0]);
        said = strcmp(room_text(m, "type"), "broadcast") == 0;
        must(said || file_take_data(m, &f, &at));
        json_decref(m);
    }
    ck_assert_int_lt(chunks, 50);
    file_take_rest(&deaf[0], &f, at);
    stop_server();
}
END_TEST

/* The CPU time of the server for questions about a transfer that there is not. */
static int64_t questions_cost(struct room_peer *p)
{
    enum { QUESTIONS = 1000 };
    int64_t before = proc_tree(server.pid).cpu_ns;
    for (int i = 0; i < QUESTIONS; i++) {
        say(p, "{'type':'file_cancel','file':'no such'}");
        file_refused(p, "no_such_file");
    }
    return proc_tree(server.pid).cpu_ns - before;
}

/* Transfers of others that cannot go on cost nobody anything. */
START_TEST(many_who_never_read)
{
    enum { ROOMS = 6, EACH = WAIT_SCALE > 1 ? 20 : 120, FOUR = 4, TICKS = 30000000 };
    static struct room_peer deaf[ROOMS * EACH];
    struct room_peer ann, bob;
    struct content files[ROOMS][FOUR];
    char name[16], audience[32];
    file_server(NULL, NULL, NULL, NULL);
    come(&ann, "ann", "lobby");
    come(&bob, "bob", "bobs");
    for (int r = 0; r < ROOMS; r++) {
        snprintf(audience, sizeof audience, "'room':'r%d'", r);
        say(&ann, "{'type':'join_room','room':'r%d'}", r);
        file_expect(&ann, "room_joined", NULL);
        for (int i = 0; i < FOUR; i++) {
            files[r][i] = (struct content){.seed = (uint64_t)i, .size = 200000};
            file_upload(&ann, audience, "x", &files[r][i]);
        }
    }
    room_close(&ann);
    int64_t alone = questions_cost(&bob);
    for (int i = 0; i < ROOMS * EACH; i++) {
        must(room_connect_narrow(&deaf[i], "deaf", &server));
        snprintf(name, sizeof name, "r%d", i % ROOMS);
        say(&deaf[i], "{'type':'join','nickname':'deaf-%d','room':'%s'}", i, name);
        file_expect(&deaf[i], "welcome", NULL);
        snprintf(audience, sizeof audience, "'room':'%s'", name);
        for (int n = 0; n < FOUR; n++) {
            file_say_get(&deaf[i], files[i % ROOMS][n].id, 0);
            file_say_offer(&deaf[i], audience, "x", 1, file_wrong_sum);
        }
    }
    file_expect_kept(ROOMS * FOUR + ROOMS * EACH * FOUR);
    must(chat_sleeps());
    int64_t beside = questions_cost(&bob);
    printf("files_harm_test: 1000 questions cost %.1f ms, and %.1f ms beside %d transfers\n",
           (double)alone / 1e6, (double)beside / 1e6, 2 * FOUR * ROOMS * EACH);
    ck_assert_int_lt(beside, 3 * alone + TICKS);
    stop_server();
}
END_TEST

/* However little may wait for a client, a download is no more than it takes. */
START_TEST(a_short_send_queue)
{
    static const char *const sizes[] = {"1024", "4096", "16384"};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct room_peer ann, bob;
        struct content f[4];
        int64_t at[4] = {0};
        file_server("--send-queue", sizes[i], NULL, NULL);
        come(&ann, "ann", "lobby");
        for (int n = 0; n < 4; n++) {
            f[n] = (struct content){.seed = 51 + (uint64_t)n, .size = MIB / 2};
            file_upload(&ann, lobby, "x", &f[n]);
        }
        must(room_connect_narrow(&bob, "bob", &server));
        say(&bob, "{'type':'join','nickname':'bob'}");
        file_expect(&bob, "welcome", NULL);
        for (int n = 0; n < 4; n++)
            file_say_get(&bob, f[n].id, 0);
        must(chat_sleeps()); /* as much waits for him as ever will */
        for (int left = 4; left > 0;) {
            json_t *m = file_hear_of(&bob, "file_data", NULL);
            int n = 0;
            while (n < 3 && strcmp(room_text(m, "file"), f[n].id) != 0)
                n++;
            must(file_take_data(m, &f[n], &at[n]));
            left -= at[n] == f[n].size;
            json_decref(m);
        }
        file_silence(&bob);
        stop_server();
        data_remove();
        data_make();
    }
}
END_TEST

/* ---- what ends in the middle ------------------------------------------------------------------ */

/* Who asks, and has nothing to say any more, gets all of it, and then the end. */
START_TEST(half_closed_after_file_get)
{
    struct room_peer ann, bob;
    struct content f = {.seed = 78, .size = MIB};
    file_server(NULL, NULL, NULL, NULL);
    come(&ann, "ann", "lobby");
    file_upload(&ann, lobby, "x", &f);
    must(room_connect_narrow(&bob, "bob", &server));
    say(&bob, "{'type':'join','nickname':'bob'}\n{'type':'file_get','file':'%s'}", f.id);
    must(room_finish(&bob));
    file_expect(&bob, "welcome", NULL);
    for (int64_t at = 0; at < f.size;) {
        json_t *m = file_hear_of(&bob, "file_data", f.id);
        must(file_take_data(m, &f, &at));
        json_decref(m);
    }
    expect_end(&bob);
    stop_server();
}
END_TEST

/* And who does not read it either is gone when the time is over that he may be idle. */
START_TEST(half_closed_and_never_reads)
{
    struct room_peer ann, bob;
    struct content f = {.seed = 79, .size = MIB};
    file_server("--idle-timeout", "0.5", "--drain-timeout", "0.1");
    come(&ann, "ann", "lobby");
    file_upload(&ann, lobby, "x", &f);
    long descriptors = proc_tree(server.pid).descriptors;
    must(room_connect_narrow(&bob, "bob", &server));
    say(&bob, "{'type':'join','nickname':'bob'}\n{'type':'file_get','file':'%s'}", f.id);
    must(room_finish(&bob));
    for (bool left = false; !left;) { /* ann is asked for a sign of life meanwhile */
        json_t *m = room_next(&ann);
        must(m != NULL);
        left = strcmp(room_text(m, "type"), "user_left") == 0;
        ck_assert_str_eq(room_text(m, "reason"), left ? "timeout" : "");
        json_decref(m);
    }
    must(chat_level(descriptors));
    stop_server();
}
END_TEST

START_TEST(who_goes_in_the_middle)
{
    struct room_peer ann, bob;
    struct content f = {.seed = 70, .size = 4 * MIB}, g = {.seed = 71, .size = 100000};
    file_server(NULL, NULL, NULL, NULL);
    come(&bob, "bob", "lobby");
    file_upload(&bob, lobby, "x", &f);
    file_silence(&bob);
    long descriptors = proc_tree(server.pid).descriptors;
    for (int i = 0; i < 20; i++) {
        must(room_connect_narrow(&ann, "ann", &server));
        say(&ann, "{'type':'join','nickname':'ann'}");
        file_expect(&ann, "welcome", NULL);
        file_offer(&ann, lobby, "x", &g);
        file_send(&ann, &g, 0, i * CHUNK);
        file_say_get(&ann, f.id, 0);
        if (i % 2 == 0) {
            int64_t at = 0;
            json_t *m = file_hear_of(&ann, "file_data", f.id);
            must(file_take_data(m, &f, &at));
            json_decref(m);
        }
        if (i % 4 < 2)
            room_close(&ann);
        else
            room_reset(&ann);
        file_expect_kept(1);
        must(chat_level(descriptors));
    }
    file_fetch(&bob, &f, 0);
    stop_server();
}
END_TEST

/* The last chunk, and the end of what will be said: the file is shared, and the answer comes. */
START_TEST(half_closed_after_the_last_chunk)
{
    struct room_peer ann, bob;
    struct content f = {.seed = 72, .size = 5000};
    file_server(NULL, NULL, NULL, NULL);
    come(&ann, "ann", "lobby");
    come(&bob, "bob", "lobby");
    file_offer(&ann, lobby, "x", &f);
    file_send(&ann, &f, 0, CHUNK);
    file_send_chunk(&ann, &f, CHUNK, CHUNK, (size_t)f.size - CHUNK);
    say(&ann, "{'type':'ping','id':'behind it'}");
    must(room_finish(&ann));
    expect(&ann, "{'type':'file_ack','file':'%s','offset':5000}", f.id);
    file_expect_shared(&ann, &f, "ann", "x");
    expect(&ann, "{'type':'pong','id':'behind it'}");
    expect_end(&ann);
    file_expect_shared(&bob, &f, "ann", "x");
    file_fetch(&bob, &f, 0);
    stop_server();
}
END_TEST

/* Uploads of which the syncer has some just now, whose clients go, or whose server is stopped. */
START_TEST(gone_while_it_is_synced)
{
    enum { ROUNDS = 30 };
    struct room_peer ann;
    struct content f = {.seed = 73, .size = 8000};
    char name[16], audience[32];
    file_server(NULL, NULL, NULL, NULL);
    for (int i = 0; i <= ROUNDS; i++) {
        snprintf(name, sizeof name, "ann-%d", i);
        snprintf(audience, sizeof audience, "'to':'%s'", name);
        come(&ann, name, "lobby");
        file_offer(&ann, audience, "x", &f);
        file_send(&ann, &f, 0, CHUNK);
        file_send_chunk(&ann, &f, CHUNK, CHUNK, (size_t)f.size - CHUNK);
        if (i == ROUNDS)
            break;
        if (i % 2 == 0)
            room_reset(&ann);
        else
            room_close(&ann);
    }
    stop_server();
    /* Each is there with its row, or not at all. */
    ck_assert_int_eq(file_kept(), (int)data_count("SELECT count(*) FROM files"));
    file_server(NULL, NULL, NULL, NULL);
    ck_assert_int_eq(file_kept(), (int)data_count("SELECT count(*) FROM files"));
    stop_server();
}
END_TEST

static void plant(const char *name)
{
    char path[200];
    snprintf(path, sizeof path, "%s/files/%s", data_folder, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    ck_assert_int_ne(fd, -1);
    close(fd);
}

START_TEST(killed_in_the_middle)
{
    struct room_peer ann, bob;
    struct content whole = {.seed = 74, .size = 30000}, lost = whole, f = {.seed = 75, .size = MIB};
    char path[200];
    file_server(NULL, NULL, NULL, NULL);
    come(&ann, "ann", "lobby");
    file_upload(&ann, lobby, "x", &whole);
    file_upload(&ann, lobby, "x", &lost);
    file_offer(&ann, lobby, "x", &f);
    file_send(&ann, &f, 0, 300000);
    file_expect_kept(3);
    subject_kill(&server);
    room_close(&ann);
    plant("0123456789abcdef0123456789abcdef");
    plant("something else");
    snprintf(path, sizeof path, "%s/files/%s", data_folder, lost.id);
    ck_assert_int_eq(unlink(path), 0);
    file_server(NULL, NULL, NULL, NULL);
    ck_assert_int_eq(file_kept(), 1);
    ck_assert_int_eq(data_count("SELECT count(*) FROM files"), 1);
    ck_assert_str_eq(data_integrity(), "ok");
    come(&bob, "bob", "lobby");
    file_not_for(&bob, f.id);
    file_not_for(&bob, lost.id);
    file_fetch(&bob, &whole, 0);
    stop_server();
}
END_TEST

/* ---- a disk that fails ------------------------------------------------------------------------ */

START_TEST(a_full_disk)
{
    struct room_peer ann, bob;
    struct content f = {.seed = 76, .size = 2 * MIB}, g = {.seed = 77, .size = 1000};
    file_server(NULL, NULL, NULL, NULL);
    come(&ann, "ann", "lobby");
    come(&bob, "bob", "lobby");
    file_offer(&ann, lobby, "x", &f);
    limit_files(MIB + 100);
    file_send(&ann, &f, 0, MIB);
    file_send_chunk(&ann, &f, MIB, MIB, CHUNK);
    file_refused(&ann, "busy");
    file_send_chunk(&ann, &f, MIB, MIB, 10);
    file_refused(&ann, "no_such_file");
    file_expect_kept(0);
    limit_files(0);
    say(&bob, "{'type':'message','content':'hello'}");
    file_expect(&bob, "broadcast", NULL);
    file_expect(&ann, "broadcast", NULL);
    file_upload(&ann, lobby, "x", &f);
    file_expect_shared(&bob, &f, "ann", "x");
    file_fetch(&bob, &f, 0);
    /* The file can be written, and its row cannot. */
    file_offer(&ann, lobby, "x", &g);
    sqlite3 *db = data_open();
    ck_assert_int_eq(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    file_send_chunk(&ann, &g, 0, 0, (size_t)g.size);
    file_refused(&ann, "busy");
    ck_assert_int_eq(sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    file_expect_kept(1);
    file_silence(&bob);
    file_upload(&ann, lobby, "x", &g);
    file_expect_shared(&bob, &g, "ann", "x");
    stop_server();
}
END_TEST

/* No descriptor is left for a moment: the chunk is not taken, and the upload goes on. */
START_TEST(no_descriptors_left)
{
    struct room_peer ann;
    struct content f = {.seed = 82, .size = 3 * CHUNK};
    struct rlimit old;
    file_server(NULL, NULL, NULL, NULL);
    come(&ann, "ann", "lobby");
    file_offer(&ann, lobby, "x", &f);
    file_send(&ann, &f, 0, CHUNK);
    ck_assert_int_eq(prlimit(server.pid, RLIMIT_NOFILE, NULL, &old), 0);
    struct rlimit none = {3, old.rlim_max};
    ck_assert_int_eq(prlimit(server.pid, RLIMIT_NOFILE, &none, NULL), 0);
    file_send_chunk(&ann, &f, CHUNK, CHUNK, CHUNK);
    file_refused(&ann, "busy");
    file_say_offer(&ann, lobby, "x", 10, file_wrong_sum);
    file_refused(&ann, "busy");
    ck_assert_int_eq(prlimit(server.pid, RLIMIT_NOFILE, &old, NULL), 0);
    file_send(&ann, &f, CHUNK, f.size);
    file_expect_shared(&ann, &f, "ann", "x");
    file_expect_kept(1);
    stop_server();
}
END_TEST

/* What was said in the same turn has its transaction, and the file's row another. */
START_TEST(words_and_a_file_in_one_turn)
{
    enum { ROUNDS = 20 };
    struct room_peer ann, bob;
    file_server(NULL, NULL, NULL, NULL);
    come(&ann, "ann", "lobby");
    come(&bob, "bob", "lobby");
    for (int i = 0; i < ROUNDS; i++) {
        struct content f = {.seed = 80, .size = 0};
        char sum[65];
        file_sum(&f, sum);
        must(room_queue(&ann,
                        "{'type':'file_offer','room':'lobby','name':'x','size':0,"
                        "'sha256':'%s'}",
                        sum));
        must(room_queue(&ann, "{'type':'message','content':'%d'}", i));
        must(room_send(&ann, queue_data(&ann.out), ann.out.length));
        queue_drop(&ann.out, ann.out.length);
        for (int n = 0; n < 5; n++)
            say(&bob, "{'type':'message','content':'bob'}");
        for (int words = 0, files = 0; words < 6 || files < 2;) {
            json_t *m = file_hear(&ann);
            words += strcmp(room_text(m, "type"), "broadcast") == 0;
            files += strncmp(room_text(m, "type"), "file_", 5) == 0;
            json_decref(m);
        }
    }
    stop_server();
    ck_assert_int_eq(data_count("SELECT count(*) FROM files"), ROUNDS);
    ck_assert_int_eq(data_count("SELECT count(*) FROM messages"), 6 * ROUNDS);
    ck_assert_int_eq(file_kept(), ROUNDS);
}
END_TEST

/* Chunks cost none of a client's rate; what is refused does. */
START_TEST(chunks_are_unmetered)
{
    struct room_peer ann;
    struct content f = {.seed = 81, .size = 400 * CHUNK};
    must(chat_start(
        0, SUBJECT_ARGS("--quiet", "--data", data_folder, "--rate", "1", "--burst", "10"), 0));
    come(&ann, "ann", "lobby");
    file_upload(&ann, lobby, "x", &f);
    file_silence(&ann);
    stop_server();
}
END_TEST

/* A chunk of a few bytes, and not the last, costs what any line does.  The server serves no more than BURST
 * and RATE a second, however slow the machine is. */
START_TEST(small_chunks_are_metered)
{
    enum { RATE = 20, BURST = 5, CHUNKS = 25 };
    struct room_peer ann;
    struct content f = {.seed = 83, .size = CHUNKS + 1};
    must(chat_start(
        0, SUBJECT_ARGS("--quiet", "--data", data_folder, "--rate", "20", "--burst", "5"), 0));
    come(&ann, "ann", "lobby");
    file_offer(&ann, lobby, "x", &f);
    int64_t begin = clock_now();
    for (int i = 0; i < CHUNKS; i++)
        file_send_chunk(&ann, &f, i, i, 1);
    for (int i = 0; i < CHUNKS; i++)
        file_expect(&ann, "file_ack", f.id);
    ck_assert_int_ge((clock_now() - begin) / 1000000, (CHUNKS - BURST) * 1000 / RATE - 100);
    stop_server();
}
END_TEST

/* ---- a large one ------------------------------------------------------------------------------ */

enum { LARGE = 100 * MIB, WORDS = 2000, SAMPLES_MOST = 200000 };

static int64_t samples[SAMPLES_MOST];

struct latency {
    double p50, p99; /* milliseconds */
};

static int by_size(const void *a, const void *b)
{
    const int64_t *left = a, *right = b;
    return (*left > *right) - (*left < *right);
}

/* Let two talk, one word after the other, until a process has ended, or so many words; and say how long
 * they took. */
static struct latency talk(struct room_peer *ann, struct room_peer *bob, pid_t until, int words)
{
    int count = 0, status = 0;
    while (count < SAMPLES_MOST &&
           (until == 0 ? count < words : waitpid(until, &status, WNOHANG) == 0)) {
        int64_t begin = clock_now();
        say(ann, "{'type':'message','content':'word'}");
        file_expect(bob, "broadcast", NULL);
        samples[count++] = clock_now() - begin;
        file_expect(ann, "broadcast", NULL);
    }
    ck_assert_int_eq(status, 0);
    ck_assert_int_gt(count, 0);
    qsort(samples, (size_t)count, sizeof samples[0], by_size);
    int64_t middle = samples[count / 2], slow = samples[count * 99 / 100];
    return (struct latency){(double)middle / 1e6, (double)slow / 1e6};
}

/* The same beside a process that only computes: what a busy machine costs, without a server's doing. */
static struct latency talk_beside_computing(struct room_peer *ann, struct room_peer *bob)
{
    pid_t computes = fork();
    ck_assert_int_ne(computes, -1);
    if (computes == 0)
        for (volatile unsigned n = 0;;)
            n++;
    struct latency l = talk(ann, bob, 0, WORDS);
    kill(computes, SIGKILL);
    waitpid(computes, NULL, 0);
    return l;
}

/* A hundred MiB up and down again, with their sum, by another process, while two others talk. */
START_TEST(a_hundred_mib)
{
    struct room_peer ann, bob, dan;
    struct content f = {.seed = 90, .size = LARGE};
    file_server(NULL, NULL, NULL, NULL);
    come(&ann, "ann", "talk");
    come(&bob, "bob", "talk");
    struct latency alone = talk(&ann, &bob, 0, WORDS);
    struct latency busy = talk_beside_computing(&ann, &bob);
    long descriptors = proc_tree(server.pid).descriptors;
    pid_t transfer = fork();
    ck_assert_int_ne(transfer, -1);
    if (transfer == 0) {
        come(&dan, "dan", "lobby");
        file_upload(&dan, lobby, "large", &f);
        file_fetch(&dan, &f, 0);
        _exit(0);
    }
    struct latency beside = talk(&ann, &bob, transfer, 0);
    printf("files_harm_test: talk p50 %.2f p99 %.2f ms alone, %.2f %.2f beside a process that only "
           "computes, %.2f %.2f during 100 MiB up and down\n",
           alone.p50, alone.p99, busy.p50, busy.p99, beside.p50, beside.p99);
    fflush(stdout);
    must(chat_level(descriptors));
    file_expect_kept(1);
    stop_server();
}
END_TEST

int main(void)
{
    chat_program = data_server();
    room_extensions = true;
    Suite *suite = suite_create("files");
    TCase *group = chat_group(suite, "harm");
    tcase_add_checked_fixture(group, data_make, data_remove);
    tcase_add_test(group, who_never_reads);
    tcase_add_test(group, many_who_never_read);
    tcase_add_test(group, a_short_send_queue);
    tcase_add_test(group, half_closed_after_file_get);
    tcase_add_test(group, half_closed_and_never_reads);
    tcase_add_test(group, who_goes_in_the_middle);
    tcase_add_test(group, half_closed_after_the_last_chunk);
    tcase_add_test(group, gone_while_it_is_synced);
    tcase_add_test(group, killed_in_the_middle);
    tcase_add_test(group, a_full_disk);
    tcase_add_test(group, no_descriptors_left);
    tcase_add_test(group, words_and_a_file_in_one_turn);
    tcase_add_test(group, chunks_are_unmetered);
    tcase_add_test(group, small_chunks_are_metered);
    tcase_add_test(group, a_hundred_mib);
    return suite_run("files_harm_test", suite, NULL);
}
