#!/bin/bash
# What a student's program does to its grader: each misdeed of hostile.c costs the check in which it is
# done, and nothing else; nothing is forged, and nothing stays behind.
# shellcheck disable=SC2317  # check calls functions by name

cd "$(dirname "$0")/../.." || exit 1
source common/testkit/check.sh

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
misdeeds=(exit_0 crash loop fork_bomb close_everything kill_everybody write_the_result scribble
    eat_memory let_children_eat invent_calls claim_not_to_run fill_the_disk leave_a_daemon never_end)

# prepare_files NAME - a right server that does this one misdeed.
prepare_files() {
    mkdir -p "$scratch/$1/05-epoll-backpressure"
    {
        sed 's/^int main(/int server_main(/; 1i int server_main(int argc, char **argv);' \
            lessons/05-epoll-lt/server.c
        echo "#define MISDEED \"$1\""
        cat exercises/tests/hostile.c
    } > "$scratch/$1/05-epoll-backpressure/server.c"
}

# judge NAME - into NAME.json; with the walls or, as WALLS says, without.
judge() {
    common/tools/judge 05 "$scratch/$1/05-epoll-backpressure" "$scratch/$1/out" \
        > "$scratch/$1/said" 2>&1
}

# outcome NAME CHECK - what it was.
outcome() {
    jq_lines "$scratch/$1/out/last.json" | sed -n "s/^$2 //p"
}

# jq_lines FILE - each check and its outcome.
jq_lines() {
    awk -F '"' '$2 == "name" { name = $4 } $2 == "outcome" { print name, $4 }' "$1"
}

costs_that_check_alone() {
    local name verdict
    [ -f "$scratch/$1/out/last.json" ] || { cat "$scratch/$1/said"; return 1; }
    while read -r name verdict; do
        case $name:$verdict in
        bounded-memory:failed) ;;
        bounded-memory:* | *:failed | *:'grader fault' | *:'not judged')
            echo "$name: $verdict"
            cat "$scratch/$1/out/last.json"
            return 1
            ;;
        esac
    done < <(jq_lines "$scratch/$1/out/last.json")
    [ "$(outcome "$1" bounded-memory)" = failed ]
}

# says NAME PATTERN - the student is told what it was.
says() {
    grep -Eq "$2" "$scratch/$1/out/last.json" || { cat "$scratch/$1/out/last.json"; return 1; }
}

nothing_stays() {
    local left
    left=$(pgrep -f 'sleep 987654')
    [ -z "$left" ] || { echo "still there: $left"; return 1; }
}

# goes_around NAME WORD LINE... - a server whose calls would not be seen, with these lines at its head; it
# is not built, and why not has the word.
goes_around() {
    local folder=$scratch/$1 word=$2
    shift 2
    mkdir -p "$folder"
    { printf '%s\n' '#include <sys/socket.h>' "$@"; cat lessons/05-epoll-lt/server.c; } > "$folder/server.c"
    common/tools/judge 05 "$folder" "$folder/out" > "$folder/said" 2>&1
    cat "$folder/said"
    grep -q "$word" "$folder/out/compiler" && ! jq_lines "$folder/out/last.json" | grep -q ' passed$'
}

source common/tools/exercises.sh
prepare 05-epoll-backpressure || exit 1
for walls in bubblewrap none; do
    export GRADE_SANDBOX=$walls
    for misdeed in "${misdeeds[@]}"; do
        rm -rf "${scratch:?}/$misdeed"
        prepare_files "$misdeed"
    done
    export -f judge
    export scratch
    printf '%s\n' "${misdeeds[@]}" | xargs -P "$((2 * $(nproc)))" -I '{}' bash -c 'judge {}'
    for misdeed in "${misdeeds[@]}"; do
        check "$misdeed-$walls" costs_that_check_alone "$misdeed"
    done
    check "says-exit-$walls" says exit_0 'exited with status 0'
    check "says-crash-$walls" says crash 'SIGSEGV|SEGV'
    check "says-loop-$walls" says loop 'CPU time'
    check "says-memory-$walls" says eat_memory 'more memory than it may have|memory'
    check "says-memory-of-children-$walls" says let_children_eat 'more memory than it may have'
    check "nothing-stays-$walls" nothing_stays
done

unset GRADE_SANDBOX
check goes-around-by-syscall goes_around syscall 'it calls syscall' '#include <unistd.h>' '#include <sys/syscall.h>' \
    '#define send(a, b, c, d) syscall(SYS_sendto, a, b, c, d, 0, 0)'
check goes-around-by-its-own goes_around own 'it defines send' \
    'ssize_t send(int fd, const void *b, size_t n, int f) { return sendto(fd, b, n, f, 0, 0); }'
check goes-around-by-dlsym goes_around dlsym 'it calls dlsym' '#include <dlfcn.h>' \
    '#define send(a, b, c, d) ((ssize_t (*)(int, const void *, size_t, int))dlsym(RTLD_NEXT, "send"))(a, b, c, d)'

# Calls that the layer has no fault for are not made by somebody who bears faults.
mkdir -p "$scratch/spared"
{
    printf '%s\n' '#include <sys/socket.h>' '#include <sys/uio.h>' \
        'static ssize_t one(int fd, const void *b, size_t n, int f)' \
        '{ struct iovec v = {(void *)b, n}; struct mmsghdr m = {.msg_hdr = {.msg_iov = &v, .msg_iovlen = 1}};' \
        '  return sendmmsg(fd, &m, 1, f) == 1 ? (ssize_t)m.msg_len : -1; }' '#define send one'
    cat lessons/05-epoll-lt/server.c
} > "$scratch/spared/server.c"
judge_spared() {
    common/tools/judge 05 "$scratch/spared" "$scratch/spared/out" && says spared 'none of its writes could be cut'
}
check spared-of-faults judge_spared

finish "$(basename "$0")"
