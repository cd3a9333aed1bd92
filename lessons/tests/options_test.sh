#!/bin/bash
# The programs of lesson 13: what each claims of its option is what it printed.
# BUILD names the folder of the programs (build).
# shellcheck disable=SC2317  # check calls the functions by their names

cd "$(dirname "$0")/../.." || exit 1
source common/testkit/check.sh
folder=${BUILD:-build}/lessons/13-socket-options

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# gives STATUS COMMAND...: it exits so within 30 s; standard error holds one line if it fails, and
# none if it does not.  What it printed stays in $scratch/out.
gives() {
    local status=$1 got
    shift
    timeout 30 "$@" >"$scratch/out" 2>"$scratch/err"
    got=$?
    cat "$scratch/out" "$scratch/err"
    [ "$got" -ne 124 ] || echo "timed out after 30 s waiting for its end"
    [ "$got" -eq "$status" ] || { echo "exit status $got, not $status"; return 1; }
    [ "$(wc -l <"$scratch/err")" -eq $((status > 0)) ] || { echo "not one line of error"; return 1; }
}

# says PATTERN...: the last output has a line for each.
says() {
    local p
    for p in "$@"; do
        grep -Eq -- "$p" "$scratch/out" || { cat "$scratch/out"; echo "no line has: $p"; return 1; }
    done
}

# row START N: the Nth word after START, which begins a line.
row() {
    awk -v start="$1" -v n="$2" \
        'index($0, start) == 1 { split(substr($0, length(start) + 1), word); print word[n]; exit }' \
        "$scratch/out"
}

# holds CONDITION: so it is, to awk.
holds() {
    awk "BEGIN { exit !($1) }" || { cat "$scratch/out"; echo "not so: $1"; return 1; }
}

sysctl_of() {
    cat "/proc/sys/net/$1" 2>/dev/null || echo 0
}

# ---- reuseaddr ---------------------------------------------------------------------------------

refused='Address already in use$'
check reuseaddr gives 0 "$folder/reuseaddr"
check reuseaddr-reads-back says 'SO_REUSEADDR reads back as 1'
check reuseaddr-refused-without says "^  without +without +$refused" "^  with +without +$refused"
check reuseaddr-refused-if-new says "^  without +with +$refused"
check reuseaddr-allowed says '^  with +with +allowed$'
check reuseaddr-one-listener says "^  127.0.0.1 with +$refused" "^  0.0.0.0 +with +$refused"
check reuseaddr-other-address says '^  127.0.0.2 without +allowed$'

# ---- reuseport ---------------------------------------------------------------------------------

check reuseport gives 0 "$folder/reuseport"
check reuseport-reads-back says 'SO_REUSEPORT reads back as 1'
check reuseport-both-need-it says "^  without it +$refused" '^  with it +allowed$'
for count in 10 100 400; do
    start=$(printf '%11d ' $count)
    shares=("$(row "$start" 1)" "$(row "$start" 2)" "$(row "$start" 3)" "$(row "$start" 4)")
    check reuseport-loses-none holds "${shares[0]}+${shares[1]}+${shares[2]}+${shares[3]} == $count"
done
for share in "${shares[@]}"; do # of 400: a fair listener gets fewer than 40 once in ten million runs
    check reuseport-spreads holds "$share > 40 && $share < 200"
done
start='200 more are queued, '
queued=$(row "$start" 1) reset=$(row "$start" 10) served=$(row "$start" 15)
check reuseport-all-end holds "$reset + $served == 200"
if [ "$(sysctl_of ipv4/tcp_migrate_req)" = 0 ]; then
    check reuseport-loses-the-queue holds "$queued > 0 && $reset == $queued"
else
    check reuseport-migrates-the-queue holds "$queued > 0 && $reset == 0"
fi

# ---- nodelay: rows of option, writes, segments, median, worst ----------------------------------

check nodelay gives 0 "$folder/nodelay"
two=$(printf '%11d %18d ' 0 2) two_nodelay=$(printf '%11d %18d ' 1 2) one=$(printf '%11d %18d ' 0 1)
check nodelay-is-faster holds "$(row "$two" 2) >= 2 * $(row "$two_nodelay" 2)"
check nodelay-one-write-is-as-good holds "$(row "$two" 2) >= 2 * $(row "$one" 2)"
check nodelay-segments holds "$(row "$two_nodelay" 1) >= 2 && $(row "$one" 1) < 2"
start='500 writes of one byte, not answered: '
check nodelay-nagle-gathers holds "$(row "$start" 1) < $(row "$start" 5)"

# ---- buffers -----------------------------------------------------------------------------------

check buffers gives 0 "$folder/buffers"
capped() { # SIZE SYSCTL: what is to be read back
    local most
    most=$(sysctl_of "$2")
    echo $((2 * ($1 < most ? $1 : most)))
}
for size in 16384 131072 67108864; do
    start=$(printf '%12d ' $size)
    check "buffers-doubled-$size" holds "$(row "$start" 1) == $(capped $size core/rmem_max) &&
        $(row "$start" 2) == $(capped $size core/wmem_max)"
done
check buffers-have-a-least-size holds "$(row "$(printf '%12d ' 1)" 1) > 2"
check buffers-inherited holds "$(row '16 KB before listen' 1) == 32768"
check buffers-too-late-to-scale holds "$(row '16 KB before, 2 MB after' 2) == 0 &&
    $(row '16 KB before, 2 MB after' 3) <= 65535 && $(row '2 MB before listen' 3) > 65535"
check buffers-bound-what-is-taken holds "$(row '16 KB before listen' 4) <= 32768 &&
    $(row '16 KB before, 2 MB after' 4) > 2 * $(row '16 KB before listen' 4)"
fastest=$(printf '%s\n' "$(row '65536 ' 1)" "$(row '262144 ' 1)" "$(row '1048576 ' 1)" | sort -n | tail -n 1)
check buffers-small-is-slow holds "2 * $(row '4096 ' 1) < $fastest"

# ---- linger: rows of wait, close, returned, sent, lost, seen, TIME_WAIT ------------------------

check linger gives 0 "$folder/linger"
closed() { row "$1" 3; } # milliseconds
lost() { row "$1" 7; }
default='default    {0, 0} ' timed='timed      {1, 3} ' late='timed out  {1, 1} ' reset='reset      {1, 0} '
check linger-default-is-at-once holds "$(closed "$default") < 200 && $(lost "$default") == 0"
check linger-timed-waits holds "$(closed "$timed") > 20 && $(closed "$timed") < 3000 &&
    $(lost "$timed") == 0"
check linger-timed-out holds "$(closed "$late") >= 990 && $(closed "$late") < 2500 &&
    $(lost "$late") == 0"
check linger-reset-is-at-once holds "$(closed "$reset") < 200 && $(lost "$reset") > 0"
check linger-peer-sees-the-end says '^default .* end of stream +yes$' '^timed .* end of stream +yes$' \
    '^timed out .* end of stream +yes$'
check linger-peer-sees-a-reset says '^reset .* Connection reset by peer +no$'

# ---- getopts -----------------------------------------------------------------------------------

check getopts gives 0 "$folder/getopts"
for option in SOL_SOCKET.SO_REUSEADDR SOL_SOCKET.SO_REUSEPORT SOL_SOCKET.SO_KEEPALIVE \
    SOL_SOCKET.SO_LINGER IPPROTO_TCP.TCP_NODELAY; do
    check "getopts-${option#*.}" says "^${option%.*} +${option#*.} +off +off +off +[a-z]"
done
for option in IDLE:time:' s' INTVL:intvl:' s' CNT:probes:; do
    IFS=: read -r name file unit <<<"$option"
    value=$(sysctl_of "ipv4/tcp_keepalive_$file")$unit
    check "getopts-TCP_KEEP$name" says "^IPPROTO_TCP TCP_KEEP$name +$value +$value +$value +[a-z]"
done
check getopts-buffers says '^SOL_SOCKET +SO_RCVBUF +[0-9]+ B ' '^SOL_SOCKET +SO_SNDBUF +[0-9]+ B '
check getopts-listener says '^SOL_SOCKET +SO_ACCEPTCONN +off +on +off '
check getopts-connected says '^IPPROTO_IP +IP_MTU +not connected +not connected +[0-9]+ B'

# ---- keepalive ---------------------------------------------------------------------------------

# ended NAME: the second at which that connection ended by itself.
ended() {
    awk -v name="$1" 'index($0, name " ") && /Connection timed out$/ { print $1; exit }' \
        "$scratch/out"
}

# vanished SECONDS: of the connections whose peer has vanished, only those ended that had to, and
# within a second of when they had to: the kernel's timers are a little late, and so may we be.
vanished() {
    says '^ .* peer alive .*still connected; heard of the peer [01]\.' \
        '^ .* silent, keepalive off .*still connected' \
        '^ .* a byte unacknowledged .*still connected.*sent again [1-9]' &&
        holds "$(ended 's  silent') >= $1 && $(ended 's  silent') <= $1 + 1"
}

check keepalive gives 0 "$folder/keepalive"
check keepalive-reads-back says '^set +1 +1 s +1 s +3 +4 s$'
if grep -q 'No network of its own' "$scratch/out"; then
    skip keepalive-network "$(sed -n 's/.*(\(.*\)).*/no network namespace: \1/p' "$scratch/out")"
else
    check keepalive-network says 'The peers are on a host of their own'
fi
check keepalive-probes says 's  silent +probe 1 ' 's  silent +probe 2 ' 's  silent +probe 3 '
check keepalive-ends-it vanished 4
check keepalive-user-timeout holds "$(ended 'TCP_USER_TIMEOUT 2 s') >= 1.9 &&
    $(ended 'TCP_USER_TIMEOUT 2 s') < 3.5"
check keepalive-filter gives 0 "$folder/keepalive" --filter --count 1
check keepalive-filter-says-so says 'No network of its own \(--filter\)'
check keepalive-filter-ends-it vanished 2

# ---- when the system refuses, and bad usage ----------------------------------------------------

# without CALL STATUS COMMAND...: what the command gives in a system that does not allow the call.
# LeakSanitizer cannot work under ptrace.
without() {
    gives "$2" env ASAN_OPTIONS=detect_leaks=0 \
        strace -f -qq -o "$scratch/calls" -e "inject=$1:error=EPERM" "${@:3}"
}
if strace -o /dev/null true 2>/dev/null; then
    check keepalive-no-namespace without unshare 0 "$folder/keepalive" --count 1
    check keepalive-no-namespace-says-so says 'No network of its own \(Operation not permitted\)'
    check keepalive-no-namespace-ends-it vanished 2
    for program in reuseaddr reuseport nodelay buffers linger keepalive; do
        check "$program-refused" without setsockopt 1 "$folder/$program"
    done
    check getopts-refused without getsockopt 0 "$folder/getopts"
    check getopts-refused-says-so says '^SOL_SOCKET +SO_LINGER +not here +not here +not here '
else
    skip refused "strace cannot trace here"
fi
for program in reuseaddr reuseport nodelay buffers linger keepalive getopts; do
    check "$program-bad-usage" gives 2 "$folder/$program" --nonsense
    check "$program-help" gives 0 "$folder/$program" --help
done

finish "$(basename "$0")"
