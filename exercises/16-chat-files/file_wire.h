/*
 * file_wire - requests and messages about files, as they stand on the wire.
 *
 * Interface:
 *   file_wire_offer, file_wire_chunk   read the fields of a file_offer, of a file_data
 *   file_wire_place                    a file and an offset in it
 *   file_wire_reply                    file_ready, file_ack, file_cancelled
 *   file_wire_put                      a file_data for a client
 *   file_wire_end                      that a download has ended before its end
 *   file_wire_shared                   the file_shared that announces a file
 *
 * What reads returns false after an error has been answered: a field is missing, or of the wrong type, or
 * not allowed.  Whether it is true what they say is not looked at here.
 */
#ifndef FILE_WIRE_H
#define FILE_WIRE_H

#include "dispatch.h"
#include "files.h"
#include "vault.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct file_chunk {
    const char *file; /* the id that the client has given: any text */
    int64_t offset;   /* 0 or more */
    size_t size;      /* 1 to FILES_CHUNK */
    unsigned char bytes[FILES_CHUNK];
};

/* file_wire_offer - name, size, sha256, and room or addressee; the id and the owner are left empty. */
bool file_wire_offer(struct call *c, struct vault_file *f);

/* file_wire_chunk - with its data decoded. */
bool file_wire_chunk(struct call *c, struct file_chunk *k);

/* file_wire_place - the id of a file in *file, and an offset of 0 or more; 0 if there is none. */
bool file_wire_place(struct call *c, const char **file, int64_t *offset);

/* file_wire_reply - answer with a message of that type about a file; with an offset, unless it is -1. */
void file_wire_reply(struct call *c, const char *type, const char *file, int64_t offset);

/* file_wire_put - append one file_data to what waits for a client: size bytes from `offset` on, FILES_CHUNK
 * at most.  c: the request that it answers, or NULL. */
void file_wire_put(struct session *s, struct call *c, const struct vault_file *f, int64_t offset,
                   const unsigned char *bytes, size_t size);

/* file_wire_end - tell a client that a download of its own has ended before its end: an error with that
 * code and sentence, unless the code is NULL, and a file_cancelled. */
void file_wire_end(struct session *s, const char *file, const char *code, const char *sentence);

/* file_wire_shared - a new message; NULL short of memory. */
json_t *file_wire_shared(const struct vault_file *f);

#endif
