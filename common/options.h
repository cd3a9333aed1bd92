/*
 * options - a program's command line, described by a table.
 *
 * Every program of the kit parses its options here, so that --help and the errors look the
 * same everywhere.  See getopt_long(3).
 */
#ifndef OPTIONS_H
#define OPTIONS_H

enum option_type {
    OPTION_FLAG,    /* bool: true when given */
    OPTION_NUMBER,  /* unsigned long: a whole number from min to max */
    OPTION_DECIMAL, /* double: a number from min to max, such as 0.25 */
    OPTION_TEXT,    /* const char *: points into argv, or into the text of a file */
    OPTION_FILE,    /* const char *: a file of further options, see options_parse */
};

/* One option.  A table of them ends with one whose name is NULL. */
struct option_spec {
    const char *name;  /* without the dashes: "port" */
    const char *value; /* what --help calls its value: "N"; NULL for a flag */
    enum option_type type;
    void *target; /* of the type above; what it holds before parsing is the default */
    unsigned long min, max;
    const char *help; /* one line */
};

/*
 * options_parse - read argv into the targets of one or two tables (more may be NULL).
 *
 * summary  what the program does, in one line, for --help
 *
 * --help prints the tables with their defaults and exits 0.  Bad usage - an unknown option, a
 * missing or impossible value, an argument that is no option - prints one line that names the
 * fault and exits 2.
 *
 * A file of options has one a line, "name value" or "name = value"; a flag stands alone, and a line
 * that begins with # is a comment.  What the command line says wins over it.
 */
void options_parse(int argc, char **argv, const char *summary, const struct option_spec *table,
                   const struct option_spec *more);

/* options_fail - print "program: message (try --help)" and exit 2, for what only the program
 * can judge, such as two options that exclude each other. */
_Noreturn void options_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
