/*
 * An echo server with a thread for each client.
 *
 * The new idea: the blocking code of lesson 01 is right as it is, if each client has a thread that
 * may block for it.  What it takes is an end for every thread: a list of the clients, a lock for
 * it, and a wait until the last thread is gone.
 *
 * Compare with: 01-blocking
 * Left out on purpose: a pool of threads made beforehand; that is lesson 09.
 */

#include "server.h"
#include "net.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    CHUNK = 16384,    /* bytes received at once */
    STACK = 256 << 10 /* bytes of a thread's stack; only what is touched becomes memory */
};

struct client {
    int fd;
    struct client *next, *prev; /* in the list of those being served */
};

/* [one-lock] Guards the list, its length, and the closing of a client's descriptor: once closed,
 * the number may belong to somebody else, and must not be shut down for the client that had it. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t all_gone = PTHREAD_COND_INITIALIZER;
static struct client *clients;
static unsigned long count;

static unsigned long max_clients = 16384;

/* Echo until the client is done.  Returns why it ended. */
static const char *serve(int cfd)
{
    char buf[CHUNK];
    for (;;) {
        ssize_t n = recv(cfd, buf, sizeof buf, 0); /* [block-in-recv] only this thread waits */
        if (n == 0)
            return "closed by the client";
        if (n > 0) {
            server_work();
            if (net_write_all(cfd, buf, (size_t)n) == -1)
                return strerror(errno);
        } else if (errno != EINTR) {
            return strerror(errno);
        }
    }
}

/* Take a client into the list.  Returns NULL with errno if there is no room or no memory. */
static struct client *client_add(int cfd)
{
    struct client *c = calloc(1, sizeof *c);
    if (c == NULL)
        return NULL;
    pthread_mutex_lock(&lock);
    bool room = count < max_clients;
    if (room) {
        c->fd = cfd;
        c->next = clients;
        if (clients != NULL)
            clients->prev = c;
        clients = c;
        count++;
    }
    pthread_mutex_unlock(&lock);
    if (room)
        return c;
    free(c);
    errno = EUSERS;
    return NULL;
}

/* Take a client out of the list, close its descriptor and free it. */
static void client_remove(struct client *c)
{
    pthread_mutex_lock(&lock);
    if (c->next != NULL)
        c->next->prev = c->prev;
    if (c->prev != NULL)
        c->prev->next = c->next;
    else
        clients = c->next;
    close(c->fd);
    free(c);
    if (--count == 0)
        pthread_cond_signal(&all_gone);
    pthread_mutex_unlock(&lock);
}

static void *client_thread(void *argument)
{
    struct client *c = argument;
    char peer[NET_TEXT_SIZE];
    server_report("client %d: connected from %s", c->fd, net_peer_text(c->fd, peer));
    const char *why = serve(c->fd);
    server_report("client %d: %s", c->fd, why);
    client_remove(c);
    return NULL;
}

/* [bounded-threads] A client beyond the limit, or one that the system has no thread for, is
 * turned away: it gets an end of file and not an endless wait. */
static void client_start(int cfd, const pthread_attr_t *detached)
{
    struct client *c = client_add(cfd);
    if (c == NULL) {
        server_refuse("refused: no room for a client beyond %lu: %s", max_clients, strerror(errno));
        close(cfd);
        return;
    }
    pthread_t thread;
    int error = pthread_create(&thread, detached, client_thread, c);
    if (error != 0) {
        server_refuse("refused: no thread for a client: %s", strerror(error));
        client_remove(c);
    }
}

/* Shutting a descriptor down wakes its thread, which closes it; wait for the last of them. */
static void stop_clients(void)
{
    pthread_mutex_lock(&lock);
    for (struct client *c = clients; c != NULL; c = c->next)
        shutdown(c->fd, SHUT_RDWR);
    while (count > 0)
        pthread_cond_wait(&all_gone, &lock);
    pthread_mutex_unlock(&lock);
}

int main(int argc, char **argv)
{
    const struct option_spec more[] = {
        {"max-clients", "N", OPTION_NUMBER, &max_clients, 1, 1000000, "threads at the same time"},
        {0},
    };
    int lfd = server_start(argc, argv, "an echo server with a thread for each client", more);
    pthread_attr_t detached;
    pthread_attr_init(&detached);
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&detached, STACK);
    server_stop_on_signals(lfd);
    server_ready(lfd, "thread-per-client");

    while (!server_stopping) {
        int cfd = accept4(lfd, NULL, NULL, SOCK_CLOEXEC);
        if (cfd != -1)
            client_start(cfd, &detached);
        else
            server_accept_again(lfd);
    }
    stop_clients();
    pthread_attr_destroy(&detached);
    close(lfd);
    return 0;
}
