/* paths - the files that a user names.  See paths.h. */

#include "paths.h"

#include "printable.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

char *paths_word(char **text)
{
    char *at = *text + strspn(*text, " \t");
    char *end = *at == '"' ? strchr(at + 1, '"') : NULL;
    if (end == NULL)
        return command_word(text);
    *end = '\0';
    *text = end + 1;
    return at + 1;
}

const char *paths_at_home(const char *path, char whole[PATHS_SIZE])
{
    const char *home = getenv("HOME");
    if (strncmp(path, "~/", 2) != 0 || home == NULL ||
        snprintf(whole, PATHS_SIZE, "%s%s", home, path + 1) >= PATHS_SIZE)
        return path;
    return whole;
}

/* Can it be shown as it is, and typed without quotes? */
static bool is_plain(const char *name)
{
    char *shown = printable_copy(name, strlen(name));
    bool plain = shown != NULL && strcmp(shown, name) == 0 && strpbrk(name, " \"") == NULL;
    free(shown);
    return plain;
}

static bool is_folder(DIR *folder, const char *name)
{
    struct stat status;
    return fstatat(dirfd(folder), name, &status, 0) == 0 && S_ISDIR(status.st_mode);
}

void paths_offer(struct words *found, const struct roster *roster, const char *start)
{
    (void)roster;
    char typed[PATHS_SIZE]; /* the folder */
    char whole[PATHS_SIZE];
    char path[PATHS_SIZE + 512];
    const char *slash = strrchr(start, '/');
    const char *name = slash != NULL ? slash + 1 : start;
    if (snprintf(typed, sizeof typed, "%.*s", (int)(name - start), start) >= PATHS_SIZE)
        return;
    found->exact = true;
    DIR *folder = opendir(*typed != '\0' ? paths_at_home(typed, whole) : ".");
    for (struct dirent *e = NULL; folder != NULL && (e = readdir(folder)) != NULL;) {
        bool hidden = e->d_name[0] == '.' && name[0] != '.';
        if (hidden || strncmp(e->d_name, name, strlen(name)) != 0 || !is_plain(e->d_name))
            continue;
        snprintf(path, sizeof path, "%s%s%s", typed, e->d_name,
                 is_folder(folder, e->d_name) ? "/" : " ");
        words_add(found, path);
    }
    if (folder != NULL)
        closedir(folder);
}
