/*
 * files_fault_test - files that are passed on, when the disk says once that it has lost something, and when
 * somebody promises a file and sends nothing for a minute, or takes his time to fetch one.
 *
 * The server is files_fault_server.
 */

#include "file_steps.h"

#include "data_folder.h"
#include "files_fault_server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { MIB = 1 << 20 };

static const char lobby[] = "'room':'lobby'";

static struct faults *shared;

/* ---- tests ---------------------------------------------------------------------------------- */

/* It is synced while it grows, and that fails: the sync at its end does not know. */
START_TEST(lost_while_it_grows)
{
    struct room_peer ann;
    struct content f = {.seed = 1, .size = 8 * MIB + 100};
    *shared = (struct faults){.failing = 1};
    file_server(NULL, NULL, NULL, NULL);
    come(&ann, "ann", "lobby");
    file_offer(&ann, lobby, "x", &f);
    file_send(&ann, &f, 0, 8 * MIB);
    file_send_chunk(&ann, &f, 8 * MIB, 8 * MIB, 100);
    file_refused(&ann, "busy");
    ck_assert_int_eq(shared->failing, 0);
    file_silence(&ann);
    file_expect_kept(0);
    file_upload(&ann, lobby, "x", &f);
    file_expect_kept(1);
    stop_server();
}
END_TEST

/* A promise holds the room of others as long as something comes, and a minute more. */
START_TEST(a_promise_without_a_byte)
{
    struct room_peer ann, bob, eve;
    struct content f = {.seed = 2, .size = 60000}, g = f, h = f;
    *shared = (struct faults){.ahead = 0};
    file_server("--file-total", "150000", NULL, NULL);
    come(&ann, "ann", "anns");
    come(&bob, "bob", "bobs");
    come(&eve, "eve", "eves");
    file_offer(&ann, "'room':'anns'", "x", &f);
    file_offer(&bob, "'room':'bobs'", "x", &g);
    shared->ahead = 55;
    file_send(&bob, &g, 0, CHUNK);
    file_say_offer(&eve, "'room':'eves'", "x", h.size, file_wrong_sum);
    file_refused(&eve, "quota");
    shared->ahead = 65;
    file_offer(&eve, "'room':'eves'", "x", &h);
    file_send_chunk(&ann, &f, 0, 0, CHUNK);
    file_refused(&ann, "no_such_file");
    file_send(&bob, &g, CHUNK, g.size);
    file_expect_shared(&bob, &g, "bob", "x");
    file_send(&eve, &h, 0, h.size);
    file_expect_shared(&eve, &h, "eve", "x");
    file_expect_kept(2);
    stop_server();
}
END_TEST

/* Who cannot speak any more shows that he is there by what he takes. */
START_TEST(half_closed_and_in_no_hurry)
{
    struct room_peer ann, bob;
    struct content f = {.seed = 3, .size = 6 * MIB};
    *shared = (struct faults){.ahead = 0};
    file_server("--idle-timeout", "60", NULL, NULL);
    come(&ann, "ann", "lobby");
    file_upload(&ann, lobby, "x", &f);
    room_close(&ann);
    must(room_connect_narrow(&bob, "bob", &server));
    say(&bob, "{'type':'join','nickname':'bob'}\n{'type':'file_get','file':'%s'}", f.id);
    must(room_finish(&bob));
    file_expect(&bob, "welcome", NULL);
    for (int64_t at = 0; at < f.size;) {
        json_t *m = file_hear_of(&bob, "file_data", f.id);
        must(file_take_data(m, &f, &at));
        json_decref(m);
        if (at % MIB == 0 && at < f.size)
            shared->ahead += 50;
    }
    expect_end(&bob);
    stop_server();
}
END_TEST

/* It is built beside this program. */
static const char *files_fault_server(char *own_path)
{
    static char path[256];
    *strrchr(own_path, '/') = '\0';
    snprintf(path, sizeof path, "%s/files_fault_server", own_path);
    return path;
}

int main(int argc, char **argv)
{
    (void)argc;
    int fd = memfd_create("shared", 0);
    if (fd == -1 || ftruncate(fd, sizeof *shared) == -1)
        return 1;
    void *memory = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED)
        return 1;
    char name[64];
    snprintf(name, sizeof name, "/proc/%d/fd/%d", (int)getpid(), fd);
    setenv("FAULT", name, 1);
    shared = memory;
    chat_program = files_fault_server(argv[0]);
    room_extensions = true;

    Suite *suite = suite_create("files");
    TCase *group = chat_group(suite, "faults");
    tcase_add_checked_fixture(group, data_make, data_remove);
    tcase_add_test(group, lost_while_it_grows);
    tcase_add_test(group, a_promise_without_a_byte);
    tcase_add_test(group, half_closed_and_in_no_hurry);
    return suite_run("files_fault_test", suite, NULL);
}
