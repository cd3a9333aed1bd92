/* reserve - memory for the JSON parser when there is none.  See reserve.h. */

#include "reserve.h"

#include <jansson.h>
#include <malloc.h>
#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* What the parser makes of a byte at most: empty objects, 3 bytes each, are the worst. */
enum { WORST = 80, LEAST = 4096 };

bool reserve_wipes = false;

static char *memory = NULL;
static size_t capacity, used;
static bool parsing = false;
static bool short_of_memory;

static void *allocate(size_t size)
{
    void *p = parsing && short_of_memory ? NULL : malloc(size);
    if (p != NULL || !parsing)
        return p;
    short_of_memory = true;
    const size_t unit = alignof(max_align_t);
    size_t rounded = (size + unit - 1) / unit * unit;
    if (rounded < size || rounded > capacity - used)
        return NULL;
    p = memory + used;
    used += rounded;
    return p;
}

static void release(void *p)
{
    uintptr_t at = (uintptr_t)p - (uintptr_t)memory;
    if (memory != NULL && at < capacity)
        return; /* its own: see reserve_begin */
    if (reserve_wipes && p != NULL)
        explicit_bzero(p, malloc_usable_size(p));
    free(p);
}

int reserve_init(size_t max_line)
{
    capacity = WORST * max_line + LEAST;
    memory = malloc(capacity);
    if (memory == NULL)
        return -1;
    json_set_alloc_funcs(allocate, release);
    return 0;
}

void reserve_free(void)
{
    free(memory);
    memory = NULL;
}

void reserve_begin(void)
{
    parsing = true;
    short_of_memory = false;
    if (reserve_wipes)
        explicit_bzero(memory, used);
    used = 0;
}

bool reserve_end(void)
{
    parsing = false;
    return short_of_memory;
}
