/* libuv_echo [--try-write] - an echo server on libuv, to compare with.  All reads go into one
 * buffer, and uv_write sends a copy.  With --try-write, uv_try_write comes first, and only what it
 * leaves is copied: the least that one can ask of libuv. */

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

struct reply {
    uv_write_t request;
    uv_buf_t bytes;
};

static void on_close(uv_handle_t *handle)
{
    free(handle);
}

static char buffer[65536];

static void on_written(uv_write_t *request, int status)
{
    struct reply *reply = (struct reply *)request;
    if (status < 0 && !uv_is_closing((uv_handle_t *)request->handle))
        uv_close((uv_handle_t *)request->handle, on_close);
    free(reply->bytes.base);
    free(reply);
}

static void on_allocate(uv_handle_t *handle, size_t suggested, uv_buf_t *bytes)
{
    (void)handle;
    (void)suggested;
    *bytes = uv_buf_init(buffer, sizeof buffer);
}

static bool try_write;

static void write_copy(uv_stream_t *client, const char *bytes, size_t size)
{
    struct reply *reply = malloc(sizeof *reply);
    char *copy = malloc(size);
    if (reply == NULL || copy == NULL)
        abort();
    memcpy(copy, bytes, size);
    reply->bytes = uv_buf_init(copy, (unsigned)size); /* NOLINT: on_written frees it */
    uv_write(&reply->request, client, &reply->bytes, 1, on_written);
}

static void on_read(uv_stream_t *client, ssize_t n, const uv_buf_t *bytes)
{
    if (n < 0) {
        uv_close((uv_handle_t *)client, on_close);
        return;
    }
    uv_buf_t reply = uv_buf_init(bytes->base, (unsigned)n);
    int taken = try_write && n > 0 ? uv_try_write(client, &reply, 1) : 0;
    if (taken < 0)
        taken = 0;
    if (taken < n)
        write_copy(client, bytes->base + taken, (size_t)(n - taken));
}

static void on_connection(uv_stream_t *listener, int status)
{
    if (status < 0)
        return;
    uv_tcp_t *client = malloc(sizeof *client);
    if (client == NULL)
        abort();
    uv_tcp_init(listener->loop, client);
    if (uv_accept(listener, (uv_stream_t *)client) == 0) {
        uv_tcp_nodelay(client, 1);
        uv_read_start((uv_stream_t *)client, on_allocate, on_read);
    } else {
        uv_close((uv_handle_t *)client, on_close);
    }
}

int main(int argc, char **argv)
{
    try_write = argc > 1 && strcmp(argv[1], "--try-write") == 0;
    uv_tcp_t listener;
    struct sockaddr_in address;
    int length = sizeof address;
    uv_tcp_init(uv_default_loop(), &listener);
    uv_ip4_addr("127.0.0.1", 0, &address);
    if (uv_tcp_bind(&listener, (struct sockaddr *)&address, 0) != 0 ||
        uv_listen((uv_stream_t *)&listener, 4096, on_connection) != 0 ||
        uv_tcp_getsockname(&listener, (struct sockaddr *)&address, &length) != 0) {
        fprintf(stderr, "libuv_echo: cannot listen\n");
        return EXIT_FAILURE;
    }
    printf("listening on 127.0.0.1:%d (libuv %s)\n", ntohs(address.sin_port), uv_version_string());
    fflush(stdout);
    return uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}
