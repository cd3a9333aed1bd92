# watch.awk - put a text beside each system call of a trace that strace -f -T wrote.
#
#   awk -f watch.awk calls trace
#
# The trace is shown from listen(2) on.  A call appears when it returns.  Calls that repeat are
# shown once, with their number.

BEGIN {
    WIDTH = 100      # columns of a terminal
    COLUMN = 56      # where the text begins
    SLEPT = 0.02     # a call that took so many seconds slept
}

# ---- the table ---------------------------------------------------------------------------------

FNR == NR {
    if ($0 !~ /^#/ && split($0, field, / *[|] */) == 4) {
        rows++
        row_call[rows] = "/" field[1] "/"
        row_on[rows] = field[2]
        row_outcome[rows] = field[3]
        row_text[rows] = field[4]
    }
    next
}

# text_for - the words for a call, or nothing.
function text_for(call, on, outcome, slept,    i, wanted, text) {
    for (i = 1; i <= rows; i++) {
        wanted = row_outcome[i]
        if (sub(/^~/, "", wanted) && !slept)
            continue
        if (index(row_call[i], "/" call "/") && (row_on[i] == "*" || row_on[i] == on) &&
            (wanted == "*" || wanted == outcome)) {
            text = row_text[i]
            gsub(/%r/, result, text)
            gsub(/%f/, descriptor, text)
            return text
        }
    }
    return ""
}

# ---- one line of the trace ---------------------------------------------------------------------

# shorten - leave out what is long and says nothing here.
function shorten(s) {
    gsub(/\{events=/, "{", s)
    gsub(/\{fd=/, "{", s)
    gsub(/, r?events=/, " ", s)
    while (match(s, /data=\{u32=[0-9]+, u64=[0-9]+\}/))
        s = substr(s, 1, RSTART - 1) data(substr(s, RSTART, RLENGTH)) substr(s, RSTART + RLENGTH)
    gsub(/0x[0-9a-f]+/, "...", s)
    if (s ~ /^futex/) {
        sub(/_BITSET(_PRIVATE)?[|]FUTEX_CLOCK_REALTIME/, "", s)
        sub(/, NULL, FUTEX_BITSET_MATCH_ANY/, "", s)
        sub(/2147483647/, "INT_MAX", s)
    }
    sub(/(\\0)+.*"\.\.\., 128\)/, "\\0\\0\\0\"..., 128)", s)
    sub(/SOCK_CLOEXEC[|]SOCK_NONBLOCK/, "SOCK_NONBLOCK|...", s)
    sub(/flags=[A-Z_|]*CLONE_THREAD[A-Z_|]*/, "flags=CLONE_THREAD|...", s)
    sub(/child_stack=NULL, flags=CLONE_CHILD[A-Z_|]*SIGCHLD/, "flags=...|SIGCHLD", s)
    sub(/= \? ERESTART.*/, "= ?", s)
    if (s ~ /^io_uring/)
        sub(/[{].*[}]/, "...", s)
    if (s ~ /^clone/)
        sub(/[|]\.\.\.,.*\)( +=)/, "|...) =", s) || sub(/SIGCHLD,.*\) +=/, "SIGCHLD) =", s)
    if (s ~ /^(recvfrom|sendto)/)
        sub(/, NULL, (NULL|0)\)/, ")", s)
    if (match(s, /= -1 E[A-Z0-9]+ \(/))
        s = substr(s, 1, RSTART + RLENGTH - 3)
    sub(/\) += /, ") = ", s)
    sub(/^--- [A-Z0-9]+ .*/, substr(s, 1, index(s, " {")) "---", s)
    return s
}

# data - what epoll gives back with an event: a descriptor, or a pointer, which stands for the one
# that it was watched with.
function data(s) {
    gsub(/[^0-9 ]/, " ", s)
    split(s, number, " ")
    if (number[2] == number[4] && number[2] > 0)
        return number[2]
    return number[4] in pointed ? kind[space[pid], pointed[number[4]]] " " pointed[number[4]] : "..."
}

# learn - which descriptor an epoll_ctl watches with which pointer.
function learn(s) {
    split(s, argument, /, /)
    if (match(s, /u64=[0-9]+/))
        pointed[substr(s, RSTART + 4, RLENGTH - 4)] = argument[3]
}

# futex_kind - who waits for whom; nothing if it is a lock, or nobody was there to be woken.
function futex_kind(s) {
    if (s ~ /FUTEX_WAIT/)
        return s ~ /BITSET_PRIVATE/ ? "queue" : s ~ /BITSET/ ? "thread" : ""
    return s ~ /\) += 0/ ? "" : s ~ /2147483647/ ? "all" : "one"
}

# ready - what a call for readiness found: the kind of the one descriptor, or several.
function ready(call, s,    from) {
    if (result != 1)
        return "several"
    from = call ~ /^epoll/ ? index(s, "[{") : index(s, ") = 1 (")
    s = substr(s, from)
    sub(/^\) = 1 /, "", s)
    if (call ~ /^epoll/)
        sub(/^[^,]*/, "", s)
    match(s, /[0-9]+/)
    descriptor = substr(s, RSTART, RLENGTH)
    return kind[space[pid], descriptor]
}

# born - whose descriptors a new thread or process uses: a thread its process's, a process its own,
# which are at first what its parent had.
function born(child, parent, thread,    key, part, keys, n, i) {
    space[child] = thread ? space[parent] : child
    if (thread || parent == "")
        return
    for (key in kind)
        keys[++n] = key
    for (i = 1; i <= n; i++) {
        split(keys[i], part, SUBSEP)
        if (part[1] == space[parent])
            kind[child, part[2]] = kind[keys[i]]
    }
}

# parent_of - who is just making one that appears before the call has returned; nobody for the first.
function parent_of(    other) {
    for (other in half)
        if (half[other] ~ /^(clone|v?fork)/)
            return other
    return ""
}

{
    pid = $1
    if (!(pid in space)) {
        maker = parent_of()
        if (first == "")
            first = pid
        born(pid, maker, maker != "" && half[maker] ~ /CLONE_THREAD/)
    }
    line = $0
    sub(/^[0-9]+ +/, "", line)
    sub(/<unfinished \.\.\.>\) += \?/, ") = ?", line)
    if (sub(/ <unfinished \.\.\.>$/, "", line)) {
        half[pid] = line
        next
    }
    if (line ~ /^<\.\.\. /) {
        sub(/^<\.\.\. [a-z0-9_]+ resumed>/, "", line)
        line = half[pid] line
        delete half[pid]
    }
    slept = match(line, / <[0-9.]+>$/) && substr(line, RSTART + 2) + 0 > SLEPT
    sub(/ <[0-9.]+>$/, "", line)
    thread = line ~ /CLONE_THREAD/
    if (line ~ /^epoll_ctl/)
        learn(line)
    if (pool && line ~ /^futex/ && (waits = futex_kind(line)) == "")
        next
    line = shorten(line)
}

line ~ /^listen\(/ { shown = 1 }
!shown || line ~ /^\+\+\+ exited/ { next }

{
    call = on = line
    result = outcome = ""
    descriptor = line
    sub(/^[a-z0-9_]+\(/, "", descriptor)
    sub(/[^0-9].*/, "", descriptor)
    if (line ~ /^[a-z]/) {
        sub(/\(.*/, "", call)
        match(line, /\) = [^=]*$/)
        result = substr(line, RSTART + 4)
        outcome = result ~ /EINTR|^\?/ ? "signal" : result ~ /^-1 E/ ? substr(result, 4) \
            : result + 0 > 0 ? "+" : "0"
        result += 0
        on = kind[space[pid], descriptor]
    }

    if (call == "listen") {
        on = listeners++ ? "another" : ""
        kind[space[pid], descriptor] = "listener"
    }
    else if (call == "epoll_create1")
        kind[space[pid], result] = "epoll"
    else if (call == "io_uring_setup")
        kind[space[pid], result] = "ring"
    else if (call ~ /^accept/ && outcome == "+")
        kind[space[pid], result] = "client"
    else if (call == "eventfd2")
        kind[space[pid], result] = "wake-up"
    else if (call == "signalfd4") {
        on = descriptor == "" ? "new" : "more"
        kind[space[pid], result] = "signals"
    }
    else if (call == "write" && descriptor == 1) {
        on = "line"
        ready_to_serve = 1
    }
    else if (call ~ /select|poll|epoll_p?wait/ && outcome == "+")
        on = ready(call, line)
    else if (call == "kill")
        on = line ~ /SIGCONT/ ? "stopped" : ""
    else if (call ~ /clone|fork/)
        on = !thread ? "process" : ready_to_serve ? "thread" : "pool"
    else if (call == "epoll_ctl") {
        split(line, argument, /, |_CTL_/)
        on = argument[3] " " kind[space[pid], argument[4]] (line ~ /ONESHOT/ ? " once" : "")
    }
    else if (call == "futex")
        on = waits
    else if (call == "close" && on == "listener" && !ready_to_serve && pid == first) {
        on = "probe"
        listeners = 0
    }
    pool = pool || on == "pool"

    if (call ~ /clone|fork/ && outcome == "+" && !(result in space))
        born(result, pid, thread)

    count++
    shown_call[count] = line
    shown_pid[count] = pid
    shown_text[count] = text_for(call, on, outcome, slept)
    if (!(pid in known)) {
        known[pid] = 1
        pids++
    }
    if (call == "close" && outcome == "0")
        delete kind[space[pid], descriptor]
}

# ---- the page ----------------------------------------------------------------------------------

# same - line i of the page is line j again.
function same(i, j) {
    return shown_pid[i] == shown_pid[j] && shown_call[i] == shown_call[j]
}

# times - how often the p lines from i on stand there in a row.
function times(i, p,    n) {
    for (n = p; i + n <= count && same(i + n, i + n % p); n++)
        ;
    return int(n / p)
}

# show - a call, and its text beside it, on the next line if there is no room.
function show(i,    left, words, n, w, text) {
    left = (pids > 1 ? shown_pid[i] " " : "") shown_call[i]
    if (length(left) > WIDTH)
        left = substr(left, 1, WIDTH - 3) "..."
    n = split(shown_text[i], words, " ")
    if (n > 0 && length(left) > COLUMN - 2) {
        print left
        left = ""
    }
    for (w = 1; w <= n; w++) {
        if (text != "" && COLUMN + length(text " " words[w]) > WIDTH) {
            printf "%-" COLUMN "s%s\n", left, text
            left = text = ""
        }
        text = text (text == "" ? "" : " ") words[w]
    }
    if (text == "")
        print left
    else
        printf "%-" COLUMN "s%s\n", left, text
}

END {
    for (i = 1; i <= count; i += often * period) {
        often = period = 1
        for (p = 1; p <= 4 && often < 3; p++) {
            often = times(i, p)
            period = p
        }
        if (often < 3)
            often = period = 1
        for (k = 0; k < period; k++)
            show(i + k)
        if (often > 1)
            printf "    ... and again: %s %d times in all\n", \
                (period == 1 ? "this call" : "these " period " calls"), often
    }
}
