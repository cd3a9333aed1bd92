/* progress - files that are under way, in words.  See progress.h. */

#include "progress.h"

#include "catalogue.h"
#include "printable.h"

#include <string.h>

enum { NAME_COLUMNS = 40, BAR = 20 };

const char *progress_name(const char *name, char shown[PROGRESS_NAME_SIZE])
{
    static const char more[] = "...";
    size_t length = 0;
    int columns = 0;
    struct printable p = printable_begin(name, strlen(name));
    while (printable_next(&p)) {
        if (columns + p.width > NAME_COLUMNS ||
            length + p.length + sizeof more > PROGRESS_NAME_SIZE) {
            memcpy(shown + length, more, sizeof more);
            return shown;
        }
        memcpy(shown + length, p.text, p.length);
        length += p.length;
        columns += p.width;
    }
    shown[length] = '\0';
    return shown;
}

const char *progress_size(int64_t bytes, char shown[PROGRESS_SIZE_SIZE])
{
    static const char *const units[] = {"kB", "MB", "GB", "TB", "PB", "EB"};
    int64_t unit = 1000;
    size_t name = 0;
    if (bytes < 1000) {
        snprintf(shown, PROGRESS_SIZE_SIZE, "%d byte%s", (int)bytes, bytes == 1 ? "" : "s");
        return shown;
    }
    for (; bytes / unit >= 1000; unit *= 1000)
        name++;
    double size = (double)bytes / (double)unit;
    snprintf(shown, PROGRESS_SIZE_SIZE, "%.*f %s", size < 9.95 ? 1 : 0, size, units[name]);
    return shown;
}

void progress_bar(FILE *out, const char *what, const char *name, int64_t done, int64_t size,
                  const char *id)
{
    static const char full[] = "####################";
    static const char empty[] = "....................";
    char shown[PROGRESS_NAME_SIZE];
    char in_all[PROGRESS_SIZE_SIZE];
    fprintf(out, "%s %s", what, progress_name(name, shown));
    if (size >= 0) {
        double part = size > 0 ? (double)done / (double)size : 1;
        int marks = (int)(part * BAR);
        fprintf(out, " [%.*s%.*s] %3d %% of %s", marks, full, BAR - marks, empty, (int)(part * 100),
                progress_size(size, in_all));
    }
    fprintf(out, " %.*s\n", FILE_ID_SHOWN, id);
}
