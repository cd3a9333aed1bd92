# shellcheck shell=bash
# check.sh - the few lines that every test written in shell shares.  Source it.
#
#   check NAME COMMAND [ARG...]   passes if the command exits 0; its output is shown if it does not
#   skip NAME WHY                 counted as skipped, never as passed
#   finish SUITE                  print "SUITE: N passed, N failed, N skipped"; exit 0 if none failed
#                                 and at least one passed

passed=0 failed=0 skipped=0

check() {
    local name=$1 output
    shift
    if output=$("$@" 2>&1); then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'FAILED %s: %s\n%s\n' "$name" "$*" "$output"
    fi
}

skip() {
    skipped=$((skipped + 1))
    printf 'skipped %s: %s\n' "$1" "$2"
}

finish() {
    printf '%s: %d passed, %d failed, %d skipped\n' "$1" "$passed" "$failed" "$skipped"
    [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
    exit
}
