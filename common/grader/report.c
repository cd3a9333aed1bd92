/*
 * report - what `make grade` makes of the words of the graders.
 *
 *   report exercise --name NAME --list FILE [--output FILE | --compiler FILE | --fault TEXT]
 *                                  one exercise as results.h has it, on standard output
 *   report show --format text [--kit TEXT] [--sandbox TEXT] [--seed N] [--student] [--detail] FILE...
 *                                  all of these exercises; text, json, gradescope, autolab or junit
 *   report class --format text|csv FILE... , NAME...
 *                                  the results in JSON of students, each file named after one; and
 *                                  the exercises
 *   report outcomes FILE           a line for each check: name, outcome, points, max, with tabs
 *   report said FILE CHECK         the message and the story of one check
 *   report first FILE              the check that failed first; nothing if none has
 *
 * Exits 0; 2 on bad usage, or if a file cannot be read.
 */

#include "report.h"

#include "results.h"

#include <getopt.h>
#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct {
    const char *name, *title, *list, *output, *compiler, *fault, *format, *kit, *sandbox, *seed;
    bool untouched, student, detail;
} given = {.title = "", .format = "text"};

static _Noreturn void usage(const char *what)
{
    fprintf(stderr, "report: %s\n", what);
    exit(2);
}

static json_t *load(const char *name)
{
    json_error_t error;
    json_t *exercise = json_load_file(name, 0, &error);
    if (exercise == NULL) {
        fprintf(stderr, "report: %s: %s\n", name, error.text);
        exit(2);
    }
    return exercise;
}

/* ---- the commands -------------------------------------------------------------------------------- */

static int do_exercise(void)
{
    if (given.name == NULL || given.list == NULL)
        usage("exercise: which one, and what is its list?");
    json_t *exercise = results_exercise(&(struct results_input){.name = given.name,
                                                                .title = given.title,
                                                                .list = given.list,
                                                                .output = given.output,
                                                                .compiler = given.compiler,
                                                                .fault = given.fault,
                                                                .untouched = given.untouched});
    if (exercise == NULL)
        return 2;
    bool good = json_dumpf(exercise, stdout, JSON_INDENT(2)) == 0 && putchar('\n') != EOF &&
                fflush(stdout) == 0;
    json_decref(exercise);
    if (!good)
        perror("report"); /* a full disk, say */
    return good ? 0 : 2;
}

static int do_show(char **files)
{
    json_t *exercises = json_array();
    for (; *files != NULL; files++)
        json_array_append_new(exercises, load(*files));
    json_t *all = results_all(exercises, given.kit, given.sandbox, given.seed);
    struct report_style style = {.colour = isatty(STDOUT_FILENO) && getenv("NO_COLOR") == NULL,
                                 .bars = strcmp(nl_langinfo(CODESET), "UTF-8") == 0,
                                 .student = given.student,
                                 .detail = given.detail && json_array_size(exercises) == 1};
    if (strcmp(given.format, "text") == 0)
        report_text(stdout, all, style);
    else if (strcmp(given.format, "json") == 0)
        json_dumpf(all, stdout, JSON_INDENT(2)), putchar('\n');
    else if (strcmp(given.format, "gradescope") == 0)
        report_gradescope(stdout, all);
    else if (strcmp(given.format, "autolab") == 0)
        report_autolab(stdout, all, style);
    else if (strcmp(given.format, "junit") == 0)
        report_junit(stdout, all);
    else
        usage("the format is text, json, gradescope, autolab or junit");
    json_decref(all);
    return 0;
}

static int do_class(char **files)
{
    json_t *results = json_array();
    for (; *files != NULL && strcmp(*files, ",") != 0; files++) {
        const char *name = strrchr(*files, '/') != NULL ? strrchr(*files, '/') + 1 : *files;
        json_t *result = load(*files),
               *student = json_stringn(name, strlen(name) - strlen(".json"));
        json_object_set_new(result, "student", student != NULL ? student : json_string("?"));
        json_array_append_new(results, result);
    }
    report_class(stdout, results, *files != NULL ? files + 1 : files,
                 strcmp(given.format, "csv") == 0);
    json_decref(results);
    return 0;
}

static int do_outcomes(const json_t *exercise)
{
    const json_t *check;
    for (size_t i = 0; (check = json_array_get(json_object_get(exercise, "checks"), i)) != NULL;
         i++)
        printf("%s\t%s\t%ld\t%ld\n", results_text(check, "name"), results_text(check, "outcome"),
               results_number(check, "points"), results_number(check, "max"));
    return 0;
}

static int do_said(const json_t *exercise, const char *name)
{
    const json_t *check, *line;
    for (size_t i = 0; (check = json_array_get(json_object_get(exercise, "checks"), i)) != NULL;
         i++) {
        if (strcmp(results_text(check, "name"), name) != 0)
            continue;
        printf("%s\n", results_text(check, "message"));
        for (size_t j = 0; (line = json_array_get(json_object_get(check, "story"), j)) != NULL; j++)
            printf("%s\n", json_string_value(line));
    }
    return 0;
}

static int do_first(const json_t *exercise)
{
    const json_t *check = results_first(exercise);
    if (check != NULL)
        printf("%s\n", results_text(check, "name"));
    return 0;
}

/* ---- the command line ----------------------------------------------------------------------------- */

/* Its own way, since it has commands: see options.h for what all other programs do. */
static void parse(int argc, char **argv)
{
    static const struct option table[] = {
        {"name", required_argument, NULL, 'n'},     {"title", required_argument, NULL, 't'},
        {"list", required_argument, NULL, 'l'},     {"output", required_argument, NULL, 'o'},
        {"compiler", required_argument, NULL, 'c'}, {"fault", required_argument, NULL, 'f'},
        {"format", required_argument, NULL, 'F'},   {"kit", required_argument, NULL, 'k'},
        {"sandbox", required_argument, NULL, 's'},  {"seed", required_argument, NULL, 'S'},
        {"detail", no_argument, NULL, 'd'},         {"untouched", no_argument, NULL, 'u'},

        {"student", no_argument, NULL, 'T'},        {0}};
    int option;
    while ((option = getopt_long(argc, argv, "+", table, NULL)) != -1) {
        switch (option) {
        case 'n':
            given.name = optarg;
            break;
        case 't':
            given.title = optarg;
            break;
        case 'l':
            given.list = optarg;
            break;
        case 'o':
            given.output = optarg;
            break;
        case 'c':
            given.compiler = optarg;
            break;
        case 'f':
            given.fault = optarg;
            break;
        case 'F':
            given.format = optarg;
            break;
        case 'k':
            given.kit = optarg;
            break;
        case 's':
            given.sandbox = optarg;
            break;
        case 'S':
            given.seed = optarg;
            break;
        case 'd':
            given.detail = true;
            break;
        case 'u':
            given.untouched = true;
            break;
        case 'T':
            given.student = true;
            break;
        default:
            exit(2);
        }
    }
}

int main(int argc, char **argv)
{
    setlocale(LC_CTYPE, "");
    const char *command = argc > 1 ? argv[1] : "";
    optind = 2;
    parse(argc, argv);
    argv += optind - 1;
    argc -= optind - 1;
    if (strcmp(command, "exercise") == 0 && argc <= 1)
        return do_exercise();
    if (strcmp(command, "show") == 0)
        return do_show(argv + 1);
    if (strcmp(command, "class") == 0 && argc > 1)
        return do_class(argv + 1);
    if (strcmp(command, "outcomes") == 0 && argc == 2)
        return do_outcomes(load(argv[1]));
    if (strcmp(command, "first") == 0 && argc == 2)
        return do_first(load(argv[1]));
    if (strcmp(command, "said") == 0 && argc == 3)
        return do_said(load(argv[1]), argv[2]);
    usage("exercise, show, class, outcomes, said or first; see the head of report.c");
}
