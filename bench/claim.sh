# shellcheck shell=bash
# claim.sh - what a lesson's script `claim` that measures servers shares; see common/claim.h for what
# such a program prints.  Source it in the top folder, with claim and truth set.
#
#   claim_measure MODEL [--syscalls] -- GENERATOR_OPTION...   run bench/measure; its JSON is in $json
#   claim_field NAME          a field of $json
#   claim_calls MODEL         system calls a request at 100 connections; nothing where not countable
#   claim_end SHOWN TEXT      print claim, measurement and verdict; SHOWN is a condition for awk
#   claim_cannot WHY          the same if there is no measurement
# BUILD names the folder of the programs (build).
# shellcheck disable=SC2154  # the script sets claim and truth

build=${BUILD:-build}

claim_end() {
    if awk "BEGIN { exit !($1) }"; then
        printf '%s\t%s\t%s\n' "$claim" "$2" "$truth"
        exit 0
    fi
    printf '%s\t%s\tNOT SHOWN: %s\n' "$claim" "$2" "$truth"
    exit 1
}

claim_cannot() {
    printf '%s\t%s\tnot measured\n' "$claim" "$1"
    exit 77
}

claim_measure() {
    local model=$1 options=()
    shift
    while [ "$1" != -- ]; do
        options+=("$1")
        shift
    done
    json=$("$build/bench/measure" --timeout 20 "${options[@]}" -- "$build/lessons/$model/server" -- \
        "$build/bench/loadgen" "${@:2}") || { echo "claim: cannot measure $model" >&2 && exit 1; }
}

claim_field() {
    local pattern="\"$1\": \"?([^,\"}]*)"
    [[ $json =~ $pattern ]] && echo "${BASH_REMATCH[1]}"
}

# The difference of two runs holds no call of the server's start and end.
claim_calls() {
    local short_calls short_messages
    claim_measure "$1" --syscalls -- --messages 20
    [ "$(claim_field syscalls)" != null ] || return 0
    short_calls=$(claim_field syscalls) short_messages=$(claim_field messages)
    claim_measure "$1" --syscalls -- --messages 120
    awk "BEGIN { printf \"%.2f\", ($(claim_field syscalls) - $short_calls) / ($(claim_field messages) - $short_messages) }"
}
