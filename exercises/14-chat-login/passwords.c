/* passwords - Argon2id, by libsodium.  See passwords.h. */

#include "passwords.h"

#include <errno.h>

#define PASSES 2ULL
#define MEMORY ((size_t)19 << 20) /* bytes */

int passwords_init(void)
{
    if (sodium_init() != -1)
        return 0;
    errno = ENOSYS;
    return -1;
}

enum password_verdict password_hash(char hash[HASH_SIZE], const char *password, size_t size)
{
    int made = crypto_pwhash_argon2id_str(hash, password, size, PASSES, MEMORY);
    return made == 0 ? PASSWORD_RIGHT : PASSWORD_FAILED;
}

enum password_verdict password_check(const char hash[HASH_SIZE], const char *password, size_t size)
{
    errno = 0;
    if (crypto_pwhash_argon2id_str_verify(hash, password, size) == 0)
        return PASSWORD_RIGHT;
    return errno == EINVAL ? PASSWORD_WRONG : PASSWORD_FAILED;
}
