/* options - a program's command line, described by a table.  See options.h. */

#include "options.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

enum { OPTIONS_MAX = 32 }; /* options of both tables together */

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
    else if (o->type == OPTION_TEXT && *(const char **)o->target != NULL)
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

static void set_target(const struct option_spec *o, const char *text)
{
    char *end = NULL;
    errno = 0;
    switch (o->type) {
    case OPTION_FLAG:
        *(bool *)o->target = true;
        break;
    case OPTION_TEXT:
        *(const char **)o->target = text;
        break;
    case OPTION_NUMBER: {
        unsigned long n = strtoul(text, &end, 10);
        if (!isdigit((unsigned char)*text) || *end != '\0' || errno != 0 || n < o->min ||
            n > o->max)
            options_fail("--%s: '%s' is not a whole number from %lu to %lu", o->name, text, o->min,
                         o->max);
        *(unsigned long *)o->target = n;
        break;
    }
    case OPTION_DECIMAL: {
        double d = strtod(text, &end);
        if (end == text || *end != '\0' || errno != 0 || !(d >= (double)o->min) ||
            !(d <= (double)o->max))
            options_fail("--%s: '%s' is not a number from %lu to %lu", o->name, text, o->min,
                         o->max);
        *(double *)o->target = d;
        break;
    }
    }
}

void options_parse(int argc, char **argv, const char *summary, const struct option_spec *table,
                   const struct option_spec *more)
{
    struct option longs[OPTIONS_MAX + 2] = {{0}};
    const struct option_spec *specs[OPTIONS_MAX] = {NULL};
    const struct option_spec *tables[] = {table, more};
    int count = 0;
    for (size_t t = 0; t < sizeof tables / sizeof tables[0]; t++)
        for (const struct option_spec *o = tables[t]; o && o->name && count < OPTIONS_MAX; o++) {
            longs[count] = (struct option){
                o->name, o->type == OPTION_FLAG ? no_argument : required_argument, NULL, 0};
            specs[count++] = o;
        }
    longs[count] = (struct option){"help", no_argument, NULL, 0};

    opterr = 0;
    for (;;) {
        int index = -1;
        const char *word = argv[optind];
        int answer = getopt_long(argc, argv, "+:", longs, &index);
        if (answer == -1)
            break;
        if (answer == ':')
            options_fail("%s needs a value", word);
        if (answer != 0)
            options_fail("'%s' is not an option, or is not used as one", word);
        if (index == count)
            print_help(summary, specs, count);
        set_target(specs[index], optarg);
    }
    if (optind < argc)
        options_fail("'%s' is not expected: every argument is an option", argv[optind]);
}
