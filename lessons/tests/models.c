/* models - the servers there are.  See models.h. */

#include "models.h"

#include "die.h"
#include "testkit/sanitizer.h"

#include <errno.h>
#include <glob.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Cut the last part off a path. */
static void go_up(char *path)
{
    char *slash = strrchr(path, '/');
    if (slash != NULL)
        *slash = '\0';
}

static void read_limits(struct model *m, const char *path)
{
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return; /* none */
    char line[512];
    for (int number = 1; fgets(line, sizeof line, file) != NULL; number++) {
        struct limit *l = &m->limits[m->limit_count];
        errno = 0;
        if (m->limit_count == LIMITS_MAX ||
            sscanf(line, "%63[a-z0-9-]: %255[^\n]", l->promise, l->why) != 2)
            die("%s:%d: is not 'promise-name: why'", path, number);
        m->limit_count++;
    }
    fclose(file);
}

static bool has_threads(const char *source)
{
    FILE *file = fopen(source, "re");
    if (file == NULL)
        die("%s", source);
    char line[512];
    bool found = false;
    while (!found && fgets(line, sizeof line, file) != NULL)
        found = strstr(line, "#include <pthread.h>") != NULL;
    fclose(file);
    return found;
}

static bool is_wanted(const char *name, const char *source, char *const names[])
{
    bool wanted = names[0] == NULL && (!SANITIZER_THREAD || has_threads(source));
    for (size_t i = 0; names[i] != NULL; i++)
        wanted |= strcmp(names[i], name) == 0;
    return wanted;
}

/* Describe the model of a source such as ROOT/lessons/03-select/server.c. */
static void describe(struct model *m, const char *source, const char *build)
{
    char folder[PATH_MAX];
    snprintf(folder, sizeof folder, "%s", source);
    go_up(folder);
    const char *base = strrchr(folder, '/') + 1;
    const char *dash = strchr(base, '-');
    *m = (struct model){.limit_count = 0};
    snprintf(m->folder, sizeof m->folder, "%s", base);
    m->name = m->folder + (dash != NULL ? dash + 1 - base : 0);
    errno = ENAMETOOLONG;
    if ((size_t)snprintf(m->program, sizeof m->program, "%s/lessons/%s/server", build, base) >=
        sizeof m->program)
        die("%s", build);
}

size_t models_find(struct model models[MODELS_MAX], char *const names[])
{
    char build[PATH_MAX - 64] = "";
    if (readlink("/proc/self/exe", build, sizeof build - 1) == -1)
        die("/proc/self/exe");
    for (int i = 0; i < 3; i++) /* lessons/tests/servers_test */
        go_up(build);
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s", build);
    go_up(path);
    strncat(path, "/lessons/*/server.c", sizeof path - strlen(path) - 1);

    glob_t found = {0};
    size_t count = 0;
    if (glob(path, 0, NULL, &found) != 0)
        die("no server: %s", path);
    for (size_t i = 0; i < found.gl_pathc && count < MODELS_MAX; i++) {
        struct model *m = &models[count];
        if (strstr(found.gl_pathv[i], "-chat/") != NULL)
            continue; /* no echo server: lesson 14 has tests of its own */
        describe(m, found.gl_pathv[i], build);
        if (!is_wanted(m->name, found.gl_pathv[i], names))
            continue;
        if (names[0] == NULL && access(m->program, X_OK) == -1) {
            printf("%s is left out: %s is not built (see make deps)\n", m->name, m->program);
            continue; /* common/tools/test counts it as skipped */
        }
        count++;
        snprintf(path, sizeof path, "%s", found.gl_pathv[i]);
        go_up(path);
        strncat(path, "/limits", sizeof path - strlen(path) - 1);
        read_limits(m, path);
    }
    globfree(&found);
    for (size_t n = 0; names[n] != NULL; n++) {
        bool known = false;
        for (size_t i = 0; i < count; i++)
            known |= strcmp(models[i].name, names[n]) == 0;
        errno = 0;
        if (!known)
            die("there is no model '%s'", names[n]);
    }
    return count;
}

const char *model_limit(const struct model *m, const char *promise)
{
    for (size_t i = 0; i < m->limit_count; i++)
        if (strcmp(m->limits[i].promise, promise) == 0)
            return m->limits[i].why;
    return NULL;
}
