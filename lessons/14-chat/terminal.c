/* terminal - a line being typed, and lines that appear above it.  See terminal.h. */

#include "terminal.h"

#include "queue.h"
#include "rows.h"
#include "utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <histedit.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum {
    KEYS = 4096,          /* bytes of the keyboard read at once */
    TYPED_MAX = 16384,    /* characters in the line; further ones ring the bell */
    HISTORY = 500,        /* lines */
    OUT_HIGH = 65536,     /* bytes queued at which the terminal is called full */
    OUT_MAX = 1 << 24,    /* and at which what is printed is dropped */
    LOOK_MS = 200,        /* between two looks whether the terminal is ours again */
    LAST_FLUSH_MS = 1000, /* how long a terminal that takes nothing is waited for at the end */
    PASTE_END_LENGTH = 6
};

static const char paste_end[] = "\033[201~";

struct terminal {
    struct reactor *reactor;
    const struct terminal_events *events;
    void *context;

    EditLine *el;
    HistoryW *history;
    FILE *nowhere; /* where libedit draws */
    bool turning;  /* we are in the loop, waiting for a key */
    bool ended;

    char keys[KEYS]; /* read from the keyboard and not used */
    size_t keys_start, keys_end;
    bool pasting;      /* between the terminal's marks around a paste */
    bool after_return; /* in a paste: a newline now belongs to the return before it */

    int out; /* the terminal, nonblocking */
    struct queue queue;
    bool full;

    char *prompt;
    struct rows rows; /* as last laid out */
    size_t first_row; /* the first of them on the screen */
    bool drawn;       /* they are on the screen, and the cursor is in them */
    bool foreground;  /* the terminal is ours: it is in our modes, and the line is shown */
    struct reactor_timer redraw;
    struct reactor_timer look; /* while in the background */
};

/* ---- output ------------------------------------------------------------------------------------- */

static reactor_handler terminal_writable;

static void set_full(struct terminal *t, bool full)
{
    if (t->full == full)
        return;
    t->full = full;
    t->events->full(t->context, full);
}

static void terminal_flush(struct terminal *t)
{
    while (t->queue.length > 0) {
        ssize_t n = write(t->out, queue_data(&t->queue), t->queue.length);
        if (n >= 0)
            queue_drop(&t->queue, (size_t)n);
        else if (errno == EAGAIN)
            break;
        else if (errno != EINTR)
            queue_free(&t->queue); /* it is gone: reading from it will say so */
    }
    reactor_watch(t->reactor, t->out, t->queue.length > 0 ? REACTOR_WRITE : 0, terminal_writable,
                  t);
    if (t->queue.length == 0)
        set_full(t, false);
    else if (t->queue.length > OUT_HIGH)
        set_full(t, true);
}

static void terminal_writable(struct reactor *r, int fd, unsigned events, void *context)
{
    (void)r;
    (void)fd;
    (void)events;
    terminal_flush(context);
}

static void put(struct terminal *t, const char *bytes, size_t size)
{
    queue_put(&t->queue, bytes, size); /* the bound is far beyond what `full` lets come */
}

static void put_text(struct terminal *t, const char *text)
{
    put(t, text, strlen(text));
}

/* Move the cursor; 0 would count as 1. */
static void put_move(struct terminal *t, size_t count, char direction)
{
    char sequence[32];
    if (count > 0)
        put(t, sequence,
            (size_t)snprintf(sequence, sizeof sequence, "\033[%zu%c", count, direction));
}

/* ---- the line on the screen --------------------------------------------------------------------- */

static struct winsize screen_size(const struct terminal *t)
{
    struct winsize size = {0};
    if (ioctl(t->out, TIOCGWINSZ, &size) == -1 || size.ws_col == 0 || size.ws_row == 0)
        size = (struct winsize){.ws_row = 24, .ws_col = 80};
    if (size.ws_col < 2)
        size.ws_col = 2;
    return size;
}

/* Erase what is drawn, and leave the cursor where it began.  [reflow] If the terminal has become
 * narrower meanwhile, it has broken long rows in two. */
static void erase(struct terminal *t)
{
    if (!t->drawn)
        return;
    put_move(t, rows_above(&t->rows, t->first_row, screen_size(t).ws_col), 'A');
    put_text(t, "\r\033[J");
    t->drawn = false;
}

/* What is being typed, as UTF-8, and the byte that the cursor stands on; to be freed. */
static char *typed_line(struct terminal *t, size_t *cursor)
{
    const LineInfoW *line = el_wline(t->el);
    size_t count = (size_t)(line->lastchar - line->buffer);
    char *text = malloc(count * UTF8_MAX + 1);
    if (text == NULL)
        return NULL;
    size_t length = 0;
    *cursor = 0;
    for (size_t i = 0; i < count; i++) {
        if (line->buffer + i == line->cursor)
            *cursor = length;
        length += utf8_encode((uint32_t)line->buffer[i], text + length);
    }
    if (line->cursor >= line->lastchar)
        *cursor = length;
    text[length] = '\0';
    return text;
}

/* Draw the line, or of one that is higher than half the screen the part with the cursor. */
static void draw(struct terminal *t)
{
    if (!t->foreground || t->ended)
        return;
    erase(t);
    size_t cursor = 0;
    char *line = typed_line(t, &cursor);
    struct winsize size = screen_size(t);
    struct rows *rows = &t->rows;
    if (line != NULL && rows_lay(rows, t->prompt, line, cursor, size.ws_col)) {
        size_t most = size.ws_row > 2 ? size.ws_row / 2U : 1;
        t->first_row = rows->cursor_row >= most ? rows->cursor_row - most + 1 : 0;
        size_t last = rows->count - t->first_row > most ? t->first_row + most - 1 : rows->count - 1;
        for (size_t i = t->first_row; i <= last; i++) {
            put(t, rows->bytes + rows->row[i].start, rows->row[i].end - rows->row[i].start);
            if (i < last)
                put_text(t, "\r\n");
        }
        put_move(t, last - rows->cursor_row, 'A');
        put_text(t, "\r");
        put_move(t, (size_t)rows->cursor_column, 'C');
        t->drawn = true;
    }
    free(line);
    terminal_flush(t);
}

static void redraw_due(struct reactor *r, void *context)
{
    (void)r;
    draw(context);
}

/* Draw once, when the loop has handled all that came at the same time. */
static void redraw_soon(struct terminal *t)
{
    if (t->foreground && !t->ended)
        reactor_timer_start(t->reactor, &t->redraw, 0, redraw_due, t);
    terminal_flush(t);
}

void terminal_print(struct terminal *t, const char *text)
{
    erase(t);
    put_text(t, text);
    put_text(t, "\r\n");
    redraw_soon(t);
}

void terminal_prompt(struct terminal *t, const char *prompt)
{
    char *copy = strcmp(prompt, t->prompt) != 0 ? strdup(prompt) : NULL;
    if (copy == NULL)
        return; /* it is the same, or the old one has to do */
    free(t->prompt);
    t->prompt = copy;
    redraw_soon(t);
}

static void bell(struct terminal *t)
{
    put_text(t, "\a");
}

/* ---- the modes ---------------------------------------------------------------------------------- */

static reactor_handler keyboard_ready;

static bool in_foreground(void)
{
    return tcgetpgrp(STDIN_FILENO) == getpgrp();
}

static void look_again(struct reactor *r, void *context);

/* Take the terminal: its keys, its modes, and a mark before and after what is pasted.  [background] A
 * process in the background that reads or changes the modes is stopped (see tcsetattr(3)), and the keys
 * are not for it: it only prints, until it is in front. */
static void enter(struct terminal *t)
{
    t->foreground = in_foreground();
    reactor_watch(t->reactor, STDIN_FILENO, t->foreground ? REACTOR_READ : 0, keyboard_ready, t);
    if (!t->foreground) {
        reactor_timer_start(t->reactor, &t->look, LOOK_MS, look_again, t);
        return;
    }
    reactor_timer_cancel(t->reactor, &t->look);
    el_set(t->el, EL_PREP_TERM, 0);
    el_set(t->el, EL_PREP_TERM, 1);
    put_text(t, "\033[?2004h");
    redraw_soon(t);
}

/* A shell that brings a job to the front tells it only if it was stopped. */
static void look_again(struct reactor *r, void *context)
{
    struct terminal *t = context;
    (void)r;
    if (!t->ended)
        enter(t);
}

/* Give it back.  What it does not take within a second is not waited for. */
static void leave(struct terminal *t)
{
    erase(t);
    if (t->foreground)
        put_text(t, "\033[?2004l");
    terminal_flush(t);
    struct pollfd writable = {.fd = t->out, .events = POLLOUT};
    while (t->queue.length > 0 && poll(&writable, 1, LAST_FLUSH_MS) > 0)
        terminal_flush(t);
    if (t->foreground && in_foreground())
        el_set(t->el, EL_PREP_TERM, 0);
    t->foreground = false;
}

/* [stop] ctrl-Z: give the terminal back and stop as if the signal had never been caught.  In a
 * process group that no shell looks after the kernel ignores it, and we go on. */
static void on_stop(struct reactor *r, void *context)
{
    (void)r;
    leave(context);
    sigset_t stop;
    sigemptyset(&stop);
    sigaddset(&stop, SIGTSTP);
    raise(SIGTSTP);
    sigprocmask(SIG_UNBLOCK, &stop, NULL);
    sigprocmask(SIG_BLOCK, &stop, NULL);
    enter(context);
}

static void on_continue(struct reactor *r, void *context)
{
    struct terminal *t = context;
    (void)r;
    t->drawn = false; /* the shell has written since */
    enter(t);
}

static void on_resize(struct reactor *r, void *context)
{
    struct terminal *t = context;
    (void)r;
    el_resize(t->el);
    draw(t);
}

/* ---- keys --------------------------------------------------------------------------------------- */

static void keyboard_ready(struct reactor *r, int fd, unsigned events, void *context)
{
    struct terminal *t = context;
    (void)events;
    if (t->keys_start > 0) {
        memmove(t->keys, t->keys + t->keys_start, t->keys_end - t->keys_start);
        t->keys_end -= t->keys_start;
        t->keys_start = 0;
    }
    ssize_t n = read(fd, t->keys + t->keys_end, KEYS - t->keys_end);
    if (n > 0)
        t->keys_end += (size_t)n;
    else if (n == 0 || (errno != EAGAIN && errno != EINTR))
        t->ended = true; /* the terminal has gone away */
    reactor_stop(r);
}

/* [paste] In a paste no key has its meaning but return: a tabulator is a space, and nothing else
 * below it gets through.  Returns false for a character that is dropped. */
static bool pasted(struct terminal *t, uint32_t *c)
{
    bool second = *c == '\n' && t->after_return;
    t->after_return = *c == '\r';
    if (*c == '\n')
        *c = '\r';
    else if (*c == '\t')
        *c = ' ';
    return !second && (*c == '\r' || (*c >= 0x20 && *c != 0x7f));
}

/* The end of a paste at the front of the keys: 1, not there: 0, perhaps: -1. */
static int at_paste_end(const struct terminal *t)
{
    size_t length = t->keys_end - t->keys_start;
    bool whole = length >= PASTE_END_LENGTH;
    if (memcmp(t->keys + t->keys_start, paste_end, whole ? PASTE_END_LENGTH : length) != 0)
        return 0;
    return whole ? 1 : -1;
}

/* Take one character off the keys, if there is a whole one. */
static bool take_key(struct terminal *t, uint32_t *c)
{
    while (t->keys_start < t->keys_end) {
        int paste_ends = t->pasting ? at_paste_end(t) : 0;
        if (paste_ends == -1)
            return false;
        if (paste_ends == 1) {
            t->keys_start += PASTE_END_LENGTH;
            t->pasting = false;
            continue;
        }
        int n = utf8_decode(t->keys + t->keys_start, t->keys_end - t->keys_start, c);
        if (n == 0)
            return false;
        t->keys_start += n > 0 ? (size_t)n : 1;
        const LineInfoW *line = el_wline(t->el);
        bool room = line->lastchar - line->buffer < TYPED_MAX || *c < 0x20 || *c == 0x7f;
        if (n == -1 || !room)
            bell(t);
        else if (!t->pasting || pasted(t, c))
            return true;
    }
    return false;
}

static struct terminal *terminal_of(EditLine *el)
{
    struct terminal *t = NULL;
    el_get(el, EL_CLIENTDATA, &t);
    return t;
}

/* libedit wants a key: turn the loop until there is one.  See [loop-inside]. */
static int next_key(EditLine *el, wchar_t *key)
{
    struct terminal *t = terminal_of(el);
    uint32_t c = 0;
    while (!t->ended && !take_key(t, &c)) {
        draw(t);
        t->turning = true;
        if (reactor_run(t->reactor) == -1)
            t->ended = true;
        t->turning = false;
    }
    *key = (wchar_t)c;
    return t->ended ? 0 : 1;
}

/* ---- commands of the editor --------------------------------------------------------------------- */

static unsigned char key_return(EditLine *el, int c)
{
    (void)c;
    struct terminal *t = terminal_of(el);
    size_t cursor = 0;
    char *line = typed_line(t, &cursor);
    if (line == NULL || !t->events->line(t->context, line)) {
        free(line);
        if (t->pasting)
            el_winsertstr(el, L" "); /* what stays in the editor is one line */
        return CC_REFRESH_BEEP;
    }
    free(line);
    const LineInfoW *typed = el_wline(el);
    size_t length = (size_t)(typed->lastchar - typed->buffer);
    wchar_t *entry = malloc((length + 1) * sizeof *entry);
    if (entry != NULL && length > 0) {
        wmemcpy(entry, typed->buffer, length);
        entry[length] = L'\0';
        HistEventW event;
        history_w(t->history, &event, H_ENTER, entry);
    }
    free(entry);
    return CC_FATAL; /* not fatal at all: it starts a new line, and returning would reset the modes */
}

static char folded(char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

/* How many bytes all words have in common, as far as case counts in them: whole characters. */
static size_t common_length(const struct words *found)
{
    const char *first = found->word[0];
    size_t length = strlen(first);
    for (size_t i = 1; i < found->count; i++) {
        const char *other = found->word[i];
        size_t same = 0;
        while (same < length && (other[same] == first[same] ||
                                 (!found->exact && folded(other[same]) == folded(first[same]))))
            same++;
        length = same;
    }
    while (((unsigned char)first[length] & 0xc0) == 0x80)
        length--;
    return length;
}

/* Show what the word can become, as many as fit a screen row or two. */
static void show_found(struct terminal *t, const struct words *found)
{
    char text[512];
    size_t length = 0;
    size_t shown = 0;
    while (shown < found->count && length + strlen(found->word[shown]) + 32 < sizeof text)
        length += (size_t)snprintf(text + length, sizeof text - length, "%s ",
                                   found->word[shown++]);
    if (shown < found->count)
        snprintf(text + length, sizeof text - length, "and %zu more", found->count - shown);
    terminal_print(t, text);
}

static void insert_text(EditLine *el, const char *text, size_t length)
{
    wchar_t wide[TYPED_MAX / 4];
    size_t count = 0;
    for (size_t at = 0; at < length && count < sizeof wide / sizeof wide[0] - 1;) {
        uint32_t c = 0;
        int n = utf8_decode(text + at, length - at, &c);
        if (n <= 0)
            break; /* half a character is not inserted */
        wide[count++] = (wchar_t)c;
        at += (size_t)n;
    }
    wide[count] = L'\0';
    el_winsertstr(el, wide);
}

/* The characters in UTF-8. */
static int count_characters(const char *text)
{
    int count = 0;
    for (; *text != '\0'; text++)
        count += ((unsigned char)*text & 0xc0) != 0x80;
    return count;
}

static unsigned char key_tab(EditLine *el, int c)
{
    (void)c;
    struct terminal *t = terminal_of(el);
    struct words found = {0};
    unsigned char answer = CC_ERROR;
    size_t cursor = 0;
    char *line = typed_line(t, &cursor);
    if (line != NULL) {
        line[cursor] = '\0';
        size_t length = t->events->complete(t->context, line, &found);
        size_t common = found.count > 0 ? common_length(&found) : 0;
        if (common > length || found.count == 1) {
            el_wdeletestr(el, count_characters(line + cursor - length));
            insert_text(el, found.word[0], common);
            answer = CC_REFRESH;
        } else if (found.count > 1) {
            show_found(t, &found);
            answer = CC_REFRESH;
        } else {
            bell(t);
        }
    }
    free(line);
    words_free(&found);
    return answer;
}

static unsigned char key_clear(EditLine *el, int c)
{
    (void)c;
    struct terminal *t = terminal_of(el);
    put_text(t, "\033[H\033[2J");
    t->drawn = false;
    return CC_REFRESH;
}

static unsigned char paste_begins(EditLine *el, int c)
{
    (void)c;
    struct terminal *t = terminal_of(el);
    t->pasting = true;
    t->after_return = false;
    return CC_NORM;
}

/* ---- beginning and end -------------------------------------------------------------------------- */

static wchar_t *no_prompt(EditLine *el)
{
    static wchar_t empty[] = L"";
    (void)el;
    return empty;
}

static void bind_keys(EditLine *el)
{
    static const struct {
        const wchar_t *name, *help;
        unsigned char (*function)(EditLine *, int);
    } functions[] = {
        {L"chat-return", L"send the line", key_return},
        {L"chat-complete", L"complete a name", key_tab},
        {L"chat-clear", L"clear the screen", key_clear},
        {L"chat-paste", L"begin to paste", paste_begins},
    };
    static const wchar_t *const keys[][2] = {
        {L"^M", L"chat-return"},         {L"^J", L"chat-return"},
        {L"^I", L"chat-complete"},       {L"^L", L"chat-clear"},
        {L"\\e[200~", L"chat-paste"},    {L"\\e[3~", L"ed-delete-next-char"},
        {L"\\e[1~", L"ed-move-to-beg"},  {L"\\e[4~", L"ed-move-to-end"},
        {L"\\e[7~", L"ed-move-to-beg"},  {L"\\e[8~", L"ed-move-to-end"},
        {L"\\e[1;5C", L"em-next-word"},  {L"\\e[1;5D", L"ed-prev-word"},
        {L"^W", L"ed-delete-prev-word"}, {L"^R", L"em-inc-search-prev"},
    };
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++)
        el_wset(el, EL_ADDFN, functions[i].name, functions[i].help, functions[i].function);
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        el_wset(el, EL_BIND, keys[i][0], keys[i][1], NULL);
    /* In the C locale libedit takes these for keys with a meaning; here they are letters. */
    for (wchar_t letter = 0xa0; letter <= 0xff; letter++)
        el_wset(el, EL_BIND, (wchar_t[]){letter, L'\0'}, L"ed-insert", NULL);
}

static bool start_editor(struct terminal *t)
{
    HistEventW event;
    t->nowhere = fopen("/dev/null", "we");
    t->history = history_winit();
    if (t->nowhere == NULL || t->history == NULL)
        return false;
    t->el = el_init_fd("chat", stdin, t->nowhere, t->nowhere, STDIN_FILENO, STDOUT_FILENO,
                       STDERR_FILENO);
    if (t->el == NULL)
        return false;
    history_w(t->history, &event, H_SETSIZE, HISTORY);
    history_w(t->history, &event, H_SETUNIQUE, 1);
    el_set(t->el, EL_CLIENTDATA, t);
    el_set(t->el, EL_GETCFN, next_key);
    el_wset(t->el, EL_PROMPT, no_prompt);
    el_wset(t->el, EL_HIST, history_w, t->history);
    el_wset(t->el, EL_EDITOR, L"emacs");
    el_source(t->el, NULL); /* the user's .editrc; there may be none */
    bind_keys(t->el);
    return true;
}

struct terminal *terminal_new(struct reactor *r, const struct terminal_events *events,
                              void *context)
{
    struct terminal *t = malloc(sizeof *t);
    if (t == NULL)
        return NULL;
    *t = (struct terminal){.reactor = r,
                           .events = events,
                           .context = context,
                           .prompt = strdup("> "),
                           .queue.limit = OUT_MAX};
    /* [own-description] O_NONBLOCK belongs to the open file, which the shell shares: open another. */
    t->out = open(ttyname(STDOUT_FILENO) != NULL ? ttyname(STDOUT_FILENO) : "/dev/tty",
                  O_WRONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (t->out != -1 && t->prompt != NULL && start_editor(t) &&
        reactor_signal(r, SIGWINCH, on_resize, t) == 0 &&
        reactor_signal(r, SIGTSTP, on_stop, t) == 0 &&
        reactor_signal(r, SIGCONT, on_continue, t) == 0)
        return t;
    int saved = errno;
    terminal_free(t);
    errno = saved;
    return NULL;
}

void terminal_free(struct terminal *t)
{
    reactor_timer_cancel(t->reactor, &t->redraw);
    reactor_timer_cancel(t->reactor, &t->look);
    reactor_unwatch(t->reactor, STDIN_FILENO);
    if (t->el != NULL) {
        leave(t);
        if (!in_foreground())
            el_set(t->el, EL_EDITMODE, 0); /* then el_end leaves the modes alone */
        el_end(t->el);
    }
    if (t->out != -1) {
        reactor_unwatch(t->reactor, t->out);
        close(t->out);
    }
    if (t->history != NULL)
        history_wend(t->history);
    if (t->nowhere != NULL)
        fclose(t->nowhere);
    queue_free(&t->queue);
    rows_free(&t->rows);
    free(t->prompt);
    free(t);
}

void terminal_run(struct terminal *t)
{
    int length = 0;
    enter(t);
    el_wgets(t->el, &length);
    t->ended = true;
    reactor_unwatch(t->reactor, STDIN_FILENO);
    erase(t);
    terminal_flush(t);
}

void terminal_stop(struct terminal *t)
{
    t->ended = true;
    if (t->turning) /* else the next turn of somebody else would end at once */
        reactor_stop(t->reactor);
}
