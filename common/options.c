/* options - a program's command line, described by a table.  See options.h. */

#include "options.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OPTIONS_MAX = 64 }; /* options of both tables together */

void options_fail(const char *format, ...)
{
    char message[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    fprintf(stderr, "%s: %s (try --help)\n", program_invocation_short_name, message);
    exit(2);
}

static void print_option(const struct option_spec *o)
{
    char left[64];
    snprintf(left, sizeof left, "--%s%s%s", o->name, o->value ? " " : "", o->value ? o->value : "");
    printf("  %-20s %s", left, o->help);
    if (o->type == OPTION_NUMBER)
        printf(" (default %lu)", *(unsigned long *)o->target);
    else if (o->type == OPTION_DECIMAL)
        printf(" (default %g)", *(double *)o->target);
    else if ((o->type == OPTION_TEXT || o->type == OPTION_FILE) &&
             *(const char **)o->target != NULL)
        printf(" (default %s)", *(const char **)o->target);
    putchar('\n');
}

static _Noreturn void print_help(const char *summary, const struct option_spec *const *options,
                                 int count)
{
    printf("%s - %s\n\n", program_invocation_short_name, summary);
    for (int i = 0; i < count; i++)
        print_option(options[i]);
    printf("  %-20s %s\n", "--help", "print this and exit");
    exit(EXIT_SUCCESS);
}

/* where  what a complaint begins with: "--", or the place in a file */
static void set_target(const struct option_spec *o, const char *text, const char *where)
{
    char *end = NULL;
    errno = 0;
    switch (o->type) {
    case OPTION_FLAG:
        *(bool *)o->target = true;
        break;
    case OPTION_TEXT:
    case OPTION_FILE:
        *(const char **)o->target = text;
        break;
    case OPTION_NUMBER: {
        unsigned long n = strtoul(text, &end, 10);
        if (!isdigit((unsigned char)*text) || *end != '\0' || errno != 0 || n < o->min ||
            n > o->max)
            options_fail("%s%s: '%s' is not a whole number from %lu to %lu", where, o->name, text,
                         o->min, o->max);
        *(unsigned long *)o->target = n;
        break;
    }
    case OPTION_DECIMAL: {
        double d = strtod(text, &end);
        if (end == text || *end != '\0' || errno != 0 || !(d >= (double)o->min) ||
            !(d <= (double)o->max))
            options_fail("%s%s: '%s' is not a number from %lu to %lu", where, o->name, text, o->min,
                         o->max);
        *(double *)o->target = d;
        break;
    }
    }
}

/* All options of both tables, for getopt_long and for us. */
struct all {
    struct option longs[OPTIONS_MAX + 2];
    const struct option_spec *specs[OPTIONS_MAX];
    int count;
};

static void parse_arguments(const struct all *all, int argc, char **argv, const char *summary)
{
    opterr = 0;
    optind = 1;
    for (;;) {
        int index = -1;
        const char *word = argv[optind];
        int answer = getopt_long(argc, argv, "+:", all->longs, &index);
        if (answer == -1)
            break;
        if (answer == ':')
            options_fail("%s needs a value", word);
        if (answer != 0)
            options_fail("'%s' is not an option, or is not used as one", word);
        if (index == all->count)
            print_help(summary, all->specs, all->count);
        set_target(all->specs[index], optarg, "--");
    }
    if (optind < argc)
        options_fail("'%s' is not expected: every argument is an option", argv[optind]);
}

/* One line of a file: a name and, but for a flag, a value. */
static void parse_line(const struct all *all, char *line, const char *where)
{
    static const char blank[] = " \t\r";
    char *name = line + strspn(line, blank);
    if (*name == '\0' || *name == '#')
        return;
    char *value = name + strcspn(name, " \t\r=");
    char *rest = value + strspn(value, blank);
    if (*rest == '=')
        rest += 1 + strspn(rest + 1, blank);
    *value = '\0';
    for (char *end = rest + strlen(rest); end > rest && strchr(blank, end[-1]) != NULL;)
        *--end = '\0';

    for (int i = 0; i < all->count; i++) {
        const struct option_spec *o = all->specs[i];
        if (strcmp(o->name, name) != 0 || o->type == OPTION_FILE)
            continue;
        if ((*rest == '\0') != (o->type == OPTION_FLAG))
            options_fail("%s%s %s", where, name,
                         o->type == OPTION_FLAG ? "takes no value" : "needs a value");
        set_target(o, rest, where);
        return;
    }
    options_fail("%s'%s' is not an option of a file", where, name);
}

/* The text is kept: options may point into it. */
static void parse_file(const struct all *all, const char *path)
{
    static char *text;
    size_t size = 0;
    FILE *file = fopen(path, "re");
    if (file == NULL)
        options_fail("%s: %s", path, strerror(errno));
    errno = 0;
    bool empty = getdelim(&text, &size, '\0', file) == -1;
    if (empty && errno != 0)
        options_fail("%s: %s", path, strerror(errno));
    fclose(file);
    if (empty)
        return;
    int number = 1;
    for (char *line = text, *next; line != NULL; line = next, number++) {
        if ((next = strchr(line, '\n')) != NULL)
            *next++ = '\0';
        char where[300];
        snprintf(where, sizeof where, "%s:%d: ", path, number);
        parse_line(all, line, where);
    }
}

void options_parse(int argc, char **argv, const char *summary, const struct option_spec *table,
                   const struct option_spec *more)
{
    struct all all = {.count = 0};
    const char **file = NULL;
    const struct option_spec *tables[] = {table, more};
    for (size_t t = 0; t < sizeof tables / sizeof tables[0]; t++)
        for (const struct option_spec *o = tables[t]; o && o->name; o++) {
            if (all.count == OPTIONS_MAX)
                abort(); /* one that would be dropped is missed by nobody until it is needed */
            all.longs[all.count] = (struct option){
                o->name, o->type == OPTION_FLAG ? no_argument : required_argument, NULL, 0};
            all.specs[all.count++] = o;
            if (o->type == OPTION_FILE)
                file = o->target;
        }
    all.longs[all.count] = (struct option){"help", no_argument, NULL, 0};

    parse_arguments(&all, argc, argv, summary);
    if (file != NULL && *file != NULL) {
        parse_file(&all, *file);
        parse_arguments(&all, argc, argv, summary); /* what stands there wins */
    }
}
