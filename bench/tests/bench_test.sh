#!/bin/bash
# measure and run: what they write, what they do with a server that fails, and that an interrupt
# keeps what there is and leaves no process.  No figure is judged: only that it is there.
# BUILD names the folder of the programs (build).
# shellcheck disable=SC2317  # check calls the functions by their names

cd "$(dirname "$0")/../.." || exit 1
source common/testkit/check.sh
build=${BUILD:-build}
# Without tracepoints measure counts with strace, under which LeakSanitizer cannot work.
export ASAN_OPTIONS=detect_leaks=0

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# A tree of lessons and programs of our own: real models under this folder's name, so that their
# processes can be told from others, and fakes.
lessons=$scratch/lessons
fake=$scratch/build
mkdir -p "$lessons" "$fake/lessons"
cp -r "$build/bench" "$fake/bench"
cp "$build/flags" "$fake/flags"

# model FOLDER: copy a real model.  fake_model FOLDER SCRIPT: one that is a shell script.
model() {
    mkdir -p "$lessons/$1" "$fake/lessons/$1"
    cp "lessons/$1/server.c" "$lessons/$1/"
    cp "$build/lessons/$1/server" "$fake/lessons/$1/"
    [ ! -e "lessons/$1/limits" ] || cp "lessons/$1/limits" "$lessons/$1/"
}

fake_model() {
    mkdir -p "$lessons/$1" "$fake/lessons/$1"
    : > "$lessons/$1/server.c"
    printf '#!/bin/bash\n%s\n' "$2" > "$fake/lessons/$1/server"
    chmod +x "$fake/lessons/$1/server"
}

no_models() {
    rm -rf "${lessons:?}"/* "${fake:?}/lessons"/*
}

# gives STATUS PATTERN COMMAND...: it exits so within 200 s, and its output has the pattern.
gives() {
    local status=$1 pattern=$2 got
    shift 2
    timeout 200 "$@" > "$scratch/out" 2>&1
    got=$?
    cat "$scratch/out"
    [ "$got" -ne 124 ] || echo "timed out after 200 s waiting for its end"
    [ "$got" -eq "$status" ] || { echo "exit status $got, not $status"; return 1; }
    grep -qE -- "$pattern" "$scratch/out" || { echo "no line with: $pattern"; return 1; }
}

# No process is left whose command line names our folder.
nothing_runs() {
    local i left
    for ((i = 0; i < 300; i++)); do
        left=$(grep -laF "$fake/" /proc/[0-9]*/cmdline 2> /dev/null)
        [ -n "$left" ] || return 0
        read -r -t 0.1 <> <(:) # those that were told to end may need a moment
    done
    echo "timed out after 30 s waiting for these to end: $left"
    return 1
}

# ---- measure -------------------------------------------------------------------------------------

real=$build/lessons/05-epoll-lt/server
measure=$build/bench/measure
loadgen=$build/bench/loadgen

has_fields() {
    local field json
    gives 0 '^\{.*\}$' "$measure" --idle 20 --syscalls -- "$real" -- "$loadgen" --connections 5 --messages 20 || return
    json=$(< "$scratch/out")
    for field in '"messages": 100' '"errors": 0' '"qps": [0-9.]+' '"server_cpu_us": [1-9][0-9.]*' \
        '"generator_cpu_us": [0-9.]+' '"wall_seconds": [0-9.]+' '"other_share": [0-9]+\.[0-9]+' \
        '"switches": [1-9]' '"ready_kb": [1-9]' '"idle_kb": [1-9]' '"idle_kernel_kb": [0-9]' '"peak_kb": [1-9]' \
        '"syscalls": ([1-9]|null)' '"syscalls_by": ("tracepoint"|"strace"|null)'; do
        [[ $json =~ $field ]] || { echo "no field $field"; return 1; }
    done
}

# Two servers that differ in how much they must work differ in CPU time by at least that.
counts_cpu() {
    gives 0 server_cpu "$measure" -- "$real" --work 2000 -- "$loadgen" --connections 2 --messages 50 || return
    [[ $(< "$scratch/out") =~ \"server_cpu_us\":\ ([0-9]+) ]] || return
    [ "${BASH_REMATCH[1]}" -ge 200000 ] || { echo "100 messages of 2000 us of work took ${BASH_REMATCH[1]} us"; return 1; }
}

# Every process of a server counts, and each is stopped.
counts_processes() {
    gives 0 server_cpu "$measure" -- "$build/lessons/08-prefork/server" --work 2000 -- "$loadgen" --connections 4 --messages 25 || return
    [[ $(< "$scratch/out") =~ \"server_cpu_us\":\ ([0-9]+) ]] || return
    [ "${BASH_REMATCH[1]}" -ge 200000 ] || { echo "100 messages of 2000 us of work took ${BASH_REMATCH[1]} us"; return 1; }
}

# An echo asks for a receive and a send: 2000 messages more are 4000 calls more; and a few that
# a sanitizer makes as it likes.
counts_syscalls() {
    local calls=() n
    for n in 1 2001; do
        gives 0 syscalls "$measure" --syscalls -- "$build/lessons/01-blocking/server" -- "$loadgen" --connections 1 --messages "$n" || return
        [[ $(< "$scratch/out") =~ \"syscalls\":\ ([0-9]+) ]] || return
        calls+=("${BASH_REMATCH[1]}")
    done
    n=$((calls[1] - calls[0]))
    { [ "$n" -gt 3800 ] && [ "$n" -lt 4200 ]; } || { echo "2000 messages made $n calls"; return 1; }
}

attaches() {
    local pid port text status
    exec {line}< <(exec "$real" --port 0 --quiet)
    pid=$!
    read -r -t 10 text <&"$line" || { echo "timed out after 10 s waiting for the server to listen"; return 1; }
    port=${text#*:} port=${port%% *}
    gives 0 '^\{"server_cpu_us": [1-9].*"other_share": [0-9.]+\}$' \
        "$measure" --pid "$pid" --output "$scratch/loadgen" -- "$loadgen" --port "$port" --messages 10
    status=$?
    grep -q '^100 connections, 1000 messages' "$scratch/loadgen" || { echo "no output of the generator"; status=1; }
    kill -0 "$pid" || { echo "the server that ran before is gone"; status=1; }
    kill "$pid"
    exec {line}<&-
    return "$status"
}

one_line() { # gives ARGUMENTS..., and just that one line
    gives "$@" || return
    [ "$(wc -l < "$scratch/out")" -eq 1 ] || { echo "not one line"; return 1; }
}

check "measure has every field" has_fields
check "measure counts the server's CPU time" counts_cpu
check "measure counts all processes" counts_processes
if [[ $("$measure" --syscalls -- "$real" -- "$loadgen" --messages 1) == *'"syscalls": null'* ]]; then
    skip "measure counts system calls" "neither tracepoints nor strace here"
else
    check "measure counts system calls" counts_syscalls
fi
check "measure attaches to a running server" attaches
check "measure: a server that ends at once" one_line 1 'exited with status 1 before it said its line' "$measure" -- false -- "$loadgen"
check "measure: a server with another line" one_line 1 "line is not 'listening on" "$measure" -- echo hello -- "$loadgen"
check "measure: an idle connection without answer" one_line 1 'timed out after 3 s waiting for an answer on idle connection 2$' \
    "$measure" --idle 5 -- "$build/lessons/01-blocking/server" -- "$loadgen"
check "measure: a generator without end" one_line 1 'timed out after 0.2 s waiting for the generator' \
    "$measure" --timeout 0.2 -- "$real" -- "$loadgen" --duration 30
check "measure: a generator that fails" gives 1 'the generator exited with status 1' "$measure" -- "$real" -- false
check "measure: no generator" one_line 2 'which programs' "$measure" -- "$real"
check "measure: an unknown option" one_line 2 "'--nonsense' is not an option" "$measure" --nonsense -- "$real" -- "$loadgen"
check "measure: no such process" one_line 1 'there is no process' "$measure" --pid 1073741824 -- true

# ---- run: every model that there is ------------------------------------------------------------

every_model() {
    local folder name rows
    gives 0 'models, [0-9]+ s$' env BUILD="$build" bench/run --smoke --out "$scratch/all.tsv" || return
    for name in run machine kernel compiler commit date cores; do
        grep -qE "^# $name: .+" "$scratch/all.tsv" || { echo "no header '$name'"; return 1; }
    done
    for folder in lessons/*/server.c; do
        [[ $folder != *-chat/* ]] || continue
        folder=${folder%/server.c}
        name=${folder#*-}
        rows=$(awk -F '\t' -v m="$name" '$2 == m' "$scratch/all.tsv" | wc -l)
        [ "$rows" -eq 6 ] || { echo "$name: $rows rows, not 6"; return 1; }
        [ "$(awk -F '\t' -v m="$name" '$2 == m && $3 == "load" && $NF == "-" && $8 > 0' "$scratch/all.tsv" | wc -l)" -eq 2 ] ||
            { echo "$name: not measured"; return 1; }
    done
    awk -F '\t' '/^#/ { next } !n { n = NF } NF != n { print "a row of " NF " fields, not " n; bad = 1 } END { exit bad }' "$scratch/all.tsv"
}

goes_round() { # A B C and then C B A, never A A B B
    awk -F '\t' '$3 == "load" && $4 == 1 { print $2 }' "$scratch/all.tsv" > "$scratch/order"
    printf '%s\n' lessons/*/server.c | grep -v -e -chat/ | sed 's,^lessons/[^-]*-,,; s,/server.c$,,' | diff - "$scratch/order"
}

# The chat room with each way to wait, where it is built.
chat_rows() {
    [ "$(awk -F '\t' '$2 ~ /^chat-(select|poll|epoll)$/ && $3 == "fanout" && $NF == "-" && $7 > 0 && $9 > 0' "$scratch/all.tsv" | wc -l)" -eq 6 ] ||
        { grep fanout "$scratch/all.tsv"; echo "not measured"; return 1; }
}

tells_pid() {
    gives 0 '"deliveries": 125,.*"server_cpu_us": [1-9].*"wall_seconds"' "$measure" --tell-pid -- \
        "$build/lessons/14-chat/server" --rate 0 -- "$build/bench/chatload" --clients 5 --messages 5
}

check "run: every model" every_model
if [ -x "$build/lessons/14-chat/server" ]; then
    check "run: the chat room" chat_rows
    check "measure tells the generator the server's process" tells_pid
else
    skip "run: the chat room" "it is not built"
fi
check "run: goes round the models" goes_round

# ---- run: models that fail -----------------------------------------------------------------------

run=(env "BUILD=$fake" "LESSONS=$lessons" bench/run --out "$scratch/some.tsv" --smoke)

left_out() {
    gives 1 'bench/run: broken: failed at 1 connections.*exited with status 7 before it said its line' "${run[@]}" || return
    grep -q '^1.broken.load.1.*exited with status 7' "$scratch/some.tsv" || { echo "no row with the reason"; return 1; }
    [ "$(grep -c 'broken: failed' "$scratch/out")" -eq 1 ] || { echo "tried again after it failed"; return 1; }
    [ "$(awk -F '\t' '$2 == "epoll-lt" && $NF == "-"' "$scratch/some.tsv" | wc -l)" -eq 6 ] ||
        { echo "the other model was not measured"; return 1; }
}

limited() {
    gives 0 'blocking: a limit at 100 connections, 100 idle' "${run[@]}" --models blocking || return
    grep -q 'idle connection 2 (.*nobody calls accept)$' "$scratch/some.tsv" || { echo "no row with the reason"; return 1; }
}

not_excused() { # the same without the file that names the limit
    rm "$lessons/01-blocking/limits"
    gives 1 'blocking: failed at 100 connections, 100 idle' "${run[@]}" --models blocking
}

few_descriptors() {
    (ulimit -n 200 && gives 0 'models,' "${run[@]}" --models epoll-lt) || return
    grep -q 'needs 264 descriptors, and the limit is 200' "$scratch/some.tsv" || { echo "no row with the reason"; return 1; }
}

model 05-epoll-lt
fake_model 03-broken 'exit 7'
check "run: a model that fails is left out" left_out
no_models
model 01-blocking
model 05-epoll-lt
check "run: a limit that is listed is no failure" limited
check "run: one that is not listed is" not_excused
check "run: too few descriptors for a point" few_descriptors
check "run: an unknown model" one_line 2 "no model 'nonsense'" "${run[@]}" --models nonsense
check "run: an unknown option" one_line 2 "'--nonsense' is not an option" bench/run --nonsense
check "run: programs that are not built" one_line 1 'run make' env BUILD="$scratch/nothing" bench/run --smoke --out "$scratch/none.tsv"

# ---- run: interrupted ----------------------------------------------------------------------------

interrupt() { # SIGNAL
    local i runner status rows=0
    no_models
    model 05-epoll-lt
    model 08-prefork
    rm -f "$scratch/cut.tsv"
    # SIGINT not ignored, as it is where this test runs in the background of a script.
    set -m
    env --default-signal=INT BUILD="$fake" LESSONS="$lessons" bench/run --out "$scratch/cut.tsv" > "$scratch/out" 2>&1 &
    runner=$!
    set +m
    for ((i = 0; i < 1000 && rows < 3; i++)); do
        rows=$(grep -c '^1' "$scratch/cut.tsv" 2> /dev/null)
        read -r -t 0.1 <> <(:)
    done
    [ "$rows" -ge 3 ] || { echo "timed out after 100 s waiting for three rows"; return 1; }
    kill -s "$1" "$runner"
    wait "$runner"
    status=$?
    cat "$scratch/out"
    [ "$status" -eq 130 ] || { echo "exit status $status, not 130"; return 1; }
    grep -q 'what was measured is in' "$scratch/out" || { echo "it does not say where the rows are"; return 1; }
    [ "$(grep -c '^1' "$scratch/cut.tsv")" -ge 3 ] || { echo "the rows are gone"; return 1; }
    nothing_runs
}

check "run: SIGINT keeps the rows and leaves no process" interrupt INT
check "run: SIGTERM does, too" interrupt TERM
check "nothing is left running" nothing_runs

finish bench_test
