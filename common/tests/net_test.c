/* Tests of net: addresses of both families, whole buffers, errors that leave nothing open. */

#include "net.h"

#include "testkit/fault.h"
#include "testkit/proc.h"
#include "testkit/subject.h"
#include "testkit/suite.h"
#include "testkit/wait.h"
#include "testkit/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PORT_SIZE = 12 };

static long count_open(void)
{
    return proc_tree(getpid()).descriptors;
}

static bool has_ipv6(void)
{
    int fd = net_listen("::1", "0", 1);
    if (fd == -1)
        return false;
    close(fd);
    return true;
}

/* The port of a listener as text. */
static const char *port_text(int lfd, char text[PORT_SIZE])
{
    int port = net_local_port(lfd);
    ck_assert_int_gt(port, 0);
    snprintf(text, PORT_SIZE, "%d", port);
    return text;
}

/* Leave no descriptor free, until lift_limit: a sanitizer needs some at the end. */
static void use_up_descriptors(void)
{
    struct rlimit limit;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = 64;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    while (dup(0) != -1)
        ;
    ck_assert_int_eq(errno, EMFILE);
}

static void lift_limit(void)
{
    struct rlimit limit;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

/* A blocking pair of connected sockets. */
static void open_pair(int ends[2])
{
    char port[PORT_SIZE];
    int lfd = net_listen_or_die("127.0.0.1", "0", 1);
    ends[0] = net_connect_or_die("127.0.0.1", port_text(lfd, port));
    ends[1] = accept4(lfd, NULL, NULL, SOCK_CLOEXEC);
    ck_assert_int_ne(ends[1], -1);
    close(lfd);
}

static bool has_option(int fd, int level, int option)
{
    int value = 0;
    socklen_t length = sizeof value;
    ck_assert_int_eq(getsockopt(fd, level, option, &value, &length), 0);
    return value != 0;
}

/* ---- listen and connect ------------------------------------------------------------------- */

/* Listen and connect there, and see that both ends agree on who they are. */
static void meet(const char *listen_host, const char *connect_host, const char *prefix)
{
    char port[PORT_SIZE], text[NET_TEXT_SIZE], other[NET_TEXT_SIZE], expected[NET_TEXT_SIZE];
    int lfd = net_listen(listen_host, "0", 16);
    ck_assert_int_ne(lfd, -1);
    snprintf(expected, sizeof expected, "%s:%s", prefix, port_text(lfd, port));
    ck_assert_str_eq(net_local_text(lfd, text), expected);
    ck_assert_str_eq(net_peer_text(lfd, text), "unknown");

    int cfd = net_connect(connect_host, port);
    ck_assert_int_ne(cfd, -1);
    int sfd = accept4(lfd, NULL, NULL, SOCK_CLOEXEC);
    ck_assert_int_ne(sfd, -1);
    ck_assert_str_eq(net_peer_text(cfd, text), expected);
    ck_assert_str_eq(net_local_text(sfd, text), expected);
    ck_assert_str_eq(net_peer_text(sfd, text), net_local_text(cfd, other));
    ck_assert_int_eq(net_local_port(sfd), net_local_port(lfd));

    ck_assert(has_option(lfd, SOL_SOCKET, SO_REUSEADDR));
    ck_assert(has_option(cfd, IPPROTO_TCP, TCP_NODELAY));
    ck_assert(has_option(sfd, IPPROTO_TCP, TCP_NODELAY)); /* inherited */
    ck_assert_int_eq(fcntl(lfd, F_GETFD), FD_CLOEXEC);
    ck_assert_int_eq(fcntl(cfd, F_GETFD), FD_CLOEXEC);
    ck_assert_int_eq(fcntl(lfd, F_GETFL) & O_NONBLOCK, 0);
    ck_assert_int_eq(fcntl(cfd, F_GETFL) & O_NONBLOCK, 0);
    close(sfd);
    close(cfd);
    close(lfd);
}

START_TEST(ipv4)
{
    meet("127.0.0.1", "127.0.0.1", "127.0.0.1");
    meet("127.0.0.2", "127.0.0.2", "127.0.0.2");
}
END_TEST

START_TEST(ipv6)
{
    if (!has_ipv6())
        suite_skip("this machine has no IPv6");
    meet("::1", "::1", "[::1]");
}
END_TEST

START_TEST(names)
{
    char text[NET_TEXT_SIZE];
    int lfd = net_listen("localhost", "0", 1);
    ck_assert_int_ne(lfd, -1);
    bool v6 = net_local_text(lfd, text)[0] == '[';
    close(lfd);
    meet("localhost", "localhost", v6 ? "[::1]" : "127.0.0.1");
}
END_TEST

/* If a name has several addresses and nobody listens at the first, the next is tried. */
START_TEST(names_with_two_addresses)
{
    char port[PORT_SIZE];
    int lfd = net_listen_or_die("127.0.0.1", "0", 1);
    int cfd = net_connect("localhost", port_text(lfd, port));
    ck_assert_int_ne(cfd, -1);
    close(cfd);
    close(lfd);
}
END_TEST

/* ---- errors, which leave nothing open ------------------------------------------------------ */

static void expect_failure(int fd, int error, long before)
{
    int got = errno;
    ck_assert_int_eq(fd, -1);
    ck_assert_msg(got == error, "errno is %s, not %s", strerror(got), strerror(error));
    ck_assert_int_eq(count_open(), before);
}

START_TEST(unresolvable)
{
    long before = count_open();
    expect_failure(net_listen("no such name", "0", 1), EADDRNOTAVAIL, before);
    expect_failure(net_connect("no such name", "1"), EADDRNOTAVAIL, before);
    expect_failure(net_listen("127.0.0.1", "no such service", 1), EADDRNOTAVAIL, before);
}
END_TEST

/* 203.0.113.0/24 is for documentation and belongs to nobody. */
START_TEST(not_ours)
{
    long before = count_open();
    expect_failure(net_listen("203.0.113.1", "0", 1), EADDRNOTAVAIL, before);
}
END_TEST

START_TEST(taken)
{
    char port[PORT_SIZE];
    int lfd = net_listen_or_die("127.0.0.1", "0", 1);
    port_text(lfd, port);
    long before = count_open();
    expect_failure(net_listen("127.0.0.1", port, 1), EADDRINUSE, before);
    close(lfd);
}
END_TEST

START_TEST(refused)
{
    char port[PORT_SIZE];
    int lfd = net_listen_or_die("127.0.0.1", "0", 1);
    port_text(lfd, port);
    close(lfd);
    long before = count_open();
    expect_failure(net_connect("127.0.0.1", port), ECONNREFUSED, before);
}
END_TEST

START_TEST(not_permitted)
{
    if (geteuid() == 0)
        ck_assert_int_eq(seteuid(65534), 0); /* root may take any port, nobody may not */
    int fd = net_listen("127.0.0.1", "1", 1);
    int error = errno;
    ck_assert_int_eq(seteuid(getuid()), 0);
    if (fd != -1) {
        close(fd);
        suite_skip("here everybody may take any port (ip_unprivileged_port_start)");
    }
    ck_assert_int_eq(error, EACCES);
}
END_TEST

START_TEST(no_descriptor_left)
{
    use_up_descriptors();
    ck_assert_int_eq(net_listen("127.0.0.1", "0", 1), -1);
    ck_assert_int_eq(errno, EMFILE);
    ck_assert_int_eq(net_connect("127.0.0.1", "1"), -1);
    ck_assert_int_eq(errno, EMFILE);
    lift_limit();
}
END_TEST

static void listen_or_die(void *port)
{
    net_listen_or_die("127.0.0.1", port, 1);
}

static void connect_or_die(void *port)
{
    net_connect_or_die("127.0.0.1", port);
}

START_TEST(or_die_says_why)
{
    char port[PORT_SIZE], expected[256];
    struct subject_outcome o;
    int lfd = net_listen_or_die("127.0.0.1", "0", 1);
    port_text(lfd, port);
    if (!subject_call(&o, listen_or_die, port))
        ck_abort_msg("%s", fault_text());
    close(lfd);
    snprintf(expected, sizeof expected,
             "net_test: cannot listen on 127.0.0.1 port %s: Address already in use\n", port);
    ck_assert_int_eq(o.status, 1);
    ck_assert_str_eq(o.err, expected);
    if (!subject_call(&o, connect_or_die, port))
        ck_abort_msg("%s", fault_text());
    snprintf(expected, sizeof expected,
             "net_test: cannot connect to 127.0.0.1 port %s: Connection refused\n", port);
    ck_assert_int_eq(o.status, 1);
    ck_assert_str_eq(o.err, expected);
}
END_TEST

/* ---- texts -------------------------------------------------------------------------------- */

START_TEST(texts_of_what_is_no_address)
{
    char text[NET_TEXT_SIZE];
    struct sockaddr_un local = {.sun_family = AF_UNIX, .sun_path = "/nowhere"};
    ck_assert_str_eq(net_local_text(-1, text), "unknown");
    ck_assert_str_eq(net_peer_text(0, text), "unknown");
    ck_assert_str_eq(net_address_text((struct sockaddr *)&local, 0, text), "unknown");
    ck_assert_int_eq(net_local_port(-1), -1);
    ck_assert_int_eq(errno, EBADF);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    ck_assert_int_eq(net_local_port(fd), -1);
    ck_assert_int_eq(errno, EAFNOSUPPORT);
    close(fd);
}
END_TEST

START_TEST(texts_fit)
{
    char text[NET_TEXT_SIZE];
    struct sockaddr_in6 longest = {.sin6_family = AF_INET6, .sin6_port = htons(65535)};
    memset(&longest.sin6_addr, 0xff, sizeof longest.sin6_addr);
    ck_assert_str_eq(net_address_text((struct sockaddr *)&longest, sizeof longest, text),
                     "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535");
}
END_TEST

START_TEST(nonblocking)
{
    int ends[2];
    char byte;
    open_pair(ends);
    int flags = fcntl(ends[0], F_GETFL);
    ck_assert_int_eq(net_set_nonblocking(ends[0]), 0);
    ck_assert_int_eq(fcntl(ends[0], F_GETFL), flags | O_NONBLOCK);
    ck_assert_int_eq(recv(ends[0], &byte, 1, 0), -1);
    ck_assert_int_eq(errno, EAGAIN);
    ck_assert_int_eq(net_set_nonblocking(-1), -1);
    ck_assert_int_eq(errno, EBADF);
    close(ends[0]);
    close(ends[1]);
}
END_TEST

/* ---- whole buffers ------------------------------------------------------------------------ */

enum { WHOLE = 4 << 20 };

static void ignore(int signal_number)
{
    (void)signal_number;
}

/* Read WHOLE bytes in the other process, and check them. */
static _Noreturn void read_whole(int fd)
{
    unsigned char *bytes = malloc(WHOLE);
    bool good = bytes != NULL && net_read_all(fd, bytes, WHOLE) == WHOLE;
    for (size_t i = 0; good && i < WHOLE; i++)
        good = bytes[i] == (unsigned char)(i * 31 >> 3);
    free(bytes);
    _exit(good ? 0 : 1);
}

/* Four MB through buffers of a few KB, while a timer interrupts both sides all the time. */
START_TEST(whole_through_small_buffers)
{
    int ends[2];
    const int small = 4096;
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0); /* TCP would stall so */
    setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    struct sigaction action = {.sa_handler = ignore}; /* no SA_RESTART: calls are cut short */
    sigaction(SIGUSR1, &action, NULL);

    pid_t reader = fork();
    if (reader == 0)
        read_whole(ends[1]);
    ck_assert_int_gt(reader, 0);
    pid_t parent = getpid();
    pid_t nuisance = fork();
    ck_assert_int_ne(nuisance, -1);
    while (nuisance == 0) {
        if (getppid() != parent || kill(parent, SIGUSR1) == -1)
            _exit(0);
        kill(reader, SIGUSR1);
        poll(NULL, 0, 1);
    }
    unsigned char *bytes = malloc(WHOLE);
    for (size_t i = 0; bytes != NULL && i < WHOLE; i++)
        bytes[i] = (unsigned char)(i * 31 >> 3);
    int written = net_write_all(ends[0], bytes, WHOLE);
    free(bytes);
    siginfo_t end;
    while (waitid(P_PID, (id_t)reader, &end, WEXITED | WNOWAIT) == -1 && errno == EINTR)
        ;
    kill(nuisance, SIGKILL); /* while the reader's number is still its own */
    int status = -1;
    waitpid(nuisance, NULL, 0);
    waitpid(reader, &status, 0);
    ck_assert_int_eq(written, 0);
    ck_assert_int_eq(status, 0);
    close(ends[0]);
    close(ends[1]);
}
END_TEST

START_TEST(read_stops_at_the_end)
{
    int ends[2];
    char bytes[10] = "";
    open_pair(ends);
    ck_assert_int_eq(net_write_all(ends[0], "hello", 5), 0);
    close(ends[0]);
    ck_assert_int_eq(net_read_all(ends[1], bytes, sizeof bytes), 5);
    ck_assert_mem_eq(bytes, "hello", 5);
    ck_assert_int_eq(net_read_all(ends[1], bytes, sizeof bytes), 0);
    close(ends[1]);
}
END_TEST

START_TEST(reset_is_an_error)
{
    int ends[2];
    char bytes[10];
    open_pair(ends);
    wire_reset(ends[0]);
    ck_assert_int_eq(net_read_all(ends[1], bytes, sizeof bytes), -1);
    ck_assert_int_eq(errno, ECONNRESET);
    ck_assert_int_eq(net_write_all(ends[1], bytes, sizeof bytes), -1);
    ck_assert_int_eq(errno, EPIPE); /* and no SIGPIPE, which would have killed us */
    close(ends[1]);
}
END_TEST

/* ---- accept ------------------------------------------------------------------------------- */

static bool again_after(int error)
{
    errno = error;
    return net_accept_again(-1);
}

START_TEST(accept_again_by_error)
{
    ck_assert(again_after(EINTR));
    ck_assert(again_after(ECONNABORTED));
    ck_assert(again_after(EPROTO));
    ck_assert(!again_after(EAGAIN));
    ck_assert(!again_after(EINVAL)); /* shut down */
    ck_assert(!again_after(EBADF));
    ck_assert(!again_after(ENOMEM));
    ck_assert(!again_after(ENOBUFS));
}
END_TEST

/* With the reserve, who waits gets a clear answer, one at a time, until nobody waits.  Blocking or
 * not, accept then is not worth calling again, or the caller would spin. */
START_TEST(out_of_descriptors)
{
    char port[PORT_SIZE];
    int clients[3];
    int lfd = net_listen_or_die("127.0.0.1", "0", 16);
    if (_i == 0)
        ck_assert_int_eq(net_set_nonblocking(lfd), 0);
    port_text(lfd, port);
    ck_assert_int_eq(net_reserve_descriptor(), 0);
    for (int i = 0; i < 3; i++)
        clients[i] = net_connect_or_die("127.0.0.1", port);
    use_up_descriptors();
    for (int i = 0; i < 3; i++) { /* connect can return a moment before it is in the queue */
        ck_assert(wait_ready(lfd, POLLIN, wait_deadline(), "a client in the queue"));
        ck_assert_int_eq(accept(lfd, NULL, NULL), -1);
        ck_assert_int_eq(errno, EMFILE);
        ck_assert(net_accept_again(lfd));
        char byte;
        ck_assert(wait_ready(clients[i], POLLIN, wait_deadline(), "the refusal"));
        ck_assert_int_eq(recv(clients[i], &byte, 1, 0), 0);
    }
    ck_assert_int_eq(accept(lfd, NULL, NULL), -1);
    ck_assert_int_eq(errno, EMFILE);
    ck_assert(!net_accept_again(lfd));
    ck_assert_int_eq(dup(0), -1); /* the reserve was taken back */
    ck_assert_int_eq(errno, EMFILE);
    lift_limit();
}
END_TEST

START_TEST(descriptor_limit)
{
    struct rlimit limit = {0};
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = 100;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    ck_assert_uint_eq(net_descriptor_limit(), 100);
}
END_TEST

START_TEST(descriptor_limit_is_lowered)
{
    const rlim_t most = (rlim_t)1 << 20;
    struct rlimit limit = {most + 1, most + 1};
    if (setrlimit(RLIMIT_NOFILE, &limit) == -1)
        suite_skip("the limit of descriptors cannot be raised above 2^20 here");
    ck_assert_uint_eq(net_descriptor_limit(), most);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    ck_assert_uint_eq(limit.rlim_cur, most);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("net");
    TCase *all = tcase_create("net");
    tcase_set_timeout(all, SUITE_TIMEOUT);
    tcase_add_test(all, ipv4);
    tcase_add_test(all, ipv6);
    tcase_add_test(all, names);
    tcase_add_test(all, names_with_two_addresses);
    tcase_add_test(all, unresolvable);
    tcase_add_test(all, not_ours);
    tcase_add_test(all, taken);
    tcase_add_test(all, refused);
    tcase_add_test(all, not_permitted);
    tcase_add_test(all, no_descriptor_left);
    tcase_add_test(all, or_die_says_why);
    tcase_add_test(all, texts_of_what_is_no_address);
    tcase_add_test(all, texts_fit);
    tcase_add_test(all, nonblocking);
    tcase_add_test(all, whole_through_small_buffers);
    tcase_add_test(all, read_stops_at_the_end);
    tcase_add_test(all, reset_is_an_error);
    tcase_add_test(all, accept_again_by_error);
    tcase_add_loop_test(all, out_of_descriptors, 0, 2);
    tcase_add_test(all, descriptor_limit);
    tcase_add_test(all, descriptor_limit_is_lowered);
    suite_add_tcase(suite, all);
    return suite_run("net", suite, NULL);
}
