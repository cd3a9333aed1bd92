/*
 * A grader that only tests the tools around it: the student's program says itself how it went.
 *
 * A check passes if the program's output names it.  The words fault, inconclusive, nonsense, silence
 * and forged are for what graders do on a bad day.
 */

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char output[4096];

static void run(const char *programs)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/plain/sample", programs);
    FILE *pipe = popen(path, "r"); /* NOLINT(cert-env33-c): nobody else runs this */
    if (pipe == NULL)
        exit(1);
    output[fread(output, 1, sizeof output - 1, pipe)] = '\0';
    pclose(pipe);
}

static bool says(const char *word)
{
    return strstr(output, word) != NULL;
}

static void judge(const char *name, const char *needs, int max, bool can_be_judged,
                  const char *seed)
{
    const char *outcome = !can_be_judged ? "not judged" : says(name) ? "passed" : "failed";
    if (can_be_judged && says("inconclusive"))
        outcome = "inconclusive";
    if (can_be_judged && says("fault"))
        outcome = "grader fault";
    printf(
        "{\"name\": \"%s\", \"title\": \"names <%s>\", \"needs\": [%s], \"max\": %d, \"points\": "
        "%d, "
        "\"outcome\": \"%s\", \"message\": \"it said \\u0007 & \\u00fc\", \"did\": [\"it ran\"], "
        "\"expected\": \"the word\", \"story\": [\"  write(1) = 8\", \"> exit(0): too early\"], "
        "\"seconds\": 0.25%s%s}",
        name, name, needs, says("forged") ? 100 : max, max, outcome,
        strcmp(seed, "") != 0 ? ", \"seed\": " : "", seed);
}

int main(int argc, char **argv)
{
    const char *seed = "";
    if (argc == 2 && strcmp(argv[1], "--list") == 0) {
        puts("first\t3\t-\tplain\tnames <first>\n"
             "second\t5\tfirst\tplain\tnames <second>\n"
             "third\t2\tfirst second\taddress\tnames <third>");
        return 0;
    }
    for (int i = 1; i < argc - 1; i++)
        if (strcmp(argv[i], "--programs") == 0)
            run(argv[i + 1]);
        else if (strcmp(argv[i], "--seed") == 0)
            seed = argv[i + 1];
    if (says("silence"))
        return 1;
    if (says("nonsense")) {
        puts("no JSON");
        return 0;
    }
    bool first = says("first"), second = first && says("second");
    printf("{\"name\": \"90-sample\", \"title\": \"a sample\", \"seed\": %s, \"sandbox\": null, "
           "\"checks\": [",
           strcmp(seed, "") != 0 ? seed : "null");
    judge("first", "", 3, true, seed);
    fputs(", ", stdout);
    judge("second", "\"first\"", 5, first, seed);
    if (!says("forgotten")) {
        fputs(", ", stdout);
        judge("third", "\"first\", \"second\"", 2, second, seed);
    }
    puts("]}");
    return 0;
}
