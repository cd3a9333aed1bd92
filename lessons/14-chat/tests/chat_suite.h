/*
 * chat_suite - what the suites of the chat room's server have in common.
 *
 * Interface:
 *   start_server, stop_server   the server of the running test
 *   must, say, expect, ...      steps of a test: the first that fails ends it, and says why
 *   come, meet                  people who join
 *   chat_group                  a group of tests
 *
 * The server is a program of which nothing is known but the protocol page and its options, so that
 * another one can be put to the same tests: see chat_test.c.
 */
#ifndef CHAT_SUITE_H
#define CHAT_SUITE_H

#include "room_peer.h"
#include "testkit/fault.h"
#include "testkit/subject.h"
#include "testkit/suite.h"
#include "testkit/wait.h"

#include <check.h>
#include <stdbool.h>
#include <stddef.h>

/* The program under test, and arguments that it always gets. */
extern const char *chat_program;
extern const char *const *chat_arguments;

/* The server of the running test. */
extern struct subject server;

/* The tests that run over every backend are loop tests, and _i says over which. */
enum { BACKENDS = 3 };
extern const char *const chat_backends[BACKENDS];

/*
 * chat_start - start the server of the running test, on a free port.
 *
 * backend      which; a test that is not a loop test has 0, the default one
 * arguments    further ones, NULL at the end
 * descriptors  see subject_start
 */
bool chat_start(int backend, const char *const arguments[], rlim_t descriptors);

/* start_server - quietly, with these arguments; stop_server - and it must have kept well: it exits 0
 * and no sanitizer complains.  All peers go first: a server may wait a while for them. */
#define start_server(...) must(chat_start(_i, SUBJECT_ARGS("--quiet", __VA_ARGS__), 0))
#define stop_server()     must(chat_stop())
bool chat_stop(void);

/* Steps of a test. */
#define must(done)                   ck_assert_msg((done), ": %s", fault_text())
#define say(peer, ...)               must(room_say(peer, __VA_ARGS__))
#define expect(peer, ...)            must(room_expect(peer, __VA_ARGS__))
#define expect_error(peer, code, id) must(room_expect_error(peer, code, id))
#define expect_silence(peer)         must(room_expect_silence(peer))
#define expect_end(peer)             must(room_expect_end(peer))

/* come - connect and join a room, where nobody else is watched: the welcome is taken as it is. */
#define come(peer, name, room) must(chat_come(peer, name, room))
bool chat_come(struct room_peer *p, const char *name, const char *room);

/* meet - count people come into the lobby, one after the other; those who are there see each new
 * one. */
#define meet(people, count, ...) must(chat_meet(people, count, (const char *const[]){__VA_ARGS__}))
bool chat_meet(struct room_peer *people, size_t count, const char *const names[]);

/* chat_serves - a new client joins, is served, and quits. */
bool chat_serves(void);

/* chat_close - close many. */
void chat_close(struct room_peer *people, size_t count);

/* chat_rss - the resident bytes of the server; always 0 under AddressSanitizer, which keeps what is
 * freed for a while. */
long chat_rss(void);

/* chat_level - wait until the server holds so many descriptors again. */
bool chat_level(long descriptors);

/* chat_sleeps - the server takes nearly no CPU time while nothing happens. */
bool chat_sleeps(void);

/* chat_log - what the server has written on standard error; chat_log_has - wait until that contains
 * a text. */
const char *chat_log(void);
bool chat_log_has(const char *text);

/* chat_crowd - how many connections a test may open: what the limit leaves, and at most so
 * many. */
size_t chat_crowd(size_t most);

/* A group of tests, to be filled with tcase_add_test and tcase_add_loop_test. */
TCase *chat_group(Suite *suite, const char *name);

/* The suites, by theme. */
void chat_requests(Suite *suite);
void chat_refusals(Suite *suite);
void chat_framing(Suite *suite);
void chat_order(Suite *suite);
void chat_limits(Suite *suite);
void chat_hostile(Suite *suite);
void chat_crowds(Suite *suite);
void chat_operation(Suite *suite);

#endif
