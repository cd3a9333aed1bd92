/* network - two hosts and a cable, made of network namespaces.  See network.h. */

#include "network.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static const char cable[] = "veth0"; /* what the kernel calls the first of a host */

/* Ask the kernel for something about one interface of this host.  See netdevice(7). */
static int ask(unsigned long what, struct ifreq *request, const char *interface)
{
    strncpy(request->ifr_name, interface, sizeof request->ifr_name - 1);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd == -1)
        return -1;
    int outcome = ioctl(fd, what, request);
    int saved = errno;
    close(fd);
    errno = saved;
    return outcome;
}

static int switch_on(const char *interface)
{
    return ask(SIOCSIFFLAGS, &(struct ifreq){.ifr_flags = IFF_UP}, interface);
}

/* A new host, on which the thread then is.  Returns its descriptor, or -1 with errno. */
static int make_host(void)
{
    if (unshare(CLONE_NEWNET) == -1 &&
        (errno != EPERM || unshare(CLONE_NEWUSER | CLONE_NEWNET) == -1))
        return -1;
    return switch_on("lo") == -1 ? -1 : open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
}

/* Nested attributes: each holds all that follow it, so its length reaches to the end. */
struct veth_request {
    struct nlmsghdr header;
    struct ifinfomsg link;
    struct rtattr info;
    struct rtattr kind;
    char kind_text[4];
    struct rtattr data;
    struct rtattr peer;
    struct ifinfomsg peer_link;
    struct rtattr peer_host;
    int peer_host_fd;
};

#define ATTRIBUTE(type, member)                                                                \
    {                                                                                          \
        (unsigned short)(sizeof(struct veth_request) - offsetof(struct veth_request, member)), \
            type                                                                               \
    }

/* Make a cable from here to the far host.  See rtnetlink(7). */
static int make_cable(int far)
{
    const struct veth_request request = {
        .header = {.nlmsg_len = sizeof request,
                   .nlmsg_type = RTM_NEWLINK,
                   .nlmsg_flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK},
        .info = ATTRIBUTE(IFLA_LINKINFO, info),
        .kind = {RTA_LENGTH(4), IFLA_INFO_KIND},
        .kind_text = {'v', 'e', 't', 'h'},
        .data = ATTRIBUTE(IFLA_INFO_DATA, data),
        .peer = ATTRIBUTE(VETH_INFO_PEER, peer),
        .peer_host = ATTRIBUTE(IFLA_NET_NS_FD, peer_host),
        .peer_host_fd = far,
    };
    struct {
        struct nlmsghdr header;
        struct nlmsgerr result; /* what follows, a copy of the request, is cut off */
    } answer = {.result.error = -EPROTO};

    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (fd == -1)
        return -1;
    int error = 0;
    if (send(fd, &request, sizeof request, 0) == -1 || recv(fd, &answer, sizeof answer, 0) == -1)
        error = errno;
    else
        error = -answer.result.error; /* 0 is the acknowledgement */
    close(fd);
    errno = error;
    return error == 0 ? 0 : -1;
}

static int set_address(const char *ip)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    struct ifreq request = {0};
    inet_pton(AF_INET, ip, &address.sin_addr);
    memcpy(&request.ifr_addr, &address, sizeof address);
    return ask(SIOCSIFADDR, &request, cable);
}

/* Give this host's end of the cable an address (its mask is that of a class A network). */
static int plug_in(const char *ip)
{
    return set_address(ip) == -1 ? -1 : switch_on(cable);
}

int network_drop_address(void)
{
    return set_address("0.0.0.0");
}

/* The end that is plugged in first is told only later that there is another, and drops what is sent
 * until then; whoever sent it tries again after a second.  Plugged in again it knows at once. */
static int replug(void)
{
    return ask(SIOCSIFFLAGS, &(struct ifreq){.ifr_flags = 0}, cable) == -1 ? -1 : switch_on(cable);
}

int network_enter(int host)
{
    return setns(host, CLONE_NEWNET);
}

int network_open(struct network *n)
{
    n->far = make_host();
    if (n->far == -1)
        return -1;
    n->near = make_host();
    if (n->near != -1 && make_cable(n->far) == 0 && plug_in(NETWORK_NEAR) == 0 &&
        network_enter(n->far) == 0 && plug_in(NETWORK_FAR) == 0 && network_enter(n->near) == 0 &&
        replug() == 0)
        return 0;
    int saved = errno;
    close(n->far);
    if (n->near != -1)
        close(n->near);
    errno = saved;
    return -1;
}
