/* report_formats - results for other programs.  See report.h. */

#include "report.h"

#include "results.h"

#include <stdlib.h>
#include <string.h>

/* How a check went, in lines. */
static char *story(const json_t *exercise, const json_t *check)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (out == NULL)
        abort();
    const char *needed = results_waits_for(exercise, check);
    if (!results_true(exercise, "compiles"))
        fprintf(out, "%s", results_text(exercise, "compiler"));
    else if (results_is(check, "passed"))
        fprintf(out, "%s\n", results_text(check, "message"));
    else if (results_is(check, "not judged") && needed != NULL)
        fprintf(out, "not judged: it waits for %s\n", needed);
    else
        report_story(out, exercise, check, false);
    fclose(out);
    return text;
}

/* ---- Gradescope ---------------------------------------------------------------------------------- */

/* A check that was not judged has no status, so that it is not shown as failed; one that is excused has
 * no points, either. */
static json_t *gradescope_test(const json_t *exercise, const json_t *check, size_t number)
{
    char name[300], place[40], *output = story(exercise, check);
    snprintf(name, sizeof name, "%s %s: %s", results_text(exercise, "name"),
             results_text(check, "name"), results_text(check, "title"));
    snprintf(place, sizeof place, "%d.%zu", atoi(results_text(exercise, "name")), number);
    json_t *test = json_pack("{s:s, s:s, s:s, s:s}", "name", name, "number", place, "output",
                             output, "output_format", "text");
    if (!results_true(check, "excused")) {
        json_object_set(test, "score", json_object_get(check, "points"));
        json_object_set(test, "max_score", json_object_get(check, "max"));
    }
    if (results_is(check, "passed") || results_is(check, "failed"))
        json_object_set(test, "status", json_object_get(check, "outcome"));
    free(output);
    return test;
}

void report_gradescope(FILE *out, const json_t *all)
{
    json_t *tests = json_array();
    const json_t *exercise, *check;
    for (size_t i = 0; (exercise = json_array_get(json_object_get(all, "exercises"), i)) != NULL;
         i++)
        for (size_t j = 0; (check = json_array_get(json_object_get(exercise, "checks"), j)) != NULL;
             j++)
            json_array_append_new(tests, gradescope_test(exercise, check, j + 1));
    json_t *results = json_pack("{s:O, s:s, s:o}", "score", json_object_get(all, "points"),
                                "output_format", "text", "tests", tests);
    char text[300];
    snprintf(text, sizeof text,
             "%ld of %ld points; %ld could not be judged, for no fault of the program's",
             results_number(all, "points"), results_number(all, "max"),
             results_number(all, "excused"));
    json_object_set_new(results, "output", json_string(text));
    json_dumpf(results, out, JSON_INDENT(2));
    fputc('\n', out);
    json_decref(results);
}

/* ---- Autolab ------------------------------------------------------------------------------------- */

void report_autolab(FILE *out, const json_t *all, struct report_style style)
{
    json_t *scores = json_object(), *last;
    const json_t *exercise;
    report_text(out, all, (struct report_style){.detail = style.detail});
    for (size_t i = 0; (exercise = json_array_get(json_object_get(all, "exercises"), i)) != NULL;
         i++)
        json_object_set(scores, results_text(exercise, "name"),
                        json_object_get(exercise, "points"));
    last = json_pack("{s:o}", "scores", scores);
    fputc('\n', out);
    json_dumpf(last, out, 0);
    fputc('\n', out);
    json_decref(last);
}

/* ---- JUnit --------------------------------------------------------------------------------------- */

/* Text in XML, where most control characters cannot even be written. */
static void put_xml(FILE *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '&')
            fputs("&amp;", out);
        else if (*text == '<')
            fputs("&lt;", out);
        else if (*text == '>')
            fputs("&gt;", out);
        else if (*text == '"')
            fputs("&quot;", out);
        else if (strncmp(text, "\xef\xbf\xbe", 3) == 0 || strncmp(text, "\xef\xbf\xbf", 3) == 0)
            fputc('?', out), text += 2; /* U+FFFE and U+FFFF are not even characters there */
        else
            fputc((unsigned char)*text < ' ' && *text != '\n' && *text != '\t' ? '.' : *text, out);
    }
}

static void put_attribute(FILE *out, const char *name, const char *value)
{
    fprintf(out, " %s=\"", name);
    put_xml(out, value);
    fputc('"', out);
}

static void junit_case(FILE *out, const json_t *exercise, const json_t *check)
{
    const char *element = results_is(check, "failed")         ? "failure"
                          : results_is(check, "grader fault") ? "error"
                                                              : "skipped";
    char *text = story(exercise, check);
    fputs("    <testcase", out);
    put_attribute(out, "classname", results_text(exercise, "name"));
    put_attribute(out, "name", results_text(check, "name"));
    fprintf(out, " time=\"%.3f\">\n", json_number_value(json_object_get(check, "seconds")));
    if (results_is(check, "passed")) {
        fputs("      <system-out>", out);
        put_xml(out, text);
        fputs("</system-out>\n", out);
    } else {
        fprintf(out, "      <%s", element);
        put_attribute(out, "message", results_text(check, "message"));
        fputc('>', out);
        put_xml(out, text);
        fprintf(out, "</%s>\n", element);
    }
    fputs("    </testcase>\n", out);
    free(text);
}

/* One more case, so that what does not compile, and of which nothing was judged, is a failure. */
static void junit_compiler(FILE *out, const json_t *exercise)
{
    fputs("    <testcase", out);
    put_attribute(out, "classname", results_text(exercise, "name"));
    fputs(" name=\"compiles\" time=\"0.000\">\n"
          "      <failure message=\"it does not compile\">",
          out);
    put_xml(out, results_text(exercise, "compiler"));
    fputs("</failure>\n    </testcase>\n", out);
}

void report_junit(FILE *out, const json_t *all)
{
    const json_t *exercise, *check;
    fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n", out);
    for (size_t i = 0; (exercise = json_array_get(json_object_get(all, "exercises"), i)) != NULL;
         i++) {
        const bool compiles = results_true(exercise, "compiles");
        fputs("  <testsuite", out);
        put_attribute(out, "name", results_text(exercise, "name"));
        fprintf(out, " tests=\"%zu\" failures=\"%ld\" errors=\"%ld\" skipped=\"%ld\">\n",
                json_array_size(json_object_get(exercise, "checks")) + !compiles,
                results_number(exercise, "failed") + !compiles, results_number(exercise, "faults"),
                results_number(exercise, "not_judged"));
        fprintf(out,
                "    <properties>\n"
                "      <property name=\"points\" value=\"%ld\"/>\n"
                "      <property name=\"max\" value=\"%ld\"/>\n"
                "    </properties>\n",
                results_number(exercise, "points"), results_number(exercise, "max"));
        if (!compiles)
            junit_compiler(out, exercise);
        for (size_t j = 0; (check = json_array_get(json_object_get(exercise, "checks"), j)) != NULL;
             j++)
            junit_case(out, exercise, check);
        fputs("  </testsuite>\n", out);
    }
    fputs("</testsuites>\n", out);
}
