#!/bin/bash
# What `make chat` adds to what the server prints: how to join it, where it can be joined, and only
# then.  The server is one that prints what it is told to.
# shellcheck disable=SC2317  # check calls the functions by their names

cd "$(dirname "$0")/../../.." || exit 1
source common/testkit/check.sh

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir -p "$scratch/solutions/chat-full"
cat > "$scratch/solutions/chat-full/server" << 'END'
#!/bin/bash
echo "$*" > "${0%/*}/arguments"
printf '%s\n' "$SAID"
exit 3
END
chmod +x "$scratch/solutions/chat-full/server"

# start LINE... - start a server that prints these lines; what comes of it goes to out.
start() {
    SAID=$(printf '%s\n' "$@") BUILD=$scratch solutions/chat-full/start --quiet > "$scratch/out"
    local status=$?
    cat "$scratch/out"
    [ "$status" -eq 3 ] # the server's
}

# joins_at LINE HOST PORT
joins_at() {
    start "$1" && grep -Fqx -- "$1" "$scratch/out" &&
        grep -Fqx "    $scratch/solutions/chat-full/client --host $2 --port $3 --nickname YOU" "$scratch/out"
}
check says-how-to-join joins_at 'listening on 127.0.0.1:8888 (chat)' 127.0.0.1 8888
check knows-ipv6 joins_at 'listening on [::1]:9000 (chat)' ::1 9000
check names-this-machine joins_at 'listening on 0.0.0.0:8888 (chat)' "$(uname -n)" 8888
check names-it-for-ipv6 joins_at 'listening on [::]:8888 (chat)' "$(uname -n)" 8888

passes_on() {
    local help=$'usage: server [OPTION...]\n  --port PORT          where to\\listen'
    start "$help" && [ "$(< "$scratch/out")" = "$help" ]
}
check passes-on-what-else-is-said passes_on

keeps_data() {
    start '' && [ "$(< "$scratch/solutions/chat-full/arguments")" = "--data $scratch/chat-data --quiet" ]
}
check keeps-its-data keeps_data

finish "$(basename "$0")"
