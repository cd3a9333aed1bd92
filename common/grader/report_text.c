/* report_text - results for a terminal of 100 columns.  See report.h. */

#include "report.h"

#include "results.h"

#include <string.h>

enum { WIDTH = 100, BAR = 10, SAID = 12 };

#define BOLD   "1"
#define RED    "31"
#define GREEN  "32"
#define YELLOW "33"

/* Begin or end a colour. */
static const char *colour(bool on, const char *name)
{
    static char code[4][16];
    static int next;
    if (!on)
        return "";
    next = (next + 1) % 4;
    snprintf(code[next], sizeof code[next], "\033[%sm", name);
    return code[next];
}

/* Columns that a text takes: the bytes of UTF-8 that begin a character. */
static int columns(const char *text, size_t size)
{
    int n = 0;
    for (size_t i = 0; i < size; i++)
        n += ((unsigned char)text[i] & 0xc0) != 0x80;
    return n;
}

/* Print a text from a column on, where the line stands already; what has no room there goes on under it.
 * What the student's program said may hold anything: a control character is shown as a dot. */
static void put(FILE *out, int indent, const char *text)
{
    int column = indent;
    while (*text != '\0') {
        size_t blanks = strspn(text, " "), size = blanks + strcspn(text + blanks, " \n");
        int width = columns(text, size);
        if (column + width > WIDTH && column > indent) {
            fprintf(out, "\n%*s", indent, "");
            text += blanks;
            size -= blanks;
            width -= (int)blanks;
            column = indent;
        }
        for (size_t i = 0; i < size; i++)
            fputc((unsigned char)text[i] < ' ' || text[i] == 127 ? '.' : text[i], out);
        column += width;
        text += size;
        if (*text == '\n') {
            text++;
            if (*text != '\0')
                fprintf(out, "\n%*s", indent, "");
            column = indent;
        }
    }
    fputc('\n', out);
}

static void said(FILE *out, const char *who, const char *text)
{
    if (text[0] == '\0')
        return;
    fprintf(out, "  %-*s", SAID - 2, who);
    put(out, SAID, text);
}

/* ---- how a check failed ------------------------------------------------------------------------ */

void report_story(FILE *out, const json_t *exercise, const json_t *check, bool coloured)
{
    bool failed = results_is(check, "failed");
    fprintf(out, "%s%s%s: ", colour(coloured, failed ? RED : YELLOW), results_text(check, "name"),
            colour(coloured, "0"));
    put(out, (int)strlen(results_text(check, "name")) + 2, results_text(check, "title"));
    const json_t *line;
    for (size_t i = 0; (line = json_array_get(json_object_get(check, "did"), i)) != NULL; i++)
        said(out, i == 0 ? "did" : "", json_string_value(line));
    said(out, "expected", results_text(check, "expected"));
    said(out,
         failed                              ? "came"
         : results_is(check, "grader fault") ? "grader"
                                             : "measured",
         results_text(check, "message"));
    for (size_t i = 0; (line = json_array_get(json_object_get(check, "story"), i)) != NULL; i++) {
        const char *text = json_string_value(line);
        bool marked = text[0] == '>';
        fprintf(out, "  %-*s%s%s", SAID - 4, i == 0 ? "calls" : "",
                marked ? colour(coloured, BOLD) : "", marked ? "> " : "  ");
        put(out, SAID, text + strspn(text, "> "));
        fputs(marked ? colour(coloured, "0") : "", out);
    }
    if (json_object_get(check, "seed") != NULL) {
        char seed[100];
        snprintf(seed, sizeof seed, "make grade EX=%.2s SEED=%ld", results_text(exercise, "name"),
                 results_number(check, "seed"));
        said(out, "again", seed);
    }
}

/* ---- the table ---------------------------------------------------------------------------------- */

static void bar(FILE *out, const json_t *object, struct report_style style)
{
    long max = results_number(object, "max"), points = results_number(object, "points");
    long full = max > 0 ? points * BAR / max : 0;
    fputs(colour(style.colour, points == max ? GREEN : YELLOW), out);
    for (int i = 0; i < BAR; i++)
        fputs(i < full ? (style.bars ? "█" : "#") : (style.bars ? "░" : "."), out);
    fputs(colour(style.colour, "0"), out);
}

/* The last column: what the row is about. */
static void put_state(FILE *out, const json_t *exercise)
{
    const json_t *first = results_first(exercise);
    if (!results_true(exercise, "compiles"))
        fprintf(out, "does not compile");
    else if (results_text(exercise, "fault")[0] != '\0')
        fprintf(out, "the grader's fault");
    else if (results_true(exercise, "untouched"))
        fprintf(out, "not begun");
    else if (first != NULL)
        fprintf(out, "first: %s", results_text(first, "name"));
    else if (results_complete(exercise))
        fprintf(out, "complete");
}

static void table(FILE *out, const json_t *all, struct report_style style)
{
    const json_t *exercise;
    int width = 8;
    for (size_t i = 0; (exercise = json_array_get(json_object_get(all, "exercises"), i)) != NULL;
         i++)
        if ((int)strlen(results_text(exercise, "name")) > width)
            width = (int)strlen(results_text(exercise, "name"));
    fprintf(out, "%s%-*s     points              passed  failed  not judged%s\n",
            colour(style.colour, BOLD), width, "exercise", colour(style.colour, "0"));
    for (size_t i = 0; (exercise = json_array_get(json_object_get(all, "exercises"), i)) != NULL;
         i++) {
        fprintf(out, "%-*s  %3ld of %3ld  ", width, results_text(exercise, "name"),
                results_number(exercise, "points"), results_number(exercise, "max"));
        bar(out, exercise, style);
        fprintf(out, "  %6ld  %6ld  %10ld  ", results_number(exercise, "passed"),
                results_number(exercise, "failed"),
                results_number(exercise, "not_judged") + results_number(exercise, "faults"));
        put_state(out, exercise);
        fputc('\n', out);
    }
    fprintf(out, "%-*s  %3ld of %3ld  ", width, "total", results_number(all, "points"),
            results_number(all, "max"));
    bar(out, all, style);
    fputc('\n', out);
}

/* ---- one exercise ------------------------------------------------------------------------------- */

static void put_check(FILE *out, const json_t *exercise, const json_t *check, int width,
                      bool coloured)
{
    const char *code = results_is(check, "passed")   ? GREEN
                       : results_is(check, "failed") ? RED
                                                     : YELLOW;
    const char *name = results_text(check, "name"), *needed = results_waits_for(exercise, check);
    fprintf(out, "  %s%-12s%s  %ld of %ld  %-*s  ", colour(coloured, code),
            results_text(check, "outcome"), colour(coloured, "0"), results_number(check, "points"),
            results_number(check, "max"), width, name);
    char waits[200];
    snprintf(waits, sizeof waits, "waits for %s", needed != NULL ? needed : "");
    put(out, 2 + 12 + 2 + 6 + 2 + width + 2,
        results_is(check, "not judged") && needed != NULL && results_true(exercise, "compiles")
            ? waits
            : results_text(check, results_is(check, "passed") ? "message" : "title"));
}

static void one(FILE *out, const json_t *exercise, struct report_style style)
{
    fprintf(out, "%s%s%s: %s\n", colour(style.colour, BOLD), results_text(exercise, "name"),
            colour(style.colour, "0"), results_text(exercise, "title"));
    bar(out, exercise, style);
    fprintf(out, "  %ld of %ld points\n\n", results_number(exercise, "points"),
            results_number(exercise, "max"));
    if (!results_true(exercise, "compiles")) {
        fputs("It does not compile, so that nothing could be judged:\n\n", out);
        /* It quotes the student's lines, which may hold anything: nothing of them moves a cursor. */
        for (const char *c = results_text(exercise, "compiler"); *c != '\0'; c++)
            fputc(((unsigned char)*c < ' ' && *c != '\n' && *c != '\t') || *c == 127 ? '.' : *c,
                  out);
        fputc('\n', out);
        return;
    }
    if (results_text(exercise, "fault")[0] != '\0') {
        fprintf(out, "It could not be judged, and that is the grader's fault: ");
        put(out, 2, results_text(exercise, "fault"));
        return;
    }
    const json_t *check;
    int width = 0;
    for (size_t i = 0; (check = json_array_get(json_object_get(exercise, "checks"), i)) != NULL;
         i++)
        if ((int)strlen(results_text(check, "name")) > width)
            width = (int)strlen(results_text(check, "name"));
    for (size_t i = 0; (check = json_array_get(json_object_get(exercise, "checks"), i)) != NULL;
         i++)
        put_check(out, exercise, check, width, style.colour);
    for (size_t i = 0; (check = json_array_get(json_object_get(exercise, "checks"), i)) != NULL;
         i++) {
        if (results_is(check, "passed") || results_is(check, "not judged"))
            continue;
        fputc('\n', out);
        report_story(out, exercise, check, style.colour);
    }
}

/* ---- and then ----------------------------------------------------------------------------------- */

/* What to work on: what was begun and is not complete, else what was not begun. */
static const json_t *next_exercise(const json_t *all)
{
    for (int begun = 1; begun >= 0; begun--) {
        const json_t *exercise;
        for (size_t i = 0;
             (exercise = json_array_get(json_object_get(all, "exercises"), i)) != NULL; i++)
            if (results_true(exercise, "untouched") == !begun && !results_complete(exercise))
                return exercise;
    }
    return NULL;
}

static void say_next(FILE *out, const json_t *all, bool alone)
{
    const json_t *exercise = next_exercise(all);
    const char *name = results_text(exercise, "name");
    const json_t *first = results_first(exercise);
    fputs("\nnext: ", out);
    if (exercise == NULL)
        fprintf(out, alone ? "this one is complete; make grade shows the others\n"
                           : "nothing: all of them are complete\n");
    else if (results_true(exercise, "untouched"))
        fprintf(out, "read exercises/%s/README.md, then type make watch EX=%.2s\n", name, name);
    else if (!results_true(exercise, "compiles"))
        fprintf(out, "%smake grade EX=%.2s\n", alone ? "correct the first error, then " : "", name);
    else if (first == NULL)
        fprintf(out, "make grade EX=%.2s, again\n", name);
    else if (alone)
        fprintf(out, "%s says what is wrong; make hint EX=%.2s helps\n",
                results_text(first, "name"), name);
    else
        fprintf(out, "make grade EX=%.2s tells how %s failed; make hint EX=%.2s helps\n", name,
                results_text(first, "name"), name);
}

void report_text(FILE *out, const json_t *all, struct report_style style)
{
    const json_t *exercises = json_object_get(all, "exercises");
    if (style.detail)
        one(out, json_array_get(exercises, 0), style);
    else
        table(out, all, style);
    if (results_number(all, "excused") > 0)
        fprintf(out, "\n%ld of the points could not be judged, for no fault of the program's.\n",
                results_number(all, "excused"));
    const char *sandbox = results_text(all, "sandbox");
    if (strncmp(sandbox, "none", 4) == 0)
        fprintf(out, "\nwithout a sandbox%s\n", sandbox + 4);
    if (style.student)
        say_next(out, all, style.detail);
}
