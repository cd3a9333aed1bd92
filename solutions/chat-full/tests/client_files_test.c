/*
 * client_files_test - /send, /get and /cancel, with servers and strangers who mean well, and
 * others.
 *
 * The client runs between a user and a server that are this test (stage.h), in a folder of its own.
 */

#include "../../../lessons/14-chat/tests/stage.h"
#include "testkit/fault.h"
#include "testkit/suite.h"
#include "testkit/wait.h"
#include "workspace.h"

#include <fcntl.h>
#include <locale.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define ID       "0123456789abcdef0123456789abcdef"
#define OTHER_ID "fedcba9876543210fedcba9876543210"

enum { CHUNK = 4096, SIZE = 3 * CHUNK + 100, HEX_SIZE = 65 };

static unsigned char content[SIZE];

/* Bytes that show where they belong. */
static void fill(void)
{
    for (size_t i = 0; i < SIZE; i++)
        content[i] = (unsigned char)(i * 7 + i / 251);
}

static void sum_of(const void *bytes, size_t size, char hex[HEX_SIZE])
{
    unsigned char sum[crypto_hash_sha256_BYTES];
    crypto_hash_sha256(sum, bytes, size);
    sodium_bin2hex(hex, HEX_SIZE, sum, sizeof sum);
}

/* ---- the server --------------------------------------------------------------------------------- */

/* Announce the content under a name that is JSON. */
static void announce(const char *name)
{
    char sum[HEX_SIZE];
    sum_of(content, SIZE, sum);
    stage_say("{\"type\":\"file_shared\",\"file\":\"" ID
              "\",\"from\":\"bob\",\"name\":%s,\"size\":%d,"
              "\"sha256\":\"%s\",\"room\":\"lobby\",\"timestamp\":\"2024-01-15 10:30:00\"}",
              name, SIZE, sum);
}

/* The next request is of that type, for the file with this id, with an offset unless that is -1.
 * Returns its id. */
static int expect_file(const char *type, const char *file, int offset)
{
    json_t *request = stage_next();
    ck_assert_str_eq(json_string_value(json_object_get(request, "type")), type);
    ck_assert_str_eq(json_string_value(json_object_get(request, "file")), file);
    if (offset != -1)
        ck_assert_int_eq(json_integer_value(json_object_get(request, "offset")), offset);
    int id = (int)json_integer_value(json_object_get(request, "id"));
    json_decref(request);
    return id;
}

/* Send one chunk as a server may; id: 0 for a further one. */
static void send_data(int offset, int size, const void *bytes, size_t count, int id)
{
    char text[2 * CHUNK];
    char end[32] = "";
    sodium_bin2base64(text, sizeof text, bytes, count, sodium_base64_VARIANT_ORIGINAL);
    if (id != 0)
        snprintf(end, sizeof end, ",\"id\":%d", id);
    stage_say("{\"type\":\"file_data\",\"file\":\"" ID
              "\",\"offset\":%d,\"size\":%d,\"data\":\"%s\"%s}",
              offset, size, text, end);
}

/* Send the content from offset up to end. */
static void send_content(int offset, int end, int id)
{
    for (; offset < end; offset += CHUNK, id = 0)
        send_data(offset, SIZE, content + offset,
                  end - offset < CHUNK ? (size_t)(end - offset) : CHUNK, id);
}

/* The client, joined, that knows of a file. */
static void start_announced(const char *name)
{
    fill();
    workspace_start(100, NULL);
    announce(name);
    stage_await_text("shares");
}

static void expect_content(const char *path)
{
    size_t size = 0;
    char *bytes = workspace_read(path, &size);
    ck_assert_msg(bytes != NULL, "%s is not there; the screen shows\n%s", path,
                  screen_text(&stage.screen));
    ck_assert_uint_eq(size, SIZE);
    ck_assert_mem_eq(bytes, content, SIZE);
    free(bytes);
}

static void expect_text_file(const char *path, const char *text)
{
    size_t size = 0;
    char *bytes = workspace_read(path, &size);
    ck_assert_msg(bytes != NULL, "%s is not there", path);
    ck_assert_str_eq(bytes, text);
    free(bytes);
}

/* Nothing but the answer to this has been sent: the client has no more to say. */
static void expect_nothing_sent(void)
{
    stage_say("{\"type\":\"ping\"}");
    stage_expect("ping", "type", "ping");
}

/* ---- /get --------------------------------------------------------------------------------------- */

START_TEST(tells_of_a_file)
{
    start_announced("\"no\\u001b[2Jtes.pdf\"");
    stage_await_text("bob shares no^[[2Jtes.pdf, 12 kB: /get 01234567");
    stage_type("/get 0\t");
    stage_await_line("lobby> /get " ID);
    stage_type("\025");
    stage_say("{\"type\":\"file_shared\",\"file\":\"" OTHER_ID
              "\",\"from\":\"bob\",\"name\":\"b\",\"size\":1,"
              "\"sha256\":\"" ID ID "\",\"to\":\"alice\"}");
    stage_await_text("bob shares b with alice, 1 byte: /get fedcba98");
    stage_say("{\"type\":\"file_shared\",\"file\":\"" OTHER_ID
              "\",\"from\":\"bob\",\"name\":\"c\",\"size\":1,"
              "\"sha256\":\"" ID ID "\",\"room\":\"dev\"}");
    stage_await_text("[dev] bob shares c, 1 byte: /get fedcba98");
    stage_say("{\"type\":\"file_shared\",\"file\":\"" OTHER_ID
              "\",\"from\":\"bob\",\"name\":\"d\",\"size\":1,"
              "\"sha256\":\"" ID ID "\",\"room\":\"LOBBY\"}");
    stage_await_text("[LOBBY] bob shares d, 1 byte: /get fedcba98");
}
END_TEST

START_TEST(fetches_a_file)
{
    struct stat status;
    start_announced("\"notes.pdf\"");
    stage_type("/get 01234567\r");
    int id = expect_file("file_get", ID, 0);
    send_content(0, 2 * CHUNK, id);
    stage_await_text("fetching notes.pdf [#############.......]  66 % of 12 kB 01234567");
    stage_type("chat meanwhile\r");
    stage_expect("message", "content", "chat meanwhile");
    send_content(2 * CHUNK, SIZE, 0);
    stage_await_text("downloads/notes.pdf is there, 12 kB");
    stage_await_line("lobby>");
    ck_assert_int_eq(screen_find(&stage.screen, "fetching"), -1);
    expect_content("downloads/notes.pdf");
    ck_assert_uint_eq(workspace_count("downloads"), 1);
    ck_assert_int_eq(stat("downloads", &status), 0);
    ck_assert_uint_eq(status.st_mode & 0777, 0700);
    expect_nothing_sent();
}
END_TEST

/* What a stranger calls his file, and what becomes of it. */
START_TEST(makes_a_name_safe)
{
    static const char *const names[][2] = {
        {"\"../../x\"", "x"},
        {"\"/etc/passwd\"", "passwd"},
        {"\".\"", "file"},
        {"\"..\"", "file"},
        {"\"...\"", "file"},
        {"\"/\"", "file"},
        {"\"../\"", "file"},
        {"\"a/b\"", "b"},
        {"\"a/b/\"", "b"},
        {"\".bashrc\"", "bashrc"},
        {"\"-rf\"", "rf"},
        {"\" x \"", "x"},
        {"\"a\\u001b[2J\\n\\tb\"", "a_[2J__b"},
        {"\"a\\u202efdp.exe\"", "a_fdp.exe"},
        {"\"\\u200b\"", "_"},
        {"\"caf\\u00e9.txt\"", "caf\xc3\xa9.txt"},
        {"\"\\ud83d\\ude04\"", "\xf0\x9f\x98\x84"},
    };
    char path[512];
    start_announced(names[_i][0]);
    stage_type("/get 01234567\r");
    send_content(0, SIZE, expect_file("file_get", ID, 0));
    stage_await_text("is there, 12 kB");
    snprintf(path, sizeof path, "downloads/%s", names[_i][1]);
    expect_content(path);
    ck_assert_uint_eq(workspace_count("downloads"), 1);
    ck_assert_uint_eq(workspace_count("."), 1);
}
END_TEST

/* 300 bytes, of which the last that fit are the first half of a character. */
START_TEST(cuts_a_name_between_characters)
{
    char name[512];
    char kept[512];
    size_t length = 0;
    for (int i = 0; i < 147; i++)
        length += (size_t)snprintf(name + length, sizeof name - length, "\xc3\xa9");
    snprintf(name + length, sizeof name - length, "a.tar");
    for (length = 0; length + 2 <= 255 - 4;)
        length += (size_t)snprintf(kept + length, sizeof kept - length, "\xc3\xa9");
    snprintf(kept + length, sizeof kept - length, ".tar");
    char quoted[520];
    char path[600];
    snprintf(quoted, sizeof quoted, "\"%s\"", name);
    start_announced(quoted);
    stage_type("/get 01234567\r");
    send_content(0, SIZE, expect_file("file_get", ID, 0));
    stage_await_text("is there, 12 kB");
    snprintf(path, sizeof path, "downloads/%s", kept);
    expect_content(path);
}
END_TEST

START_TEST(replaces_no_file)
{
    fill();
    workspace_start(100, NULL);
    mkdir("downloads", 0755);
    workspace_write("downloads/notes.tar.gz", "mine", 4);
    ck_assert_int_eq(symlink("../outside", "downloads/notes.tar (1).gz"), 0);
    ck_assert_int_eq(mkdir("downloads/notes.tar (2).gz", 0755), 0);
    announce("\"notes.tar.gz\"");
    stage_await_text("shares");
    stage_type("/get 01234567\r");
    send_content(0, SIZE, expect_file("file_get", ID, 0));
    stage_await_text("downloads/notes.tar (3).gz is there");
    expect_text_file("downloads/notes.tar.gz", "mine");
    expect_content("downloads/notes.tar (3).gz");
    ck_assert_int_eq(access("outside", F_OK), -1);
}
END_TEST

/* Somebody was at the folder before us, and left something where the file is to come in. */
START_TEST(writes_through_no_link)
{
    fill();
    workspace_start(100, NULL);
    workspace_write("outside", "mine", 4);
    mkdir("downloads", 0755);
    switch (_i) {
    case 0:
        ck_assert_int_eq(symlink("../outside", "downloads/." ID ".part"), 0);
        break;
    case 1:
        ck_assert_int_eq(link("outside", "downloads/." ID ".part"), 0);
        break;
    case 2:
        ck_assert_int_eq(mkfifo("downloads/." ID ".part", 0600), 0);
        break;
    case 3:
        ck_assert_int_eq(mkdir("downloads/." ID ".part", 0755), 0);
        break;
    default:
        ck_assert_int_eq(rmdir("downloads"), 0);
        ck_assert_int_eq(mkdir("elsewhere", 0755), 0);
        ck_assert_int_eq(symlink("elsewhere", "downloads"), 0);
        break;
    }
    announce("\"notes.pdf\"");
    stage_await_text("shares");
    stage_type("/get 01234567\r");
    stage_await_text(_i < 4 ? "in downloads: File exists" : "downloads: ");
    expect_nothing_sent();
    expect_text_file("outside", "mine");
    ck_assert_uint_eq(workspace_count("elsewhere"), 0);
    stage_await_line("lobby> /get 01234567"); /* it is still there, to be tried again */
}
END_TEST

/* The link is at the place of what is written down about a file, for another day. */
START_TEST(notes_through_no_link)
{
    start_announced("\"notes.pdf\"");
    mkdir("downloads", 0755);
    workspace_write("outside", "mine", 4);
    ck_assert_int_eq(symlink("../outside", "downloads/." ID ".note"), 0);
    stage_type("/get 01234567\r");
    send_content(0, SIZE, expect_file("file_get", ID, 0));
    stage_await_text("downloads/notes.pdf is there");
    expect_text_file("outside", "mine");
}
END_TEST

START_TEST(believes_no_liar)
{
    static unsigned char wrong[SIZE];
    static const char *const said[] = {
        "another size than was announced",      "another part of it than the next one",
        "another part of it than the next one", "more than was announced",
        "what is no chunk of a file",           "what is no chunk of a file",
        "a chunk with nothing in it",           "its SHA-256 is not the one announced",
        "another size than was announced",
    };
    unsigned char big[CHUNK + 1] = {0};
    start_announced("\"notes.pdf\"");
    stage_type("/get 01234567\r");
    int id = expect_file("file_get", ID, 0);
    switch (_i) {
    case 0: /* the size lies */
        send_data(0, SIZE + 1, content, CHUNK, id);
        break;
    case 1: /* not the beginning */
        send_data(CHUNK, SIZE, content, CHUNK, id);
        break;
    case 2: /* the same again */
        send_data(0, SIZE, content, CHUNK, id);
        send_data(0, SIZE, content, CHUNK, 0);
        break;
    case 3: /* more than promised */
        send_content(0, 3 * CHUNK, id);
        send_data(3 * CHUNK, SIZE, content, 101, 0);
        break;
    case 4: /* a chunk that is too big */
        send_data(0, SIZE, big, sizeof big, id);
        break;
    case 5:
        stage_say("{\"type\":\"file_data\",\"file\":\"" ID "\",\"offset\":0,\"size\":%d,"
                  "\"data\":\"no base64!\",\"id\":%d}",
                  SIZE, id);
        break;
    case 6:
        send_data(0, SIZE, content, 0, id);
        break;
    case 7: /* other bytes */
        send_data(0, SIZE, wrong, CHUNK, id);
        send_data(CHUNK, SIZE, wrong, CHUNK, 0);
        send_data(2 * CHUNK, SIZE, wrong, CHUNK, 0);
        send_data(3 * CHUNK, SIZE, wrong, 100, 0);
        break;
    default: /* fields of the wrong type */
        stage_say("{\"type\":\"file_data\",\"file\":\"" ID "\",\"offset\":\"0\",\"size\":[],"
                  "\"data\":null,\"id\":%d}",
                  id);
        break;
    }
    stage_await_text("notes.pdf has not come: ");
    stage_await_text(said[_i]);
    if (_i != 7) {
        id = expect_file("file_cancel", ID, -1);
        stage_say("{\"type\":\"file_cancelled\",\"file\":\"" ID "\",\"id\":%d}", id);
    }
    send_data(0, SIZE, content, CHUNK, 0); /* what was on its way already */
    expect_nothing_sent();
    ck_assert_uint_eq(workspace_count("downloads"), 0);
    stage_await_line("lobby>");
    ck_assert_int_eq(screen_find(&stage.screen, "file_"), -1);
}
END_TEST

START_TEST(refuses_an_announcement_that_cannot_be)
{
    static const char *const wrong[] = {
        "\"file\":\"../../x\",\"name\":\"n\",\"size\":1,\"sha256\":\"" ID ID "\"",
        "\"file\":\"" ID "\",\"name\":\"n\",\"size\":-1,\"sha256\":\"" ID ID "\"",
        "\"file\":\"" ID "\",\"name\":\"n\",\"size\":1,\"sha256\":\"" ID "\"",
        "\"file\":\"" ID "\",\"name\":\"\",\"size\":1,\"sha256\":\"" ID ID "\"",
        "\"file\":5,\"name\":[],\"size\":\"1\",\"sha256\":null",
    };
    workspace_start(200, NULL);
    stage_say("{\"type\":\"file_shared\",\"from\":\"bob\",\"room\":\"lobby\",%s}", wrong[_i]);
    stage_await_text("? {\"type\":\"file_shared\"");
    stage_type("/get 0123\r");
    stage_await_text("0123: no file that was announced here");
    stage_type("\025/get ../../x\r");
    stage_await_text("../../x: no file that was announced here");
    expect_nothing_sent();
}
END_TEST

START_TEST(fetches_what_was_not_announced)
{
    fill();
    workspace_start(100, NULL);
    stage_type("/get " ID "\r");
    send_content(0, SIZE, expect_file("file_get", ID, 0));
    stage_await_text("so its sum could not be checked");
    expect_content("downloads/" ID);
}
END_TEST

START_TEST(tells_what_cannot_be_fetched)
{
    start_announced("\"notes.pdf\"");
    stage_type("/get 01234567\r");
    int id = expect_file("file_get", ID, 0);
    stage_say(
        "{\"type\":\"error\",\"code\":\"no_such_file\",\"message\":\"There is no such file.\","
        "\"id\":%d}",
        id);
    stage_await_text("notes.pdf has not come: There is no such file.");
    stage_await_line("lobby>");
}
END_TEST

START_TEST(notices_that_the_server_has_ended_it)
{
    start_announced("\"notes.pdf\"");
    stage_type("/get 01234567\r");
    send_content(0, CHUNK, expect_file("file_get", ID, 0));
    stage_await_text("33 % of");
    stage_say("{\"type\":\"file_cancelled\",\"file\":\"" ID "\"}");
    stage_await_text("notes.pdf has not come: the server has ended the transfer");
    stage_await_line("lobby>");
}
END_TEST

START_TEST(goes_on_after_a_loss)
{
    start_announced("\"notes.pdf\"");
    stage_type("/get 01234567\r");
    send_content(0, CHUNK, expect_file("file_get", ID, 0));
    stage_await_text("33 % of");
    close(stage.cfd);
    stage_accept();
    stage_welcome("alice", "lobby", stage_expect("join", "nickname", "alice"));
    send_content(CHUNK, SIZE, expect_file("file_get", ID, CHUNK));
    stage_await_text("downloads/notes.pdf is there");
    expect_content("downloads/notes.pdf");
}
END_TEST

static void quit_and_start_again(void)
{
    int status = 0;
    stage_type("/quit\r");
    int id = stage_expect("quit", "type", "quit");
    stage_say("{\"type\":\"bye\",\"reason\":\"quit\",\"id\":%d}", id);
    status = stage_await_end();
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    close(stage.cfd);
    close(stage.pty);
    stage_start("C.UTF-8", 100, NULL);
    stage_accept();
    stage_welcome("alice", "lobby", stage_expect("join", "nickname", "alice"));
    stage_await_line("lobby>");
}

/* Another day nobody announces the file, and yet its name and its sum are known. */
START_TEST(goes_on_another_day)
{
    start_announced("\"notes.pdf\"");
    stage_type("/get 01234567\r");
    send_content(0, 2 * CHUNK, expect_file("file_get", ID, 0));
    stage_await_text("66 % of");
    quit_and_start_again();
    stage_type("/get " ID "\r");
    int id = expect_file("file_get", ID, 2 * CHUNK);
    if (_i == 0) {
        send_content(2 * CHUNK, SIZE, id);
        stage_await_text("downloads/notes.pdf is there, 12 kB");
        expect_content("downloads/notes.pdf");
        ck_assert_uint_eq(workspace_count("downloads"), 1);
    } else {
        content[SIZE - 1] ^= 1;
        send_content(2 * CHUNK, SIZE, id);
        stage_await_text("its SHA-256 is not the one announced");
        ck_assert_uint_eq(workspace_count("downloads"), 0);
    }
}
END_TEST

/* All of it is there already, only its end was not heard of. */
START_TEST(asks_for_the_end_alone)
{
    start_announced("\"notes.pdf\"");
    mkdir("downloads", 0700);
    workspace_write("downloads/." ID ".part", content, SIZE);
    stage_type("/get 01234567\r");
    int id = expect_file("file_get", ID, SIZE);
    send_data(SIZE, SIZE, "", 0, id);
    stage_await_text("downloads/notes.pdf is there");
    expect_content("downloads/notes.pdf");
}
END_TEST

START_TEST(shares_a_download_with_no_other_client)
{
    start_announced("\"notes.pdf\"");
    stage_type("/get 01234567\r");
    int id = expect_file("file_get", ID, 0);
    stage_type("/get 01234567\r");
    stage_await_text("it is on its way already");
    struct stage first = stage;
    stage_start("C.UTF-8", 100, NULL);
    stage_accept();
    stage_welcome("alice", "lobby", stage_expect("join", "nickname", "alice"));
    stage_await_line("lobby>");
    stage_type("/get " ID "\r");
    stage_await_text("another client is fetching it");
    close(stage.pty);
    close(stage.cfd);
    stage = first;
    send_content(0, SIZE, id);
    stage_await_text("downloads/notes.pdf is there");
    expect_content("downloads/notes.pdf");
}
END_TEST

START_TEST(cancels_a_download)
{
    start_announced("\"notes.pdf\"");
    stage_type("/get 01234567\r");
    int id = expect_file("file_get", ID, 0);
    send_content(0, CHUNK, id);
    stage_await_text("33 % of");
    stage_type(_i == 0 ? "/cancel 0\t\r" : "/cancel notes.pdf\r");
    id = expect_file("file_cancel", ID, -1);
    send_content(CHUNK, 2 * CHUNK, 0);
    if (_i == 0)
        stage_say("{\"type\":\"file_cancelled\",\"file\":\"" ID "\",\"id\":%d}", id);
    else /* its end was quicker */
        stage_say("{\"type\":\"error\",\"code\":\"no_such_file\",\"message\":\"None.\",\"id\":%d}",
                  id);
    stage_await_text("notes.pdf has not come: cancelled");
    expect_nothing_sent();
    ck_assert_uint_eq(workspace_count("downloads"), 0);
    stage_await_line("lobby>");
    ck_assert_int_eq(screen_find(&stage.screen, "file_"), -1);
    ck_assert_int_eq(screen_find(&stage.screen, "None."), -1);
    stage_type("/cancel 0123\r");
    stage_await_text("nothing of that id or name is on its way");
}
END_TEST

/* What was on its way when a download was cancelled is not taken for the beginning of the next. */
START_TEST(fetches_again_what_was_cancelled)
{
    start_announced("\"notes.pdf\"");
    stage_type("/get 01234567\r");
    send_content(0, CHUNK, expect_file("file_get", ID, 0));
    stage_await_text("33 % of");
    stage_type("/cancel 0123\r/get 01234567\r");
    int cancel = expect_file("file_cancel", ID, -1);
    int id = expect_file("file_get", ID, 0);
    send_content(CHUNK, 2 * CHUNK, 0);
    stage_say("{\"type\":\"file_cancelled\",\"file\":\"" ID "\",\"id\":%d}", cancel);
    send_content(0, SIZE, id);
    stage_await_text("downloads/notes.pdf is there");
    expect_content("downloads/notes.pdf");
}
END_TEST

START_TEST(a_script_waits_for_its_files)
{
    fill();
    workspace_enter();
    stage_listen();
    struct filter f = filter_open(stage.port, "alice", STAGE_ARGS("--downloads", "here"));
    stage.pty = open("/dev/null", O_RDONLY);
    stage_accept();
    stage_welcome("alice", "lobby", stage_expect("join", "nickname", "alice"));
    filter_feed(&f, "/get " ID);
    fclose(f.in);
    int id = expect_file("file_get", ID, 0);
    send_content(0, CHUNK, id);
    expect_nothing_sent();
    send_content(CHUNK, SIZE, 0);
    id = stage_expect("quit", "type", "quit");
    stage_say("{\"type\":\"bye\",\"reason\":\"quit\",\"id\":%d}", id);
    filter_expect(&f, "here/" ID " is there");
    expect_content("here/" ID);
    f.in = fopen("/dev/null", "w");
    filter_expect_end(&f, 0);
}
END_TEST

/* ---- /send -------------------------------------------------------------------------------------- */

/* The next request offers that much of the content.  Returns its id. */
static int expect_offer(const char *field, const char *audience, const char *name, size_t size)
{
    char sum[HEX_SIZE];
    sum_of(content, size, sum);
    json_t *request = stage_next();
    ck_assert_str_eq(json_string_value(json_object_get(request, "type")), "file_offer");
    ck_assert_str_eq(json_string_value(json_object_get(request, field)), audience);
    ck_assert_str_eq(json_string_value(json_object_get(request, "name")), name);
    ck_assert_str_eq(json_string_value(json_object_get(request, "sha256")), sum);
    ck_assert_int_eq(json_integer_value(json_object_get(request, "size")), (json_int_t)size);
    int id = (int)json_integer_value(json_object_get(request, "id"));
    json_decref(request);
    return id;
}

static void send_ready(int id)
{
    stage_say("{\"type\":\"file_ready\",\"file\":\"" ID "\",\"offset\":0,\"id\":%d}", id);
}

/* The next request is the chunk of the file at offset.  Returns its id. */
static int expect_chunk(size_t offset, const unsigned char *bytes, size_t count)
{
    unsigned char got[CHUNK];
    size_t length = 0;
    json_t *request = stage_next();
    ck_assert_str_eq(json_string_value(json_object_get(request, "type")), "file_data");
    ck_assert_str_eq(json_string_value(json_object_get(request, "file")), ID);
    ck_assert_int_eq(json_integer_value(json_object_get(request, "offset")), (json_int_t)offset);
    const char *data = json_string_value(json_object_get(request, "data"));
    ck_assert_int_eq(sodium_base642bin(got, sizeof got, data, strlen(data), NULL, &length, NULL,
                                       sodium_base64_VARIANT_ORIGINAL),
                     0);
    ck_assert_uint_eq(length, count);
    ck_assert_mem_eq(got, bytes, count);
    int id = (int)json_integer_value(json_object_get(request, "id"));
    json_decref(request);
    return id;
}

static void send_ack(size_t offset, int id)
{
    stage_say("{\"type\":\"file_ack\",\"file\":\"" ID "\",\"offset\":%zu,\"id\":%d}", offset, id);
}

/* The client, joined, with a file of the content in its folder. */
static void start_with(const char *name, size_t size)
{
    fill();
    workspace_start(100, NULL);
    workspace_write(name, content, size);
}

START_TEST(sends_a_file)
{
    start_with("notes.pdf", SIZE);
    stage_type("/send notes.pdf\r");
    send_ready(expect_offer("room", "lobby", "notes.pdf", SIZE));
    for (size_t at = 0; at < SIZE; at += CHUNK) {
        size_t end = at + CHUNK < SIZE ? at + CHUNK : SIZE;
        send_ack(end, expect_chunk(at, content + at, end - at));
    }
    stage_await_text("sending notes.pdf [####################] 100 % of 12 kB 01234567");
    announce("\"notes.pdf\"");
    stage_await_text("bob shares notes.pdf");
    stage_await_line("lobby>");
    ck_assert_int_eq(screen_find(&stage.screen, "sending"), -1);
    expect_nothing_sent();
}
END_TEST

/* Four chunks are under way and no fifth; what is typed comes next. */
START_TEST(lets_chat_pass)
{
    static unsigned char much[40 * CHUNK];
    int ids[4];
    workspace_start(100, NULL);
    workspace_write("big", much, sizeof much);
    stage_type("/send big\r");
    send_ready(stage_expect("file_offer", "name", "big"));
    for (int i = 0; i < 4; i++)
        ids[i] = expect_chunk((size_t)i * CHUNK, much, CHUNK);
    stage_type("urgent\r");
    stage_expect("message", "content", "urgent");
    expect_nothing_sent();
    send_ack(CHUNK, ids[0]);
    expect_chunk((size_t)4 * CHUNK, much, CHUNK);
    expect_nothing_sent();
}
END_TEST

START_TEST(knows_who_a_file_is_for)
{
    start_with("my notes.pdf", 10);
    stage_type("/send \"my notes.pdf\" bob\r");
    expect_offer("to", "bob", "my notes.pdf", 10);
    workspace_write("empty", "", 0);
    stage_type("/send ./empty\r");
    send_ready(expect_offer("room", "lobby", "empty", 0));
    expect_nothing_sent();
}
END_TEST

START_TEST(completes_a_path)
{
    static const char *const typed[][2] = {
        {"/send no\t", "lobby> /send notes.pdf"},
        {"/send fo\t", "lobby> /send folder/"},
        {"/send folder/i\t", "lobby> /send folder/inside"},
        {"/send ./caf\t", "lobby> /send ./caf\xc3\xa9"},
        {"/send caf\xc3\xa9\t", "lobby> /send caf\xc3\xa9"},
        {"/send .h\t", "lobby> /send .hidden"},
        {"/send evil\t", "lobby> /send evil"},
        {"/send folder/inside b\t", "lobby> /send folder/inside bob"},
        {"/send nosuch/\t", "lobby> /send nosuch/"},
    };
    workspace_start(100, NULL);
    ck_assert_int_eq(mkdir("folder", 0700), 0);
    workspace_write("notes.pdf", "", 0);
    workspace_write("folder/inside", "", 0);
    workspace_write("caf\xc3\xa9", "", 0);
    workspace_write(".hidden", "", 0);
    workspace_write("evil\033[2J", "", 0);
    stage_type(typed[_i][0]);
    stage_type("\001\005"); /* to the beginning and back: the keys before have been done */
    stage_await_line(typed[_i][1]);
}
END_TEST

/* The names of files that are not ASCII, or that differ in their case alone: what all have in common
 * ends between two characters, and no file is offered for another. */
START_TEST(completes_no_more_than_is_common)
{
    static const char *const names[][2] = {
        {"\xe7\xac\xac\xe4\xb8\x89.txt", "\xe7\xac\xac\xe4\xb8\x8a.txt"}, /* the same but for */
        {"\xe7\xac\xac\xe4\xb8\x8a.txt", "\xe7\xac\xac\xe4\xb8\xaa.txt"}, /* a byte; a bit */
        {"README", "Readme"},
        {"main.c", "Makefile"},
    };
    static const char *const typed[][2] = {
        {"/send \t", "lobby> /send \xe7\xac\xac"},
        {"/send \t", "lobby> /send \xe7\xac\xac"},
        {"/send \t", "lobby> /send R"},
        {"/send \t", "lobby> /send"},
    };
    char both[64];
    workspace_start(100, NULL);
    workspace_write(names[_i][0], "", 0);
    workspace_write(names[_i][1], "", 0);
    stage_type(typed[_i][0]);
    stage_type("\001\005"); /* to the beginning and back: the keys before have been done */
    stage_await_line(typed[_i][1]);
    stage_type("\t");
    snprintf(both, sizeof both, "%s  %s", names[_i][0], names[_i][1]);
    stage_await_text(both);
    stage_await_line(typed[_i][1]);
}
END_TEST

START_TEST(says_what_cannot_be_sent)
{
    static const char *const typed[][2] = {
        {"/send\r", "the file is missing"},
        {"/send nothing\r", "nothing: No such file or directory"},
        {"/send .\r", ". is no file"},
        {"/send fifo\r", "fifo is no file"},
    };
    workspace_start(100, NULL);
    mkfifo("fifo", 0600);
    stage_type(typed[_i][0]);
    stage_await_text(typed[_i][1]);
    expect_nothing_sent();
}
END_TEST

START_TEST(says_why_a_file_is_refused)
{
    static const char *const codes[] = {"too_large", "quota", "no_such_user", "bad_checksum",
                                        "busy"};
    start_with("notes.pdf", 10);
    stage_type("/send notes.pdf\r");
    int id = expect_offer("room", "lobby", "notes.pdf", 10);
    if (_i >= 3) { /* it comes later */
        send_ready(id);
        id = expect_chunk(0, content, 10);
    }
    stage_say("{\"type\":\"error\",\"code\":\"%s\",\"message\":\"So it is.\",\"id\":%d}", codes[_i],
              id);
    stage_await_text("notes.pdf is not sent: So it is.");
    stage_await_line("lobby>");
    ck_assert_int_eq(screen_find(&stage.screen, "sending"), -1);
    if (_i >= 3) /* the server may still wait for it */
        expect_file("file_cancel", ID, -1);
    expect_nothing_sent();
}
END_TEST

START_TEST(notices_that_a_file_has_changed)
{
    start_with("notes.pdf", SIZE);
    stage_type("/send notes.pdf\r");
    int id = expect_offer("room", "lobby", "notes.pdf", SIZE);
    ck_assert_int_eq(truncate("notes.pdf", 100), 0);
    send_ready(id);
    expect_chunk(0, content, 100);
    expect_file("file_cancel", ID, -1);
    stage_await_text("notes.pdf is not sent: it has become shorter");
}
END_TEST

START_TEST(begins_again_after_a_loss)
{
    start_with("notes.pdf", SIZE);
    stage_type("/send notes.pdf\r");
    send_ready(expect_offer("room", "lobby", "notes.pdf", SIZE));
    send_ack(CHUNK, expect_chunk(0, content, CHUNK));
    close(stage.cfd);
    stage_accept();
    stage_welcome("alice", "lobby", stage_expect("join", "nickname", "alice"));
    send_ready(expect_offer("room", "lobby", "notes.pdf", SIZE));
    expect_chunk(0, content, CHUNK);
}
END_TEST

START_TEST(cancels_an_upload)
{
    start_with("notes.pdf", SIZE);
    stage_type("/send notes.pdf\r");
    int id = expect_offer("room", "lobby", "notes.pdf", SIZE);
    if (_i == 0) { /* before the server has answered */
        stage_type("/cancel notes.pdf\r");
        stage_await_text("notes.pdf is not sent: cancelled");
        send_ready(id);
    } else {
        send_ready(id);
        for (size_t at = 0; at < SIZE; at += CHUNK)
            id = expect_chunk(at, content + at, at + CHUNK < SIZE ? CHUNK : SIZE - at);
        stage_await_text("notes.pdf [....................]   0 % of 12 kB 01234567");
        stage_type("/cancel 0\t\r");
        stage_await_text("notes.pdf is not sent: cancelled");
    }
    int cancel = expect_file("file_cancel", ID, -1);
    stage_say("{\"type\":\"error\",\"code\":\"no_such_file\",\"message\":\"Gone.\",\"id\":%d}",
              _i == 0 ? cancel : id); /* also a chunk that was on its way is answered */
    stage_await_line("lobby>");
    expect_nothing_sent();
    ck_assert_int_eq(screen_find(&stage.screen, "Gone."), -1);
}
END_TEST

/* The ids of two begin with the same digits, and one has the digits of the other's for its name. */
START_TEST(cancels_what_is_meant)
{
    static const char *const names[] = {"one", "two"};
    static const char *const ids[] = {ID, "01234567ffffffffffffffffffffffff"};
    workspace_start(100, NULL);
    for (int i = 0; i < 2; i++) {
        char typed[32];
        workspace_write(names[i], "some", 4);
        snprintf(typed, sizeof typed, "/send %s\r", names[i]);
        stage_type(typed);
        int id = stage_expect("file_offer", "name", names[i]);
        stage_say("{\"type\":\"file_ready\",\"file\":\"%s\",\"offset\":0,\"id\":%d}", ids[i], id);
        expect_file("file_data", ids[i], 0);
    }
    stage_type("/cancel 012\r");
    stage_await_text("nothing of that id or name is on its way");
    stage_type("\025/cancel 01234567\r");
    stage_await_text("several begin so");
    expect_nothing_sent();
    stage_type("\025/cancel 01234567F\r");
    expect_file("file_cancel", ids[1], -1);
    stage_await_text("two is not sent: cancelled");
    stage_type("/cancel 0123\r");
    expect_file("file_cancel", ids[0], -1);
    stage_await_text("one is not sent: cancelled");
}
END_TEST

/* The same with two that are fetched, and with one of each kind. */
START_TEST(cancels_the_download_that_is_meant)
{
    start_announced("\"notes.pdf\"");
    stage_type("/get 01234567\r");
    int id = expect_file("file_get", ID, 0);
    send_content(0, CHUNK, id);
    stage_type("/get 0123456789abcdefffffffffffffffff\r");
    expect_file("file_get", "0123456789abcdefffffffffffffffff", 0);
    stage_type("/cancel 0\r");
    stage_await_text("nothing of that id or name is on its way");
    stage_type("\025/cancel 0123\r");
    stage_await_text("several begin so");
    stage_type("\025/cancel notes.pdf\r");
    expect_file("file_cancel", ID, -1);
    stage_await_text("notes.pdf has not come: cancelled");
    workspace_write("0123", "some", 4);
    stage_type("/send 0123\r");
    stage_expect("file_offer", "name", "0123");
    stage_type("/cancel 0123\r");
    stage_await_text("several begin so");
    expect_nothing_sent();
}
END_TEST

/* The server acknowledges what it has not got. */
START_TEST(believes_no_false_acknowledgement)
{
    static const int offsets[] = {SIZE + 1, -1, 0};
    start_with("notes.pdf", SIZE);
    stage_type("/send notes.pdf\r");
    send_ready(expect_offer("room", "lobby", "notes.pdf", SIZE));
    stage_say("{\"type\":\"file_ack\",\"file\":\"" ID "\",\"offset\":%d}", offsets[_i]);
    stage_await_text("notes.pdf is not sent: the server acknowledged what was not sent");
}
END_TEST

START_TEST(takes_no_more_than_four)
{
    start_with("notes.pdf", 10);
    for (int i = 0; i < 4; i++) {
        stage_type("/send notes.pdf\r");
        expect_offer("room", "lobby", "notes.pdf", 10);
    }
    stage_type("/send notes.pdf\r");
    stage_await_text("4 files are on their way already");
    expect_nothing_sent();
}
END_TEST

int main(int argc, char **argv)
{
    (void)argc;
    setlocale(LC_ALL, "C.UTF-8");
    workspace_begin(argv[0]);
    Suite *suite = suite_create("client_files");
    TCase *tests = tcase_create("client_files");
    tcase_set_timeout(tests, SUITE_TIMEOUT);
    tcase_add_test(tests, tells_of_a_file);
    tcase_add_test(tests, fetches_a_file);
    tcase_add_loop_test(tests, makes_a_name_safe, 0, 17);
    tcase_add_test(tests, cuts_a_name_between_characters);
    tcase_add_test(tests, replaces_no_file);
    tcase_add_loop_test(tests, writes_through_no_link, 0, 5);
    tcase_add_test(tests, notes_through_no_link);
    tcase_add_loop_test(tests, believes_no_liar, 0, 9);
    tcase_add_loop_test(tests, refuses_an_announcement_that_cannot_be, 0, 5);
    tcase_add_test(tests, fetches_what_was_not_announced);
    tcase_add_test(tests, tells_what_cannot_be_fetched);
    tcase_add_test(tests, notices_that_the_server_has_ended_it);
    tcase_add_test(tests, goes_on_after_a_loss);
    tcase_add_loop_test(tests, goes_on_another_day, 0, 2);
    tcase_add_test(tests, asks_for_the_end_alone);
    tcase_add_test(tests, shares_a_download_with_no_other_client);
    tcase_add_loop_test(tests, cancels_a_download, 0, 2);
    tcase_add_test(tests, fetches_again_what_was_cancelled);
    tcase_add_test(tests, a_script_waits_for_its_files);
    tcase_add_test(tests, sends_a_file);
    tcase_add_test(tests, lets_chat_pass);
    tcase_add_test(tests, knows_who_a_file_is_for);
    tcase_add_loop_test(tests, completes_a_path, 0, 9);
    tcase_add_loop_test(tests, completes_no_more_than_is_common, 0, 4);
    tcase_add_loop_test(tests, says_what_cannot_be_sent, 0, 4);
    tcase_add_loop_test(tests, says_why_a_file_is_refused, 0, 5);
    tcase_add_test(tests, notices_that_a_file_has_changed);
    tcase_add_test(tests, begins_again_after_a_loss);
    tcase_add_loop_test(tests, cancels_an_upload, 0, 2);
    tcase_add_test(tests, cancels_what_is_meant);
    tcase_add_test(tests, cancels_the_download_that_is_meant);
    tcase_add_loop_test(tests, believes_no_false_acknowledgement, 0, 3);
    tcase_add_test(tests, takes_no_more_than_four);
    suite_add_tcase(suite, tests);
    int status = suite_run("client_files_test", suite, NULL);
    workspace_end();
    return status;
}
