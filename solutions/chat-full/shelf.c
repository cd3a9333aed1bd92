/* shelf - the folder of downloads.  See shelf.h. */

#include "shelf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utf8proc.h>

enum {
    NUMBERS = 1000,  /* names that are tried */
    ENDING_MAX = 16, /* bytes of ".pdf" that are kept where a name must be cut */
    NOTE_MAX = 4096,
    HIDDEN_SIZE = FILE_ID_SIZE + 8 /* ".ID.part" */
};

static int folder = -1;

int shelf_open(const char *path)
{
    if (folder != -1)
        return 0;
    if (mkdir(path, 0700) == -1 && errno != EEXIST)
        return -1;
    folder = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return folder == -1 ? -1 : 0;
}

void shelf_close(void)
{
    if (folder != -1)
        close(folder);
    folder = -1;
}

/* ---- names -------------------------------------------------------------------------------------- */

static bool is_seen(utf8proc_int32_t c)
{
    switch (utf8proc_category(c)) {
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF: /* the bidirectional controls are here */
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
        return false;
    default:
        return true;
    }
}

/* The length of a text cut to at most `most` bytes, between two characters. */
static size_t cut(const char *text, size_t length, size_t most)
{
    if (length <= most)
        return length;
    while (most > 0 && ((unsigned char)text[most] & 0xc0) == 0x80)
        most--;
    return most;
}

/* Where the ending of a name begins, ".pdf"; its end if it has none. */
static const char *ending_of(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot != NULL && dot > name && strlen(dot) <= ENDING_MAX ? dot : name + strlen(name);
}

/* A name with a number before its ending, cut to what a file's name may have; 0: no number. */
static void write_name(const char *name, unsigned number, char numbered[SHELF_NAME_SIZE])
{
    char between[16] = "";
    if (number > 0)
        snprintf(between, sizeof between, " (%u)", number);
    const char *ending = ending_of(name);
    size_t most = SHELF_NAME_SIZE - 1 - strlen(between) - strlen(ending);
    size_t length = cut(name, (size_t)(ending - name), most);
    snprintf(numbered, SHELF_NAME_SIZE, "%.*s%s%s", (int)length, name, between, ending);
}

void shelf_name(const char *name, char safe[SHELF_NAME_SIZE])
{
    const char *end = name + strlen(name);
    while (end > name && end[-1] == '/')
        end--;
    const char *at = end;
    while (at > name && at[-1] != '/')
        at--;
    at += strspn(at, ". -");
    char *seen = malloc(strlen(name) + sizeof "file");
    size_t length = 0;
    while (seen != NULL && at < end) {
        utf8proc_int32_t c = 0;
        utf8proc_ssize_t n = utf8proc_iterate((const utf8proc_uint8_t *)at, end - at, &c);
        bool plain = n > 0 && is_seen(c);
        n = n > 0 ? n : 1;
        if (plain)
            memcpy(seen + length, at, (size_t)n);
        else
            seen[length] = '_';
        length += plain ? (size_t)n : 1;
        at += n;
    }
    while (length > 0 && seen[length - 1] == ' ')
        length--;
    if (length > 0)
        seen[length] = '\0';
    write_name(length > 0 ? seen : "file", 0, safe);
    free(seen);
}

/* ---- a file while it comes ---------------------------------------------------------------------- */

static void hidden_name(char name[HIDDEN_SIZE], const char *id, const char *ending)
{
    snprintf(name, HIDDEN_SIZE, ".%.32s.%s", id, ending);
}

/* It is a file, ours, and stands here and nowhere else: what is written into it changes no
 * other. */
static bool is_ours(int fd)
{
    struct stat file;
    return fstat(fd, &file) == 0 && S_ISREG(file.st_mode) && file.st_nlink == 1 &&
           file.st_uid == geteuid();
}

int shelf_part(const char *id)
{
    char name[HIDDEN_SIZE];
    hidden_name(name, id, "part");
    int fd = openat(folder, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
    if (fd == -1) {
        if (errno == ELOOP || errno == EISDIR || errno == ENXIO)
            errno = EEXIST;
        return -1;
    }
    int error = 0;
    if (!is_ours(fd))
        error = EEXIST;
    else if (flock(fd, LOCK_EX | LOCK_NB) == -1)
        error = EBUSY;
    if (error == 0)
        return fd;
    close(fd);
    errno = error;
    return -1;
}

void shelf_drop(const char *id)
{
    char name[HIDDEN_SIZE];
    hidden_name(name, id, "part");
    unlinkat(folder, name, 0);
    hidden_name(name, id, "note");
    unlinkat(folder, name, 0);
}

void shelf_note(const struct announced *a)
{
    char name[HIDDEN_SIZE];
    hidden_name(name, a->id, "note");
    int fd = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd == -1)
        return; /* it is there already, or it will not be known */
    json_t *note = json_pack("{ss ss sI}", "name", a->name, "sha256", a->sum, "size",
                             (json_int_t)a->size);
    if (note != NULL)
        json_dumpfd(note, fd, JSON_COMPACT);
    json_decref(note);
    close(fd);
}

bool shelf_recall(struct announced *a, const char *id)
{
    char name[HIDDEN_SIZE];
    char text[NOTE_MAX];
    hidden_name(name, id, "note");
    int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd == -1)
        return false;
    ssize_t length = is_ours(fd) ? read(fd, text, sizeof text) : -1;
    close(fd);
    json_t *note = length > 0 ? json_loadb(text, (size_t)length, 0, NULL) : NULL;
    bool known = announced_read(a, note, id);
    json_decref(note);
    return known;
}

/* ---- once it is whole --------------------------------------------------------------------------- */

/*
 * [no-clobber] Give an open file a name that nothing has, in one step.  linkat(2) of the descriptor
 * itself cannot mean another file, whatever stands under the hidden name by now; where there are no
 * hard links, renameat2(2) is told not to replace.  Returns 0, or -1 with errno, EEXIST if the name
 * is taken.
 */
static int give_name(int fd, const char *hidden, const char *name)
{
    char self[32];
    snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
    if (linkat(AT_FDCWD, self, folder, name, AT_SYMLINK_FOLLOW) == 0)
        return 0;
    if (errno == EEXIST)
        return -1;
    return renameat2(folder, hidden, folder, name, RENAME_NOREPLACE);
}

int shelf_keep(const char *id, int fd, const char *name, char kept[SHELF_NAME_SIZE])
{
    char safe[SHELF_NAME_SIZE];
    char hidden[HIDDEN_SIZE];
    shelf_name(name, safe);
    hidden_name(hidden, id, "part");
    for (unsigned number = 0; number < NUMBERS; number++) {
        write_name(safe, number, kept);
        if (give_name(fd, hidden, kept) == 0) {
            shelf_drop(id);
            return 0;
        }
        if (errno != EEXIST)
            return -1;
    }
    return -1;
}
