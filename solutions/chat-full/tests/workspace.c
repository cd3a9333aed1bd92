/* workspace - a folder for each test.  See workspace.h. */

#include "workspace.h"

#include "../../../lessons/14-chat/tests/stage.h"
#include "testkit/suite.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char whole[] = "/tmp/client_full.XXXXXX";

void workspace_begin(const char *program)
{
    if (mkdtemp(whole) == NULL) {
        perror(whole);
        exit(1);
    }
    stage_find(program, stage_client, sizeof stage_client, "client");
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    (void)status;
    (void)kind;
    (void)place;
    return remove(path);
}

void workspace_end(void)
{
    nftw(whole, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

void workspace_enter(void)
{
    char path[sizeof whole + 16];
    snprintf(path, sizeof path, "%s/XXXXXX", whole);
    ck_assert_ptr_nonnull(mkdtemp(path));
    ck_assert_int_eq(chdir(path), 0);
}

void workspace_write(const char *path, const void *bytes, size_t size)
{
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(bytes, 1, size, file), size);
    ck_assert_int_eq(fclose(file), 0);
}

char *workspace_read(const char *path, size_t *size)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd == -1)
        return NULL;
    ck_assert_int_eq(fstat(fd, &status), 0);
    char *bytes = malloc((size_t)status.st_size + 1);
    ck_assert_ptr_nonnull(bytes);
    ck_assert_int_eq(read(fd, bytes, (size_t)status.st_size), status.st_size);
    bytes[status.st_size] = '\0';
    *size = (size_t)status.st_size;
    close(fd);
    return bytes;
}

size_t workspace_count(const char *folder)
{
    size_t count = 0;
    DIR *entries = opendir(folder);
    for (struct dirent *e = NULL; entries != NULL && (e = readdir(entries)) != NULL;)
        count += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    if (entries != NULL)
        closedir(entries);
    return count;
}

void workspace_start(int columns, const char *const *more)
{
    workspace_enter();
    stage_listen();
    stage_start("C.UTF-8", columns, more);
    stage_accept();
    stage_welcome("alice", "lobby", stage_expect("join", "nickname", "alice"));
    stage_await_line("lobby>");
}
