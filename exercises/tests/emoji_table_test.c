/* Tests of the table of exercise 17: what is in it, and how it is looked up. */

#include "../17-chat-emoji/emoji_table.h"

#include "testkit/suite.h"
#include "testkit/wait.h"
#include "utf8.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { CODES = 1913, TEXT_MOST = 28 };

START_TEST(is_in_byte_order)
{
    ck_assert_uint_eq(emoji_code_count, CODES);
    for (size_t i = 1; i < emoji_code_count; i++)
        if (strcmp(emoji_codes[i - 1].code, emoji_codes[i].code) >= 0)
            ck_abort_msg("'%s' stands before '%s'", emoji_codes[i - 1].code, emoji_codes[i].code);
}
END_TEST

START_TEST(has_codes_of_the_alphabet)
{
    static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz0123456789_+-";
    for (size_t i = 0; i < emoji_code_count; i++) {
        const char *code = emoji_codes[i].code;
        if (*code == '\0' || code[strspn(code, alphabet)] != '\0')
            ck_abort_msg("'%s' is no code", code);
    }
}
END_TEST

/* Every emoji is whole characters, one of them beyond ASCII at least, and no colon is among them: so what
 * was expanded holds no short code. */
START_TEST(has_emoji_of_valid_utf8)
{
    for (size_t i = 0; i < emoji_code_count; i++) {
        const char *code = emoji_codes[i].code, *text = emoji_codes[i].text;
        size_t size = strlen(text);
        bool beyond_ascii = false;
        if (size == 0 || size > TEXT_MOST)
            ck_abort_msg("%s: %zu bytes", code, size);
        for (size_t at = 0; at < size;) {
            uint32_t character;
            int length = utf8_decode(text + at, size - at, &character);
            if (length <= 0)
                ck_abort_msg("%s: byte %zu is no UTF-8", code, at);
            if (character < ' ' || character == ':' || character == 0x7f)
                ck_abort_msg("%s: there is a character %u in it", code, (unsigned)character);
            beyond_ascii = beyond_ascii || character > 0x7f;
            at += (size_t)length;
        }
        if (!beyond_ascii)
            ck_abort_msg("%s: '%s' is no emoji", code, text);
    }
}
END_TEST

START_TEST(knows_what_everybody_types)
{
    static const struct emoji_code known[] = {
        {"+1", "\U0001f44d"},
        {"-1", "\U0001f44e"},
        {"smile", "\U0001f604"},
        {"tada", "\U0001f389"},
        {"heart", "\u2764\ufe0f"},
        {"t-rex", "\U0001f996"},
        {"e-mail", "\U0001f4e7"},
        {"100", "\U0001f4af"},
        {"o", "\u2b55"},
        {"one", "1\ufe0f\u20e3"},
        {"us", "\U0001f1fa\U0001f1f8"},
        {"zzz", "\U0001f4a4"},
        {"family_man_woman_girl_boy", "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466"},
        {"wales", "\U0001f3f4\U000e0067\U000e0062\U000e0077\U000e006c\U000e0073\U000e007f"},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        ck_assert_pstr_eq(emoji_find(known[i].code, strlen(known[i].code)), known[i].text);
}
END_TEST

/* Each code is given as memory of its own, just as large as it is: AddressSanitizer sees who reads on. */
START_TEST(finds_every_code)
{
    for (size_t i = 0; i < emoji_code_count; i++) {
        size_t size = strlen(emoji_codes[i].code);
        char *code = malloc(size);
        ck_assert_ptr_nonnull(code);
        memcpy(code, emoji_codes[i].code, size);
        ck_assert_ptr_eq(emoji_find(code, size), emoji_codes[i].text);
        free(code);
    }
}
END_TEST

START_TEST(finds_nothing_else)
{
    static const struct {
        const char *bytes;
        size_t size;
    } unknown[] = {
        {"", 0},         {"nope", 4},     {"Smile", 5},   {"SMILE", 5},
        {"smil", 4},     {"smilee", 6},   {"smile\0", 6}, {"smile\0x", 7},
        {":smile:", 7},  {" smile", 6},   {"octocat", 7}, {"zzzz", 4},
        {"\xff\xff", 2}, {"\0\0\0\0", 4}, {"+", 1},       {"\xf0\x9f\x98\x84", 4},
    };
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++)
        if (emoji_find(unknown[i].bytes, unknown[i].size) != NULL)
            ck_abort_msg("'%s', %zu bytes, was found", unknown[i].bytes, unknown[i].size);
}
END_TEST

/* By every prefix of every code: as many as a walk through the table counts, and the first of them. */
START_TEST(completes_every_prefix)
{
    for (size_t i = 0; i < emoji_code_count; i++) {
        const char *code = emoji_codes[i].code;
        for (size_t size = 0; size <= strlen(code); size++) {
            size_t count, first = emoji_code_count, walked = 0;
            for (size_t k = 0; k < emoji_code_count; k++)
                if (strncmp(emoji_codes[k].code, code, size) == 0) {
                    first = k < first ? k : first;
                    walked++;
                }
            ck_assert_ptr_eq(emoji_complete(code, size, &count), &emoji_codes[first]);
            ck_assert_uint_eq(count, walked);
        }
    }
}
END_TEST

START_TEST(completes_nothing_else)
{
    static const char *const unknown[] = {"smilez", "Smi", ":", "zzzz", "\xff", " "};
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
        size_t count = 1;
        emoji_complete(unknown[i], strlen(unknown[i]), &count);
        ck_assert_uint_eq(count, 0);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("emoji_table");
    TCase *table = tcase_create("table");
    tcase_set_timeout(table, SUITE_TIMEOUT);
    tcase_add_test(table, is_in_byte_order);
    tcase_add_test(table, has_codes_of_the_alphabet);
    tcase_add_test(table, has_emoji_of_valid_utf8);
    tcase_add_test(table, knows_what_everybody_types);
    tcase_add_test(table, finds_every_code);
    tcase_add_test(table, finds_nothing_else);
    tcase_add_test(table, completes_every_prefix);
    tcase_add_test(table, completes_nothing_else);
    suite_add_tcase(suite, table);
    return suite_run("emoji_table_test", suite, NULL);
}
