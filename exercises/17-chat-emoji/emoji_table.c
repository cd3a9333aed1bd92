/* emoji_table - GitHub's short codes, looked up.  See emoji_table.h. */

#include "emoji_table.h"

#include <stdbool.h>
#include <string.h>

/* Does a code stand before these bytes in the table? */
static bool stands_before(const char *code, const char *bytes, size_t size)
{
    size_t length = strlen(code);
    int order = memcmp(code, bytes, length < size ? length : size);
    return order != 0 ? order < 0 : length < size;
}

static bool begins_with(const char *code, const char *bytes, size_t size)
{
    return strlen(code) >= size && memcmp(code, bytes, size) == 0;
}

/* The first code that does not stand before these bytes. */
static size_t lower_bound(const char *bytes, size_t size)
{
    size_t from = 0;
    for (size_t to = emoji_code_count; from < to;) {
        size_t middle = from + (to - from) / 2;
        if (stands_before(emoji_codes[middle].code, bytes, size))
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

const char *emoji_find(const char *code, size_t size)
{
    size_t i = lower_bound(code, size);
    if (i == emoji_code_count || !begins_with(emoji_codes[i].code, code, size))
        return NULL;
    return emoji_codes[i].code[size] == '\0' ? emoji_codes[i].text : NULL;
}

const struct emoji_code *emoji_complete(const char *prefix, size_t size, size_t *count)
{
    size_t first = lower_bound(prefix, size), behind = first;
    while (behind < emoji_code_count && begins_with(emoji_codes[behind].code, prefix, size))
        behind++;
    *count = behind - first;
    return &emoji_codes[first];
}
