/* emoji - short codes in what is said become the emoji that they stand for.  See emoji.h. */

#include "emoji.h"

#include "emoji_table.h"

#include <stdbool.h>
#include <string.h>

#ifdef STUB
size_t emoji_expand(const char *content, size_t size, char *expanded, size_t limit)
{
    /* Yours: everything stays as it was typed so far. */
    (void)limit;
    memcpy(expanded, content, size);
    return size;
}
#else
/* By the byte, and not by the locale: no byte of a character beyond ASCII is one of these. */
static bool may_be_in_a_code(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '+' || c == '-';
}

/* The size of the short code that these bytes begin with, its colons included; 0 if they do not. */
static size_t short_code(const char *bytes, size_t size)
{
    size_t n = 1;
    if (bytes[0] != ':')
        return 0;
    while (n < size && may_be_in_a_code(bytes[n]))
        n++;
    /* [one-look] It ends at the next colon, or it is none.  Whatever was typed, a byte is looked at
     * twice: from the colon before it, and by itself. */
    return n > 1 && n < size && bytes[n] == ':' ? n + 1 : 0;
}

size_t emoji_expand(const char *content, size_t size, char *expanded, size_t limit)
{
    size_t written = 0;
    for (size_t at = 0; at < size;) {
        size_t typed = short_code(content + at, size - at);
        const char *text = typed > 0 ? emoji_find(content + at + 1, typed - 2) : NULL;
        if (text == NULL) {
            expanded[written++] = content[at++];
            continue;
        }
        size_t length = strlen(text);
        size_t rest = size - at - typed;
        if (written + length + rest > limit) {
            text = content + at;
            length = typed;
        }
        memcpy(expanded + written, text, length); /* NOLINT(bugprone-not-null-terminated-result) */
        written += length;
        at += typed;
    }
    return written;
}
#endif

/* Say something else than content: see rewrite in dispatch.h.  Short of memory it is said as it was
 * typed. */
static json_t *rewrite(struct session *s, json_t *content)
{
#ifdef STUB
    /* Yours: a string of what emoji_expand makes of it.  Whose is the reference to content then? */
    (void)s;
    return content;
#else
    (void)s;
    char expanded[EMOJI_LIMIT];
    size_t size = emoji_expand(json_string_value(content), json_string_length(content), expanded,
                               sizeof expanded);
    json_t *said = json_stringn(expanded, size);
    if (said == NULL)
        return content;
    json_decref(content);
    return said;
#endif
}

const struct extension emoji = {.name = "emoji", .rewrite = rewrite};
