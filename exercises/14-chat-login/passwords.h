/*
 * passwords - Argon2id, by libsodium: what a password is hashed to, and whether it is right.
 *
 * [cost] Two passes over 19 MiB, the least that OWASP advises.  That is what it is for: tens of
 * milliseconds of a processor for each guess, for whoever has stolen the file.  It is also what
 * each login costs us, so none of these may be called in the loop.
 *
 * Interface:
 *   passwords_init      once, before the threads
 *   password_hash       a new hash, with a salt of its own
 *   password_check      is this the password of that hash?
 */
#ifndef PASSWORDS_H
#define PASSWORDS_H

#include <sodium.h>
#include <stddef.h>

enum {
    PASSWORD_LEAST = 8, /* bytes */
    PASSWORD_MOST = 128,
    HASH_SIZE = crypto_pwhash_STRBYTES /* of a hash as text, its final 0 included */
};

/* PASSWORD_RIGHT is also what a hash is made with; FAILED: short of memory, and nothing is known.
 * */
enum password_verdict { PASSWORD_FAILED, PASSWORD_WRONG, PASSWORD_RIGHT };

/* passwords_init - make libsodium ready.  Returns 0, or -1 with errno. */
int passwords_init(void);

/* password_hash - hash a password of size bytes.  Returns PASSWORD_RIGHT or PASSWORD_FAILED. */
enum password_verdict password_hash(char hash[HASH_SIZE], const char *password, size_t size);

/* password_check - hash a password as the one behind hash was, and compare.  It takes as long
 * whether it is right or wrong. */
enum password_verdict password_check(const char hash[HASH_SIZE], const char *password, size_t size);

#endif
