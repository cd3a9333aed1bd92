/*
 * busy - keep the whole chat room busy with what its extensions do, while something else measures it.
 *
 *   busy --port 8888 --logins 50        that many users log in at once, again and again
 *   busy --port 8888 --transfer 100     megabytes are uploaded, fetched, and compared
 *
 * Says "ready" on standard output when it can begin, begins at a line on standard input, and ends at the
 * next one or when the transfer is done, with a line that says what was done.  The server is to be
 * started with --rate 0 and room for the file.
 */

#include "die.h"
#include "net.h"
#include "options.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    LINE = 1 << 16,
    CHUNK = 4096, /* bytes of a file in one request */
    WINDOW = 4,   /* of them on the way */
    LOGINS_MAX = 1000,
    BASE64 = sodium_base64_VARIANT_ORIGINAL
};

static const char *host = "127.0.0.1";
static unsigned long port = 8888, logins = 0, megabytes = 0;

static const struct option_spec table[] = {
    {"host", "HOST", OPTION_TEXT, &host, 0, 0, "the server's address or name"},
    {"port", "PORT", OPTION_NUMBER, &port, 1, 65535, "the server's port"},
    {"logins", "N", OPTION_NUMBER, &logins, 1, LOGINS_MAX, "users who log in at once"},
    {"transfer", "MB", OPTION_NUMBER, &megabytes, 1, 1000, "megabytes to send and to fetch"},
    {0},
};

struct user {
    int fd;
    char in[LINE]; /* size bytes received, the first `taken` of them done with */
    size_t size, taken;
};

/* ---- lines ---------------------------------------------------------------------------------- */

static void come(struct user *u)
{
    char service[8];
    snprintf(service, sizeof service, "%lu", port);
    *u = (struct user){.fd = net_connect_or_die(host, service)};
}

static void say(const struct user *u, json_t *request)
{
    char *line = json_dumps(request, JSON_COMPACT);
    json_decref(request);
    size_t length = line != NULL ? strlen(line) : 0;
    if (line == NULL)
        die("out of memory");
    line[length] = '\n'; /* in place of the final 0 */
    if (net_write_all(u->fd, line, length + 1) == -1)
        die("cannot send");
    free(line);
}

/* The next message, waited for; the caller's. */
static json_t *hear(struct user *u)
{
    char *newline;
    while ((newline = memchr(u->in + u->taken, '\n', u->size - u->taken)) == NULL) {
        u->size -= u->taken;
        memmove(u->in, u->in + u->taken, u->size);
        u->taken = 0;
        ssize_t n = u->size < LINE ? recv(u->fd, u->in + u->size, LINE - u->size, 0) : 0;
        if (n == 0)
            die("the server has ended the connection");
        if (n == -1 && errno != EINTR)
            die("cannot receive");
        u->size += n > 0 ? (size_t)n : 0;
    }
    size_t length = (size_t)(newline - (u->in + u->taken));
    json_t *message = json_loadb(u->in + u->taken, length, 0, NULL);
    u->taken += length + 1;
    if (message == NULL)
        die("the server has sent what is no JSON");
    return message;
}

static bool is(const json_t *message, const char *type)
{
    const char *text = json_string_value(json_object_get(message, "type"));
    return text != NULL && strcmp(text, type) == 0;
}

/* The next message of this type; others are passed over, errors are not. */
static json_t *hear_of(struct user *u, const char *type)
{
    for (;;) {
        json_t *message = hear(u);
        if (is(message, type))
            return message;
        if (is(message, "error"))
            options_fail("waiting for %s: %s", type,
                         json_string_value(json_object_get(message, "message")));
        json_decref(message);
    }
}

static void expect(struct user *u, const char *type)
{
    json_decref(hear_of(u, type));
}

/* ---- beginning and end ---------------------------------------------------------------------- */

static void begin(void)
{
    char line[16];
    puts("ready");
    fflush(stdout);
    if (fgets(line, sizeof line, stdin) == NULL)
        exit(EXIT_FAILURE);
}

static bool asked_to_end(void)
{
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    return poll(&input, 1, 0) == 1;
}

/* ---- logins --------------------------------------------------------------------------------- */

static json_t *named(const char *type, unsigned long number)
{
    char name[32];
    snprintf(name, sizeof name, "u%d-%lu", (int)getpid(), number); /* each run has its own */
    return json_pack("{ss ss ss}", "type", type, "nickname", name, "password", "correct horse");
}

static void log_in_and_out(void)
{
    static struct user users[LOGINS_MAX];
    unsigned long done = 0;
    come(&users[0]);
    for (unsigned long i = 0; i < logins; i++) {
        say(&users[0], named("register", i));
        expect(&users[0], "registered");
    }
    close(users[0].fd);
    begin();
    while (!asked_to_end()) {
        for (unsigned long i = 0; i < logins; i++) {
            come(&users[i]);
            say(&users[i], named("login", i));
        }
        for (unsigned long i = 0; i < logins; i++) {
            expect(&users[i], "welcome");
            say(&users[i], json_pack("{ss}", "type", "quit"));
            done++;
        }
        for (unsigned long i = 0; i < logins; i++) {
            expect(&users[i], "bye");
            close(users[i].fd);
        }
    }
    printf("%lu logins, %lu at a time\n", done, logins);
}

/* ---- a transfer ----------------------------------------------------------------------------- */

/* Every chunk is the same bytes. */
static char chunk[sodium_base64_ENCODED_LEN(CHUNK, BASE64)];

static void sum_of(size_t size, char hex[2 * crypto_hash_sha256_BYTES + 1])
{
    unsigned char bytes[CHUNK], sum[crypto_hash_sha256_BYTES];
    crypto_hash_sha256_state state;
    crypto_hash_sha256_init(&state);
    randombytes_buf(bytes, sizeof bytes);
    sodium_bin2base64(chunk, sizeof chunk, bytes, sizeof bytes, BASE64);
    for (size_t at = 0; at < size; at += CHUNK)
        crypto_hash_sha256_update(&state, bytes, CHUNK);
    crypto_hash_sha256_final(&state, sum);
    sodium_bin2hex(hex, 2 * sizeof sum + 1, sum, sizeof sum);
}

static void upload(struct user *u, const char *file, size_t size)
{
    size_t sent = 0, acknowledged = 0;
    while (acknowledged < size) {
        for (; sent < size && sent < acknowledged + WINDOW * CHUNK; sent += CHUNK)
            say(u, json_pack("{ss ss sI ss}", "type", "file_data", "file", file, "offset",
                             (json_int_t)sent, "data", chunk));
        json_t *ack = hear_of(u, "file_ack");
        acknowledged = (size_t)json_integer_value(json_object_get(ack, "offset"));
        json_decref(ack);
    }
    expect(u, "file_shared");
}

static void download(struct user *u, const char *file, size_t size)
{
    say(u, json_pack("{ss ss}", "type", "file_get", "file", file));
    for (size_t got = 0; got < size; got += CHUNK) {
        json_t *data = hear_of(u, "file_data");
        if ((size_t)json_integer_value(json_object_get(data, "offset")) != got ||
            strcmp(json_string_value(json_object_get(data, "data")), chunk) != 0)
            options_fail("at %zu came other bytes than were sent", got);
        json_decref(data);
    }
}

static void transfer(void)
{
    static struct user u;
    char sum[2 * crypto_hash_sha256_BYTES + 1];
    size_t size = megabytes * 1000000 / CHUNK * CHUNK;
    sum_of(size, sum);
    come(&u);
    say(&u, json_pack("{ss ss ss}", "type", "join", "nickname", "mover", "room", "depot"));
    expect(&u, "welcome");
    begin();
    say(&u, json_pack("{ss ss ss sI ss}", "type", "file_offer", "room", "depot", "name", "load",
                      "size", (json_int_t)size, "sha256", sum));
    json_t *ready = hear_of(&u, "file_ready");
    const char *file = json_string_value(json_object_get(ready, "file"));
    upload(&u, file, size);
    download(&u, file, size);
    json_decref(ready);
    close(u.fd);
    printf("%zu bytes sent, fetched and compared\n", size);
}

int main(int argc, char **argv)
{
    options_parse(argc, argv, "keep the whole chat room busy", table, NULL);
    if ((logins == 0) == (megabytes == 0))
        options_fail("one of --logins and --transfer is needed");
    if (sodium_init() == -1)
        die("cannot start libsodium");
    if (logins > 0)
        log_in_and_out();
    else
        transfer();
    return 0;
}
