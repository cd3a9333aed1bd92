/* die - end a program that cannot start.  See die.h. */

#include "die.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void die(const char *format, ...)
{
    int error = errno;
    char message[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    fprintf(stderr, "%s: %s%s%s\n", program_invocation_short_name, message, error ? ": " : "",
            error ? strerror(error) : "");
    exit(EXIT_FAILURE);
}

void *calloc_or_die(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    if (memory == NULL)
        die("cannot allocate %zu times %zu bytes", count, size);
    return memory;
}
