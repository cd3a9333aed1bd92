/* memory - what another process has in its memory.  See memory.h. */

#include "memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAPPING_MOST (256UL << 20)

/* Describe the place of what was found in a mapping that begins with `bytes`. */
static void describe(struct memory_place *place, const char *mapping, const char *bytes,
                     const char *found)
{
    const char *from = found - bytes < MEMORY_BEFORE ? bytes : found - MEMORY_BEFORE;
    char *out = place->before;
    snprintf(place->mapping, sizeof place->mapping, "%s", mapping);
    for (; from < found; from++)
        *out++ = (char)(*from >= ' ' && *from <= '~' ? *from : '.');
    *out = '\0';
}

/* Look in one line of /proc/PID/maps. */
static bool find_in(FILE *memory, const char *line, const char *text, struct memory_place *place)
{
    unsigned long from, to;
    char rights[8], name[64] = "memory without a name";
    if (sscanf(line, "%lx-%lx %7s %*s %*s %*s %63s", &from, &to, rights, name) < 3 ||
        rights[0] != 'r' || to - from > MAPPING_MOST || strncmp(name, "[v", 2) == 0)
        return false; /* [vvar] and [vsyscall] are the kernel's */
    char *bytes = calloc(1, to - from);
    if (bytes == NULL)
        return false;
    size_t size = 0;
    if (fseeko(memory, (off_t)from, SEEK_SET) == 0)
        size = fread(bytes, 1, to - from, memory);
    const char *at = memmem(bytes, size, text, strlen(text));
    if (at != NULL && place != NULL)
        describe(place, name, bytes, at);
    free(bytes);
    return at != NULL;
}

bool memory_find(pid_t pid, const char *text, struct memory_place *place)
{
    char path[64], line[512];
    bool found = false;
    snprintf(path, sizeof path, "/proc/%d/maps", (int)pid);
    FILE *maps = fopen(path, "re");
    snprintf(path, sizeof path, "/proc/%d/mem", (int)pid);
    FILE *memory = fopen(path, "re");
    while (!found && maps != NULL && memory != NULL && fgets(line, sizeof line, maps) != NULL)
        found = find_in(memory, line, text, place);
    if (maps != NULL)
        fclose(maps);
    if (memory != NULL)
        fclose(memory);
    return found;
}
