/* report_class - the points of a class: students by exercises.  See report.h. */

#include "report.h"

#include "results.h"

#include <stdlib.h>
#include <string.h>

enum { NAME_WIDTH = 24 };

static const json_t *find(const json_t *result, const char *name)
{
    const json_t *exercise;
    for (size_t i = 0; (exercise = json_array_get(json_object_get(result, "exercises"), i)) != NULL;
         i++)
        if (strcmp(results_text(exercise, "name"), name) == 0)
            return exercise;
    return NULL;
}

/* The points of an exercise, or of all of them; "-" if there are none to have. */
static const char *points(char text[24], const json_t *object)
{
    if (object == NULL)
        return "-";
    snprintf(text, 24, "%ld%s", results_number(object, "points"),
             results_number(object, "excused") > 0 ? "?" : "");
    return text;
}

/* A name as CSV has it: in quotes, which are doubled inside. */
static void put_quoted(FILE *out, const char *name)
{
    fputc('"', out);
    for (; *name != '\0'; name++)
        fprintf(out, *name == '"' ? "\"\"" : "%c", *name);
    fputc('"', out);
}

/* A name in its column: cut between two characters, and without control characters. */
static void put_name(FILE *out, const char *name)
{
    int columns = 0;
    for (; *name != '\0'; name++) {
        bool begins = ((unsigned char)*name & 0xc0) != 0x80;
        if (begins && columns == NAME_WIDTH)
            break;
        columns += begins;
        fputc((unsigned char)*name < ' ' || *name == 127 ? '.' : *name, out);
    }
    fprintf(out, "%*s", NAME_WIDTH - columns, "");
}

static void as_csv(FILE *out, const json_t *results, char *const exercises[])
{
    const json_t *result;
    fputs("student", out);
    for (char *const *name = exercises; *name != NULL; name++)
        fprintf(out, ",%s", *name);
    fputs(",points,not judged\n", out);
    for (size_t i = 0; (result = json_array_get(results, i)) != NULL; i++) {
        put_quoted(out, results_text(result, "student"));
        for (char *const *name = exercises; *name != NULL; name++) {
            const json_t *exercise = find(result, *name);
            if (exercise != NULL)
                fprintf(out, ",%ld", results_number(exercise, "points"));
            else
                fputs(",-", out);
        }
        fprintf(out, ",%ld,%ld\n", results_number(result, "points"),
                results_number(result, "excused"));
    }
}

static void as_table(FILE *out, const json_t *results, char *const exercises[])
{
    const json_t *result;
    char text[24];
    fprintf(out, "%-*s", NAME_WIDTH, "student");
    for (char *const *name = exercises; *name != NULL; name++)
        fprintf(out, "  %3.2s", *name);
    fputs("  points\n", out);
    for (size_t i = 0; (result = json_array_get(results, i)) != NULL; i++) {
        put_name(out, results_text(result, "student"));
        for (char *const *name = exercises; *name != NULL; name++)
            fprintf(out, "  %3s", points(text, find(result, *name)));
        fprintf(out, "  %6s\n", points(text, result));
    }
}

void report_class(FILE *out, const json_t *results, char *const exercises[], bool csv)
{
    if (csv)
        as_csv(out, results, exercises);
    else
        as_table(out, results, exercises);
}
