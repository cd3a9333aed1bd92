/* Tests of options: what is understood, and what each fault is called. */

#include "options.h"

#include "testkit/fault.h"
#include "testkit/subject.h"
#include "testkit/suite.h"
#include "testkit/wait.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Parse a command line with two tables and print what it said, or whatever options_parse does. */
static void parse(void *words)
{
    bool loud = false;
    unsigned long port = 8888;
    double rate = 1.5;
    const char *host = "localhost";
    const char *file = NULL;
    const struct option_spec table[] = {
        {"port", "PORT", OPTION_NUMBER, &port, 1, 65535, "port to use"},
        {"host", "HOST", OPTION_TEXT, &host, 0, 0, "host to use"},
        {0},
    };
    const struct option_spec more[] = {
        {"rate", "R", OPTION_DECIMAL, &rate, 0, 1000, "how fast"},
        {"file", "FILE", OPTION_TEXT, &file, 0, 0, "where to"},
        {"loud", NULL, OPTION_FLAG, &loud, 0, 0, "say more"},
        {0},
    };
    char *argv[16] = {"program"};
    int argc = 1;
    for (char **word = words; *word != NULL; word++)
        argv[argc++] = *word;
    options_parse(argc, argv, "a program to be tested", table, more);
    printf("%lu %s %g %s %s\n", port, host, rate, file == NULL ? "-" : file,
           loud ? "loud" : "still");
}

static const struct {
    const char *words[6];
    int status; /* 99: understood */
    const char *said;
} cases[] = {
    {{NULL}, 99, "8888 localhost 1.5 - still\n"},
    {{"--port", "1"}, 99, "1 localhost 1.5 - still\n"},
    {{"--port=65535"}, 99, "65535 localhost 1.5 - still\n"},
    {{"--port", "1", "--port", "2"}, 99, "2 localhost 1.5 - still\n"},
    {{"--loud", "--host", "::1"}, 99, "8888 ::1 1.5 - loud\n"},
    {{"--rate", "0.25", "--file", "x y"}, 99, "8888 localhost 0.25 x y still\n"},
    {{"--rate", "0"}, 99, "8888 localhost 0 - still\n"},
    {{"--rate", "1000"}, 99, "8888 localhost 1000 - still\n"},
    {{"--rate", "1e2"}, 99, "8888 localhost 100 - still\n"},
    {{"--host", ""}, 99, "8888  1.5 - still\n"},
    /* what does not count as a number, or lies outside the range */
    {{"--port", "0"}, 2, "--port: '0' is not a whole number from 1 to 65535"},
    {{"--port", "65536"}, 2, "'65536'"},
    {{"--port", ""}, 2, "--port: ''"},
    {{"--port", " 1"}, 2, "' 1'"},
    {{"--port", "+1"}, 2, "'+1'"},
    {{"--port", "-1"}, 2, "'-1'"},
    {{"--port", "1x"}, 2, "'1x'"},
    {{"--port", "0x10"}, 2, "'0x10'"},
    {{"--port", "99999999999999999999"}, 2, "'99999999999999999999'"},
    {{"--rate", "-0.1"}, 2, "--rate: '-0.1' is not a number from 0 to 1000"},
    {{"--rate", "1000.1"}, 2, "'1000.1'"},
    {{"--rate", "fast"}, 2, "'fast'"},
    {{"--rate", ""}, 2, "--rate: ''"},
    {{"--rate", "1 "}, 2, "'1 '"},
    {{"--rate", "nan"}, 2, "'nan'"},
    {{"--rate", "inf"}, 2, "'inf'"},
    /* what is no option, or not used as one */
    {{"--port"}, 2, "--port needs a value"},
    {{"--loud", "--file"}, 2, "--file needs a value"},
    {{"--nonsense"}, 2, "'--nonsense'"},
    {{"--nonsense=1"}, 2, "'--nonsense=1'"},
    {{"-p"}, 2, "'-p'"},
    {{"--loud=yes"}, 2, "'--loud=yes'"},
    {{"surplus"}, 2, "'surplus'"},
    {{"--loud", "surplus", "--port", "1"}, 2, "'surplus'"},
    {{"--", "surplus"}, 2, "'surplus'"},
    {{"--port", "0", "--help"}, 2, "--port: '0'"},
};
enum { CASES = sizeof cases / sizeof cases[0] };

START_TEST(command_line)
{
    struct subject_outcome o;
    if (!subject_call(&o, parse, (void *)cases[_i].words))
        ck_abort_msg("%s", fault_text());
    ck_assert_int_eq(o.status, cases[_i].status);
    if (cases[_i].status == 99) {
        ck_assert_str_eq(o.out, cases[_i].said);
        ck_assert_str_eq(o.err, "");
        return;
    }
    ck_assert_str_eq(o.out, "");
    if (strstr(o.err, cases[_i].said) == NULL)
        ck_abort_msg("does not say %s, but: %s", cases[_i].said, o.err);
    ck_assert_ptr_eq(strchr(o.err, '\n'), o.err + strlen(o.err) - 1); /* one line */
    ck_assert(strncmp(o.err, "options_test: ", 14) == 0);
}
END_TEST

START_TEST(help_lists_both_tables)
{
    static const char *const lines[] = {
        "a program to be tested\n",
        "--port PORT",
        "port to use (default 8888)\n",
        "(default localhost)\n",
        "--rate R",
        "how fast (default 1.5)\n",
        "where to\n",
        "--loud",
        "--help",
    };
    char *words[] = {"--loud", "--help", NULL};
    struct subject_outcome o;
    if (!subject_call(&o, parse, words))
        ck_abort_msg("%s", fault_text());
    ck_assert_int_eq(o.status, 0);
    ck_assert_str_eq(o.err, "");
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        if (strstr(o.out, lines[i]) == NULL)
            ck_abort_msg("no '%s' in: %s", lines[i], o.out);
}
END_TEST

static void exclude(void *word)
{
    options_fail("--this excludes --%s", (const char *)word);
}

START_TEST(fail_exits_2)
{
    struct subject_outcome o;
    if (!subject_call(&o, exclude, "that"))
        ck_abort_msg("%s", fault_text());
    ck_assert_int_eq(o.status, 2);
    ck_assert_str_eq(o.out, "");
    ck_assert_str_eq(o.err, "options_test: --this excludes --that (try --help)\n");
}
END_TEST

static char written[64];

static void remove_written(void)
{
    unlink(written);
}

/* Parse --config FILE, with a port on the command line as well, and print what holds. */
static void parse_with_file(void *text)
{
    char path[] = "/tmp/options_test.XXXXXX";
    int fd = mkstemp(path);
    FILE *file = fd != -1 ? fdopen(fd, "w") : NULL;
    if (file == NULL || fputs(text, file) == EOF || fclose(file) == EOF)
        _exit(98);
    bool loud = false;
    unsigned long port = 8888;
    double rate = 1.5;
    const char *host = "localhost";
    const char *config = NULL;
    const struct option_spec table[] = {
        {"port", "PORT", OPTION_NUMBER, &port, 1, 65535, "port to use"},
        {"host", "HOST", OPTION_TEXT, &host, 0, 0, "host to use"},
        {"rate", "R", OPTION_DECIMAL, &rate, 0, 1000, "how fast"},
        {"loud", NULL, OPTION_FLAG, &loud, 0, 0, "say more"},
        {"config", "FILE", OPTION_FILE, &config, 0, 0, "options"},
        {0},
    };
    char *argv[] = {"program", "--port", "7", "--config", path, NULL};
    snprintf(written, sizeof written, "%s", path);
    atexit(remove_written); /* a complaint exits */
    options_parse(5, argv, "a program to be tested", table, NULL);
    printf("%lu %s %g %s\n", port, host, rate, loud ? "loud" : "still");
}

static const struct {
    const char *text;
    int status;
    const char *said;
} files[] = {
    {"", 99, "7 localhost 1.5 still\n"},
    {"host = ::1\n# host x\n\n  rate\t2\r\nloud", 99, "7 ::1 2 loud\n"},
    {"port 9\n", 99, "7 localhost 1.5 still\n"}, /* the command line wins */
    {"host a b \n", 99, "7 a b 1.5 still\n"},
    {"\nport 0\n", 2, ":2: port: '0' is not a whole number from 1 to 65535"},
    {"speed 3\n", 2, ":1: 'speed' is not an option of a file"},
    {"config other\n", 2, ":1: 'config' is not an option of a file"},
    {"host\n", 2, ":1: host needs a value"},
    {"loud yes\n", 2, ":1: loud takes no value"},
};

START_TEST(file_of_options)
{
    struct subject_outcome o;
    char text[128];
    snprintf(text, sizeof text, "%s", files[_i].text);
    if (!subject_call(&o, parse_with_file, text))
        ck_abort_msg("%s", fault_text());
    ck_assert_int_eq(o.status, files[_i].status);
    if (strstr(o.status == 99 ? o.out : o.err, files[_i].said) == NULL)
        ck_abort_msg("no '%s' in: %s%s", files[_i].said, o.out, o.err);
}
END_TEST

static void parse_missing_file(void *path)
{
    const char *config = NULL;
    const struct option_spec table[] = {
        {"config", "FILE", OPTION_FILE, &config, 0, 0, "options"},
        {0},
    };
    char *argv[] = {"program", "--config", path, NULL};
    options_parse(3, argv, "a program to be tested", table, NULL);
}

START_TEST(missing_file_is_bad_usage)
{
    struct subject_outcome o;
    char path[] = "/nonexistent/options";
    if (!subject_call(&o, parse_missing_file, path))
        ck_abort_msg("%s", fault_text());
    ck_assert_int_eq(o.status, 2);
    ck_assert_str_eq(o.err, "options_test: /nonexistent/options: No such file or directory "
                            "(try --help)\n");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("options");
    TCase *all = tcase_create("options");
    tcase_set_timeout(all, SUITE_TIMEOUT);
    tcase_add_loop_test(all, command_line, 0, CASES);
    tcase_add_test(all, help_lists_both_tables);
    tcase_add_test(all, fail_exits_2);
    tcase_add_loop_test(all, file_of_options, 0, sizeof files / sizeof files[0]);
    tcase_add_test(all, missing_file_is_bad_usage);
    suite_add_tcase(suite, all);
    return suite_run("options", suite, NULL);
}
