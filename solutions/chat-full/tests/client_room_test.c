/*
 * client_room_test - clients that use everything, in the real room.
 *
 * They run as filters, so that what they say can be read line by line.
 */

#include "../../../lessons/14-chat/tests/stage.h"
#include "testkit/fault.h"
#include "testkit/subject.h"
#include "testkit/suite.h"
#include "testkit/wait.h"
#include "workspace.h"

#include <dirent.h>
#include <fcntl.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char password[] = "correct horse battery";
static char server[4096];
static struct subject room;

static void open_room(const char *port)
{
    ck_assert_msg(subject_start(&room, server,
                                SUBJECT_ARGS("--port", port, "--data", "data", "--rate", "0"), 0),
                  "%s", fault_text());
}

static void enter_empty_room(void)
{
    workspace_enter();
    workspace_write("password", password, strlen(password));
    open_room("0");
}

/* Start ann, who proves that she is. */
static struct filter start_ann(const char *how)
{
    struct filter ann = filter_open(room.port, "ann",
                                    STAGE_ARGS("--password-file", "password", how));
    filter_expect(&ann, "you are ann, in lobby");
    return ann;
}

static struct filter start_bob(void)
{
    struct filter bob = filter_open(room.port, "bob", NULL);
    filter_expect(&bob, "you are bob, in lobby");
    return bob;
}

/* Write a file of that size, and tell what it must be like. */
static char *write_file(const char *name, size_t size)
{
    char *bytes = malloc(size);
    ck_assert_ptr_nonnull(bytes);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (char)(i * 31 + i / 4096);
    workspace_write(name, bytes, size);
    return bytes;
}

static void expect_file(const char *name, char *bytes, size_t size)
{
    size_t got_size = 0;
    char *got = workspace_read(name, &got_size);
    ck_assert_msg(got != NULL, "%s is not there", name);
    ck_assert_uint_eq(got_size, size);
    ck_assert_mem_eq(got, bytes, size);
    free(got);
    free(bytes);
}

/* No file below a folder holds the password. */
static void expect_no_password(const char *folder)
{
    DIR *entries = opendir(folder);
    ck_assert_ptr_nonnull(entries);
    for (struct dirent *e = NULL; (e = readdir(entries)) != NULL;) {
        char path[512];
        size_t size = 0;
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        char *bytes = e->d_type == DT_REG ? workspace_read(path, &size) : NULL;
        ck_assert_msg(bytes == NULL || memmem(bytes, size, password, strlen(password)) == NULL,
                      "%s holds the password", path);
        free(bytes);
    }
    closedir(entries);
}

START_TEST(a_name_is_its_owners)
{
    enter_empty_room();
    struct filter ann = start_ann("--register");
    filter_feed(&ann, "mine :smile:");
    filter_expect(&ann, "<ann> mine \xf0\x9f\x98\x84");
    filter_expect_end(&ann, 0);
    struct filter thief = filter_open(room.port, "ANN", NULL);
    filter_expect(&thief, "if it is yours: --login");
    filter_expect(&thief, "nickname_registered");
    filter_expect_end(&thief, 1);
    workspace_write("guess", "battery horse", 13);
    thief = filter_open(room.port, "ann", STAGE_ARGS("--password-file", "guess"));
    filter_expect(&thief, "bad_credentials");
    filter_expect_end(&thief, 1);
    ann = start_ann("--login");
    struct filter again = start_ann("--login");
    filter_expect(&ann, "logged in elsewhere");
    filter_expect(&ann, "connection lost"); /* and it does not come back */
    filter_expect_end(&ann, 1);
    filter_feed(&again, "still here");
    filter_expect(&again, "<ann> still here");
    filter_expect_end(&again, 0);
    char said[4096];
    subject_errors(&room, said, sizeof said);
    ck_assert_ptr_null(strstr(said, password));
    expect_no_password("data");
    ck_assert_msg(subject_stop(&room), "%s", fault_text());
    expect_no_password("data");
}
END_TEST

START_TEST(what_was_said_is_there_after_a_crash)
{
    enter_empty_room();
    struct filter bob = start_bob();
    for (int i = 1; i <= 30; i++) {
        char line[32];
        snprintf(line, sizeof line, "line %d", i);
        filter_feed(&bob, line);
    }
    filter_expect(&bob, "<bob> line 30");
    subject_kill(&room);
    filter_expect(&bob, "connection lost");
    fclose(bob.in);
    open_room("0");
    struct filter ann = start_ann("--register");
    filter_feed(&ann, "/history");
    filter_expect(&ann, "20 of lobby from before");
    filter_expect(&ann, "<bob> line 11");
    filter_expect(&ann, "<bob> line 30");
    filter_expect(&ann, "there is more");
    filter_feed(&ann, "/history 100");
    filter_expect(&ann, "10 of lobby from before");
    filter_expect(&ann, "<bob> line 1");
    filter_expect(&ann, "<bob> line 10");
    filter_expect(&ann, "nothing of lobby is older");
    filter_expect_end(&ann, 0);
    ck_assert_msg(subject_stop(&room), "%s", fault_text());
}
END_TEST

/* Read up to the announcement of a file, and take the digits that /get wants. */
static void expect_shared(const struct filter *f, char command[32])
{
    char line[STAGE_LINE_SIZE];
    const char *get = NULL;
    while (get == NULL) {
        ck_assert_ptr_nonnull(fgets(line, sizeof line, f->out));
        get = strstr(line, ": /get ");
    }
    snprintf(command, 32, "%.13s", get + 2);
}

START_TEST(files_go_from_one_to_another)
{
    enum { SIZE = 1000000 };
    char command[32];
    enter_empty_room();
    char *bytes = write_file("notes.bin", SIZE);
    struct filter bob = start_bob();
    struct filter ann = start_ann("--register");
    filter_feed(&ann, _i == 0 ? "/send notes.bin" : "/send notes.bin BOB");
    filter_feed(&ann, "while it is sent");
    filter_expect(&bob, "<ann> while it is sent"); /* long before the announcement */
    expect_shared(&bob, command);
    filter_feed(&bob, command);
    filter_expect(&bob, "downloads/notes.bin is there, 1.0 MB");
    expect_file("downloads/notes.bin", bytes, SIZE);
    filter_expect_end(&bob, 0);
    filter_expect_end(&ann, 0);
    ck_assert_msg(subject_stop(&room), "%s", fault_text());
}
END_TEST

/* Something of the file has come. */
static bool has_begun(void *unused)
{
    struct stat status;
    DIR *entries = opendir("downloads");
    bool begun = false;
    (void)unused;
    for (struct dirent *e = NULL; entries != NULL && (e = readdir(entries)) != NULL;)
        begun = begun ||
                (strstr(e->d_name, ".part") != NULL &&
                 fstatat(dirfd(entries), e->d_name, &status, 0) == 0 && status.st_size > 0);
    if (entries != NULL)
        closedir(entries);
    return begun;
}

START_TEST(a_file_goes_on_after_a_crash)
{
    enum { SIZE = 20000000 };
    char command[32];
    char port[8];
    enter_empty_room();
    char *bytes = write_file("notes.bin", SIZE);
    struct filter ann = start_ann("--register");
    filter_feed(&ann, "/send notes.bin");
    expect_shared(&ann, command);
    filter_feed(&ann, command);
    ck_assert_msg(wait_until(has_begun, NULL, "the file to come"), "%s", fault_text());
    snprintf(port, sizeof port, "%s", room.port);
    subject_kill(&room);
    filter_expect(&ann, "connection lost");
    open_room(port);
    filter_expect(&ann, "you are ann, in lobby"); /* logged in, with no word of hers */
    filter_expect(&ann, "downloads/notes.bin is there, 20 MB");
    expect_file("downloads/notes.bin", bytes, SIZE);
    filter_expect_end(&ann, 0);
    ck_assert_msg(subject_stop(&room), "%s", fault_text());
}
END_TEST

int main(int argc, char **argv)
{
    (void)argc;
    setlocale(LC_ALL, "C.UTF-8");
    setenv("LC_ALL", "C.UTF-8", 1); /* the clients', too */
    workspace_begin(argv[0]);
    stage_find(argv[0], server, sizeof server, "server");
    Suite *suite = suite_create("client_room");
    TCase *tests = tcase_create("client_room");
    tcase_set_timeout(tests, SUITE_TIMEOUT);
    tcase_add_test(tests, a_name_is_its_owners);
    tcase_add_test(tests, what_was_said_is_there_after_a_crash);
    tcase_add_loop_test(tests, files_go_from_one_to_another, 0, 2);
    tcase_add_test(tests, a_file_goes_on_after_a_crash);
    suite_add_tcase(suite, tests);
    int status = suite_run("client_room_test", suite, NULL);
    workspace_end();
    return status;
}
