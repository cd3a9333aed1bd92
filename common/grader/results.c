/* results - what the graders said, as one JSON object.  See results.h. */

#include "results.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *results_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

long results_number(const json_t *object, const char *key)
{
    return (long)json_number_value(json_object_get(object, key));
}

bool results_true(const json_t *object, const char *key)
{
    return json_is_true(json_object_get(object, key));
}

bool results_is(const json_t *check, const char *outcome)
{
    return strcmp(results_text(check, "outcome"), outcome) == 0;
}

static void set(json_t *object, const char *key, json_t *value)
{
    json_object_set_new(object, key, value);
}

/* Nothing of a student's program may make our own output invalid. */
static json_t *text_or_null(const char *text)
{
    return text != NULL ? json_string(text) : json_null();
}

static json_t *find(const json_t *checks, const char *name)
{
    json_t *check;
    for (size_t i = 0; (check = json_array_get(checks, i)) != NULL; i++)
        if (strcmp(results_text(check, "name"), name) == 0)
            return check;
    return NULL;
}

const char *results_waits_for(const json_t *exercise, const json_t *check)
{
    const json_t *need;
    for (size_t i = 0; (need = json_array_get(json_object_get(check, "needs"), i)) != NULL; i++) {
        const json_t *needed = find(json_object_get(exercise, "checks"), json_string_value(need));
        if (needed != NULL && !results_is(needed, "passed"))
            return json_string_value(need);
    }
    return NULL;
}

/* ---- one check ------------------------------------------------------------------------------- */

static json_t *words(char *text)
{
    json_t *array = json_array();
    char *rest;
    for (char *word = strtok_r(text, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest))
        json_array_append_new(array, json_string(word));
    return array;
}

/* A check as a line of the list has it: name, points, needs, build, title. */
static json_t *check_of_line(char *line)
{
    char *field[5], *rest = line;
    line[strcspn(line, "\n")] = '\0';
    for (int i = 0; i < 5; i++)
        if ((field[i] = strsep(&rest, "\t")) == NULL)
            return NULL;
    json_t *check = json_pack("{s:s, s:s, s:i, s:i, s:s, s:s, s:[], s:[], s:s}", "name", field[0],
                              "title", field[4], "max", atoi(field[1]), "points", 0, "outcome",
                              "not judged", "message", "", "story", "did", "expected", "");
    if (check != NULL)
        set(check, "needs", strcmp(field[2], "-") == 0 ? json_array() : words(field[2]));
    return check;
}

static void blame_grader(json_t *check, const char *why)
{
    set(check, "outcome", json_string("grader fault"));
    set(check, "message", json_string(why));
}

/* Take the grader's word for a check, as far as it can be believed. */
static void believe(json_t *check, const json_t *said)
{
    static const char *const keys[] = {"outcome",  "message", "story",   "did",
                                       "expected", "seed",    "seconds", NULL};
    if (said == NULL) {
        blame_grader(check, "the grader did not judge it");
        return;
    }
    for (const char *const *key = keys; *key != NULL; key++)
        if (json_object_get(said, *key) != NULL)
            json_object_set(check, *key, json_object_get(said, *key));
    if (results_number(said, "max") != results_number(check, "max"))
        blame_grader(check, "the grader gives it another worth than its list");
    else if (results_is(check, "passed") && results_text(check, "message")[0] == '\0')
        blame_grader(check, "it passed without a proof");
    else if (results_is(check, "passed"))
        json_object_set(check, "points", json_object_get(check, "max"));
    else if (!results_is(check, "failed") && !results_is(check, "not judged") &&
             !results_is(check, "inconclusive") && !results_is(check, "grader fault"))
        blame_grader(check, "the grader did not say how it went");
}

/* Whoever waits for a check that the grader could not judge is excused with it. */
static bool excused(const json_t *exercise, const json_t *check)
{
    if (results_is(check, "inconclusive") || results_is(check, "grader fault"))
        return true;
    const char *need = results_is(check, "not judged") ? results_waits_for(exercise, check) : NULL;
    return need != NULL && excused(exercise, find(json_object_get(exercise, "checks"), need));
}

/* ---- one exercise ------------------------------------------------------------------------------ */

static json_t *read_list(const char *name)
{
    FILE *file = fopen(name, "r");
    if (file == NULL) {
        perror(name);
        return NULL;
    }
    json_t *checks = json_array();
    char line[4096];
    while (fgets(line, sizeof line, file) != NULL) {
        json_t *check = check_of_line(line);
        if (check == NULL) {
            fprintf(stderr, "%s: this is no line of a grader's list: %s\n", name, line);
            json_decref(checks);
            checks = NULL;
            break;
        }
        json_array_append_new(checks, check);
    }
    fclose(file);
    return checks;
}

/* The whole of a file, in which what is not UTF-8 has become a question mark. */
static json_t *read_text(const char *name)
{
    static char text[65536];
    FILE *file = fopen(name, "r");
    size_t size = file != NULL ? fread(text, 1, sizeof text - 1, file) : 0;
    if (file != NULL)
        fclose(file);
    text[size] = '\0';
    json_t *string = json_string(text);
    if (string == NULL) {
        for (char *c = text; *c != '\0'; c++)
            if ((unsigned char)*c > 126)
                *c = '?';
        string = json_string(text);
    }
    return string;
}

static void count(json_t *exercise)
{
    long points = 0, max = 0, off = 0, passed = 0, failed = 0, not_judged = 0, faults = 0;
    json_t *check;
    for (size_t i = 0; (check = json_array_get(json_object_get(exercise, "checks"), i)) != NULL;
         i++) {
        bool is_excused = excused(exercise, check);
        set(check, "excused", json_boolean(is_excused));
        points += results_number(check, "points");
        max += results_number(check, "max");
        off += is_excused ? results_number(check, "max") : 0;
        passed += results_is(check, "passed");
        failed += results_is(check, "failed");
        not_judged += results_is(check, "not judged") || results_is(check, "inconclusive");
        faults += results_is(check, "grader fault");
    }
    set(exercise, "points", json_integer(points));
    set(exercise, "max", json_integer(max));
    set(exercise, "excused", json_integer(off));
    set(exercise, "passed", json_integer(passed));
    set(exercise, "failed", json_integer(failed));
    set(exercise, "not_judged", json_integer(not_judged));
    set(exercise, "faults", json_integer(faults));
}

json_t *results_exercise(const struct results_input *in)
{
    json_t *checks = read_list(in->list), *said = NULL;
    if (checks == NULL)
        return NULL;
    const char *fault = in->fault;
    if (in->output != NULL && (said = json_load_file(in->output, 0, NULL)) == NULL)
        fault = fault != NULL ? fault : "the grader did not say how it went";
    json_t *exercise = json_pack("{s:s, s:s, s:O?, s:O?, s:b, s:b, s:o}", "name", in->name, "title",
                                 said != NULL ? results_text(said, "title") : in->title, "seed",
                                 json_object_get(said, "seed"), "sandbox",
                                 json_object_get(said, "sandbox"), "untouched", in->untouched,
                                 "compiles", in->compiler == NULL, "checks", checks);
    set(exercise, "compiler", in->compiler != NULL ? read_text(in->compiler) : json_null());
    set(exercise, "fault", text_or_null(fault));
    json_t *check;
    for (size_t i = 0; (check = json_array_get(checks, i)) != NULL; i++) {
        if (fault != NULL)
            blame_grader(check, fault);
        else if (in->compiler != NULL)
            set(check, "message", json_string("it does not compile"));
        else
            believe(check, find(json_object_get(said, "checks"), results_text(check, "name")));
    }
    count(exercise);
    json_decref(said);
    return exercise;
}

const json_t *results_first(const json_t *exercise)
{
    const json_t *check;
    for (size_t i = 0; (check = json_array_get(json_object_get(exercise, "checks"), i)) != NULL;
         i++)
        if (results_is(check, "failed"))
            return check;
    return NULL;
}

bool results_complete(const json_t *exercise)
{
    return results_number(exercise, "points") + results_number(exercise, "excused") ==
           results_number(exercise, "max");
}

/* ---- all of them ------------------------------------------------------------------------------- */

json_t *results_all(json_t *exercises, const char *kit, const char *sandbox, const char *seed)
{
    static const char *const sums[] = {"points", "max", "excused", NULL};
    json_t *all = json_pack("{s:i, s:s?, s:s?}", "schema", 1, "kit", kit, "sandbox", sandbox);
    set(all, "seed", seed != NULL ? json_integer(atoll(seed)) : json_null());
    for (const char *const *sum = sums; *sum != NULL; sum++) {
        long total = 0;
        const json_t *exercise;
        for (size_t i = 0; (exercise = json_array_get(exercises, i)) != NULL; i++)
            total += results_number(exercise, *sum);
        set(all, *sum, json_integer(total));
    }
    set(all, "exercises", exercises);
    return all;
}
