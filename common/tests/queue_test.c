/* Tests of queue: order, limit, and memory that is given back. */

#include "queue.h"

#include "testkit/suite.h"
#include "testkit/wait.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { LIMIT = 10000 };

/* What put and drop are compared with: all bytes ever queued are a count from 0, so that the
 * queue must hold those from `dropped` up to `put`. */
struct reference {
    size_t put, dropped;
};

static unsigned char byte_at(size_t position)
{
    return (unsigned char)(position * 2654435761U >> 13);
}

static void assert_same(const struct queue *q, const struct reference *r)
{
    ck_assert_uint_eq(q->length, r->put - r->dropped);
    for (size_t i = 0; i < q->length; i++)
        if ((unsigned char)queue_data(q)[i] != byte_at(r->dropped + i))
            ck_abort_msg("byte %zu of %zu is wrong", i, q->length);
}

static void put(struct queue *q, struct reference *r, size_t size)
{
    unsigned char bytes[LIMIT + 1];
    for (size_t i = 0; i < size; i++)
        bytes[i] = byte_at(r->put + i);
    bool fits = q->length + size <= LIMIT;
    errno = 0;
    ck_assert_int_eq(queue_put(q, bytes, size), fits ? 0 : -1);
    if (fits)
        r->put += size;
    else
        ck_assert_int_eq(errno, ENOBUFS);
}

static void drop(struct queue *q, struct reference *r, size_t size)
{
    if (size > q->length)
        size = q->length;
    queue_drop(q, size);
    r->dropped += size;
    if (q->length == 0)
        ck_assert_ptr_null(q->memory);
}

/* _i is the seed, and decides how large the pieces are. */
START_TEST(keeps_the_order)
{
    struct queue q = {.limit = LIMIT};
    struct reference r = {0, 0};
    size_t largest = (size_t)1 << (_i % 14);
    srandom((unsigned)_i);
    for (int step = 0; step < 3000; step++) {
        size_t size = (size_t)random() % (largest + 1);
        if (random() % 2 == 0)
            put(&q, &r, size < LIMIT ? size : LIMIT);
        else
            drop(&q, &r, size);
        if (step % 16 == 0 || q.length < 64)
            assert_same(&q, &r);
    }
    queue_free(&q);
}
END_TEST

START_TEST(stops_at_the_limit)
{
    struct queue q = {.limit = LIMIT};
    struct reference r = {0, 0};
    put(&q, &r, LIMIT);
    put(&q, &r, 1);
    assert_same(&q, &r);
    drop(&q, &r, 1);
    put(&q, &r, 2);
    assert_same(&q, &r);
    put(&q, &r, 1);
    assert_same(&q, &r);
    put(&q, &r, 0); /* nothing always fits */
    assert_same(&q, &r);
    queue_free(&q);
}
END_TEST

/* A size that would wrap around must not pass for a small one. */
START_TEST(refuses_a_monstrous_size)
{
    struct queue q = {.limit = LIMIT};
    ck_assert_int_eq(queue_put(&q, "abc", 3), 0);
    ck_assert_int_eq(queue_put(&q, "abc", (size_t)-1), -1);
    ck_assert_int_eq(errno, ENOBUFS);
    ck_assert_uint_eq(q.length, 3);
    ck_assert_mem_eq(queue_data(&q), "abc", 3);
    queue_free(&q);
}
END_TEST

/* What goes through a queue that is never full needs no more memory than it holds at once. */
START_TEST(stays_small)
{
    struct queue q = {.limit = 1 << 20};
    char bytes[100] = {0};
    ck_assert_int_eq(queue_put(&q, bytes, sizeof bytes), 0);
    for (int i = 0; i < 100000; i++) {
        ck_assert_int_eq(queue_put(&q, bytes, sizeof bytes), 0);
        queue_drop(&q, sizeof bytes);
        ck_assert_uint_le(q.capacity, 1024);
    }
    queue_free(&q);
}
END_TEST

START_TEST(gives_its_memory_back)
{
    struct queue q = {.limit = LIMIT};
    struct reference r = {0, 0};
    for (int i = 0; i < 3; i++) {
        put(&q, &r, 5000);
        ck_assert_ptr_nonnull(q.memory);
        drop(&q, &r, 5000);
        ck_assert_ptr_null(q.memory);
        ck_assert_uint_eq(q.capacity, 0);
        ck_assert_uint_eq(q.limit, LIMIT);
    }
}
END_TEST

START_TEST(free_leaves_it_usable)
{
    struct queue q = {.limit = LIMIT};
    struct reference r = {0, 0};
    put(&q, &r, 300);
    queue_free(&q);
    ck_assert_uint_eq(q.length, 0);
    queue_free(&q); /* and once more is no harm */
    r = (struct reference){0, 0};
    put(&q, &r, LIMIT);
    assert_same(&q, &r);
    queue_free(&q);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("queue");
    TCase *all = tcase_create("queue");
    tcase_set_timeout(all, SUITE_TIMEOUT);
    tcase_add_loop_test(all, keeps_the_order, 0, 28);
    tcase_add_test(all, stops_at_the_limit);
    tcase_add_test(all, refuses_a_monstrous_size);
    tcase_add_test(all, stays_small);
    tcase_add_test(all, gives_its_memory_back);
    tcase_add_test(all, free_leaves_it_usable);
    suite_add_tcase(suite, all);
    return suite_run("queue", suite, NULL);
}
