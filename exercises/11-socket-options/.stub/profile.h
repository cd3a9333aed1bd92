/*
 * profile - what a socket is for, said in its options, and what the kernel has made of them.
 *
 * Interface:
 *   profile_connect, profile_listen   a new socket with a profile
 *   profile_apply                     a profile for a socket that is there
 *   profile_read                      the options as they are
 *
 * The README has the table of the profiles.  A function here returns -1 with errno set, prints nothing,
 * and leaves nothing open that it has opened.
 */
#ifndef PROFILE_H
#define PROFILE_H

#include <netinet/in.h>
#include <stdbool.h>

enum profile {
    PROFILE_INTERACTIVE, /* a connection with small requests and answers */
    PROFILE_BULK,        /* a connection that moves much, one way */
    PROFILE_SERVER       /* a listener, and so all that it accepts */
};

/* A buffer, in the bytes that a program asks for; the kernel tells twice as many. */
struct profile_buffer {
    int bytes;
    bool capped; /* less than was asked for: net.core.rmem_max or wmem_max is in the way */
};

struct profile_state {
    bool reuse_address;            /* SO_REUSEADDR */
    bool nodelay;                  /* TCP_NODELAY */
    bool keepalive;                /* SO_KEEPALIVE */
    int idle_s;                    /* TCP_KEEPIDLE */
    int interval_s;                /* TCP_KEEPINTVL */
    int count;                     /* TCP_KEEPCNT */
    int user_timeout_ms;           /* TCP_USER_TIMEOUT; 0: the system's */
    int unsent_low;                /* TCP_NOTSENT_LOWAT, bytes; 0: the system's */
    struct profile_buffer receive; /* SO_RCVBUF */
    struct profile_buffer send;    /* SO_SNDBUF */
};

/*
 * profile_apply - set every option that the profile has in the table, and reset what another one had set;
 * but for the buffers, whose size nobody can take back.
 *
 * buffer  bytes to ask for, where the profile sets the buffers
 *
 * That the kernel gives less than `buffer` is no failure.  Fails with EBADF or ENOTSOCK, or with what
 * setsockopt(2) says of a socket that is not TCP's; such a socket keeps all its options.
 */
int profile_apply(int fd, enum profile which, int buffer);

/*
 * profile_read - ask the kernel for all options of a socket.
 *
 * buffer  bytes that were asked for, to tell whether they were capped; 0: none were
 *
 * *state is only written if all could be read.  Fails as profile_apply.  See getsockopt(2).
 */
int profile_read(int fd, int buffer, struct profile_state *state);

/* profile_connect - a new blocking socket, with the profile in time for the handshake, connected.
 * Returns the descriptor. */
int profile_connect(const struct sockaddr_in *to, enum profile which, int buffer);

/* profile_listen - a new listener, with PROFILE_SERVER in time for bind(2) and for the first client.
 * Returns the descriptor. */
int profile_listen(const struct sockaddr_in *at, int buffer);

#endif
