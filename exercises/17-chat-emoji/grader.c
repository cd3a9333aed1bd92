/*
 * The grader of exercise 17: what is said instead of what was typed.
 *
 * Most checks are a talk with the program `expand`: a command, and the line that must come of it.  Where
 * the limit matters, what must come is worked out here, by a second implementation (see said_instead)
 * that knows only the few codes used.
 */

#include "grader/grade.h"

#include "tests/room_peer.h"
#include "utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SCRIPT = 131072,
    LINE = 8192,
    TEXT = 1024,  /* a command or an answer that is made here */
    SHOWN = 72,   /* columns of a long text that a story shows */
    LIMIT = 4096, /* of the room */
    TURNS = 400,
    SEEDS = 60,
    PIECES = 14, /* of a random content */
    ROUNDS = 50, /* of talk in the room, before it is closed */
    SMALL = 128, /* bytes, whose time is compared with that of ... */
    LARGE = LIMIT,
    AS_LONG = 4, /* times as long for a byte, or less: noise */
    LONGER = 8,  /* or more: if it is quadratic, it is 32 */
    TRIES = 4
};

/* A command, the line that must come of it, and why. */
struct turn {
    const char *command, *answer, *advice;
};

/* ---- talking --------------------------------------------------------------------------------- */

/* A text for a story, which is ASCII: every other character by its number, as in <U+1F604>, so that it is
 * seen of which code points an emoji is made; and cut short if it is long. */
static const char *shown(const char *text)
{
    static char ring[4][SHOWN + 32];
    static int turn;
    char *copy = ring[turn++ % 4];
    size_t size = strlen(text), at = 0, length = 0;
    while (at < size && length < SHOWN) {
        uint32_t character = '?';
        int used = utf8_decode(text + at, size - at, &character);
        length += (size_t)snprintf(copy + length, SHOWN + 32 - length,
                                   character < 0x80 ? "%c" : "<U+%X>", (unsigned)character);
        at += used > 0 ? (size_t)used : 1;
    }
    snprintf(copy + length, SHOWN + 32 - length, "%s", at < size ? " ..." : "");
    return copy;
}

/* Cut the next line off what the driver printed.  False after a verdict: it did not come to this. */
static bool next_line(struct trial *t, bool well, const char **output, char line[LINE])
{
    const char *newline = strchr(*output, '\n');
    if (newline == NULL)
        return well && trial_fail(t, -1, "the program ended (status %d) and did not come to this",
                                  t->status);
    snprintf(line, LINE, "%.*s", (int)(newline - *output), *output);
    *output = newline + 1;
    return true;
}

/* Is the answer to a turn as it has to be?  False after a verdict. */
typedef bool judge_answer(struct trial *t, const struct turn *turn, const char *answer);

static bool is_exact(struct trial *t, const struct turn *turn, const char *answer)
{
    return strcmp(answer, turn->answer) == 0 ||
           trial_fail(t, -1, "%s\n%s", shown(answer),
                      strncmp(turn->command, "limit ", 6) != 0
                          ? turn->advice
                          : "the program says more than its answers: is there a printf left?");
}

/* Let the driver obey the commands, and judge what comes of each.  If it does not live to the end, the
 * steps of the story go as far as it went. */
static bool talk(struct trial *t, const struct turn *turns, judge_answer *is_right)
{
    static char script[SCRIPT], answer[LINE];
    size_t length = 0;
    for (const struct turn *turn = turns; turn->command != NULL; turn++)
        length += (size_t)snprintf(script + length, sizeof script - length, "%s\n", turn->command);
    bool well = trial_run(t, "expand", NULL, script);
    const char *output = t->text;
    for (const struct turn *turn = turns; turn->command != NULL; turn++) {
        trial_step(t, "%s", shown(turn->command));
        trial_expect(t, "%s", shown(turn->answer));
        if (!next_line(t, well, &output, answer) || (well && !is_right(t, turn, answer)))
            return false;
    }
    return well &&
           (t->status == 0 || trial_fail(t, -1, "it exited with status %d, not 0", t->status));
}

static void judge_talk(struct trial *t, const struct turn *turns, const char *proof)
{
    if (talk(t, turns, is_exact))
        trial_pass(t, "%s", proof);
}

/* ---- codes ----------------------------------------------------------------------------------- */

static void judge_expands(struct trial *t)
{
    static const char *const known =
        "a code that emoji_table.h knows, between two colons, becomes its emoji; the number is "
        "what emoji_expand returned";
    static const char *const around = "what stands before and behind it stays as it was typed";
    static const char *const several = "each of them is replaced, not only the first";
    static const char *const joined = "an emoji may be of several characters, of 2 to 4 bytes "
                                      "each: all its bytes are to be copied";
    static const char *const alphabet =
        "a code may have digits, \"_\", \"+\" and \"-\" in it, and begin with them";
    static const struct turn turns[] = {
        {"say :smile:", "4 😄", known},
        {"say hello :tada:!", "11 hello 🎉!", around},
        {"say :cat: and :dog:, :cat::dog:", "23 🐱 and 🐶, 🐱🐶", several},
        {"say :+1: :-1: :100: :8ball: :t-rex: :e-mail:", "29 👍 👎 💯 🎱 🦖 📧",
         alphabet},
        {"say :non-potable_water::1st_place_medal:", "8 🚱🥇", alphabet},
        {"say I :heart: C", "10 I ❤️ C", joined},
        {"say :family_man_woman_girl_boy:", "25 👨‍👩‍👧‍👦", joined},
        {"say :zzz:", "4 💤", known},
        {"repeat 10 :+1:", "40 👍👍👍👍👍👍👍👍👍👍", several},
        {0},
    };
    judge_talk(t, turns,
               "27 codes became the emoji that they stand for, and what was around them stayed");
}

static void judge_unknown_stays(struct trial *t)
{
    static const char *const unknown =
        "there is no such code: both its colons and what is between them stay as they were typed";
    static const char *const letter_case = "codes have small letters only: this is none";
    static const char *const none = "no code stands between two colons here: nothing is replaced";
    static const char *const end =
        "the content ends before the closing colon comes: it is no code, and no byte behind the "
        "content is to be read";
    static const char *const bytes =
        "a byte that is not in the codes' alphabet (a-z 0-9 _ + -) is in no code, nor is a 0: the "
        "content goes by its size";
    static const struct turn turns[] = {
        {"say :nope: :smile:", "11 :nope: 😄", unknown},
        {"say :smil: :smilee: :octocat:", "25 :smil: :smilee: :octocat:", unknown},
        {"say :Smile: :SMILE: :smile:", "20 :Smile: :SMILE: 😄", letter_case},
        {"say : smile : :smile : : smile:", "27 : smile : :smile : : smile:", none},
        {"say :: ::: :", "8 :: ::: :", none},
        {"say see http://127.0.0.1:8888/ at 10:30:00", "38 see http://127.0.0.1:8888/ at 10:30:00",
         none},
        {"say smile: :", "8 smile: :", none},
        {"say :smile", "6 :smile", end},
        {"say :", "1 :", end},
        {"say :smile: :smil", "10 😄 :smil", end},
        {"say :smi\\0le: :smile\\0: \\0:smile:", "23 :smi\\x00le: :smile\\x00: \\x00😄", bytes},
        {"say :smi\\nle: :smi\\xffle: \\xfe:smile:\\x80",
         "24 :smi\\x0ale: :smi\\xffle: \\xfe😄\\x80", bytes},
        {"say :smilé: ：smile： :smile:", "25 :smilé: ：smile： 😄", bytes},
        {0},
    };
    judge_talk(t, turns, "what is no code stayed, byte for byte, and 6 codes among it did not");
}

static void judge_leftmost(struct trial *t)
{
    static const char *const opens =
        "the closing colon of what is no code may open the next: go on with it, not behind it";
    static const char *const used =
        "the closing colon of a code that is known is used up: it does not open another one";
    static const char *const around = "a code may stand in the middle of a word";
    static const struct turn turns[] = {
        {"say a:smile:b", "6 a😄b", around},
        {"say ::smile:", "5 :😄", opens},
        {"say :nope:smile:", "9 :nope😄", opens},
        {"say 10:30:smile:", "9 10:30😄", opens},
        {"say :nope:nope:smile:", "14 :nope:nope😄", opens},
        {"say :smile :tada:", "11 :smile 🎉", opens},
        {"say ::::smile::::", "10 :::😄:::", opens},
        {"say :smile:smile:", "10 😄smile:", used},
        {"say :smile:smile:smile:", "13 😄smile😄", used},
        {"say :smile:nope:tada:", "12 😄nope🎉", used},
        {"say :smile:+1::+1:", "11 😄+1:👍", used},
        {"say :smile::tada:", "8 😄🎉", used},
        {0},
    };
    judge_talk(t, turns, "of two codes that share a colon the left one was meant, if it is one");
}

/* ---- contents that are made here --------------------------------------------------------------- */

/* What they consist of: codes that grow, that shrink, that stay as long as they are, and what is none.
 * No two of them in a row make another code. */
static const struct piece {
    const char *typed;
    const char *emoji; /* NULL: it is no code */
} pieces[] = {
    {":us:", "🇺🇸"},
    {":wales:", "🏴󠁧󠁢󠁷󠁬󠁳󠁿"},
    {":a:", "🅰️"},
    {":o:", "⭕"},
    {":smile:", "😄"},
    {":rofl:", "🤣"},
    {":polar_bear:", "🐻‍❄️"},
    {":nope:", NULL},
    {"é", NULL},
    {"日本", NULL},
    {"Q", NULL},
    {":", NULL},
    {"😄", NULL},
};
enum { KINDS = sizeof pieces / sizeof pieces[0] };

/* The piece that a content begins with. */
static const struct piece *piece_of(const char *content)
{
    for (size_t i = 0; i < KINDS; i++)
        if (strncmp(content, pieces[i].typed, strlen(pieces[i].typed)) == 0)
            return &pieces[i];
    abort();
}

/* What is to be said instead of a content. */
static size_t said_instead(const char *content, size_t limit, char said[LINE])
{
    size_t length = 0;
    while (*content != '\0') {
        const struct piece *p = piece_of(content);
        const char *text = p->emoji != NULL ? p->emoji : p->typed;
        content += strlen(p->typed);
        if (length + strlen(text) + strlen(content) > limit)
            text = p->typed;
        memcpy(said + length, text, strlen(text));
        length += strlen(text);
    }
    said[length] = '\0';
    return length;
}

/* A talk about them: its turns, and room for their texts. */
static struct {
    struct turn turns[TURNS + 1];
    char texts[TURNS][2][TEXT];
    int count;
} made;

static void add(const char *command, const char *answer, const char *advice)
{
    if (made.count == TURNS)
        abort();
    char(*text)[TEXT] = made.texts[made.count];
    snprintf(text[0], TEXT, "%s", command);
    snprintf(text[1], TEXT, "%s", answer);
    made.turns[made.count++] = (struct turn){text[0], text[1], advice};
}

/* Say a content with a limit. */
static void add_content(const char *content, size_t limit, const char *advice)
{
    char command[TEXT], answer[TEXT], said[LINE];
    snprintf(command, sizeof command, "limit %zu", limit);
    snprintf(answer, sizeof answer, "at most %zu bytes", limit);
    add(command, answer, advice);
    snprintf(command, sizeof command, "say %s", content);
    size_t size = said_instead(content, limit, said);
    snprintf(answer, sizeof answer, "%zu %.900s", size, said);
    add(command, answer, advice);
}

/* Say some contents with every limit, from their own size up to where all fits; and with a room for each
 * code that leaves no question. */
static void add_contents(void)
{
    static const char *const contents[] = {
        ":a:",
        ":us:Q:a::smile::wales:",
        "日本:polar_bear:é:us::us:😄:o:",
        ":rofl::us::nope::a::nope:",
    };
    for (size_t i = 0; i < sizeof contents / sizeof contents[0]; i++) {
        char said[LINE];
        size_t most = said_instead(contents[i], LINE, said);
        for (size_t limit = strlen(contents[i]); limit <= most; limit++)
            add_content(contents[i], limit, NULL);
        add_content(contents[i], LIMIT, "with so much room every code is replaced");
    }
}

/* The limit that holds for a turn: 0 if the turn says nothing. */
static size_t limit_of(const struct turn *turn)
{
    return strncmp(turn->command, "say ", 4) == 0 ? strtoul(turn[-1].command + 6, NULL, 10) : 0;
}

/* Some pieces in a row, the same for the same seed. */
static void make_content(uint64_t seed, char content[TEXT])
{
    size_t length = 0;
    seed = seed * 0x9e3779b97f4a7c15 + 1;
    for (int i = 0; i < PIECES; i++) {
        seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17; /* xorshift */
        length += (size_t)snprintf(content + length, TEXT - length, "%s",
                                   pieces[(seed >> 20) % KINDS].typed);
    }
}

/* ---- the room -------------------------------------------------------------------------------- */

/* Somebody joins the lobby. */
static bool come(struct trial *t, struct room_peer *p, const char *name)
{
    json_t *welcome = NULL;
    bool well = room_connect(p, name, &t->s) &&
                room_say(p, "{'type':'join','nickname':'%s'}", name) &&
                (welcome = room_next_of(p, "welcome")) != NULL;
    json_decref(welcome);
    return trial_ok(t, p->fd, well);
}

/* A room with two in it. */
static bool open_room(struct trial *t, struct room_peer *ann, struct room_peer *bob)
{
    t->unrecorded = true; /* its calls tell nothing of what it says */
    trial_step(t, "ann and bob join the lobby");
    return trial_serve(t, "server", SUBJECT_ARGS("--rate", "0")) && come(t, ann, "ann") &&
           come(t, bob, "bob") &&
           trial_ok(t, ann->fd,
                    room_expect(ann, "{'type':'user_joined','nickname':'bob','room':'lobby'}"));
}

/* Ann says something to all, and both see it. */
static bool to_all(struct trial *t, struct room_peer *ann, struct room_peer *bob, const char *typed,
                   const char *said)
{
#define SEEN "{'type':'broadcast','from':'ann','room':'lobby','content':'%s'}"
    trial_step(t, "ann says to the room: %s", shown(typed));
    trial_expect(t, "ann and bob see: %s", shown(said));
    return trial_ok(t, ann->fd,
                    room_say(ann, "{'type':'message','content':'%s'}", typed) &&
                        room_expect(ann, SEEN, said)) &&
           trial_ok(t, bob->fd, room_expect(bob, SEEN, said));
#undef SEEN
}

/* Ann says something to Bob alone, and both see it. */
static bool to_one(struct trial *t, struct room_peer *ann, struct room_peer *bob, const char *typed,
                   const char *said)
{
#define SEEN "{'type':'private','from':'ann','to':'bob','content':'%s'}"
    trial_step(t, "ann says to bob alone: %s", shown(typed));
    trial_expect(t, "ann and bob see: %s", shown(said));
    return trial_ok(t, ann->fd,
                    room_say(ann, "{'type':'private','to':'bob','content':'%s'}", typed) &&
                        room_expect(ann, SEEN, said)) &&
           trial_ok(t, bob->fd, room_expect(bob, SEEN, said));
#undef SEEN
}

static void judge_both_kinds(struct trial *t)
{
    struct room_peer ann, bob;
    if (!open_room(t, &ann, &bob) || !to_all(t, &ann, &bob, "hi :smile:", "hi 😄") ||
        !to_one(t, &ann, &bob, "psst :tada:", "psst 🎉"))
        return;
    trial_step(t, "ann says to the room, with an id: :heart:");
    trial_expect(t, "ann sees, with the id, and bob without: %s", shown("❤️"));
    if (trial_ok(t, ann.fd,
                 room_say(&ann, "{'type':'message','content':':heart:','id':7}") &&
                     room_expect(&ann, "{'type':'broadcast','from':'ann','room':'lobby',"
                                       "'content':'❤️','id':7}")) &&
        trial_ok(t, bob.fd,
                 room_expect(&bob, "{'type':'broadcast','from':'ann','room':'lobby',"
                                   "'content':'❤️'}")) &&
        to_all(t, &ann, &bob, "at 10:30:00 :nope:", "at 10:30:00 :nope:") &&
        to_one(t, &ann, &bob, "no code", "no code"))
        trial_pass(t, "both saw the emoji of what was said to the room, and to one user");
}

static void judge_references(struct trial *t)
{
    struct room_peer ann, bob;
    if (!open_room(t, &ann, &bob))
        return;
    for (int i = 0; i < ROUNDS; i++)
        if (!to_all(t, &ann, &bob, ":smile: :us:", "😄 🇺🇸") ||
            !to_all(t, &ann, &bob, "no code", "no code") ||
            !to_one(t, &ann, &bob, ":us: :smile:", "🇺🇸 😄"))
            return;
    trial_step(t, "ann says to zoe alone, who is not there: :smile:");
    trial_expect(t, "error no_such_user, and what was made for zoe is given back");
    if (!trial_ok(t, ann.fd,
                  room_say(&ann, "{'type':'private','to':'zoe','content':':smile:'}") &&
                      room_expect_error(&ann, "no_such_user", NULL)))
        return;
    room_close(&ann);
    room_close(&bob);
    trial_step(t, "%d messages later both leave, and the server is stopped", 3 * ROUNDS + 1);
    trial_expect(t, "no leak: rewrite takes the reference to content over, and gives another one");
    if (trial_stop(t))
        trial_pass(t, "%d messages, and no reference was left over", 3 * ROUNDS + 1);
}

/* ---- the limit ------------------------------------------------------------------------------- */

static bool is_within_limit(struct trial *t, const struct turn *turn, const char *answer)
{
    size_t limit = limit_of(turn), said = strtoul(answer, NULL, 10);
    if (limit == 0 || limit == LIMIT)
        return is_exact(t, turn, answer);
    return said <= limit ||
           trial_fail(t, -1,
                      "%s\n%zu bytes, and the limit is %zu: before an emoji is written it must be "
                      "sure that it fits, together with all that follows",
                      shown(answer), said, limit);
}

/* Ann says the same code `count` times in a row, and `least` bytes or more are to be said, but not more than
 * 4096. */
static bool room_keeps_limit(struct trial *t, struct room_peer *ann, const char *code, int count,
                             size_t least)
{
    static char typed[LINE];
    size_t length = 0;
    for (int i = 0; i < count; i++)
        length += (size_t)snprintf(typed + length, sizeof typed - length, "%s", code);
    trial_step(t, "ann says to the room: %s, %d times in a row, that is %zu bytes", code, count,
               length);
    trial_expect(t, "at most %d bytes are said", LIMIT);
    json_t *seen = NULL;
    if (!trial_ok(t, ann->fd,
                  room_say(ann, "{'type':'message','content':'%s'}", typed) &&
                      (seen = room_next_of(ann, "broadcast")) != NULL))
        return false;
    size_t said = strlen(room_text(seen, "content"));
    json_decref(seen);
    if (said > LIMIT)
        return trial_fail(t, ann->fd, "%zu bytes were said: nobody may say so much", said);
    return said >= least || trial_fail(t, ann->fd,
                                       "only %zu bytes were said: up to %d there was room for more "
                                       "emoji",
                                       said, LIMIT);
}

static void judge_never_over_limit(struct trial *t)
{
    struct room_peer ann, bob;
    add_contents();
    if (talk(t, made.turns, is_within_limit) && open_room(t, &ann, &bob) &&
        room_keeps_limit(t, &ann, ":us:", 100, 800) &&
        room_keeps_limit(t, &ann, ":us:", 1000, 4000) &&
        room_keeps_limit(t, &ann, ":us:", 1024, 4096) &&
        room_keeps_limit(t, &ann, ":wales:", 585, 4095) &&
        room_keeps_limit(t, &ann, ":a:", 1365, 4095) &&
        room_keeps_limit(t, &ann, ":o:", 1365, 4095))
        trial_pass(
            t, "4 contents with %d limits, 6 in the room with 4096: never a byte over the limit",
            made.count / 2);
}

/* Where an answer has something else than the pieces of the content, each of them as it was typed or its
 * emoji, and whole; NULL if it has not. */
static const char *broken_at(const char *content, const char *answer)
{
    for (; *content != '\0'; content += strlen(piece_of(content)->typed)) {
        const struct piece *p = piece_of(content);
        if (p->emoji != NULL && strncmp(answer, p->emoji, strlen(p->emoji)) == 0)
            answer += strlen(p->emoji);
        else if (strncmp(answer, p->typed, strlen(p->typed)) == 0)
            answer += strlen(p->typed);
        else
            return answer;
    }
    return *answer != '\0' ? answer : NULL;
}

static bool is_whole(struct trial *t, const struct turn *turn, const char *answer)
{
    size_t limit = limit_of(turn);
    if (limit == 0 || limit == LIMIT)
        return is_exact(t, turn, answer);
    const char *said = strchr(answer, ' ');
    if (said != NULL && broken_at(turn->command + 4, said + 1) == NULL)
        return true;
    return trial_fail(t, -1,
                      "%s\n%s.  With at most %zu bytes a short code is replaced as a whole, or it "
                      "stays as a whole",
                      shown(answer),
                      strstr(answer, "\\x") != NULL
                          ? "a character of several bytes (a code point) was cut in two, and this "
                            "is no UTF-8 any more"
                          : "a code was cut, or an emoji of several characters",
                      limit);
}

static void judge_whole_code_points(struct trial *t)
{
    add_contents();
    if (talk(t, made.turns, is_whole))
        trial_pass(t, "4 contents with %d limits: each code was replaced as a whole, or stayed",
                   made.count / 2);
}

/* No emoji fits by a hair here: exactly how much fits is another check. */
static void judge_one_pass(struct trial *t)
{
    static const char *const next =
        "a code that does not fit ends nothing: what follows is looked at as ever";
    static const char *const once =
        "it is read once, from the left to the right: a code whose emoji would have made the whole "
        "too long stays, although others become shorter later";
    static const char *const order =
        "others have become shorter before it: now there is room for it";
    static const struct turn turns[] = {
        {"limit 11", "at most 11 bytes", next},
        {"say :us::smile:", "8 :us:😄", next},
        {"limit 19", "at most 19 bytes", once},
        {"say :us::smile::smile:", "12 :us:😄😄", once},
        {"say :smile::smile::us:", "16 😄😄🇺🇸", order},
        {"limit 46", "at most 46 bytes", once},
        {"say :wales::smile::smile::smile::smile:", "23 :wales:😄😄😄😄", once},
        {"say :smile::smile::smile::smile::wales:",
         "44 😄😄😄😄🏴󠁧󠁢󠁷󠁬󠁳󠁿", order},
        {0},
    };
    judge_talk(t, turns, "what did not fit in its turn stayed, though there was room in the end");
}

static void judge_limit_exact(struct trial *t)
{
    static const char *const fits =
        "with its emoji the whole has as many bytes as the limit, not one more: it fits";
    static const char *const rest =
        "with its emoji, and with all that follows as it was typed, the whole would be longer than "
        "the limit: the code stays";
    static const char *const colons = "a code that does not fit is one all the same: it stays with "
                                      "both its colons, and the closing "
                                      "one opens no other";
    static const char *const other = "one of the cases above in another form";
    char content[TEXT], said[LINE];
    add_content(":us:", 4, rest);
    add_content(":us:", 7, rest);
    add_content(":us:", 8, fits);
    add_content(":us:Q", 8, rest);
    add_content(":us:Q", 9, fits);
    add_content(":us::us:", 11, rest);
    add_content(":us::us:", 12, fits);
    add_content(":us::smile:", 14, rest);
    add_content(":us::smile:", 15, fits);
    add_content(":o:", 3, fits);
    add("limit 10", "at most 10 bytes", "");
    add("say :us:smile:", "10 :us:smile:", colons);
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        make_content(seed, content);
        size_t least = strlen(content), most = said_instead(content, LINE, said);
        add_content(content, most > least ? least + seed * 7 % (most - least + 1) : least, other);
    }
    if (talk(t, made.turns, is_exact))
        trial_pass(t, "%d contents, the limit as tight as can be: what fitted was replaced",
                   SEEDS + 11);
}

/* ---- time ------------------------------------------------------------------------------------ */

/* The time for each byte, in ns, of a content that is a text again and again; -1 after a verdict. */
static double time_of(struct trial *t, const char *text, int size)
{
    char line[100];
    double ns;
    dprintf(t->in, "time %d %s\n", size, text);
    if (!trial_read_line(t, line, sizeof line))
        return -1;
    if (sscanf(line, "%lf ns for", &ns) == 1)
        return (ns < 1 ? 1 : ns) / size;
    trial_fail(t, -1, "%s", line);
    return -1;
}

/* A long content has to cost as much for each byte as a short one.  Somebody else's work on this machine can
 * only make either of them slower, so it is measured again before it is believed. */
static bool is_linear(struct trial *t, const char *text, double *growth)
{
    trial_step(t, "%d bytes of %s, again and again, and then %d bytes of it", SMALL, text, LARGE);
    trial_expect(t, "a byte takes as long in the long content as in the short one");
    *growth = 0;
    for (int i = 0; i < TRIES; i++) {
        double small = time_of(t, text, SMALL), large = small < 0 ? -1 : time_of(t, text, LARGE);
        if (large < 0)
            return false;
        if (i == 0 || large / small < *growth)
            *growth = large / small;
        if (*growth < AS_LONG)
            return true;
    }
    if (*growth > LONGER)
        return trial_fail(
            t, -1,
            "in a content %d times as long, each byte takes %.0f times as long: for "
            "each colon, or for each byte, the content is read to its end again.  With "
            "such messages one user stops the room",
            LARGE / SMALL, *growth);
    return trial_inconclusive(t, "this machine is too busy to tell %.1f times as long from as long",
                              *growth);
}

static void judge_linear_time(struct trial *t)
{
    static const char *const texts[] = {":", ":a", "a:", ":smile:", ":us:", "::nope", "x"};
    double growth, most = 0;
    t->unrecorded = true;
    if (!trial_spawn(t, "expand", NULL))
        return;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (!is_linear(t, texts[i], &growth))
            return;
        most = growth > most ? growth : most;
    }
    if (trial_end(t))
        trial_pass(t, "in a content %d times as long a byte takes %.1f times as long, at most",
                   LARGE / SMALL, most);
}

static const struct check checks[] = {
    {"expands", "a short code becomes its emoji", 1, NULL, TRIAL_ADDRESS, judge_expands, 0},
    {"unknown-stays", "what is no short code stays as it was typed", 1, "expands", TRIAL_ADDRESS,
     judge_unknown_stays, 0},
    {"leftmost", "of two codes that share a colon the left one is meant", 1, "expands",
     TRIAL_ADDRESS, judge_leftmost, 0},
    {"both-kinds", "what is said to the room is rewritten, and what is private", 1, "expands",
     TRIAL_ADDRESS, judge_both_kinds, 0},
    {"never-over-limit", "nothing becomes longer than what may be said", 1, "expands both-kinds",
     TRIAL_ADDRESS, judge_never_over_limit, 0},
    {"whole-code-points", "no code point is cut, and no emoji", 1, "expands", TRIAL_ADDRESS,
     judge_whole_code_points, 0},
    {"one-pass", "what was typed is read once, from the left to the right", 1, "expands",
     TRIAL_ADDRESS, judge_one_pass, 0},
    {"limit-exact", "what fits is replaced, and what does not fit stays", 1, "expands",
     TRIAL_ADDRESS, judge_limit_exact, 0},
    {"linear-time", "a content of nothing but colons costs no more than others", 1, "expands",
     TRIAL_PLAIN, judge_linear_time, 0},
    {"references", "every reference is given back", 1, "both-kinds", TRIAL_ADDRESS,
     judge_references, 0},
    {0},
};

int main(int argc, char **argv)
{
    const struct exercise exercise = {"17-chat-emoji", "short codes become emoji, in what is said",
                                      checks};
    return grade_main(argc, argv, &exercise);
}
