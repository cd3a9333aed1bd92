/*
 * file_steps - steps of a test in which files are passed on.
 *
 * Interface:
 *   file_server                             the server, on this test's folder
 *   file_sum                                the SHA-256 of a file
 *   file_hear, file_refused ...             the next message, but for news of who comes and goes
 *   file_offer, file_say_offer              a file_offer
 *   file_send, file_send_chunk, file_upload file_data, and all that comes before the announcement
 *   file_expect_shared                      the announcement
 *   file_fetch, file_say_get, file_take_... file_get, and what comes of it
 *   file_kept, file_expect_kept             what stands in DIR/files
 *
 * Every byte of a file follows from its seed.  A step that fails ends the test.
 */
#ifndef FILE_STEPS_H
#define FILE_STEPS_H

#include "../../../lessons/14-chat/tests/chat_suite.h"

#include <stdint.h>

enum { CHUNK = 4096 };

struct content {
    uint64_t seed;
    int64_t size;
    char id[64]; /* that the server has given it */
};

/* A sum that no file here has. */
extern const char file_wrong_sum[];

/* file_server - start it, with up to two options; the first may be NULL.  It asks nobody for a sign of life. */
void file_server(const char *option, const char *value, const char *other, const char *second);

void file_sum(const struct content *f, char text[65]);

/* file_hear - the next message, to be released; file_hear_of - and it is of this type, and about this file
 * unless that is NULL. */
json_t *file_hear(struct room_peer *p);
json_t *file_hear_of(struct room_peer *p, const char *type, const char *file);
void file_expect(struct room_peer *p, const char *type, const char *file);

/* file_refused - the next message is an error with this code.  file_silence - there is none. */
void file_refused(struct room_peer *p, const char *code);
void file_silence(struct room_peer *p);

/* audience: 'room':'lobby', or 'to':'bob'. */
void file_say_offer(struct room_peer *p, const char *audience, const char *name, int64_t size,
                    const char *sum);
void file_offer(struct room_peer *p, const char *audience, const char *name, struct content *f);

/* file_send_chunk - size bytes of f from `from` on, said to stand at offset. */
void file_send_chunk(struct room_peer *p, const struct content *f, int64_t from, int64_t offset,
                     size_t size);
void file_send(struct room_peer *p, const struct content *f, int64_t from, int64_t to);
void file_expect_shared(struct room_peer *p, const struct content *f, const char *from,
                        const char *name);
void file_upload(struct room_peer *p, const char *audience, const char *name, struct content *f);

void file_say_get(struct room_peer *p, const char *file, int64_t offset);

/* file_take_data - this file_data is the next one of f; *at is raised by its bytes.  False with a fault. */
bool file_take_data(const json_t *m, const struct content *f, int64_t *at);
void file_take_rest(struct room_peer *p, const struct content *f, int64_t at);
void file_not_for(struct room_peer *p, const char *file);
void file_fetch(struct room_peer *p, const struct content *f, int64_t from);

/* file_kept - how many files there are; file_expect_kept - wait until there are so many. */
int file_kept(void);
void file_expect_kept(int files);

#endif
