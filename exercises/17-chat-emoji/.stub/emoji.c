/* emoji - short codes in what is said become the emoji that they stand for.  See emoji.h. */

#include "emoji.h"

#include "emoji_table.h"

#include <stdbool.h>
#include <string.h>

size_t emoji_expand(const char *content, size_t size, char *expanded, size_t limit)
{
    /* Yours: everything stays as it was typed so far. */
    (void)limit;
    memcpy(expanded, content, size);
    return size;
}

/* Say something else than content: see rewrite in dispatch.h.  Short of memory it is said as it was
 * typed. */
static json_t *rewrite(struct session *s, json_t *content)
{
    /* Yours: a string of what emoji_expand makes of it.  Whose is the reference to content then? */
    (void)s;
    return content;
}

const struct extension emoji = {.name = "emoji", .rewrite = rewrite};
