/*
 * vault - the files that are whole: a row of the table `files` and a file in DIR/files for each.
 *
 * Interface:
 *   vault_open, vault_close     the folder
 *   vault_folder                a descriptor of it, for openat(2) and its like
 *   vault_find                  what is known of a file
 *   vault_add, vault_remove     a row; a row and its file
 *   vault_used                  bytes that count against a quota
 *   vault_expire                remove what is old
 *
 * A file is called by its id there, and by nothing that a client has sent.  Everything is to be called
 * from the loop's thread.
 */
#ifndef VAULT_H
#define VAULT_H

#include "names.h"

#include <stdbool.h>
#include <stdint.h>

struct hub;

enum {
    VAULT_ID_BYTES = 16,         /* random ones */
    VAULT_ID_SIZE = 2 * 16 + 1,  /* in hexadecimal digits, with the final 0 */
    VAULT_SUM_SIZE = 2 * 32 + 1, /* the same of a SHA-256 */
    VAULT_NAME_MOST = 255,       /* bytes */
};

/* A file as its row has it.  It is for a room or for one user: the other one is empty. */
struct vault_file {
    char id[VAULT_ID_SIZE];
    char owner[NAME_SIZE]; /* who has uploaded it */
    char room[NAME_SIZE];
    char addressee[NAME_SIZE];
    char
        name[VAULT_NAME_MOST + 1]; /* as its owner calls it: any bytes of UTF-8, "../" among them */
    int64_t size;
    char sha256[VAULT_SUM_SIZE]; /* in lower case */
};

/* vault_open - open DIR/files, made if need be, and forget the rows whose files are not there.  Returns 0,
 * or -1 with errno. */
int vault_open(struct hub *hub);
void vault_close(void);

int vault_folder(void);

/* vault_find - look a file up.  Returns 1; 0: there is no such file; -1: the database does not say, and that
 * is no reason to remove anything.  What is not found is empty. */
int vault_find(const char *id, struct vault_file *f);

/* vault_add - make a file known, which stands in the folder already.  0: the row is committed; -1. */
int vault_add(const struct vault_file *f);

/* vault_remove - remove a file and its row. */
void vault_remove(const char *id);

/* vault_used - the bytes of all files of a nickname, without regard to case; of NULL: of everybody.
 * INT64_MAX if there are as many files as may be, however small they are. */
int64_t vault_used(const char *owner);

/* vault_has_account - whether somebody has registered this nickname: then it is nobody else's.  False also if
 * the database does not say. */
bool vault_has_account(const char *nickname);

/* vault_expire - remove some of the files that are older than so many days.  True: there may be more. */
bool vault_expire(unsigned long days);

#endif
