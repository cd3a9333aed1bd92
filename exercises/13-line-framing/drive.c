/*
 * drive - feeds a line reader with the chunks that standard input names, and prints what it says.
 *
 *   feed TEXT        one chunk; \n \r \t \0 \\ and \xHH stand for a byte
 *   flood SIZE TEXT  TEXT again and again, SIZE bytes in chunks of 16 KiB; says only how many events
 *                    of each kind came of them
 *   end              the end of the stream; a new one begins
 *
 * Each chunk is memory of its own, just as large as it is, and gone as soon as it is used up: so
 * AddressSanitizer sees who reads past it, or keeps it.
 */

#include "die.h"
#include "line_reader.h"
#include "options.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COMMAND_MAX = 65536, FLOOD_CHUNK = 16384 };

static unsigned long limit = 1000;

/* What came of a chunk. */
struct events {
    size_t lines, too_long;
};

/* Turn the escapes of text into the bytes that they stand for, in place.  Returns how many. */
static size_t unescape(char *text)
{
    char *to = text;
    for (const char *from = text; *from != '\0';) {
        if (*from != '\\') {
            *to++ = *from++;
            continue;
        }
        const char *letters = "nrt0\\";
        const char *letter = from[1] != '\0' ? strchr(letters, from[1]) : NULL;
        char digits[] = {from[1] == 'x' ? from[2] : '\0', '\0', '\0'};
        if (letter != NULL) {
            *to++ = "\n\r\t\0\\"[letter - letters];
            from += 2;
        } else if (isxdigit((unsigned char)digits[0]) && isxdigit((unsigned char)from[3])) {
            digits[1] = from[3];
            *to++ = (char)strtol(digits, NULL, 16);
            from += 4;
        } else {
            errno = 0;
            die("what does '%.2s' stand for?", from);
        }
    }
    return (size_t)(to - text);
}

static void print_line(const char *line, size_t length)
{
    if (line == NULL) {
        puts("line, but not where it is");
        return;
    }
    printf(length > 0 ? "line %zu " : "line %zu", length);
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)line[i];
        if (c == '\\')
            printf("\\\\");
        else if (c == '\r')
            printf("\\r");
        else if (c == '\n')
            printf("\\n");
        else if (c < ' ' || c > '~')
            printf("\\x%02x", c);
        else
            putchar(c);
    }
    puts(line[length] == '\0' ? "" : " (without a final 0)");
}

/* Feed one chunk, and take everything that comes of it. */
static struct events feed(struct line_reader *r, const char *bytes, size_t size, bool print)
{
    struct events came = {0, 0};
    char *chunk = malloc(size > 0 ? size : 1);
    if (chunk == NULL)
        die("no memory for a chunk");
    memcpy(chunk, bytes, size);
    line_reader_feed(r, chunk, size);
    for (;;) {
        const char *line = NULL;
        size_t length = 0;
        enum line_event event = line_reader_next(r, &line, &length);
        if (event == LINE_NONE)
            break;
        if (came.lines + came.too_long == size) { /* each takes a byte, at least */
            puts("more events than bytes: it does not come to LINE_NONE");
            exit(EXIT_FAILURE);
        }
        if (event == LINE_READY)
            came.lines++;
        else
            came.too_long++;
        if (print && event == LINE_READY)
            print_line(line, length);
        else if (print)
            puts("too long");
    }
    free(chunk);
    return came;
}

static void flood(struct line_reader *r, char *argument)
{
    char *text = NULL;
    unsigned long size = strtoul(argument, &text, 10);
    if (*text != ' ' || text[1] == '\0') {
        errno = 0;
        die("flood SIZE TEXT");
    }
    size_t length = unescape(++text);
    char chunk[FLOOD_CHUNK];
    struct events came = {0, 0};
    for (unsigned long done = 0; done < size;) {
        size_t n = 0;
        for (; n < sizeof chunk && done < size; n++, done++)
            chunk[n] = text[done % length];
        struct events more = feed(r, chunk, n, false);
        came.lines += more.lines;
        came.too_long += more.too_long;
    }
    printf("fed %lu, %zu lines, %zu too long\n", size, came.lines, came.too_long);
}

static struct line_reader *new_reader(void)
{
    struct line_reader *r = line_reader_new(limit);
    if (r == NULL)
        die("line_reader_new");
    return r;
}

int main(int argc, char **argv)
{
    const struct option_spec options[] = {
        {"limit", "N", OPTION_NUMBER, &limit, 1, 1000000, "bytes that a line may have"},
        {0},
    };
    options_parse(argc, argv, "feeds a line reader with the chunks that standard input names",
                  options, NULL);
    setvbuf(stdout, NULL, _IOLBF, 0); /* each event is to be seen when it happens */
    struct line_reader *r = new_reader();
    static char command[COMMAND_MAX];
    while (fgets(command, sizeof command, stdin) != NULL) {
        command[strcspn(command, "\n")] = '\0';
        if (strncmp(command, "feed ", 5) == 0) {
            size_t size = unescape(command + 5);
            printf("fed %zu\n", size);
            feed(r, command + 5, size, true);
        } else if (strncmp(command, "flood ", 6) == 0) {
            flood(r, command + 6);
        } else if (strcmp(command, "end") == 0) {
            printf("end, %zu bytes left\n", line_reader_left(r));
            line_reader_free(r);
            r = new_reader();
        } else {
            errno = 0;
            die("'%s' is none of feed, flood and end", command);
        }
    }
    line_reader_free(r);
    return 0;
}
