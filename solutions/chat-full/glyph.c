/* glyph - the columns of a character.  See glyph.h. */

#include "glyph.h"

#include <utf8proc.h>

int glyph_columns(uint32_t character)
{
    switch (utf8proc_category((utf8proc_int32_t)character)) {
    case UTF8PROC_CATEGORY_CN: /* not assigned: nobody knows what it will be */
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
        return -1;
    default:
        return utf8proc_charwidth((utf8proc_int32_t)character);
    }
}
