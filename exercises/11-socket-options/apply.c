/*
 * Sockets with a profile: make them, say what the kernel and profile_read tell, and hold them open.
 *
 * Given, and not yours to change.  It waits until its standard input ends, so that whoever started it
 * can look at the sockets: the grader does, and so can you, with `ss -tonmi`.
 */

#include "profile.h"

#include "die.h"
#include "options.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/tcp.h> /* struct tcp_info whole */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int buffer = 1048576; /* bytes to ask for */
static int asked;            /* bytes that a profile has asked for; 0: none has */

/* ---- what a socket's options are ---------------------------------------------------------------- */

static int get(int fd, int level, int option)
{
    int value = 0;
    socklen_t length = sizeof value;
    if (getsockopt(fd, level, option, &value, &length) == -1)
        die("descriptor %d is no TCP socket", fd);
    return value;
}

static void print_row(const char *name, int kernel, int read, bool capped)
{
    printf("%-18s %10d %13d%s\n", name, kernel, read, capped ? " capped" : "");
}

/* By what factor of 2 the socket's own window is scaled, or that of what a listener accepts. */
static int window_scale(int fd)
{
    struct tcp_info info;
    socklen_t length = sizeof info;
    memset(&info, 0, sizeof info);
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) == -1)
        die("descriptor %d is no TCP socket", fd);
    return info.tcpi_rcv_wscale;
}

static void print_socket(const char *what, int fd)
{
    struct profile_state s;
    memset(&s, 0xee, sizeof s); /* what is not written shows */
    s.reuse_address = s.nodelay = s.keepalive = s.receive.capped = s.send.capped = false;
    int scale = window_scale(fd);
    if (profile_read(fd, asked, &s) == -1)
        die("profile_read of the %s", what);
    printf("%s, descriptor %d\n%-18s %10s %13s\n", what, fd, "", "the kernel", "profile_read");
    print_row("SO_REUSEADDR", get(fd, SOL_SOCKET, SO_REUSEADDR), s.reuse_address, false);
    print_row("TCP_NODELAY", get(fd, IPPROTO_TCP, TCP_NODELAY), s.nodelay, false);
    print_row("SO_KEEPALIVE", get(fd, SOL_SOCKET, SO_KEEPALIVE), s.keepalive, false);
    print_row("TCP_KEEPIDLE", get(fd, IPPROTO_TCP, TCP_KEEPIDLE), s.idle_s, false);
    print_row("TCP_KEEPINTVL", get(fd, IPPROTO_TCP, TCP_KEEPINTVL), s.interval_s, false);
    print_row("TCP_KEEPCNT", get(fd, IPPROTO_TCP, TCP_KEEPCNT), s.count, false);
    print_row("TCP_USER_TIMEOUT", get(fd, IPPROTO_TCP, TCP_USER_TIMEOUT), s.user_timeout_ms, false);
    print_row("TCP_NOTSENT_LOWAT", get(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT), s.unsent_low, false);
    print_row("SO_RCVBUF", get(fd, SOL_SOCKET, SO_RCVBUF), s.receive.bytes, s.receive.capped);
    print_row("SO_SNDBUF", get(fd, SOL_SOCKET, SO_SNDBUF), s.send.bytes, s.send.capped);
    printf("%-18s %10d\n\n", "window scale", scale);
}

/* ---- sockets that work -------------------------------------------------------------------------- */

static struct sockaddr_in loopback(in_port_t port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = port, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static struct sockaddr_in address_of(int fd)
{
    struct sockaddr_in a;
    socklen_t length = sizeof a;
    if (getsockname(fd, (struct sockaddr *)&a, &length) == -1)
        die("getsockname");
    return a;
}

/* A socket without a profile: what is at the other end. */
static int plain_socket(int type)
{
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    if (fd == -1)
        die("socket");
    return fd;
}

static int plain_listener(void)
{
    const struct sockaddr_in any = loopback(0);
    int lfd = plain_socket(SOCK_STREAM);
    if (bind(lfd, (const struct sockaddr *)&any, sizeof any) == -1 || listen(lfd, 8) == -1)
        die("listen");
    return lfd;
}

static void show_server(void)
{
    const struct sockaddr_in any = loopback(0);
    asked = buffer;
    int lfd = profile_listen(&any, buffer);
    if (lfd == -1)
        die("profile_listen");
    print_socket("listener", lfd);
    const struct sockaddr_in at = address_of(lfd);
    int client = plain_socket(SOCK_STREAM);
    if (connect(client, (const struct sockaddr *)&at, sizeof at) == -1)
        die("connect");
    int cfd = accept4(lfd, NULL, NULL, SOCK_CLOEXEC);
    if (cfd == -1)
        die("accept");
    print_socket("accepted", cfd);
}

/* What somebody else sets behind the profile's back, each other than any profile has it. */
static void change(int fd)
{
    const struct {
        int level, option, value;
    } changes[] = {
        {SOL_SOCKET, SO_REUSEADDR, !get(fd, SOL_SOCKET, SO_REUSEADDR)},
        {IPPROTO_TCP, TCP_NODELAY, !get(fd, IPPROTO_TCP, TCP_NODELAY)},
        {SOL_SOCKET, SO_KEEPALIVE, !get(fd, SOL_SOCKET, SO_KEEPALIVE)},
        {IPPROTO_TCP, TCP_KEEPIDLE, 77},
        {IPPROTO_TCP, TCP_KEEPINTVL, 7},
        {IPPROTO_TCP, TCP_KEEPCNT, 5},
        {IPPROTO_TCP, TCP_USER_TIMEOUT, 12345},
        {IPPROTO_TCP, TCP_NOTSENT_LOWAT, 54321},
        {SOL_SOCKET, SO_RCVBUF, 33000},
        {SOL_SOCKET, SO_SNDBUF, 44000},
    };
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++)
        if (setsockopt(fd, changes[i].level, changes[i].option, &changes[i].value,
                       sizeof changes[i].value) == -1)
            die("setsockopt");
    asked = 0; /* nobody has been refused what he asked for */
}

static void show_connection(enum profile which, const char *then, int next, bool changed)
{
    const struct sockaddr_in to = address_of(plain_listener());
    asked = which == PROFILE_BULK ? buffer : 0;
    int fd = profile_connect(&to, which, buffer);
    if (fd == -1)
        die("profile_connect");
    print_socket("connection", fd);
    if (then != NULL) {
        if (profile_apply(fd, (enum profile)next, buffer) == -1)
            die("profile_apply");
        asked = next != PROFILE_INTERACTIVE ? buffer : asked;
        print_socket(then, fd);
    }
    if (changed) {
        change(fd);
        print_socket("changed", fd);
    }
}

/* ---- what cannot work --------------------------------------------------------------------------- */

static int open_descriptors(void)
{
    int count = 0;
    DIR *folder = opendir("/proc/self/fd");
    if (folder == NULL)
        die("/proc/self/fd");
    while (readdir(folder) != NULL)
        count++;
    closedir(folder);
    return count;
}

static void print_answer(const char *function, const char *what, int result)
{
    printf("%-16s %-36s %2d  %s\n", function, what, result, result == -1 ? strerror(errno) : "");
}

static void try_descriptor(const char *what, int fd)
{
    struct profile_state s;
    memset(&s, 0, sizeof s);
    print_answer("profile_apply", what, profile_apply(fd, PROFILE_SERVER, buffer));
    print_answer("profile_read", what, profile_read(fd, buffer, &s));
}

/* A stream, and not TCP: it has all options of SOL_SOCKET, and none of TCP's. */
static void try_unix_socket(void)
{
    static const int options[] = {SO_REUSEADDR, SO_KEEPALIVE, SO_RCVBUF, SO_SNDBUF};
    enum { OPTIONS = sizeof options / sizeof options[0] };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd == -1)
        die("socket");
    int before[OPTIONS], changed = 0;
    for (int i = 0; i < OPTIONS; i++)
        before[i] = get(fd, SOL_SOCKET, options[i]);
    try_descriptor("a Unix socket", fd);
    for (int i = 0; i < OPTIONS; i++)
        changed += get(fd, SOL_SOCKET, options[i]) != before[i];
    printf("its options that are not as before: %d\n", changed);
    close(fd);
}

static void show_failures(void)
{
    int before = open_descriptors();
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) == -1)
        die("pipe");
    try_descriptor("a pipe", ends[0]);
    close(ends[0]);
    close(ends[1]);
    try_descriptor("a closed descriptor", ends[0]);
    try_unix_socket();

    int lfd = plain_listener();
    const struct sockaddr_in taken = address_of(lfd);
    print_answer("profile_listen", "a port where somebody listens", profile_listen(&taken, buffer));
    close(lfd);
    print_answer("profile_connect", "a port where nobody listens any more",
                 profile_connect(&taken, PROFILE_BULK, buffer));
    printf("descriptors left open: %d\n\n", open_descriptors() - before);
}

/* ---- the command line --------------------------------------------------------------------------- */

static const char *const names[] = {"interactive", "bulk", "server", NULL};

static int profile_named(const char *option, const char *name)
{
    for (int i = 0; names[i] != NULL; i++)
        if (strcmp(names[i], name) == 0)
            return i;
    options_fail("--%s: '%s' is not one of interactive, bulk, server", option, name);
}

int main(int argc, char **argv)
{
    const char *profile = names[PROFILE_INTERACTIVE], *then = NULL;
    unsigned long bytes = (unsigned long)buffer;
    bool changed = false, fail = false;
    const struct option_spec options[] = {
        {"profile", "NAME", OPTION_TEXT, &profile, 0, 0, "interactive, bulk or server"},
        {"buffer", "BYTES", OPTION_NUMBER, &bytes, 1, 1073741824, "the size of buffers to ask for"},
        {"then", "NAME", OPTION_TEXT, &then, 0, 0, "apply this one, too, once connected"},
        {"change", NULL, OPTION_FLAG, &changed, 0, 0, "last, set each option to something else"},
        {"fail", NULL, OPTION_FLAG, &fail, 0, 0, "try what cannot work instead"},
        {0},
    };
    options_parse(argc, argv, "sockets with a profile, held open until the input ends", options,
                  NULL);
    buffer = (int)bytes;
    int which = profile_named("profile", profile);
    int next = then != NULL ? profile_named("then", then) : 0;
    if (which == PROFILE_SERVER && (then != NULL || changed))
        options_fail("--then and --change are for a connection");

    if (fail)
        show_failures();
    else if (which == PROFILE_SERVER)
        show_server();
    else
        show_connection((enum profile)which, then, next, changed);
    fflush(stdout);
    while (getchar() != EOF)
        ;
    return 0;
}
