/*
 * expand - asks emoji_expand what is said instead of what standard input has typed.
 *
 *   say TEXT           prints how many bytes are said, and what; \n \r \t \0 \\ and \xHH stand for a byte
 *   repeat COUNT TEXT  the same of TEXT, COUNT times in a row
 *   limit N            the bytes that may be said from now on
 *   time SIZE TEXT     the CPU time that it takes to expand TEXT again and again, SIZE bytes of it
 *
 * What was typed, and where what is said is written, is memory of its own, just as large as it is: so
 * AddressSanitizer sees who reads or writes past it.
 */

#include "die.h"
#include "emoji.h"
#include "options.h"
#include "utf8.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    NUMBER_MOST = 1000000,
    RUNS = 20,              /* the shortest of so many is the time ... */
    RUNS_NS = 200 * 1000000 /* ... or of as many as fit into this */
};

static unsigned long limit = EMOJI_LIMIT;

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

/* Print characters as they are, and as escapes what is none or does not show. */
static void print(const char *bytes, size_t size)
{
    for (size_t i = 0; i < size;) {
        uint32_t character;
        int length = utf8_decode(bytes + i, size - i, &character);
        if (length > 0 && character >= ' ' && character != 0x7f && character != '\\') {
            fwrite(bytes + i, (size_t)length, 1, stdout);
            i += (size_t)length;
        } else {
            printf(bytes[i] == '\\' ? "\\\\" : "\\x%02x", (unsigned char)bytes[i]);
            i++;
        }
    }
}

/* Memory of `size` bytes; a byte of it if that is 0. */
static char *room_for(size_t size)
{
    char *room = malloc(size > 0 ? size : 1);
    if (room == NULL)
        die("no memory for %zu bytes", size);
    return room;
}

/* `size` bytes of text, again and again. */
static char *typed_again(const char *text, size_t length, size_t size)
{
    char *typed = room_for(size);
    for (size_t i = 0; i < size; i++)
        typed[i] = text[i % length];
    return typed;
}

static void say(const char *text, size_t length, size_t count)
{
    size_t size = length * count;
    if (size > limit) {
        printf("%zu bytes are more than may be said\n", size);
        return;
    }
    char *typed = typed_again(text, length, size);
    char *expanded = room_for(limit);
    size_t said = emoji_expand(typed, size, expanded, limit);
    printf("%zu ", said);
    if (said <= limit)
        print(expanded, said);
    else
        printf("are more than may be said");
    putchar('\n');
    free(expanded);
    free(typed);
}

/* By the thread: where the process may use so much and not more, its own clock goes by ticks. */
static int64_t cpu_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void measure(const char *text, size_t length, size_t size)
{
    char *typed = typed_again(text, length, size);
    char *expanded = room_for(size);
    int64_t best = INT64_MAX, first = cpu_ns();
    for (int i = 0; i < RUNS; i++) {
        int64_t begin = cpu_ns();
        emoji_expand(typed, size, expanded, size);
        int64_t end = cpu_ns();
        best = end - begin < best ? end - begin : best;
        if (end - first > RUNS_NS)
            break;
    }
    printf("%" PRId64 " ns for %zu bytes\n", best, size);
    free(expanded);
    free(typed);
}

/* The number at the front of an argument, and the text behind it. */
static size_t number_and_text(char *argument, char **text)
{
    char *end;
    unsigned long number = strtoul(argument, &end, 10);
    if (end == argument || (*end != ' ' && *end != '\0') || number > NUMBER_MOST) {
        errno = 0;
        die("'%s' does not begin with a number of at most %d", argument, NUMBER_MOST);
    }
    *text = *end == ' ' ? end + 1 : end;
    return number;
}

/* Unescape a text that is to be typed again and again. */
static size_t unescape_some(char *text, size_t count)
{
    size_t length = unescape(text);
    if (length == 0 || count == 0) {
        errno = 0;
        die("nothing to expand");
    }
    return length;
}

static void obey(char *command)
{
    char *text = NULL;
    if (strncmp(command, "say ", 4) == 0) {
        text = command + 4;
        size_t length = unescape(text);
        say(text, length, 1);
    } else if (strncmp(command, "repeat ", 7) == 0) {
        size_t count = number_and_text(command + 7, &text);
        say(text, unescape_some(text, count), count);
    } else if (strncmp(command, "time ", 5) == 0) {
        size_t size = number_and_text(command + 5, &text);
        measure(text, unescape_some(text, size), size);
    } else if (strncmp(command, "limit ", 6) == 0) {
        limit = number_and_text(command + 6, &text);
        printf("at most %lu bytes\n", limit);
    } else {
        errno = 0;
        die("'%s' is none of say, repeat, limit and time", command);
    }
}

int main(int argc, char **argv)
{
    const struct option_spec options[] = {
        {"limit", "N", OPTION_NUMBER, &limit, 1, NUMBER_MOST, "the bytes that may be said"},
        {0},
    };
    options_parse(argc, argv, "asks emoji_expand what is said instead of what was typed", options,
                  NULL);
    setvbuf(stdout, NULL, _IOLBF, 0); /* each answer is to be seen before the next question */
    char *command = NULL;
    size_t room = 0;
    while (getline(&command, &room, stdin) > 0) {
        command[strcspn(command, "\n")] = '\0';
        obey(command);
    }
    free(command);
    return 0;
}
