/* chat_refusals - everything that the server refuses, each with its error code, and that nothing is
 * changed by it. */

#include "chat_suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- nothing has changed ----------------------------------------------------------------------- */

/* The world of these tests: ann in the lobby and in the den, bob in the lobby. */
static struct room_peer people[2], *const ann = &people[0], *const bob = &people[1];

static void begin(int _i)
{
    start_server("--rate", "0", "--max-line", "16384");
    meet(people, 2, "ann", "bob");
    say(ann, "{'type':'join_room','room':'den'}");
    expect(ann, "{'type':'room_joined','room':'den','users':['ann']}");
}

/* Nobody has heard of it, everybody is who and where they were, and the next line is served. */
static void nothing_has_changed(void)
{
    expect_silence(bob);
    say(ann, "{'type':'list_users'}");
    expect(ann, "{'type':'users','room':null,'users':['ann','bob']}");
    say(ann, "{'type':'list_rooms'}");
    expect(ann, "{'type':'rooms','rooms':[{'name':'den','users':1},{'name':'lobby','users':2}]}");
    say(ann, "{'type':'message','content':'still here'}");
    expect(ann, "{'type':'broadcast','from':'ann','room':'den','content':'still here'}");
}

struct refusal {
    const char *line, *code;
};

static void refuses_each(const struct refusal *refusals, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *with_id = strrchr(refusals[i].line, '}');
        ck_assert_msg(with_id != NULL, "%s is no object", refusals[i].line);
        say(ann, "%s", refusals[i].line);
        must(room_expect_error(ann, refusals[i].code, NULL) ||
             fault("%s\nto %s", fault_text(), refusals[i].line));
        nothing_has_changed();
        bool empty = strcmp(refusals[i].line, "{}") == 0;
        say(ann, "%.*s%s'id':%zu}", (int)(with_id - refusals[i].line), refusals[i].line,
            empty ? "" : ",", i);
        char id[24];
        snprintf(id, sizeof id, "%zu", i);
        expect_error(ann, refusals[i].code, id);
    }
}

#define REFUSES_EACH(refusals) refuses_each(refusals, sizeof(refusals) / sizeof(refusals)[0])

/* ---- before join ------------------------------------------------------------------------------- */

START_TEST(only_some_requests_before_join)
{
    static const char *const later[] = {"{'type':'nick','nickname':'eve'}",
                                        "{'type':'message','content':'x'}",
                                        "{'type':'message','content':'x','room':'lobby'}",
                                        "{'type':'private','to':'ann','content':'x'}",
                                        "{'type':'join_room','room':'den'}",
                                        "{'type':'leave_room','room':'lobby'}"};
    struct room_peer eve;
    begin(_i);
    must(room_connect(&eve, "eve", &server));
    for (size_t i = 0; i < sizeof later / sizeof later[0]; i++) {
        say(&eve, "%s", later[i]);
        expect_error(&eve, "not_joined", NULL);
        say(&eve, "{'id':'early',%s", later[i] + 1);
        expect_error(&eve, "not_joined", "'early'");
        expect_silence(ann);
        nothing_has_changed();
    }
    say(&eve, "{'type':'list_rooms'}");
    expect(&eve, "{'type':'rooms','rooms':[{'name':'den','users':1},{'name':'lobby','users':2}]}");
    say(&eve, "{'type':'join','nickname':'eve'}");
    expect(&eve, "{'type':'welcome','nickname':'eve','room':'lobby','users':['ann','bob','eve']}");
    stop_server();
}
END_TEST

START_TEST(a_join_that_fails_leaves_one_outside)
{
    static const struct refusal joins[] = {
        {"{'type':'join'}", "bad_request"},
        {"{'type':'join','nickname':5}", "bad_request"},
        {"{'type':'join','nickname':['eve']}", "bad_request"},
        {"{'type':'join','nickname':'eve','room':7}", "bad_request"},
        {"{'type':'join','nickname':''}", "bad_nickname"},
        {"{'type':'join','nickname':'e v e'}", "bad_nickname"},
        {"{'type':'join','nickname':'ANN'}", "nickname_taken"},
        {"{'type':'join','nickname':'bob','room':'den'}", "nickname_taken"},
        {"{'type':'join','nickname':'eve','room':''}", "bad_room"},
        {"{'type':'join','nickname':'eve','room':'a room'}", "bad_room"},
        {"{'type':'join','nickname':'eve','room':'a/b'}", "bad_room"},
    };
    struct room_peer eve;
    begin(_i);
    must(room_connect(&eve, "eve", &server));
    for (size_t i = 0; i < sizeof joins / sizeof joins[0]; i++) {
        say(&eve, "%s", joins[i].line);
        must(room_expect_error(&eve, joins[i].code, NULL) ||
             fault("%s\nto %s", fault_text(), joins[i].line));
        expect_silence(ann);
        nothing_has_changed();
        say(&eve, "{'type':'message','content':'x'}");
        expect_error(&eve, "not_joined", NULL);
    }
    say(&eve, "{'type':'join','nickname':'eve','room':'den','id':1}");
    expect(&eve, "{'type':'welcome','nickname':'eve','room':'den','users':['ann','eve'],'id':1}");
    expect(ann, "{'type':'user_joined','nickname':'eve','room':'den'}");
    stop_server();
}
END_TEST

/* ---- after join -------------------------------------------------------------------------------- */

START_TEST(requests_that_are_wrong)
{
    static const struct refusal refusals[] = {
        {"{}", "bad_request"},
        {"{'kind':'ping'}", "bad_request"},
        {"{'type':5}", "bad_request"},
        {"{'type':null}", "bad_request"},
        {"{'type':['ping']}", "bad_request"},
        {"{'type':''}", "unknown_type"},
        {"{'type':'dance'}", "unknown_type"},
        {"{'type':'PING'}", "unknown_type"},
        {"{'type':'ping '}", "unknown_type"},
        {"{'type':'pings'}", "unknown_type"},
        {"{'type':'pin'}", "unknown_type"},
        {"{'type':'broadcast','from':'bob','content':'x'}", "unknown_type"},
        {"{'type':'welcome'}", "unknown_type"},
        {"{'type':'join','nickname':'eve'}", "already_joined"},
        {"{'type':'join','nickname':'ann'}", "already_joined"},
        {"{'type':'nick'}", "bad_request"},
        {"{'type':'nick','nickname':1}", "bad_request"},
        {"{'type':'nick','nickname':null}", "bad_request"},
        {"{'type':'message'}", "bad_request"},
        {"{'type':'message','content':5}", "bad_request"},
        {"{'type':'message','content':null}", "bad_request"},
        {"{'type':'message','content':{'a':'b'}}", "bad_request"},
        {"{'type':'message','content':''}", "bad_request"},
        {"{'type':'message','content':'x','room':5}", "bad_request"},
        {"{'type':'message','content':'x','room':['den']}", "bad_request"},
        {"{'type':'message','content':'x','room':'nowhere'}", "not_in_room"},
        {"{'type':'private','content':'x'}", "bad_request"},
        {"{'type':'private','to':'bob'}", "bad_request"},
        {"{'type':'private','to':'bob','content':''}", "bad_request"},
        {"{'type':'private','to':5,'content':'x'}", "bad_request"},
        {"{'type':'private','to':'bob','content':true}", "bad_request"},
        {"{'type':'private','to':'nobody','content':'x'}", "no_such_user"},
        {"{'type':'private','to':'bobb','content':'x'}", "no_such_user"},
        {"{'type':'private','to':'bo','content':'x'}", "no_such_user"},
        {"{'type':'private','to':'lobby','content':'x'}", "no_such_user"},
        {"{'type':'list_users','room':5}", "bad_request"},
        {"{'type':'join_room'}", "bad_request"},
        {"{'type':'join_room','room':5}", "bad_request"},
        {"{'type':'join_room','room':null}", "bad_request"},
        {"{'type':'join_room','room':''}", "bad_room"},
        {"{'type':'join_room','room':'a b'}", "bad_room"},
        {"{'type':'join_room','room':'#den'}", "bad_room"},
        {"{'type':'join_room','room':'d\\u00e9n'}", "bad_room"},
        {"{'type':'join_room','room':'123456789012345678901234567890123'}", "bad_room"},
        {"{'type':'join_room','room':'den'}", "already_joined"},
        {"{'type':'join_room','room':'lobby'}", "already_joined"},
        {"{'type':'leave_room'}", "bad_request"},
        {"{'type':'leave_room','room':false}", "bad_request"},
        {"{'type':'leave_room','room':'nowhere'}", "not_in_room"},
    };
    begin(_i);
    REFUSES_EACH(refusals);
    stop_server();
}
END_TEST

START_TEST(a_room_one_is_not_in)
{
    begin(_i);
    say(bob, "{'type':'message','content':'x','room':'den','id':'a'}");
    expect_error(bob, "not_in_room", "'a'");
    say(bob, "{'type':'leave_room','room':'den','id':'b'}");
    expect_error(bob, "not_in_room", "'b'");
    expect_silence(ann);
    nothing_has_changed();
    stop_server();
}
END_TEST

START_TEST(ten_rooms_at_most)
{
    start_server("--rate", "0");
    struct room_peer eve;
    come(&eve, "eve", "lobby");
    for (int i = 1; i < 10; i++) {
        say(&eve, "{'type':'join_room','room':'r%d'}", i);
        expect(&eve, "{'type':'room_joined','room':'r%d','users':['eve']}", i);
    }
    for (int i = 0; i < 3; i++) {
        say(&eve, "{'type':'join_room','room':'one-more','id':%d}", i);
        expect(&eve, "{'type':'error','code':'too_many_rooms','id':%d}", i);
    }
    say(&eve, "{'type':'join_room','room':'r9'}");
    expect_error(&eve, "already_joined", NULL);
    say(&eve, "{'type':'message','content':'x'}");
    expect(&eve, "{'type':'broadcast','from':'eve','room':'r9','content':'x'}");
    say(&eve, "{'type':'leave_room','room':'r5'}");
    expect(&eve, "{'type':'room_left','room':'r5'}");
    say(&eve, "{'type':'join_room','room':'one-more'}");
    expect(&eve, "{'type':'room_joined','room':'one-more','users':['eve']}");
    say(&eve, "{'type':'list_rooms'}");
    json_t *rooms = room_next_of(&eve, "rooms");
    must(rooms != NULL);
    ck_assert_uint_eq(json_array_size(json_object_get(rooms, "rooms")), 10);
    json_decref(rooms);
    stop_server();
}
END_TEST

/* ---- names ------------------------------------------------------------------------------------- */

START_TEST(nicknames_that_are_allowed)
{
    static const char *const names[] = {"a",
                                        "Z",
                                        "0",
                                        "_",
                                        "-",
                                        ".",
                                        "..",
                                        "--help",
                                        "123456789012345678901234",
                                        "ABCDEFGHIJKLMNOPQRSTUVWX",
                                        "YZabcdefghijklmnopqrstuv",
                                        "wxyz0123456789_-.",
                                        "null",
                                        "lobby"};
    start_server("--rate", "0");
    struct room_peer eve;
    come(&eve, "eve", "lobby");
    const char *old = "eve";
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        say(&eve, "{'type':'nick','nickname':'%s'}", names[i]);
        expect(&eve, "{'type':'nick_changed','old':'%s','nickname':'%s'}", old, names[i]);
        say(&eve, "{'type':'private','to':'%s','content':'x'}", names[i]);
        expect(&eve, "{'type':'private','from':'%s','to':'%s','content':'x'}", names[i], names[i]);
        old = names[i];
    }
    stop_server();
}
END_TEST

START_TEST(every_byte_in_a_nickname)
{
    begin(_i);
    for (int c = 1; c < 128; c++) {
        bool allowed = strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.",
                              c) != NULL;
        say(ann, "{'type':'nick','nickname':'a\\u%04x'}", (unsigned)c);
        if (!allowed) {
            must(room_expect_error(ann, "bad_nickname", NULL) ||
                 fault("%s\nto a nickname with \\u%04x", fault_text(), (unsigned)c));
            continue;
        }
        for (size_t i = 0; i < 2; i++)
            expect(&people[i], "{'type':'nick_changed','old':'ann','nickname':'a%c'}", c);
        say(ann, "{'type':'nick','nickname':'ann'}");
        for (size_t i = 0; i < 2; i++)
            expect(&people[i], "{'type':'nick_changed','old':'a%c','nickname':'ann'}", c);
    }
    nothing_has_changed();
    stop_server();
}
END_TEST

START_TEST(nicknames_that_are_refused)
{
    static const struct refusal refusals[] = {
        {"{'type':'nick','nickname':''}", "bad_nickname"},
        {"{'type':'nick','nickname':' '}", "bad_nickname"},
        {"{'type':'nick','nickname':'1234567890123456789012345'}", "bad_nickname"},
        {"{'type':'nick','nickname':'\xc3\xa9ve'}", "bad_nickname"},
        {"{'type':'nick','nickname':'\xd0\xb0nn'}", "bad_nickname"},
        {"{'type':'nick','nickname':'\xf0\x9f\x98\x80'}", "bad_nickname"},
        {"{'type':'nick','nickname':'\\u202eeve'}", "bad_nickname"},
        {"{'type':'nick','nickname':'eve\\n'}", "bad_nickname"},
        {"{'type':'nick','nickname':'\\u001b[31meve'}", "bad_nickname"},
        {"{'type':'nick','nickname':'bob'}", "nickname_taken"},
        {"{'type':'nick','nickname':'BOB'}", "nickname_taken"},
        {"{'type':'nick','nickname':'boB'}", "nickname_taken"},
    };
    begin(_i);
    REFUSES_EACH(refusals);
    stop_server();
}
END_TEST

START_TEST(a_rooms_longest_name)
{
    start_server("--rate", "0");
    struct room_peer eve;
    come(&eve, "eve", "12345678901234567890123456789012");
    say(&eve, "{'type':'join_room','room':'aZ09_-.'}");
    expect(&eve, "{'type':'room_joined','room':'aZ09_-.','users':['eve']}");
    stop_server();
}
END_TEST

/* ---- content ----------------------------------------------------------------------------------- */

/* What ann says arrives at bob as the same string. */
static void passes_unchanged(const char *content)
{
    say(ann, "{'type':'message','room':'lobby','content':%s}", content);
    for (size_t i = 0; i < 2; i++)
        expect(&people[i], "{'type':'broadcast','from':'ann','room':'lobby','content':%s}",
               content);
    say(ann, "{'type':'private','to':'bob','content':%s}", content);
    for (size_t i = 0; i < 2; i++)
        expect(&people[i], "{'type':'private','from':'ann','to':'bob','content':%s}", content);
}

START_TEST(content_passes_unchanged)
{
    static const char *const contents[] = {
        "' '",
        "'  two  blanks  '",
        "'\\u0022\\u0027'",
        "'\\\\'",
        "'\\\\n is not \\n'",
        "'\\/'",
        "'\\b\\f\\n\\r\\t'",
        "'\\u0001\\u0002\\u001b\\u001f\\u007f\\u0080\\u009f'",
        "'\\u001b[31mred\\u001b]0;title\\u0007'",
        "'{\\u0022type\\u0022:\\u0022ping\\u0022}\\n'",
        "'\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80'",
        "'\\u00e9 \\u20ac \\ud83d\\ude00'",
        "'\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x92\xbb e\xcc\x81'",
        "'\\u202egnirts\\u202c \\u2066x\\u2069 \\u200f'",
        "'\\ufeff\\uffff\\ufffd\\ufffe\xf4\x8f\xbf\xbf'",
        "'\\u2028\\u2029\\u0085'",
        "'%%s%%n %%d'",
        "'<b>&amp;</b>'",
        "'null'",
    };
    begin(_i);
    for (size_t i = 0; i < sizeof contents / sizeof contents[0]; i++)
        passes_unchanged(contents[i]);
    char every[16] = ""; /* each character of one byte but NUL */
    for (unsigned c = 1; c < 128; c++) {
        snprintf(every, sizeof every, "'\\u%04x'", c);
        passes_unchanged(every);
    }
    stop_server();
}
END_TEST

/* count times the text, in quotes; the caller frees it. */
static char *repeat(const char *text, size_t count, const char *after)
{
    size_t length = strlen(text), rest = strlen(after);
    char *all = malloc(count * length + rest + 3);
    ck_assert_ptr_nonnull(all);
    char *end = all;
    *end++ = '"';
    for (; count > 0; count--, end += length)
        memcpy(end, text, length);
    memcpy(end, after, rest);
    memcpy(end + rest, "\"", 2);
    return all;
}

START_TEST(content_has_at_most_4096_bytes)
{
    static const struct {
        const char *text;
        size_t count;
        const char *after;
        bool fits;
    } sizes[] = {
        {"x", 1, "", true},
        {"x", 4095, "", true},
        {"x", 4096, "", true},
        {"x", 4097, "", false},
        {"\xf0\x9f\x98\x80", 1024, "", true},
        {"\xf0\x9f\x98\x80", 1024, "x", false},
        {"\xc3\xa9", 2047, "xx", true},
        {"\xc3\xa9", 2047, "xxx", false},
        {"\xe2\x82\xac", 1365, "x", true},
        {"\xe2\x82\xac", 1366, "", false}, /* fewer characters than 4096 */
        {"\\n", 4096, "", true},           /* more bytes in the line than in the content */
        {"\\n", 4097, "", false},
        {"\\u00e9", 2048, "", true},
        {"\\u00e9", 2048, "x", false},
        {"x", 8000, "", false},
    };
    begin(_i);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        char *content = repeat(sizes[i].text, sizes[i].count, sizes[i].after);
        if (sizes[i].fits) {
            passes_unchanged(content);
        } else {
            say(ann, "{'type':'message','content':%s,'id':1}", content);
            expect_error(ann, "bad_request", "1");
            say(ann, "{'type':'private','to':'bob','content':%s,'id':2}", content);
            expect_error(ann, "bad_request", "2");
            nothing_has_changed();
        }
        free(content);
    }
    stop_server();
}
END_TEST

/* ---- JSON -------------------------------------------------------------------------------------- */

/* A line with bytes of any value, whose length is known. */
struct bytes {
    const char *text;
    size_t size;
};
/* NOLINTNEXTLINE(bugprone-macro-parentheses): the text is a string literal */
#define BYTES(literal)               \
    {                                \
        literal, sizeof(literal) - 1 \
    }

static const struct bytes no_json[] = {
    /* no object */
    BYTES("hello"),
    BYTES("{"),
    BYTES("}"),
    BYTES("[]"),
    BYTES("[{\"type\":\"ping\"}]"),
    BYTES("5"),
    BYTES("\"ping\""),
    BYTES("null"),
    BYTES("true"),
    BYTES("NaN"),
    /* truncated, or with something after it */
    BYTES("{\"type\":\"ping\""),
    BYTES("{\"type\":\"ping"),
    BYTES("{\"type\":"),
    BYTES("{\"type\""),
    BYTES("{\"type\":\"ping\"}}"),
    BYTES("{\"type\":\"ping\"} x"),
    BYTES("{\"type\":\"ping\"},"),
    BYTES("{\"type\":\"ping\"}{\"type\":\"ping\"}"),
    BYTES("{\"type\":\"ping\"} {\"type\":\"ping\"}"),
    BYTES("{\"type\":\"ping\"}\0"),
    BYTES("x{\"type\":\"ping\"}"),
    /* grammar */
    BYTES("{\"type\":\"ping\",}"),
    BYTES("{,\"type\":\"ping\"}"),
    BYTES("{\"type\" \"ping\"}"),
    BYTES("{\"type\"=\"ping\"}"),
    BYTES("{'type':'ping'}"),
    BYTES("{type:\"ping\"}"),
    BYTES("{\"type\":ping}"),
    BYTES("{1:2,\"type\":\"ping\"}"),
    BYTES("{\"type\":\"ping\",\"x\":[1,]}"),
    BYTES("{\"type\":\"ping\",\"x\":[1}}"),
    BYTES("{\"type\":\"ping\" /* so */}"),
    BYTES("{\"type\":\"ping\"} // so"),
    BYTES("# {\"type\":\"ping\"}"),
    /* numbers and words */
    BYTES("{\"type\":\"ping\",\"x\":NaN}"),
    BYTES("{\"type\":\"ping\",\"x\":Infinity}"),
    BYTES("{\"type\":\"ping\",\"x\":-Infinity}"),
    BYTES("{\"type\":\"ping\",\"x\":01}"),
    BYTES("{\"type\":\"ping\",\"x\":+1}"),
    BYTES("{\"type\":\"ping\",\"x\":.5}"),
    BYTES("{\"type\":\"ping\",\"x\":1.}"),
    BYTES("{\"type\":\"ping\",\"x\":-}"),
    BYTES("{\"type\":\"ping\",\"x\":0x10}"),
    BYTES("{\"type\":\"ping\",\"x\":1e}"),
    BYTES("{\"type\":\"ping\",\"x\":True}"),
    BYTES("{\"type\":\"ping\",\"x\":undefined}"),
    /* duplicate keys */
    BYTES("{\"type\":\"ping\",\"type\":\"ping\"}"),
    BYTES("{\"type\":\"ping\",\"type\":\"quit\"}"),
    BYTES("{\"type\":\"ping\",\"x\":{\"a\":1,\"a\":2}}"),
    BYTES("{\"type\":\"ping\",\"x\":[{\"a\":1,\"b\":0,\"a\":1}]}"),
    BYTES("{\"type\":\"ping\",\"a\":1,\"\\u0061\":2}"),
    BYTES("{\"type\":\"ping\",\"\":1,\"\":2}"),
    /* invalid UTF-8 */
    BYTES("{\"type\":\"ping\",\"x\":\"\xff\"}"),
    BYTES("{\"type\":\"ping\",\"x\":\"\xfe\xff\"}"),
    BYTES("{\"type\":\"ping\",\"x\":\"\x80\"}"),
    BYTES("{\"type\":\"ping\",\"x\":\"\xc3\"}"),
    BYTES("{\"type\":\"ping\",\"x\":\"\xc3(\"}"),
    BYTES("{\"type\":\"ping\",\"x\":\"\xe2\x82\"}"),
    BYTES("{\"type\":\"ping\",\"x\":\"\xf0\x9f\x98\"}"),
    BYTES("{\"type\":\"ping\",\"x\":\"\xc0\x80\"}"),
    BYTES("{\"type\":\"ping\",\"x\":\"\xc0\xaf\"}"),
    BYTES("{\"type\":\"ping\",\"x\":\"\xe0\x80\xaf\"}"),
    BYTES("{\"type\":\"ping\",\"x\":\"\xf0\x80\x80\xaf\"}"),
    BYTES("{\"type\":\"ping\",\"x\":\"\xed\xa0\x80\"}"),
    BYTES("{\"type\":\"ping\",\"x\":\"\xed\xbf\xbf\"}"),
    BYTES("{\"type\":\"ping\",\"x\":\"\xf4\x90\x80\x80\"}"),
    BYTES("{\"type\":\"ping\",\"x\":\"\xf8\x88\x80\x80\x80\"}"),
    BYTES("{\"type\":\"ping\",\"\xff\":1}"),
    BYTES("{\"type\":\"ping\"}\xff"),
    BYTES("\xef\xbb\xbf{\"type\":\"ping\"}"),
    /* escapes */
    BYTES("{\"type\":\"ping\",\"x\":\"\\ud800\"}"),
    BYTES("{\"type\":\"ping\",\"x\":\"\\udc00\"}"),
    BYTES("{\"type\":\"ping\",\"x\":\"\\udfff\"}"),
    BYTES("{\"type\":\"ping\",\"x\":\"\\ud83dx\"}"),
    BYTES("{\"type\":\"ping\",\"x\":\"\\ud83d\\u0041\"}"),
    BYTES("{\"type\":\"ping\",\"x\":\"\\ud83d\\ud83d\"}"),
    BYTES("{\"type\":\"ping\",\"x\":\"\\ude00\\ud83d\"}"),
    BYTES("{\"type\":\"ping\",\"\\ud800\":1}"),
    BYTES("{\"type\":\"ping\",\"x\":\"\\u0000\"}"),
    BYTES("{\"type\":\"ping\",\"x\":\"a\\u0000b\"}"),
    BYTES("{\"type\":\"ping\",\"\\u0000\":1}"),
    BYTES("{\"type\":\"ping\",\"a\\u0000\":1}"),
    BYTES("{\"type\":\"ping\\u0000\"}"),
    BYTES("{\"type\":\"ping\",\"x\":\"\\u12\"}"),
    BYTES("{\"type\":\"ping\",\"x\":\"\\u12g4\"}"),
    BYTES("{\"type\":\"ping\",\"x\":\"\\x41\"}"),
    BYTES("{\"type\":\"ping\",\"x\":\"\\a\"}"),
    BYTES("{\"type\":\"ping\",\"x\":\"\\\"}"),
    /* raw bytes that JSON has only as escapes */
    BYTES("{\"type\":\"ping\",\"x\":\"\0\"}"),
    BYTES("{\"type\":\"ping\",\0\"x\":1}"),
    BYTES("\0"),
    BYTES("\0{\"type\":\"ping\"}"),
    BYTES("{\"type\":\"ping\",\"x\":\"\t\"}"),
    BYTES("{\"type\":\"ping\",\"x\":\"\x1b[31m\"}"),
    BYTES("{\"type\":\"ping\",\"x\":\"\x01\"}"),
    BYTES("{\"type\":\"ping\",\"x\":\"a\rb\"}"),
};

static void sends_line(struct room_peer *p, const char *line, size_t size)
{
    must(room_send(p, line, size));
    must(room_send(p, "\n", 1));
}

START_TEST(strict_json)
{
    begin(_i);
    for (size_t i = 0; i < sizeof no_json / sizeof no_json[0]; i++) {
        sends_line(ann, no_json[i].text, no_json[i].size);
        must(room_expect_error(ann, "bad_json", NULL) ||
             fault("%s\nto %s", fault_text(), no_json[i].text));
        must(room_expect_silence(ann) || fault("%s\nafter %s", fault_text(), no_json[i].text));
    }
    nothing_has_changed();
    stop_server();
}
END_TEST

START_TEST(json_that_looks_odd)
{
    static const char *const lines[] = {
        " {'type':'ping'}",
        "{'type':'ping'} ",
        "\t{ \t 'type' \t : \t 'ping' \t } \t",
        "{'\\u0074ype':'\\u0070ing'}",
        "{'type':'ping','x':'\\u2603 \\/ \\b'}",
        "{'type':'ping','x':'\\ud83d\\ude00'}",
        "{'type':'ping','x':'\\udbff\\udfff'}",
        "{'type':'ping','x':'\x7f'}",
        "{'type':'ping','x':'\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf'}",
        "{'type':'ping','x':[0,-0,1.5e+3,-2E-2,true,false,null,{},[]]}",
        "{'type':'ping','':{'':''}}",
        "{'type':'ping','x':'[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[['}",
        "{'type':'ping','x':'\\\\\\u0022{{{{{{{{{{{{{{{{{{{{{{{{{'}",
        "{'type':'ping','a':{'x':1},'b':{'x':1},'x':1}",
        "{'type':'ping','x':[[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[]]}",
        "{'type':'ping','x':'\\u0022','y':[1]}",
    };
    begin(_i);
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        say(ann, "%s", lines[i]);
        must(room_expect(ann, "{'type':'pong'}") || fault("%s\nto %s", fault_text(), lines[i]));
    }
    stop_server();
}
END_TEST

/* A ping with something in it that makes it so deep; made of arrays, of objects or of both in
 * turn. */
static void ping_of_depth(int depth, int made_of)
{
    char line[80000] = "{\"type\":\"ping\",\"x\":";
    char *c = line + strlen(line);
    for (int i = 1; i < depth; i++)
        c = stpcpy(c, made_of == 0 || (made_of == 2 && i % 2) ? "[" : "{\"a\":");
    if (c[-1] == ':')
        *c++ = '1';
    for (int i = depth - 1; i >= 1; i--)
        *c++ = made_of == 0 || (made_of == 2 && i % 2) ? ']' : '}';
    *c++ = '}';
    *c++ = '\n';
    must(room_send(ann, line, (size_t)(c - line)));
}

START_TEST(nesting_has_a_bound)
{
    begin(_i);
    for (int made_of = 0; made_of < 3; made_of++) {
        for (int depth = 2; depth <= 16; depth++) {
            ping_of_depth(depth, made_of);
            must(room_expect(ann, "{'type':'pong'}") ||
                 fault("%s\nto a nesting of %d", fault_text(), depth));
        }
        for (int depth = 17; depth < 2500; depth = depth < 40 ? depth + 1 : depth * 2) {
            ping_of_depth(depth, made_of);
            must(room_expect_error(ann, "bad_json", NULL) ||
                 fault("%s\nto a nesting of %d", fault_text(), depth));
            expect_silence(ann);
        }
    }
    char open[8000]; /* and one that never closes */
    memset(open, '[', sizeof open);
    sends_line(ann, open, sizeof open);
    expect_error(ann, "bad_json", NULL);
    nothing_has_changed();
    stop_server();
}
END_TEST

void chat_refusals(Suite *suite)
{
    TCase *group = chat_group(suite, "refusals");
    tcase_add_test(group, only_some_requests_before_join);
    tcase_add_test(group, a_join_that_fails_leaves_one_outside);
    tcase_add_loop_test(group, requests_that_are_wrong, 0, BACKENDS);
    tcase_add_test(group, a_room_one_is_not_in);
    tcase_add_test(group, ten_rooms_at_most);
    tcase_add_test(group, nicknames_that_are_allowed);
    tcase_add_test(group, every_byte_in_a_nickname);
    tcase_add_test(group, nicknames_that_are_refused);
    tcase_add_test(group, a_rooms_longest_name);
    tcase_add_test(group, content_passes_unchanged);
    tcase_add_test(group, content_has_at_most_4096_bytes);
    tcase_add_test(group, strict_json);
    tcase_add_test(group, json_that_looks_odd);
    tcase_add_test(group, nesting_has_a_bound);
}
