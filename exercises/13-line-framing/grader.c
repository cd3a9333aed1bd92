/*
 * The grader of exercise 13: what a line reader says to the chunks that it is fed.
 *
 * A check is a talk: commands for the driver, and the events that must come of each.  An event that
 * comes with another command than the one that completes it is wrong as well.
 */

#include "grader/grade.h"

#include "clock.h"
#include "testkit/proc.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SCRIPT = 49152,
    ANSWER = 1024,
    FLOOD = 100000000, /* bytes without a newline */
    MB = 1000000,
    GROWTH = 8 * MB, /* far more than a line of 1000 bytes needs, far less than the flood */
    SEEDS = 40,
    PATIENCE = 50 /* seconds that a flood may take on a busy machine */
};

/* A command, what must come of it (lines, each with its newline), and why. */
struct turn {
    const char *command, *answer, *advice;
};

/* ---- talking --------------------------------------------------------------------------------- */

/* "line 5 hello\nline 2 ab\n" as `line 5 hello, then line 2 ab`. */
static const char *in_words(const char *answer)
{
    static char ring[2][ANSWER];
    static int turn;
    char *text = ring[turn++ % 2];
    size_t length = 0;
    if (answer[0] == '\0')
        return "nothing";
    for (const char *c = answer; *c != '\0' && length < ANSWER - 8; c++)
        if (*c != '\n')
            text[length++] = *c;
        else if (c[1] != '\0')
            length += (size_t)snprintf(text + length, 8, ", then ");
    text[length] = '\0';
    return text;
}

/* Cut off what the driver printed for one command: its own line, then the events.  Returns what comes
 * after it, NULL if it never came to this command. */
static const char *cut_off(const char *output, char answer[ANSWER])
{
    const char *events = strchr(output, '\n');
    size_t length = 0;
    if (events == NULL)
        return NULL;
    if (strncmp(output, "end, ", 5) == 0)
        events = output; /* its own line is the answer */
    else
        events++;
    const char *end = events == output ? strchr(output, '\n') + 1 : events;
    while (*end != '\0' && strncmp(end, "fed ", 4) != 0 && strncmp(end, "end, ", 5) != 0) {
        const char *newline = strchr(end, '\n');
        end = newline != NULL ? newline + 1 : end + strlen(end);
    }
    length = (size_t)(end - events);
    snprintf(answer, ANSWER, "%.*s", (int)length, events);
    return end;
}

/* Let the driver obey the commands, and compare what comes of each.  If it does not live to the end, the
 * steps of the story go as far as it went. */
static bool talk(struct trial *t, const char *limit, const struct turn *turns)
{
    char script[SCRIPT] = "";
    size_t length = 0;
    for (const struct turn *turn = turns; turn->command != NULL; turn++)
        length += (size_t)snprintf(script + length, sizeof script - length, "%s\n", turn->command);
    trial_step(t, "a line may have %s bytes; each chunk is memory of its own, just as large",
               limit);
    bool well = trial_run(t, "drive", SUBJECT_ARGS("--limit", limit), script);
    const char *output = t->text;
    for (const struct turn *turn = turns; turn->command != NULL; turn++) {
        char answer[ANSWER] = "";
        if (!well && *output == '\0')
            return false;
        trial_step(t, "%s", turn->command);
        trial_expect(t, "%s%s", in_words(turn->answer),
                     well ? "" : "; nothing read behind the chunk, nor written behind the buffer");
        output = cut_off(output, answer);
        if (output == NULL)
            return trial_fail(t, -1, "the program ended (status %d) and did not come to this",
                              t->status);
        if (well && strcmp(answer, turn->answer) != 0)
            return trial_fail(t, -1, "%s\n%s", in_words(answer), turn->advice);
    }
    return well &&
           (t->status == 0 || trial_fail(t, -1, "it exited with status %d, not 0", t->status));
}

static void judge_talk(struct trial *t, const char *limit, const struct turn *turns,
                       const char *proof)
{
    if (talk(t, limit, turns))
        trial_pass(t, "%s", proof);
}

/* ---- the checks ------------------------------------------------------------------------------ */

static void judge_one_line(struct trial *t)
{
    static const struct turn turns[] = {
        {"feed hello\\n", "line 5 hello\n",
         "a newline ends the line; it is no part of it, and a final 0 stands behind the line"},
        {"feed a longer line, of 31 characters\\n", "line 31 a longer line, of 31 characters\n",
         "the second line, in a chunk of its own, is read as the first one was"},
        {"feed short\\n", "line 5 short\n",
         "the line before it was longer: nothing of that one is left, and a final 0 stands behind "
         "this one"},
        {0},
    };
    judge_talk(t, "1000", turns, "3 lines in 3 chunks, each with its length and a final 0");
}

static void judge_in_time(struct trial *t)
{
    static const struct turn turns[] = {
        {"feed one\\ntwo\\nthree\\n", "line 3 one\nline 3 two\nline 5 three\n",
         "all lines of a chunk come out of that chunk: line_reader_next is called until it says "
         "LINE_NONE, and must remember where in the chunk it is"},
        {"feed four\\nfi", "line 4 four\n",
         "a line ends at its newline, and comes with the chunk that has it: what follows waits for "
         "its own newline"},
        {0},
    };
    judge_talk(t, "1000", turns,
               "each line came with the chunk that has its newline, 3 of one too");
}

/* A text to be cut, and the lines in it; without anything that another check is about. */
#define CUT_TEXT  "GET /index\nhello\na\nto be, or not to be\n"
#define CUT_LINES "line 10 GET /index\nline 5 hello\nline 1 a\nline 19 to be, or not to be\n"

/* Write the command that feeds the bytes from begin to end of the text.  Returns its length. */
static size_t feed_piece(char *script, size_t room, size_t begin, size_t end)
{
    size_t length = (size_t)snprintf(script, room, "feed ");
    for (size_t i = begin; i < end; i++)
        length += (size_t)snprintf(script + length, room - length,
                                   CUT_TEXT[i] == '\n' ? "\\n" : "%c", CUT_TEXT[i]);
    return length + (size_t)snprintf(script + length, room - length, "\n");
}

/* Only the events of a stream, without the driver's own lines, up to its end. */
static const char *events_of_stream(const char *output, char events[ANSWER])
{
    size_t length = 0;
    while (*output != '\0') {
        const char *newline = strchr(output, '\n');
        const char *next = newline != NULL ? newline + 1 : output + strlen(output);
        if (strncmp(output, "end, ", 5) == 0) {
            output = next;
            break;
        }
        if (strncmp(output, "fed ", 4) != 0 && length < ANSWER)
            length += (size_t)snprintf(events + length, ANSWER - length, "%.*s",
                                       (int)(next - output), output);
        output = next;
    }
    return output;
}

/* Feed the text once for each way to cut it: cuts[w] has a bit for each place where it is cut. */
static bool feed_cut(struct trial *t, const uint64_t *cuts, size_t ways)
{
    static char script[SCRIPT];
    size_t length = 0, size = strlen(CUT_TEXT);
    for (size_t w = 0; w < ways; w++) {
        size_t begin = 0;
        for (size_t i = 1; i <= size; i++)
            if (i == size || cuts[w] >> i & 1) {
                length += feed_piece(script + length, sizeof script - length, begin, i);
                begin = i;
            }
        length += (size_t)snprintf(script + length, sizeof script - length, "end\n");
    }
    if (!trial_run(t, "drive", SUBJECT_ARGS("--limit", "1000"), script))
        return false;
    const char *output = t->text, *commands = script;
    for (size_t w = 0; w < ways; w++) {
        char events[ANSWER] = "";
        output = events_of_stream(output, events);
        const char *end = strstr(commands, "end\n");
        if (strcmp(events, CUT_LINES) != 0) {
            trial_step(t, "the stream is cut into these chunks:");
            for (const char *c = commands; c < end; c = strchr(c, '\n') + 1)
                trial_step(t, "%.*s", (int)strcspn(c, "\n"), c);
            return trial_fail(
                t, -1,
                "%s\nhow the stream is cut must make no difference.  What a chunk has "
                "of a line is kept until its newline comes in a later one",
                in_words(events));
        }
        commands = end + 4;
    }
    return true;
}

static void judge_any_fragmentation(struct trial *t)
{
    uint64_t cuts[64], seed = 2463534242;
    size_t size = strlen(CUT_TEXT), ways = 0;
    trial_expect(t, "%s, wherever it is cut", in_words(CUT_LINES));
    for (size_t i = 1; i < size; i++)
        cuts[ways++] = (uint64_t)1 << i;
    if (!feed_cut(t, cuts, ways) || !feed_cut(t, &(uint64_t){UINT64_MAX}, 1))
        return;
    for (ways = 0; ways < SEEDS; ways++) {
        seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17; /* xorshift */
        cuts[ways] = seed & seed >> 21;
    }
    if (feed_cut(t, cuts, ways))
        trial_pass(t,
                   "%zu bytes, cut into 2 in every way, into single bytes, and in %d random ways",
                   size, SEEDS);
}

static void judge_empty_lines(struct trial *t)
{
    static const char *const advice = "an empty line is a line: of length 0";
    static const struct turn turns[] = {
        {"feed \\n", "line 0\n", advice},
        {"feed a\\n\\n\\nb\\n", "line 1 a\nline 0\nline 0\nline 1 b\n", advice},
        {"feed c", "", "its newline has not come yet"},
        {"feed \\n\\n", "line 1 c\nline 0\n",
         "the first newline ends the line of the chunk before, the second an empty one"},
        {0},
    };
    judge_talk(t, "1000", turns, "4 empty lines among others, each told as a line of length 0");
}

static void judge_cr_lf(struct trial *t)
{
    static const char *const split =
        "a carriage return (\\r) before the newline belongs to the end of the line, though it came "
        "in a chunk before: look at the end of what was kept";
    static const char *const inside = "only the carriage return (\\r) just before the newline "
                                      "belongs to the end of the line, one "
                                      "of them: any other is data";
    static const struct turn turns[] = {
        {"feed hello\\r\\n", "line 5 hello\n",
         "a carriage return (\\r) before the newline belongs to the end of the line"},
        {"feed hello\\r", "", "its newline has not come yet"},
        {"feed \\n", "line 5 hello\n", split},
        {"feed hello", "", "its newline has not come yet"},
        {"feed \\r", "", "its newline has not come yet: a carriage return alone ends nothing"},
        {"feed \\nnext\\n", "line 5 hello\nline 4 next\n", split},
        {"feed a\\rb\\n", "line 3 a\\rb\n", inside},
        {"feed a\\r", "", "its newline has not come yet"},
        {"feed b\\n", "line 3 a\\rb\n", inside},
        {"feed a\\r\\r\\n", "line 2 a\\r\n", inside},
        {"feed \\r\\n", "line 0\n", "an empty line that ends with \\r\\n is empty"},
        {0},
    };
    judge_talk(t, "1000", turns, "\\r\\n in one chunk and in two; a \\r elsewhere stayed");
}

static void judge_binary(struct trial *t)
{
    static const char *const advice = "a byte 0 is data like any other: memchr and memcpy go by a "
                                      "length, strchr, strlen and strcpy "
                                      "stop at a 0";
    static const struct turn turns[] = {
        {"feed a\\0b\\n", "line 3 a\\x00b\n", advice},
        {"feed \\0\\n\\0\\0\\nx\\n", "line 1 \\x00\nline 2 \\x00\\x00\nline 1 x\n", advice},
        {"feed c\\0", "", "its newline has not come yet"},
        {"feed d\\n", "line 3 c\\x00d\n", advice},
        {"feed \\xff\\xfe\\x80\\x7f\\x01\\n", "line 5 \\xff\\xfe\\x80\\x7f\\x01\n",
         "bytes above 0x7f are data like any other"},
        {0},
    };
    judge_talk(t, "1000", turns, "bytes 0, 1, 7f, 80, fe and ff are data");
}

static void judge_too_long(struct trial *t)
{
    static const char *const once =
        "a line that is too long is told once, as soon as a byte is too many, for its newline may "
        "never come; the rest of it is thrown away in silence, in however many chunks it comes";
    static const char *const rest =
        "the rest of a line that is too long is no line: throw it away up to its newline; the next "
        "line is read as usual";
    static const char *const next = "the line after one that is too long is read as usual";
    static const struct turn turns[] = {
        {"feed 0123456789abc\\n", "too long\n", once},
        {"feed next\\n", "line 4 next\n", next},
        {"feed 0123456789abc", "too long\n", once},
        {"feed defghi", "", once},
        {"feed jklmnopqrstuvwxyz", "", once},
        {"feed end\\nnext\\n", "line 4 next\n", rest},
        {"feed 012345", "", "its newline has not come yet"},
        {"feed 6789abc", "too long\n", once},
        {"feed \\n", "", "that newline ends the line that was too long: it is no empty line"},
        {"feed 0123456789abc\\nnext\\n0123456789abc\\nlast\\n",
         "too long\nline 4 next\ntoo long\nline 4 last\n", next},
        {0},
    };
    judge_talk(
        t, "8", turns,
        "5 lines of 13 and more bytes, with a limit of 8: each told once and at once, and the "
        "lines after them came");
}

static void judge_limit_exact(struct trial *t)
{
    static const char *const fits =
        "it has exactly as many bytes as the limit allows, and passes: its end is not counted, nor "
        "does the final 0 of the buffer count";
    static const char *const one_more = "it has one byte more than the limit: too long";
    static const char *const with_cr = "the line has exactly the limit: the carriage return (\\r) "
                                       "before its newline is not counted";
    static const struct turn turns[] = {
        {"feed hello\\n", "line 5 hello\n", fits},
        {"feed hello!\\n", "too long\n", one_more},
        {"feed hel", "", "its newline has not come yet"},
        {"feed lo\\n", "line 5 hello\n", fits},
        {"feed hello", "", "it has the limit, and may still be right"},
        {"feed \\n", "line 5 hello\n", fits},
        {"feed hello\\r\\n", "line 5 hello\n", with_cr},
        {"feed hello\\r", "",
         "if a newline is next, the line has exactly the limit: it is too early to tell"},
        {"feed \\n", "line 5 hello\n", with_cr},
        {"feed hell\\r\\n", "line 4 hell\n", with_cr},
        {"feed hello!\\r\\n", "too long\n", one_more},
        {"feed hell\\r\\r\\n", "line 5 hell\\r\n", with_cr},
        {"feed last\\n", "line 4 last\n", "the line before it was too long, and this one is not"},
        {0},
    };
    judge_talk(t, "5", turns,
               "with a limit of 5: 5 bytes passed, 6 did not, with \\n and with \\r\\n");
}

/* Send a command to a driver that runs, and read its one line. */
static bool converse(struct trial *t, const char *command, const char *answer)
{
    char line[200];
    trial_step(t, "%s", command);
    trial_expect(t, "%s", answer);
    dprintf(t->in, "%s\n", command);
    if (!trial_read_line(t, line, sizeof line))
        return false;
    return strcmp(line, answer) == 0 || trial_fail(t, -1, "%s", line);
}

static void judge_bounded_memory(struct trial *t)
{
    wait_patience = PATIENCE;
    if (!trial_spawn(t, "drive", NULL) ||
        !converse(t, "flood 1000 line\\n", "fed 1000, 200 lines, 0 too long"))
        return;
    long before = proc_memory(t->s.pid);
    if (!converse(t, "flood 100000000 x", "fed 100000000, 0 lines, 1 too long"))
        return;
    long grown = proc_memory(t->s.pid) - before;
    if (grown > GROWTH) {
        trial_fail(
            t, -1,
            "%d MB without a newline, of which 1000 bytes could be a line, and the program grew "
            "by %ld MB: what is thrown away must not be stored",
            FLOOD / MB, grown / MB);
        return;
    }
    if (!converse(t, "feed \\n", "fed 1") ||
        !converse(t, "flood 5 next\\n", "fed 5, 1 lines, 0 too long"))
        return;
    if (!converse(t, "flood 50000000 a line\\n", "fed 50000000, 7142857 lines, 0 too long"))
        return;
    long with_lines = proc_memory(t->s.pid) - before;
    if (with_lines > GROWTH) {
        trial_fail(
            t, -1,
            "after 7,142,857 lines of 6 bytes the program has grown by %ld MB: a line that was "
            "told is done with",
            with_lines / MB);
        return;
    }
    trial_pass(t, "%d MB without a newline cost %ld KB, 7,142,857 lines %ld KB", FLOOD / MB,
               grown / 1000, with_lines / 1000);
}

static void judge_end(struct trial *t)
{
    static const char *const done = "the last line is complete: nothing is left";
    static const struct turn turns[] = {
        {"feed hello\\nabc", "line 5 hello\n", "its newline has not come yet"},
        {"end", "end, 3 bytes left\n",
         "the stream ended within a line: its 3 bytes are left, and are not a line"},
        {"feed hello\\n", "line 5 hello\n", "a new stream begins with a new reader"},
        {"end", "end, 0 bytes left\n", done},
        {"feed ab", "", "its newline has not come yet"},
        {"feed cd", "", "its newline has not come yet"},
        {"end", "end, 4 bytes left\n", "both chunks are of the line that is left"},
        {"feed 012345", "", "its newline has not come yet"},
        {"feed 6789abcdef", "too long\n", "told as soon as a byte is too many"},
        {"end", "end, 0 bytes left\n",
         "of a line that was told to be too long nothing is left: it was thrown away"},
        {"feed 0123456789abcdef\\nabc", "too long\n", "told as soon as a byte is too many"},
        {"end", "end, 3 bytes left\n", "the line that was too long is over: a new one has begun"},
        {0},
    };
    judge_talk(t, "8", turns, "5 streams ended, 3 within a line: what was left of it was no line");
}

static const struct check checks[] = {
    {"one-line", "a newline ends a line", 1, NULL, TRIAL_ADDRESS, judge_one_line, 0},
    {"in-time", "each line comes with the chunk that has its newline", 1, "one-line", TRIAL_ADDRESS,
     judge_in_time, 0},
    {"any-fragmentation", "how the stream is cut into chunks makes no difference", 1, "one-line",
     TRIAL_ADDRESS, judge_any_fragmentation, 0},
    {"empty-lines", "an empty line is a line", 1, "one-line", TRIAL_ADDRESS, judge_empty_lines, 0},
    {"cr-lf", "a carriage return before the newline is taken off, and no other", 1, "one-line",
     TRIAL_ADDRESS, judge_cr_lf, 0},
    {"binary", "every other byte is data, 0 included", 1, "one-line", TRIAL_ADDRESS, judge_binary,
     0},
    {"too-long", "a line that is too long is told once and at once, and the next one is read", 1,
     "one-line", TRIAL_ADDRESS, judge_too_long, 0},
    {"limit-exact", "a line of exactly the limit passes, one byte more does not", 1, "one-line",
     TRIAL_ADDRESS, judge_limit_exact, 0},
    {"bounded-memory", "100 MB without a newline cost no memory", 1, "one-line", TRIAL_PLAIN,
     judge_bounded_memory, 60},
    {"end", "at the end it is known what is left of a line", 1, "one-line", TRIAL_ADDRESS,
     judge_end, 0},
    {0},
};

int main(int argc, char **argv)
{
    const struct exercise exercise = {"13-line-framing",
                                      "bytes to lines, with a limit, in any fragmentation", checks};
    return grade_main(argc, argv, &exercise);
}
