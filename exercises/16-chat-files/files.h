/*
 * files - files are passed on: uploaded in chunks, kept, announced, and fetched.
 *
 * The extension is the table of requests, the options, and what both directions have in common;
 * incoming.h and outgoing.h are the two directions.
 */
#ifndef FILES_H
#define FILES_H

#include "dispatch.h"

enum {
    FILES_CHUNK = 4096,  /* bytes of a file that one line carries at most */
    FILES_FREE = 1024,   /* with so many it costs none of its client's rate */
    FILES_UPLOADS = 4,   /* that a session may have at the same time */
    FILES_DOWNLOADS = 4, /* the same */
};

/* In bytes; set by the options --file-max, --file-quota, --file-total and --file-days. */
struct files_limits {
    unsigned long max;   /* of one file */
    unsigned long quota; /* of all files of one nickname */
    unsigned long total; /* of all files */
    unsigned long days;  /* that a file is kept; 0: for ever */
};
extern struct files_limits files_limits;

extern const struct extension files;

#endif
