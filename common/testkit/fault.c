/* fault - the one sentence that says why a test failed.  See fault.h. */

#include "fault.h"

#include <stdarg.h>
#include <stdio.h>

static char text[4096];

bool fault(const char *format, ...)
{
    char sentence[sizeof text]; /* an argument may be the last sentence */
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    snprintf(text, sizeof text, "%s", sentence);
    return false;
}

const char *fault_text(void)
{
    return text;
}
