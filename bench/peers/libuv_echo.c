/* libuv_echo - the usual echo server on libuv, to compare with: reads into a buffer from malloc,
 * writes it back with uv_write, frees it when it is written. */

#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

struct reply {
    uv_write_t request;
    uv_buf_t bytes;
};

static void on_close(uv_handle_t *handle)
{
    free(handle);
}

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
    *bytes = uv_buf_init(malloc(suggested), (unsigned)suggested);
}

static void on_read(uv_stream_t *client, ssize_t n, const uv_buf_t *bytes)
{
    if (n > 0) {
        struct reply *reply = malloc(sizeof *reply);
        if (reply == NULL)
            abort();
        reply->bytes = uv_buf_init(bytes->base, (unsigned)n);
        uv_write(&reply->request, client, &reply->bytes, 1, on_written);
        return;
    }
    free(bytes->base);
    if (n < 0)
        uv_close((uv_handle_t *)client, on_close);
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

int main(void)
{
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
