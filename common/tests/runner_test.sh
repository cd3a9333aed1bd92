#!/bin/bash
# common/tools/test: what it makes of suites that pass, fail, crash, hang, or do nothing.
# shellcheck disable=SC2317  # check calls the functions by their names

cd "$(dirname "$0")/../.." || exit 1
source common/testkit/check.sh
unset MAKEFLAGS MFLAGS MAKELEVEL BUILD

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir -p "$scratch"/{common/tools,some/tests}
cp common/tools/test "$scratch/common/tools"
printf 'all test-programs:\n\t@test ! -e broken || { echo it is broken; false; }\n' > "$scratch/Makefile"
printf '#!/bin/bash\nexit 0\n' > "$scratch/common/tools/deps"
printf '#!/bin/bash\necho "lint: 4 passed, 0 failed, 1 skipped"\n' > "$scratch/common/tools/lint"
chmod +x "$scratch"/common/tools/*

# suite NAME COMMANDS - a script that does just this.
suite() {
    printf '#!/bin/bash\n%s\n' "$2" > "$scratch/some/tests/$1_test.sh"
    chmod +x "$scratch/some/tests/$1_test.sh"
}

# gives STATUS SUM LINE ARGUMENT... - the runner ends so, with the sum as the only line of its kind,
# and last; one of its lines has LINE.
gives() {
    local status=$1 sum=$2 line=$3 got
    shift 3
    PATIENCE=$patience "$scratch/common/tools/test" "$@" > "$scratch/out" 2>&1
    got=$?
    cat "$scratch/out"
    [ "$got" -eq "$status" ] || { echo "exit status $got, not $status"; return 1; }
    [ "$(grep -Ec '^[0-9]+ passed' "$scratch/out")" -eq 1 ] || { echo "not one sum"; return 1; }
    [ "$(tail -n 1 "$scratch/out")" = "$sum" ] || { echo "the sum is not: $sum"; return 1; }
    grep -Eq -- "$line" "$scratch/out" || { echo "no line has: $line"; return 1; }
}

patience=20
check nothing-runs gives 1 '0 passed, 0 failed' build build
suite good 'echo "good: 3 passed, 0 failed, 0 skipped"'
check passes gives 0 '3 passed, 0 failed' 'good: 3 passed' build
suite also 'echo "skipped this: no reason"; echo "also: 2 passed, 0 failed, 1 skipped"'
check sums-up gives 0 '5 passed, 0 failed, 1 skipped' 'skipped this: no reason' build
check one-suite gives 0 '3 passed, 0 failed' 'good: 3' good_test
check linters-count gives 0 '4 passed, 0 failed, 1 skipped' 'lint: 4 passed' lint

suite bad 'echo "the reason"; echo "bad: 1 passed, 2 failed, 0 skipped"; exit 1'
check failure-counts gives 1 '1 passed, 2 failed' 'the reason' bad_test
suite bad 'echo "the reason"; kill -SEGV $$'
check crash-counts gives 1 '0 passed, 1 failed' 'bad_test: ended with status 139' bad_test
check crash-shows-the-log gives 1 '0 passed, 1 failed' 'the reason' bad_test
suite bad 'echo "bad: 2 passed, 0 failed, 0 skipped"; exit 3'
check bad-exit-counts gives 1 '2 passed, 1 failed' 'bad_test: exited with status 3' bad_test
suite bad 'echo "bad: 0 passed, 0 failed, 0 skipped"'
check empty-counts gives 1 '0 passed, 1 failed' 'bad_test: ran no test' bad_test
suite bad 'echo "bad: 9 passed, 0 failed, 0 skipped"; echo "and then?"'
check line-in-the-middle gives 1 '0 passed, 1 failed' 'without a closing line' bad_test
suite bad 'sleep 60'
patience=5
check hang-counts gives 1 '0 passed, 1 failed' 'bad_test: timed out after 5 s waiting' bad_test
check others-go-on gives 1 '5 passed, 1 failed, 1 skipped' 'good: 3' build

touch "$scratch/broken"
check broken-build-counts gives 1 '0 passed, 1 failed' 'it is broken' build
unknown() {
    "$scratch/common/tools/test" nonsense > "$scratch/out" 2>&1
    [ $? -eq 2 ] && grep -q "no 'nonsense'.* build-address .* good_test" "$scratch/out"
}
check unknown-name unknown

finish "$(basename "$0")"
