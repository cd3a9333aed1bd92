/*
 * soak_test - 200 clients who use everything, for as long as is wanted: the server's memory and
 * descriptors stay level.
 *
 *   SECONDS_OF_SOAK=300 soak_test    20 seconds unless it is set
 *
 * A client does one thing after the other: it asks, waits for the answer, and does the next.  Between two
 * rounds some leave, in each way there is, and come again; half of them log in.  A line for each tenth of
 * the time says what the server holds.
 */

#include "../../../lessons/14-chat/tests/chat_suite.h"
#include "clock.h"
#include "data_folder.h"
#include "testkit/proc.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CLIENTS = 200,
    ROOMS = 8,
    ACTIONS = 6, /* of each client in a round */
    FILES = 64,  /* that are known to everybody */
    CHUNK = 1000,
    SAMPLES = 10,
    DESCRIPTORS_MORE = 8, /* the database's, opened when first needed, and files in use */
    SLACK = 4 << 20       /* bytes by which memory may differ between two thirds of the time */
};

struct user {
    char nickname[25];
    bool registered;
    bool joining;
    int changes;   /* of the nickname */
    long asked;    /* the id that an answer is waited for; 0: none */
    int todo;      /* actions in this round */
    char file[40]; /* being uploaded, or empty */
    int chunks;    /* of it that are still to be sent */
    int chunk;     /* the next one */
};

static struct room_peer peers[CLIENTS];
static struct user users[CLIENTS];
static char files[FILES][40];
static size_t file_count;
static long last_id;
static size_t left;
static uint64_t chance = 1;
static unsigned long answers, errors, shared, fetched, pages, logins;

/* The same every time. */
static unsigned below(unsigned most)
{
    chance = chance * 6364136223846793005 + 1442695040888963407;
    return (unsigned)(chance >> 33) % most;
}

/* ---- files ------------------------------------------------------------------------------------- */

static char bytes[CHUNK];
static char base64[sodium_base64_ENCODED_LEN(CHUNK, sodium_base64_VARIANT_ORIGINAL)];

static bool offer(struct room_peer *p, struct user *u)
{
    unsigned char sum[crypto_hash_sha256_BYTES];
    char hex[2 * sizeof sum + 1];
    crypto_hash_sha256_state state;
    crypto_hash_sha256_init(&state);
    u->chunks = 1 + (int)below(4);
    u->chunk = 0;
    u->file[0] = '\0';
    for (int i = 0; i < u->chunks; i++)
        crypto_hash_sha256_update(&state, (const unsigned char *)bytes, CHUNK);
    crypto_hash_sha256_final(&state, sum);
    sodium_bin2hex(hex, sizeof hex, sum, sizeof sum);
    if (below(10) == 0)
        hex[0] = hex[0] == '0' ? '1' : '0'; /* a sum that is wrong */
    return room_queue(p,
                      "{'type':'file_offer','room':'lobby','name':'notes','size':%d,"
                      "'sha256':'%s','id':%ld}",
                      u->chunks * CHUNK, hex, u->asked);
}

static bool send_chunk(struct room_peer *p, struct user *u)
{
    if (below(20) == 0) {
        u->chunks = 0;
        return room_queue(p, "{'type':'file_cancel','file':'%s','id':%ld}", u->file, u->asked);
    }
    u->chunks--;
    return room_queue(p, "{'type':'file_data','file':'%s','offset':%d,'data':'%s','id':%ld}",
                      u->file, u->chunk++ * CHUNK, base64, u->asked);
}

/* ---- what a client does ------------------------------------------------------------------------ */

static bool act(struct room_peer *p, struct user *u)
{
    static const char *const said[] = {"hello :smile:", ":+1: :tada: :no_such_code:", "x",
                                       "one :us: two :family_man_woman_girl_boy: three"};
    const unsigned room = below(ROOMS);
    u->asked = ++last_id;
    if (u->chunks > 0 && u->file[0] != '\0')
        return send_chunk(p, u);
    switch (below(14)) {
    case 0:
        return room_queue(p, "{'type':'join_room','room':'room-%u','id':%ld}", room, u->asked);
    case 1:
        return room_queue(p, "{'type':'leave_room','room':'room-%u','id':%ld}", room, u->asked);
    case 2:
        return room_queue(p,
                          "{'type':'private','to':'user-%u','content':'for you :eyes:','id':%ld}",
                          below(CLIENTS), u->asked);
    case 3:
        return room_queue(p, "{'type':'history','room':'lobby','limit':%u,'id':%ld}", 1 + below(20),
                          u->asked);
    case 4:
        return room_queue(p, "{'type':'history','room':'room-%u','before':%u,'id':%ld}", room,
                          1 + below(500), u->asked);
    case 5:
    case 6:
        return offer(p, u);
    case 7:
    case 8:
        if (file_count > 0)
            return room_queue(p, "{'type':'file_get','file':'%s','id':%ld}",
                              files[below((unsigned)file_count)], u->asked);
        return room_queue(p, "{'type':'list_rooms','id':%ld}", u->asked);
    case 9:
        if (!u->registered)
            return room_queue(p, "{'type':'nick','nickname':'%.12s.%d','id':%ld}", u->nickname,
                              ++u->changes, u->asked);
        return room_queue(p, "{'type':'list_users','room':'lobby','id':%ld}", u->asked);
    default:
        return room_queue(p, "{'type':'message','room':'lobby','content':'%s','id':%ld}",
                          said[below(4)], u->asked);
    }
}

static void learn(struct user *u, const json_t *message)
{
    const char *type = room_text(message, "type");
    answers++;
    errors += strcmp(type, "error") == 0;
    pages += strcmp(type, "history") == 0;
    fetched += strcmp(type, "file_data") == 0;
    if (strcmp(type, "file_ready") == 0)
        snprintf(u->file, sizeof u->file, "%s", room_text(message, "file"));
    else if (strcmp(type, "file_ack") != 0)
        u->chunks = 0; /* refused, or it is another one's turn */
}

static bool take(struct room_peer *p, json_t *message, void *context)
{
    (void)context;
    struct user *u = &users[p - peers];
    const json_t *id = json_object_get(message, "id");
    if (strcmp(room_text(message, "type"), "file_shared") == 0 && p == peers) {
        snprintf(files[shared++ % FILES], sizeof files[0], "%s", room_text(message, "file"));
        file_count = shared < FILES ? shared : FILES;
    }
    if (u->asked == 0 || !json_is_integer(id) || json_integer_value(id) != u->asked)
        return true;
    u->asked = 0;
    left--;
    if (u->joining && strcmp(room_text(message, "type"), "welcome") != 0)
        return fault("%s: not welcome: %s", p->name, room_text(message, "message"));
    u->joining = false;
    learn(u, message);
    return --u->todo <= 0 || act(p, u);
}

/* ---- coming and going -------------------------------------------------------------------------- */

/* An answer with that id is waited for by the pump. */
static bool come_again(struct room_peer *p, struct user *u)
{
    char name[24];
    snprintf(name, sizeof name, "user-%d", (int)(p - peers));
    memcpy(u->nickname, name, sizeof name);
    u->asked = ++last_id;
    u->todo = 1;
    u->chunks = u->changes = 0;
    u->joining = true;
    left++;
    if (!room_connect(p, name, &server))
        return false;
    logins += u->registered;
    return u->registered
               ? room_queue(p,
                            "{'type':'login','nickname':'%s','password':'correct horse','id':%ld}",
                            name, u->asked)
               : room_queue(p, "{'type':'join','nickname':'%s','id':%ld}", name, u->asked);
}

static void leave(struct room_peer *p)
{
    switch (below(3)) {
    case 0:
        room_reset(p);
        break;
    case 1:
        room_say(p, "{'type':'quit'}"); /* and it is closed before the answer is read */
        room_close(p);
        break;
    default:
        room_close(p);
        break;
    }
}

static void pump_all(const char *what)
{
    must(room_pump(peers, CLIENTS, take, NULL, &left, what));
}

static void register_half(void)
{
    struct room_peer p;
    come(&p, "registrar", "office"); /* who has not joined is not waited for so long */
    for (int i = 0; i < CLIENTS; i++) {
        users[i].registered = i % 2 == 1;
        if (!users[i].registered)
            continue;
        say(&p, "{'type':'register','nickname':'user-%d','password':'correct horse'}", i);
        json_t *registered = room_next_of(&p, "registered");
        must(registered != NULL);
        json_decref(registered);
    }
    room_close(&p);
}

static void one_round(void)
{
    for (int i = 0; i < CLIENTS; i++) {
        users[i].todo = ACTIONS;
        left += ACTIONS;
        must(act(&peers[i], &users[i]));
    }
    pump_all("the answers of a round");
    for (int n = 0; n < CLIENTS / 20; n++) {
        unsigned i = 1 + below(CLIENTS - 1);
        if (users[i].asked != 0)
            continue; /* it is on its way already */
        leave(&peers[i]);
        must(come_again(&peers[i], &users[i]));
    }
    pump_all("those who have come again");
}

/* ---- what it costs ----------------------------------------------------------------------------- */

struct sample {
    long memory, descriptors;
};

static struct sample look(double seconds)
{
    struct sample s = {proc_memory(server.pid), proc_tree(server.pid).descriptors};
    printf("%4.0f s: %ld KB, %ld descriptors; %lu answers, %lu of them errors, %lu files shared, "
           "%lu fetches, %lu pages of history, %lu logins\n",
           seconds, s.memory / 1024, s.descriptors, answers, errors, shared, fetched, pages,
           logins);
    fflush(stdout);
    return s;
}

static int by_memory(const void *a, const void *b)
{
    long left_one = ((const struct sample *)a)->memory;
    long right_one = ((const struct sample *)b)->memory;
    return (left_one > right_one) - (left_one < right_one);
}

static long median_memory(const struct sample *samples, size_t count)
{
    struct sample sorted[SAMPLES];
    memcpy(sorted, samples, count * sizeof *samples);
    qsort(sorted, count, sizeof *sorted, by_memory);
    return sorted[count / 2].memory;
}

static bool is_back(void *before)
{
    return proc_tree(server.pid).descriptors <= *(long *)before + DESCRIPTORS_MORE;
}

static double wanted_seconds(void)
{
    const char *text = getenv("SECONDS_OF_SOAK");
    double seconds = text != NULL ? strtod(text, NULL) : 0;
    return seconds > 0 ? seconds : 20;
}

START_TEST(everything_for_a_while)
{
    struct sample samples[SAMPLES];
    const double seconds = wanted_seconds();
    randombytes_buf(bytes, CHUNK);
    sodium_bin2base64(base64, sizeof base64, (const unsigned char *)bytes, CHUNK,
                      sodium_base64_VARIANT_ORIGINAL);
    start_server("--data", data_folder, "--rate", "0", "--history-keep", "300",
                 "--login-attempts-address", "10000");
    register_half();
    long before = proc_tree(server.pid).descriptors;
    for (int i = 0; i < CLIENTS; i++)
        must(come_again(&peers[i], &users[i]));
    pump_all("all to come");

    int64_t start = clock_now();
    for (int n = 0; n < SAMPLES; n++) {
        int64_t until = start + (int64_t)((n + 1) * seconds / SAMPLES * 1e9);
        do
            one_round();
        while (clock_now() < until);
        samples[n] = look((double)(clock_now() - start) / 1e9);
        ck_assert_int_le(samples[n].descriptors, before + CLIENTS + DESCRIPTORS_MORE);
    }
    ck_assert(shared > 0 && fetched > 0 && pages > 0 && logins > CLIENTS / 2);
    if (!SANITIZER_ADDRESS) {
        long middle = median_memory(samples + 3, 3);
        long end = median_memory(samples + 7, 3);
        ck_assert_msg(end < middle + middle / 20 + SLACK,
                      "it had %ld KB half-way, and %ld KB at the end", middle / 1024, end / 1024);
    }
    for (int i = 0; i < CLIENTS; i++)
        room_close(&peers[i]);
    must(wait_until(is_back, &before, "the server to close what its clients had"));
    stop_server();
    ck_assert_str_eq(data_integrity(), "ok");
}
END_TEST

int main(void)
{
    chat_program = data_server();
    room_extensions = true;
    if (sodium_init() == -1)
        return 1;
    Suite *suite = suite_create("soak");
    TCase *group = tcase_create("soak");
    tcase_add_checked_fixture(group, data_make, data_remove);
    tcase_set_timeout(group, wanted_seconds() * 2 + SUITE_TIMEOUT);
    tcase_add_test(group, everything_for_a_while);
    suite_add_tcase(suite, group);
    return suite_run("soak", suite, NULL);
}
