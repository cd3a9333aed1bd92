/*
 * network - two hosts and a cable, made of network namespaces.
 *
 * Needs CAP_NET_ADMIN, or a kernel that lets anybody make a user namespace.  Nothing has to be
 * removed: no name is given to anything, so the kernel drops it all with the last descriptor that
 * is open on it, however the program ends.  See network_namespaces(7), veth(4).
 */
#ifndef NETWORK_H
#define NETWORK_H

#define NETWORK_NEAR "10.13.0.1"
#define NETWORK_FAR  "10.13.0.2"

/* The two hosts, each a descriptor of its namespace. */
struct network {
    int near;
    int far;
};

/*
 * network_open - make two hosts with a cable between them.
 *
 * The calling thread is on the near host from then on: sockets belong to the host on which they
 * were made, for as long as they live.  For a program of one thread.
 *
 * Returns 0, or -1 with errno: EPERM or ENOSPC where it is not allowed, EOPNOTSUPP without veth.
 * After a failure the thread may be on a new host, which has nothing but its 127.0.0.1.
 */
int network_open(struct network *n);

/* network_enter - go to a host, network.near or network.far.  Returns 0, or -1 with errno. */
int network_enter(int host);

/* network_drop_address - take the address away from the host where the thread is: whatever is sent
 * there arrives, and is dropped without a word.  Returns 0, or -1 with errno. */
int network_drop_address(void);

#endif
