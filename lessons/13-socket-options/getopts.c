/*
 * All options of a TCP socket: name, level, value in words; of a new socket, a listener and a
 * connection that it accepted.
 *
 * Some are inherited, some are only known once connected, and a connection's buffers are tuned.
 */

#include "die.h"
#include "options.h"
#include "plain.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum type { SWITCH, NUMBER, LINGER, TIME, TEXT };

struct option {
    const char *level_name, *name;
    int level, number;
    enum type type;
    const char *unit; /* of a number */
    const char *meaning;
};

#define SOL(name)  "SOL_SOCKET", #name, SOL_SOCKET, name
#define TCP(name)  "IPPROTO_TCP", #name, IPPROTO_TCP, name
#define IPV4(name) "IPPROTO_IP", #name, IPPROTO_IP, name

static const struct option options[] = {
    {SOL(SO_REUSEADDR), SWITCH, "", "bind a port that is in TIME_WAIT"},
    {SOL(SO_REUSEPORT), SWITCH, "", "several listeners on one port"},
    {SOL(SO_KEEPALIVE), SWITCH, "", "probe a silent peer"},
    {SOL(SO_LINGER), LINGER, "", "what close does with unsent data"},
    {SOL(SO_RCVBUF), NUMBER, " B", "receive buffer, overhead included"},
    {SOL(SO_SNDBUF), NUMBER, " B", "send buffer, overhead included"},
    {SOL(SO_RCVLOWAT), NUMBER, " B", "so much makes it readable"},
    {SOL(SO_SNDLOWAT), NUMBER, " B", "so much room makes it writable; cannot be set"},
    {SOL(SO_RCVTIMEO), TIME, "", "longest wait of recv and accept"},
    {SOL(SO_SNDTIMEO), TIME, "", "longest wait of send and connect"},
    {SOL(SO_ERROR), NUMBER, "", "pending error; reading clears it"},
    {SOL(SO_TYPE), NUMBER, "", "1 is SOCK_STREAM"},
    {SOL(SO_DOMAIN), NUMBER, "", "2 is AF_INET"},
    {SOL(SO_PROTOCOL), NUMBER, "", "6 is TCP"},
    {SOL(SO_ACCEPTCONN), SWITCH, "", "is a listener"},
    {SOL(SO_BROADCAST), SWITCH, "", "for datagrams only"},
    {SOL(SO_OOBINLINE), SWITCH, "", "urgent data stays in the stream"},
    {SOL(SO_DONTROUTE), SWITCH, "", "no gateway"},
    {SOL(SO_BINDTODEVICE), TEXT, "", "one interface only"},
    {SOL(SO_MARK), NUMBER, "", "a mark for routing and filters"},
    {SOL(SO_PRIORITY), NUMBER, "", "class of the outgoing queue"},
    {SOL(SO_INCOMING_CPU), NUMBER, "", "processor that received last; -1: none yet"},
    {SOL(SO_BUSY_POLL), NUMBER, " us", "spin for the device before sleeping"},
    {SOL(SO_MAX_PACING_RATE), NUMBER, "", "bytes a second at most; -1: no limit"},
    {SOL(SO_TIMESTAMP), SWITCH, "", "time of arrival beside the data"},
    {SOL(SO_ZEROCOPY), SWITCH, "", "allow MSG_ZEROCOPY"},
    {SOL(SO_PEEK_OFF), NUMBER, "", "where MSG_PEEK begins; -1: at the front"},
    {TCP(TCP_NODELAY), SWITCH, "", "no Nagle: send small segments at once"},
    {TCP(TCP_CORK), SWITCH, "", "hold small segments back"},
    {TCP(TCP_QUICKACK), SWITCH, "", "acknowledge at once; the kernel resets it"},
    {TCP(TCP_KEEPIDLE), NUMBER, " s", "silence before the first probe"},
    {TCP(TCP_KEEPINTVL), NUMBER, " s", "between probes"},
    {TCP(TCP_KEEPCNT), NUMBER, "", "unanswered probes that end it"},
    {TCP(TCP_USER_TIMEOUT), NUMBER, " ms", "unacknowledged for so long ends it; 0: tcp_retries2"},
    {TCP(TCP_MAXSEG), NUMBER, " B", "data in a segment"},
    {TCP(TCP_WINDOW_CLAMP), NUMBER, " B", "largest window; 0: none"},
    {TCP(TCP_NOTSENT_LOWAT), NUMBER, "", "unsent bytes below which it is writable"},
    {TCP(TCP_DEFER_ACCEPT), NUMBER, " s", "accept waits so long for the first data"},
    {TCP(TCP_FASTOPEN), NUMBER, "", "SYNs with data that may wait"},
    {TCP(TCP_SYNCNT), NUMBER, "", "SYNs that connect repeats"},
    {TCP(TCP_LINGER2), NUMBER, " s", "longest stay in FIN_WAIT2, once closed"},
    {TCP(TCP_CONGESTION), TEXT, "", "congestion control"},
    {IPV4(IP_TOS), NUMBER, "", "type of service"},
    {IPV4(IP_TTL), NUMBER, "", "hops"},
    {IPV4(IP_MTU), NUMBER, " B", "largest packet on this path"},
    {IPV4(IP_MTU_DISCOVER), NUMBER, "", "1: path MTU discovery"},
    {IPV4(IP_BIND_ADDRESS_NO_PORT), SWITCH, "", "bind leaves the port to connect"},
    {IPV4(IP_FREEBIND), SWITCH, "", "bind an address that is not here (yet)"},
    {IPV4(IP_TRANSPARENT), SWITCH, "", "bind an address that is not ours: a proxy"},
};

enum { WORDS = 24 };

union value {
    int number;
    struct linger linger;
    struct timeval time;
    char text[WORDS];
};

/* Write an option's value in words.  What a socket does not have is its errno, in words. */
static const char *value_in_words(int fd, const struct option *o, char words[WORDS])
{
    union value v = {.text = ""};
    socklen_t length = sizeof v;
    if (getsockopt(fd, o->level, o->number, &v, &length) == -1) {
        snprintf(words, WORDS, "%s", errno == ENOTCONN ? "not connected" : "not here");
        return words;
    }
    switch (o->type) {
    case SWITCH:
        return v.number != 0 ? "on" : "off";
    case NUMBER:
        snprintf(words, WORDS, "%d%s", v.number, o->unit);
        break;
    case LINGER:
        if (v.linger.l_onoff == 0)
            return "off";
        snprintf(words, WORDS, "on, %d s", v.linger.l_linger);
        break;
    case TIME:
        if (v.time.tv_sec == 0 && v.time.tv_usec == 0)
            return "no limit";
        snprintf(words, WORDS, "%ld.%06ld s", (long)v.time.tv_sec, (long)v.time.tv_usec);
        break;
    case TEXT:
        snprintf(words, WORDS, "%s", *v.text != '\0' ? v.text : "none");
        break;
    }
    return words;
}

int main(int argc, char **argv)
{
    options_parse(argc, argv, "all options of a TCP socket", NULL, NULL);
    int fresh = plain_socket();
    int lfd = plain_listen("127.0.0.1");
    int client = plain_connect(lfd);
    int cfd = plain_accept(lfd);

    printf("%-11s %-23s %-13s %-13s %-13s %s\n", "level", "option", "new", "listener", "accepted",
           "meaning");
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
        const struct option *o = &options[i];
        char words[3][WORDS];
        printf("%-11s %-23s %-13s %-13s %-13s %s\n", o->level_name, o->name,
               value_in_words(fresh, o, words[0]), value_in_words(lfd, o, words[1]),
               value_in_words(cfd, o, words[2]), o->meaning);
    }
    close(cfd);
    close(client);
    close(lfd);
    close(fresh);
    return 0;
}
