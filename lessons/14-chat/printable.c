/* printable - text from strangers, made safe for a terminal.  See printable.h. */

#include "printable.h"

#include "utf8.h"

#include <langinfo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

enum {
    MARKS_MAX = 4, /* combining marks on one character; no script needs more, and they pile up */
    WIDEST = 12,   /* bytes of the longest piece: <U+10FFFF>, or \udbff\udfff */
    JOINER = 0x200d
};

struct range {
    uint32_t first, last;
};

static bool in_ranges(uint32_t c, const struct range *ranges, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (c >= ranges[i].first && c <= ranges[i].last)
            return true;
    return false;
}

/* What nobody sees: Unicode's default ignorable code points, and those that only direct how others
 * are laid out. */
static bool is_unseen(uint32_t c)
{
    static const struct range unseen[] = {
        {0x00ad, 0x00ad},   {0x034f, 0x034f},   {0x061c, 0x061c}, {0x115f, 0x1160},
        {0x17b4, 0x17b5},   {0x180b, 0x180f},   {0x200b, 0x200f}, {0x2028, 0x202e},
        {0x2060, 0x206f},   {0x2800, 0x2800},   {0x3164, 0x3164}, {0xfe00, 0xfe0f},
        {0xfeff, 0xfeff},   {0xffa0, 0xffa0},   {0xfff0, 0xfffb}, {0x1bca0, 0x1bca3},
        {0x1d173, 0x1d17a}, {0xe0000, 0xe0fff},
    };
    return in_ranges(c, unseen, sizeof unseen / sizeof unseen[0]);
}

/* What an emoji can be made of. */
static bool is_picture(uint32_t c)
{
    static const struct range pictures[] = {
        {0x00a9, 0x00a9}, {0x00ae, 0x00ae}, {0x203c, 0x203c}, {0x2049, 0x2049},
        {0x2122, 0x2122}, {0x2139, 0x2139}, {0x2190, 0x21ff}, {0x2300, 0x23ff},
        {0x2460, 0x24ff}, {0x25a0, 0x27bf}, {0x2900, 0x297f}, {0x2b00, 0x2bff},
        {0x3030, 0x3030}, {0x303d, 0x303d}, {0x3297, 0x3299}, {0x1f000, 0x1faff},
    };
    return in_ranges(c, pictures, sizeof pictures / sizeof pictures[0]);
}

/* Take one character off the front.  Returns false if it is not UTF-8, with its first byte as the
 * character. */
static bool take(const char **at, const char *end, uint32_t *character)
{
    int length = utf8_decode(*at, (size_t)(end - *at), character);
    if (length <= 0)
        *character = (unsigned char)**at;
    *at += length > 0 ? length : 1;
    return length > 0;
}

/* The joiner between two parts of an emoji, the selector behind one. */
static bool is_glue(const struct printable *p, uint32_t c)
{
    bool keycap = p->base == '#' || p->base == '*' || (p->base >= '0' && p->base <= '9');
    if (c == 0xfe0e || c == 0xfe0f)
        return is_picture(p->base) || keycap;
    uint32_t next = 0;
    const char *at = p->at;
    return c == JOINER && is_picture(p->base) && at < p->end && take(&at, p->end, &next) &&
           is_picture(next);
}

/* What the C library knows of characters. */
static int columns_of_locale(uint32_t c)
{
    return wcwidth((wchar_t)c);
}

int (*printable_columns)(uint32_t character) = columns_of_locale;

/* The columns of a character that may be sent as it is; -1 if it must not be. */
static int raw_width(struct printable *p, uint32_t c)
{
    if (c < 0x20 || (c >= 0x7f && c < 0xa0) || is_unseen(c) || (c >= 0x80 && !p->utf8))
        return -1;
    int width = c < 0x7f ? 1 : printable_columns(c);
    if (width > 0) {
        p->base = c;
        p->marks = 0;
    } else if (width == 0 && (p->base == 0 || ++p->marks > MARKS_MAX)) {
        return -1;
    }
    return width;
}

/* Name what must not be sent.  Returns the length, which is also the width: it is all ASCII. */
static int show(char text[16], uint32_t c, bool valid)
{
    if (!valid)
        return snprintf(text, 16, "<%02X>", c);
    if (c < 0x20 || c == 0x7f)
        return snprintf(text, 16, "^%c", (char)(c ^ 0x40));
    return snprintf(text, 16, "<U+%04X>", c);
}

struct printable printable_begin(const char *bytes, size_t size)
{
    return (struct printable){
        .at = bytes, .end = bytes + size, .utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0};
}

bool printable_next(struct printable *p)
{
    if (p->at == p->end)
        return false;
    const char *start = p->at;
    uint32_t c = 0;
    bool valid = take(&p->at, p->end, &c);
    p->length = 0;
    p->width = 0;
    if (valid && p->utf8 && is_glue(p, c))
        return true;
    int width = valid ? raw_width(p, c) : -1;
    if (width >= 0) {
        p->length = (size_t)(p->at - start);
        memcpy(p->text, start, p->length);
        p->width = width;
        return true;
    }
    p->width = show(p->text, c, valid);
    p->length = (size_t)p->width;
    p->base = 0;
    return true;
}

char *printable_copy(const char *bytes, size_t size)
{
    char *copy = malloc(size * WIDEST + 1);
    if (copy == NULL)
        return NULL;
    size_t length = 0;
    for (struct printable p = printable_begin(bytes, size); printable_next(&p); length += p.length)
        memcpy(copy + length, p.text, p.length);
    copy[length] = '\0';
    return copy;
}

/* A character as JSON escapes it: beyond the first 65536 as a pair of surrogates. */
static int escape(char *text, uint32_t c)
{
    if (c < 0x10000)
        return sprintf(text, "\\u%04x", c);
    c -= 0x10000;
    return sprintf(text, "\\u%04x\\u%04x", 0xd800 + (c >> 10), 0xdc00 + (c & 0x3ff));
}

char *printable_json(const char *bytes, size_t size)
{
    char *copy = malloc(size * WIDEST + 1);
    if (copy == NULL)
        return NULL;
    size_t length = 0;
    for (struct printable p = printable_begin(bytes, size); p.at < p.end;) {
        const char *start = p.at;
        uint32_t c = 0;
        if (!take(&p.at, p.end, &c)) {
            length += (size_t)escape(copy + length, 0xfffd);
        } else if (raw_width(&p, c) < 0) {
            length += (size_t)escape(copy + length, c);
            p.base = 0;
        } else {
            memcpy(copy + length, start, (size_t)(p.at - start));
            length += (size_t)(p.at - start);
        }
    }
    copy[length] = '\0';
    return copy;
}
