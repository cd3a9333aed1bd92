/*
 * printable_test - nothing that a stranger writes is obeyed by a terminal, and widths are right.
 */

#include "../printable.h"
#include "../rows.h"
#include "../utf8.h"
#include "testkit/suite.h"
#include "testkit/wait.h"

#include <jansson.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

struct example {
    const char *text, *shown;
    int width;
};

static int width_of(const char *text)
{
    int width = 0;
    for (struct printable p = printable_begin(text, strlen(text)); printable_next(&p);)
        width += p.width;
    return width;
}

static void expect(const struct example *e)
{
    char *shown = printable_copy(e->text, strlen(e->text));
    ck_assert_str_eq(shown, e->shown);
    ck_assert_msg(width_of(e->text) == e->width, "'%s' is %d columns wide, not %d", e->shown,
                  width_of(e->text), e->width);
    free(shown);
}

static const struct example in_utf8[] = {
    {"", "", 0},
    {"plain ~ text", "plain ~ text", 12},
    {"\t\r\n\x01", "^I^M^J^A", 8},
    {"\033[31mred\033]0;title\a", "^[[31mred^[]0;title^G", 21},
    {"\x7f", "^?", 2},
    {"\xc2\x80\xc2\x9b", "<U+0080><U+009B>", 16}, /* C1; the second is CSI */
    {"a\xe2\x80\xae"
     "b\xe2\x81\xa6",
     "a<U+202E>b<U+2066>", 18},                             /* override, isolate */
    {"\xd8\x9c\xe2\x80\x8e", "<U+061C><U+200E>", 16},       /* direction marks */
    {"\xe2\x80\xa8\xe2\x80\xa9", "<U+2028><U+2029>", 16},   /* separators */
    {"a\xe2\x80\x8b\xef\xbb\xbf", "a<U+200B><U+FEFF>", 17}, /* without width */
    {"a\xe2\x80\x8d"
     "b",
     "a<U+200D>b", 10},                                          /* a joiner of letters */
    {"\xc2\xad\xe3\x85\xa4", "<U+00AD><U+3164>", 16},            /* soft hyphen, filler */
    {"\xf3\xa0\x81\xa7", "<U+E0067>", 9},                        /* a tag */
    {"\xff\xc0\x80", "<FF><C0><80>", 12},                        /* not UTF-8, overlong */
    {"\xed\xa0\x80", "<ED><A0><80>", 12},                        /* a surrogate */
    {"\xf4\x90\x80\x80", "<F4><90><80><80>", 16},                /* beyond the last */
    {"\xe2\x82", "<E2><82>", 8},                                 /* cut */
    {"\xe4\xb8\xad\xe6\x96\x87", "\xe4\xb8\xad\xe6\x96\x87", 4}, /* wide */
    {"\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80", 2},
    {"\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x91\xa7", "\xf0\x9f\x91\xa9\xf0\x9f\x91\xa7", 4},
    {"\xe2\x9d\xa4\xef\xb8\x8f", "\xe2\x9d\xa4", 1}, /* a heart, with selector */
    {"e\xcc\x81", "e\xcc\x81", 1},                   /* a mark on a letter */
    {"\xcc\x81", "<U+0301>", 8},                     /* on nothing */
    {"e\xcc\x81\xcc\x81\xcc\x81\xcc\x81\xcc\x81", "e\xcc\x81\xcc\x81\xcc\x81\xcc\x81<U+0301>", 9},
};

START_TEST(shows_what_must_not_be_obeyed)
{
    if (setlocale(LC_ALL, "C.UTF-8") == NULL)
        suite_skip("there is no locale C.UTF-8");
    expect(&in_utf8[_i]);
}
END_TEST

START_TEST(shows_only_ascii_in_the_c_locale)
{
    static const struct example examples[] = {
        {"plain", "plain", 5},
        {"\xc3\xa9\xf0\x9f\x98\x80", "<U+00E9><U+1F600>", 17},
        {"\033\xff", "^[<FF>", 6},
        {"e\xcc\x81", "e<U+0301>", 9},
    };
    setlocale(LC_ALL, "C");
    for (size_t i = 0; i < sizeof examples / sizeof examples[0]; i++)
        expect(&examples[i]);
}
END_TEST

/* Every character there is: what goes through has a width, and is none that directs a terminal.
 * Returns why one is shown badly, or NULL. */
static const char *fault_of(uint32_t c)
{
    char bytes[UTF8_MAX];
    size_t length = utf8_encode(c, bytes);
    struct printable p = printable_begin(bytes, length);
    if (!printable_next(&p) || p.at != p.end)
        return "is not taken whole";
    bool raw = p.length == length && memcmp(p.text, bytes, length) == 0;
    bool directs = c < 0x20 || (c >= 0x7f && c < 0xa0) || (c >= 0x200b && c <= 0x200f) ||
                   (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f);
    if (raw && (p.width <= 0 || directs))
        return "goes through";
    for (size_t i = 0; !raw && i < p.length; i++)
        if (p.text[i] < 0x20 || p.text[i] >= 0x7f)
            return "is named in other than ASCII";
    return NULL;
}

START_TEST(lets_no_control_through)
{
    if (setlocale(LC_ALL, "C.UTF-8") == NULL)
        suite_skip("there is no locale C.UTF-8");
    for (uint32_t c = 1; c <= 0x10ffff; c++) {
        const char *fault = c >= 0xd800 && c <= 0xdfff ? NULL : fault_of(c);
        if (fault != NULL)
            ck_abort_msg("U+%04X %s", c, fault);
    }
}
END_TEST

START_TEST(keeps_the_value_of_json)
{
    static const char line[] = "{\"a\":\"\xc2\x9b\xe2\x80\xae\x7f\xf3\xa0\x81\xa7 \xc3\xa9\"}";
    if (setlocale(LC_ALL, "C.UTF-8") == NULL)
        suite_skip("there is no locale C.UTF-8");
    char *safe = printable_json(line, sizeof line - 1);
    ck_assert_str_eq(safe, "{\"a\":\"\\u009b\\u202e\\u007f\\udb40\\udc67 \xc3\xa9\"}");
    json_t *before = json_loads(line, 0, NULL);
    json_t *after = json_loads(safe, 0, NULL);
    ck_assert(before != NULL && json_equal(before, after));
    json_decref(before);
    json_decref(after);
    free(safe);
}
END_TEST

START_TEST(lays_out_rows)
{
    if (setlocale(LC_ALL, "C.UTF-8") == NULL)
        suite_skip("there is no locale C.UTF-8");
    struct rows rows = {0};
    ck_assert(rows_lay(&rows, "> ", "abc\xe4\xb8\xad", 3, 6)); /* the wide one does not fit */
    ck_assert_uint_eq(rows.count, 2);
    ck_assert_int_eq(rows.row[0].width, 5);
    ck_assert_uint_eq(rows.cursor_row, 1); /* the cursor stands on it */
    ck_assert_int_eq(rows.cursor_column, 0);
    ck_assert(rows_lay(&rows, "> ", "abcd", 4, 6)); /* behind the last column */
    ck_assert_uint_eq(rows.cursor_row, 1);
    ck_assert_int_eq(rows.cursor_column, 0);
    ck_assert(rows_lay(&rows, "> ", "\033x", 1, 6));
    ck_assert_int_eq(rows.cursor_column, 4);
    ck_assert(rows_lay(&rows, "> ", "0123456789", 10, 8));
    ck_assert_uint_eq(rows.count, 2);
    ck_assert_uint_eq(rows_above(&rows, 0, 8), 1);
    ck_assert_uint_eq(rows_above(&rows, 0, 4), 2); /* the first row is two now; the cursor in 4 */
    ck_assert(rows_lay(&rows, "12345678\n> ", "a", 1, 8)); /* a prompt of two rows */
    ck_assert_uint_eq(rows.count, 2);
    ck_assert_uint_eq(rows.cursor_row, 1);
    ck_assert_int_eq(rows.cursor_column, 3);
    rows_free(&rows);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("printable");
    TCase *tests = tcase_create("printable");
    tcase_set_timeout(tests, SUITE_TIMEOUT);
    tcase_add_loop_test(tests, shows_what_must_not_be_obeyed, 0,
                        (int)(sizeof in_utf8 / sizeof in_utf8[0]));
    tcase_add_test(tests, shows_only_ascii_in_the_c_locale);
    tcase_add_test(tests, lets_no_control_through);
    tcase_add_test(tests, keeps_the_value_of_json);
    tcase_add_test(tests, lays_out_rows);
    suite_add_tcase(suite, tests);
    return suite_run("printable_test", suite, NULL);
}
