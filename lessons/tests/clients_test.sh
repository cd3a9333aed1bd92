#!/bin/bash
# The client programs of lessons 01 and 02: every outcome that they are there to show.
# BUILD names the folder of the programs (build).
# shellcheck disable=SC2317  # check calls the functions by their names

cd "$(dirname "$0")/../.." || exit 1
source common/testkit/check.sh
build=${BUILD:-build}
blocking=$build/lessons/01-blocking/client
nonblocking=$build/lessons/02-busy-poll/client
recv_wait=$build/lessons/02-busy-poll/recv_wait

scratch=$(mktemp -d)
server='' holder=''
trap 'stop "$holder"; stop "$server"; rm -rf "$scratch"' EXIT

stop() {
    [ -z "$1" ] || { kill "$1" 2>/dev/null && wait "$1" 2>/dev/null; }
    return 0
}

# start MODEL [OPTION...]: run a server; sets server to its pid and port to its port.
start() {
    stop "$server"
    exec {line}< <(exec "$build/lessons/$1/server" --port 0 --quiet "${@:2}" 2>>"$scratch/server")
    server=$!
    local text
    read -r -t 10 text <&"$line" || { echo "timed out after 10 s waiting for $1 to listen"; exit 1; }
    exec {line}<&-
    port=${text#*:} port=${port%% *}
}

# hold: a client that has had its echo and stays connected; returns once it has had it.
hold() {
    exec {line}< <(exec "$blocking" --port "$port" --hold 60)
    holder=$!
    local text
    while read -r -t 10 text <&"$line"; do
        [[ $text != recv* ]] || return 0
    done
    echo "timed out after 10 s waiting for the holder's echo"
    exit 1
}

# gives STATUS PATTERN... -- COMMAND...: it exits so within 20 s, its output has a line for each
# pattern, and standard error holds one line if it fails, none if it does not.
gives() {
    local status=$1 got patterns=()
    shift
    while [ "$1" != -- ]; do
        patterns+=("$1")
        shift
    done
    shift
    timeout 20 "$@" >"$scratch/out" 2>"$scratch/err"
    got=$?
    cat "$scratch/out" "$scratch/err"
    [ "$got" -ne 124 ] || echo "timed out after 20 s waiting for its end"
    [ "$got" -eq "$status" ] || { echo "exit status $got, not $status"; return 1; }
    [ "$(wc -l <"$scratch/err")" -eq $((status > 0)) ] || { echo "not one line of error"; return 1; }
    local p
    for p in "${patterns[@]}"; do
        grep -Eq -- "$p" "$scratch/out" "$scratch/err" || { echo "no line has: $p"; return 1; }
    done
}

lines_with() {
    [ "$(grep -c "$1" "$scratch/out")" -eq "$2" ]
}

start 01-blocking
check blocking-echo gives 0 '^connect .* ms  connected to 127.0.0.1:' '^send .* ms  5 bytes$' \
    '^recv .* ms  5 bytes in 1 piece$' -- "$blocking" --port "$port"
check blocking-count gives 0 -- "$blocking" --port "$port" --count 3 --message one
check blocking-count-lines lines_with '^recv .* 3 bytes' 3
check blocking-many-pieces gives 0 '^recv .* 1000000 bytes in [0-9]+ pieces$' -- \
    "$blocking" --port "$port" --size 1000000 --timeout 20
check blocking-send-blocks gives 1 '^client: send: Connection timed out$' -- \
    "$blocking" --port "$port" --size 100000000 --timeout 0.3
check nonblocking-name gives 0 'recv +5 bytes' -- "$nonblocking" --port "$port" --host localhost

hold
check second-client-hangs gives 1 '^connect .* connected' '^send .* 5 bytes$' \
    '^client: recv: Connection timed out$' -- "$blocking" --port "$port" --timeout 0.3
check second-client-gives-up gives 1 'SO_ERROR +0: connected' 'poll +nothing within 1 s' \
    '^client: recv: Connection timed out$' -- "$nonblocking" --port "$port" --timeout 1
stop "$holder"
holder=''
check first-client-gone gives 0 '^recv .* 5 bytes' -- "$blocking" --port "$port" --timeout 20

stop "$server"
server=''
check blocking-refused gives 1 '^connect .* no connection to' '^client: .*: Connection refused$' -- \
    "$blocking" --port "$port"
check nonblocking-refused gives 1 'poll +ready: .*POLLERR' 'SO_ERROR +[0-9]+: Connection refused' \
    '^client: .*: Connection refused$' -- "$nonblocking" --port "$port"
check nonblocking-timed-out gives 1 'connect +EINPROGRESS' 'poll +nothing within 0.3 s' \
    '^client: cannot connect .*: Connection timed out$' -- "$nonblocking" --full-queue --timeout 0.3

start 07-thread-per-client --max-clients 1
hold
for client in "$blocking" "$nonblocking"; do
    check closed-by-the-server gives 1 'client: (recv|send)' -- "$client" --port "$port"
done
stop "$holder"
holder=''

start 05-epoll-lt --work 300000 # so that the echo is not there at once, however busy the machine is
check nonblocking-echo gives 0 'connect +EINPROGRESS' 'poll +ready: POLLOUT$' \
    'SO_ERROR +0: connected' 'send +5 bytes' 'recv +EAGAIN' 'poll +ready: POLLIN' \
    'recv +5 bytes' -- "$nonblocking" --port "$port"
if strace -o /dev/null true 2>/dev/null; then
    # LeakSanitizer cannot work under ptrace.
    check nonblocking-interrupted gives 0 'SO_ERROR +0: connected' 'recv +5 bytes' -- \
        env ASAN_OPTIONS=detect_leaks=0 strace -o "$scratch/calls" \
        -e inject=?poll,?ppoll:error=EINTR:when=1 "$nonblocking" --port "$port"
    check nonblocking-was-interrupted grep -q 'poll.*EINTR' "$scratch/calls"
else
    skip nonblocking-interrupted "strace cannot trace here"
fi

for client in "$blocking" "$nonblocking"; do
    # No such scope: the one unknown host for which no name server is asked.
    check unknown-host gives 1 '^client: fe80::1%nowhere: ' -- "$client" --host fe80::1%nowhere
    check bad-port gives 2 "^client: --port: '0' is not" -- "$client" --port 0
    check empty-message gives 2 '^client: --message: ' -- "$client" --message ''
done

# Rows of: name (of several words), calls, waited, CPU, us a call, outcome (of one or two words).
check recv-wait gives 0 '^blocking .* 1 byte$' '^nonblocking, once .* EAGAIN$' \
    '^nonblocking, until .* 1 byte$' '^nonblocking, after poll .* 1 byte$' -- \
    "$recv_wait" --delay 250
figure() { # ROW COLUMN: column 1 is the calls
    sed -n "s/^$1  *\([0-9]\)/\1/p" "$scratch/out" | awk -v column="$2" '{ print $column }'
}
holds() { # a condition in awk
    awk "BEGIN { exit !($1) }" || { echo "not so: $1"; return 1; }
}
until='nonblocking, until it is there'
# The delay begins before the call that waits: a moment, or more on a busy machine.
check recv-wait-blocks holds "$(figure blocking 1) == 1 && $(figure blocking 2) > 100"
check recv-wait-once holds "$(figure 'nonblocking, once' 2) < 250"
check recv-wait-polls holds "$(figure "$until" 1) > 100 && $(figure "$until" 2) > 100"
check recv-wait-burns holds "$(figure "$until" 3) > 4 * $(figure blocking 3)"
check recv-wait-sleeps holds "$(figure "$until" 3) > 4 * $(figure 'nonblocking, after poll' 3)"

finish "$(basename "$0")"
