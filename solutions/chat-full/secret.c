/* secret - a password.  See secret.h. */

#include "secret.h"

#include "die.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

enum { LINE_SIZE = SECRET_MAX + 2 /* one byte more than is allowed, and a final 0 */ };

static char *secret = NULL; /* LINE_SIZE bytes of sodium_malloc */

/* Memory for a line, which only this program sees. */
static char *guarded_line(void)
{
    char *line = sodium_init() != -1 ? sodium_malloc(LINE_SIZE) : NULL;
    if (line == NULL)
        die("a password");
    return line;
}

/* Read a line; what does not fit is lost, but not that there was too much.  usual: the signals that
 * may interrupt while nothing comes, as ppoll(2) has it; NULL for those of now.  Returns false with
 * errno if there is none. */
static bool read_line(int fd, char *line, const sigset_t *usual)
{
    size_t length = 0;
    for (;;) {
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        char byte = 0;
        ssize_t n = ppoll(&ready, 1, NULL, usual) == -1 ? -1 : read(fd, &byte, 1);
        if (n == -1 || (n == 0 && length == 0)) {
            errno = n == 0 ? ENODATA : errno;
            return false;
        }
        if (n == 0 || byte == '\n')
            break;
        if (length < LINE_SIZE - 1)
            line[length++] = byte;
    }
    if (length > 0 && line[length - 1] == '\r')
        length--;
    line[length] = '\0';
    return true;
}

static void keep(char *line)
{
    size_t length = strlen(line);
    errno = 0;
    if (length < SECRET_MIN || length > SECRET_MAX)
        die("a password has %d to %d bytes", SECRET_MIN, SECRET_MAX);
    secret = line;
    secret_hide();
}

/* ---- at a terminal ------------------------------------------------------------------------------ */

static volatile sig_atomic_t caught = 0;

static void on_signal(int number)
{
    caught = number;
}

static const int fatal[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP};

enum { FATAL = sizeof fatal / sizeof fatal[0] };

/*
 * [echo] Whoever leaves a terminal without echo leaves its user blind.  So the signals that end or
 * stop a program are held back while the echo is off, and delivered again when it is on; they can
 * come only while a key is waited for.  Returns false if one did, or with errno.
 */
static bool ask_once(int tty, const char *question, char *line)
{
    struct sigaction usual[FATAL];
    struct sigaction noted = {.sa_handler = on_signal};
    struct termios modes;
    sigset_t held;
    sigset_t before;
    sigemptyset(&held);
    for (int i = 0; i < FATAL; i++)
        sigaddset(&held, fatal[i]);
    sigprocmask(SIG_BLOCK, &held, &before);
    for (int i = 0; i < FATAL; i++)
        sigaction(fatal[i], &noted, &usual[i]);

    caught = 0;
    bool read = false;
    if (tcgetattr(tty, &modes) == 0) {
        struct termios silent = modes;
        silent.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
        silent.c_lflag |= ICANON | ISIG;
        tcsetattr(tty, TCSAFLUSH, &silent);
        dprintf(tty, "%s", question);
        read = read_line(tty, line, &before);
        int saved = errno;
        tcsetattr(tty, TCSAFLUSH, &modes);
        dprintf(tty, "\n");
        errno = saved;
    }

    int saved = errno;
    for (int i = 0; i < FATAL; i++)
        sigaction(fatal[i], &usual[i], NULL);
    if (caught != 0)
        raise(caught);
    sigprocmask(SIG_SETMASK, &before, NULL);
    errno = saved;
    return read;
}

/* A program that was stopped, and goes on, asks again. */
static void ask(int tty, const char *question, char *line)
{
    while (!ask_once(tty, question, line))
        if (errno != EINTR)
            die("no password");
}

void secret_ask(const char *name, bool twice)
{
    int tty = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (tty == -1)
        die("no terminal to ask for a password at (--password-file FILE)");
    char question[64];
    char *line = guarded_line();
    snprintf(question, sizeof question, "Password of %.32s: ", name);
    ask(tty, question, line);
    if (twice) {
        char *again = guarded_line();
        ask(tty, "The same again: ", again);
        bool same = strcmp(line, again) == 0;
        sodium_free(again);
        errno = 0;
        if (!same)
            die("two different passwords");
    }
    close(tty);
    keep(line);
}

void secret_read(const char *file)
{
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    char *line = guarded_line();
    if (fd == -1 || !read_line(fd, line, NULL))
        die("--password-file %s", file);
    close(fd);
    keep(line);
}

/* ---- while it is kept --------------------------------------------------------------------------- */

const char *secret_show(void)
{
    if (secret != NULL)
        sodium_mprotect_readonly(secret);
    return secret;
}

void secret_hide(void)
{
    if (secret != NULL)
        sodium_mprotect_noaccess(secret);
}

void secret_forget(void)
{
    sodium_free(secret); /* erases it first */
    secret = NULL;
}
