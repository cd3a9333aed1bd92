#!/bin/bash
# The claims: each measures what is true, and says so in one line of the right form; and the table of
# them all.  No figure is judged here: the programs judge their own, with wide margins.
# BUILD names the folder of the programs (build).
# shellcheck disable=SC2317  # check calls the functions by their names

cd "$(dirname "$0")/../.." || exit 1
source common/testkit/check.sh
build=${BUILD:-build}
export BUILD=$build

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# gives STATUS COMMAND...: it exits so within 120 s; what it printed is in $scratch/out.
gives() {
    local status=$1 got
    shift
    timeout 120 "$@" > "$scratch/out" 2> "$scratch/err"
    got=$?
    cat "$scratch/out" "$scratch/err"
    [ "$got" -ne 124 ] || echo "timed out after 120 s waiting for its end"
    [ "$got" -eq "$status" ] || { echo "exit status $got, not $status"; return 1; }
}

# One line of three words with tabs between them, and nothing on standard error.
one_row() {
    awk -F '\t' 'NF != 3 || $1 == "" || $2 == "" || $3 == "" { bad = 1 } END { exit bad || NR != 1 }' "$scratch/out" ||
        { cat -A "$scratch/out"; echo "not one line CLAIM, MEASUREMENT, VERDICT"; return 1; }
    [ ! -s "$scratch/err" ] || { cat "$scratch/err"; echo "something on standard error"; return 1; }
}

in_form() { # STATUS: what the program that ran last exited with
    [ "$1" -eq 124 ] && echo "timed out after 120 s waiting for its end"
    [ "$1" -eq 0 ] || [ "$1" -eq 77 ] || { cat "$scratch/out" "$scratch/err"; echo "exit status $1"; return 1; }
    one_row
}

claims=()
for file in lessons/[0-9]*/claim*; do
    case $file in
    *.c) claims+=("$build/${file%.c}") ;;
    *) claims+=("$file") ;;
    esac
done
for program in "${claims[@]}"; do
    name=${program#"$build/"}
    # Where strace counts the calls, LeakSanitizer cannot look for leaks; other suites do.
    timeout 120 env ASAN_OPTIONS=detect_leaks=0 "$program" > "$scratch/out" 2> "$scratch/err"
    status=$?
    check "$name" in_form "$status"
    [ "$status" -ne 77 ] || skip "$name: the measurement" "$(cut -f 2 "$scratch/out")"
done

# ---- where something is missing ----------------------------------------------------------------

# With few descriptors, whoever needs more says that, and how many.
few_descriptors() {
    # shellcheck disable=SC2016  # the inner shell's
    gives 77 bash -c 'ulimit -n 256; exec "$0"' "$1" && one_row &&
        grep -q $'\tneeds [0-9]* descriptors, and the limit is 256.*\tnot measured$' "$scratch/out"
}
for name in 03-select/claim_number 04-poll/claim_copy 05-epoll-lt/claim_mmap 05-epoll-lt/claim_cost 11-reuseport/claim_balance; do
    check "$name: few descriptors" few_descriptors "$build/lessons/$name"
done

# ---- the table ---------------------------------------------------------------------------------

# A tree of lessons of our own, whose claims are scripts.
claim() { # LESSON SCRIPT
    mkdir -p "$scratch/lessons/$1"
    printf '#!/bin/bash\n%s\n' "$2" > "$scratch/lessons/$1/claim"
    chmod +x "$scratch/lessons/$1/claim"
}
table() { # STATUS PATTERN [OPTION]
    gives "$1" env LESSONS="$scratch/lessons" common/tools/claims "${@:3}" || return
    grep -qE -- "$2" "$scratch/out" "$scratch/err" || { echo "no line with: $2"; return 1; }
}
narrow() {
    [ "$(awk '{ if (length > n) n = length } END { print n + 0 }' "$scratch/out")" -le 100 ]
}

claim 01-one $'printf "it flies\\tit fell, and this took a long while, in which nobody measured anything\\tfalse\\n"'
claim 02-two $'printf "it swims\\tno | water\\tnot measured\\n"; exit 77'
check "table" table 0 '^01 +it flies +it fell, and .* false$'
check "table: folded" narrow
check "table: what was not measured" table 0 '^02 +it swims +no \| water +not measured$'
check "table: Markdown" table 0 '^\| \[02\]\(.*/02-two\) \| it swims \| no \\\| water \| not measured \|$' --markdown
check "table: Markdown's head" table 0 '^\| --- \| --- \| --- \| --- \|$' --markdown
claim 03-three $'printf "it runs\\t3 legs\\tNOT SHOWN: it stands\\n"; exit 1'
check "table: not shown" table 1 '^03 +it runs +3 legs +NOT SHOWN: it stands$'
claim 03-three 'exit 3'
check "table: one that fails" table 1 '^03 +claim +exit status 3; it says nothing +FAILED$'
check "table: no such option" table 2 "^.*claims: '--markup' is not an option" --markup
rm -r "${scratch:?}/lessons"
check "table: no claims" table 1 'no .*/lessons/NN-name/claim'

finish "$(basename "$0" .sh)"
