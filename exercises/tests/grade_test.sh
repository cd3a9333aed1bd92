#!/bin/bash
# The tools around the graders: make grade and its formats, hint, watch, reset, class, stubs and
# student-kit.  All but the last with an exercise of the test's own, whose grader believes everything
# (exercises/tests/sample); in a copy, so that nobody's work is touched.
# shellcheck disable=SC2016,SC2317  # eval expands them; check calls the functions by their names

cd "$(dirname "$0")/../.." || exit 1
source common/testkit/check.sh
unset MAKEFLAGS MFLAGS MAKELEVEL BUILD CC GRADE_SANDBOX
export NO_COLOR=1

top=$PWD
scratch=$(mktemp -d)
kit=$scratch/kit
trap 'rm -rf "$scratch"' EXIT
mkdir "$kit"
tar -c --exclude=./.git --exclude='./exercises/*' --exclude=./solutions --exclude='./build*' --exclude=./bench . |
    tar -x -C "$kit"
# What is built already is not built again.
for file in build{,-address,-thread}/{flags,common,common.a,lessons/10-reactor,lessons/10-reactor.a} \
    build/common/{testkit,grader}.a; do
    [ ! -e "$file" ] || echo "$file"
done | tar -c -T - 2> /dev/null | tar -x -C "$kit"
cd "$kit" || exit 1

# exercise NAME - the sample, under this name.
exercise() {
    mkdir -p "exercises/$1/.stub"
    cp "$top"/exercises/tests/sample/* "exercises/$1"
    cp "exercises/$1/sample.c" "exercises/$1/.stub"
    printf 'include ../../common/exercise.mk\n' > "exercises/$1/Makefile"
}
exercise 90-sample
own=exercises/90-sample/sample.c

# student WORDS [FILE] - a program that passes the checks named.
student() {
    printf '#include <stdio.h>\nint main(void)\n{\n    puts("%s");\n}\n' "$1" > "${2:-$own}"
}

# gives STATUS PATTERN COMMAND... - it ends so, and says so; nothing else goes to standard error, but for
# one line, and what make adds to it, if the status is not 0.
gives() {
    local status=$1 pattern=$2 got
    shift 2
    "$@" > "$scratch/out" 2> "$scratch/errors"
    got=$?
    cat "$scratch/out" "$scratch/errors"
    ! grep -q '^make.* Error' "$scratch/errors" || got=$(sed -nE 's/^make.* Error ([0-9]+)$/\1/p' "$scratch/errors" | head -n 1)
    [ "$got" = "$status" ] || { echo "exit status $got, not $status"; return 1; }
    [ "$(grep -vc '^make' "$scratch/errors")" -eq $((status > 0)) ] || { echo 'not one line of error'; return 1; }
    cat "$scratch/out" "$scratch/errors" | grep -Eq -- "$pattern" || { echo "no line has: $pattern"; return 1; }
}
has() {
    grep -Eq -- "$1" "$scratch/out" || { cat "$scratch/out"; echo "no line has: $1"; return 1; }
}
narrow() {
    ! grep -vE '^.{0,100}$' "$scratch/out"
}

# ---- the table, one exercise -------------------------------------------------------------------

check all-at-first gives 0 '^total +0 of +10' make -s grade
check says-what-is-next has '^next: read exercises/90-sample/README.md, then type make watch EX=90'
check not-begun has '90-sample.*not begun'
student first
check one gives 0 '3 of 10 points' make -s grade EX=90
check one-narrow narrow
check one-passed has '^  passed +3 of 3 +first '
check one-failed has '^  failed +0 of 5 +second '
check one-not-judged has '^  not judged +0 of 2 +third +waits for second'
check one-did has '^  did +it ran'
check one-expected has '^  expected +the word'
check one-came has '^  came +it said \. & ü'
check one-calls has '^  calls +write\(1\) = 8'
check one-marked has '^ +> exit\(0\): too early'
check seed gives 0 '^  again +make grade EX=90 SEED=7' make -s grade EX=90 SEED=7
check one-next has '^next: second says what is wrong; make hint EX=90 helps'
check table gives 0 '90-sample +3 of +10 .* 1 +1 +1 +first: second$' make -s grade
check table-next has '^next: make grade EX=90 tells how second failed; make hint EX=90 helps'
student 'first second third'
check complete gives 0 '^next: nothing: all of them are complete' make -s grade
for name in 90 90-sample; do
    check "named-$name" gives 0 '^90-sample: a sample' make -s grade "EX=$name"
done
check inside gives 0 '10 of 10 points' make -s -C exercises/90-sample grade
check unknown gives 2 "there is no exercise '77'.*90-sample" common/tools/grade 77
check unknown-format gives 2 "no format 'latin'" make -s grade FORMAT=latin
check bad-seed gives 2 'whole number' make -s grade SEED=x

# ---- formats -----------------------------------------------------------------------------------

exercise 91-other
student 'first second' exercises/91-other/sample.c
student first
report=build/common/grader/report
formats() {
    local format
    for format in json gradescope autolab junit; do
        make -s grade "FORMAT=$format" "OUT=$scratch/$format" SEED=5 || return
    done
    for format in json gradescope; do
        "$report" first "$scratch/$format" || return # which reads it
    done
    tail -n 1 "$scratch/autolab" > "$scratch/autolab.last"
    "$report" first "$scratch/autolab.last"
}
# same_points - 11 in each.
same_points() {
    local json gradescope autolab junit
    json=$(sed -nE 's/^  "points": ([0-9]+),/\1/p' "$scratch/json")
    gradescope=$(awk -F '[:,]' '/^      "score"/ { sum += $2 } END { print sum }' "$scratch/gradescope")
    autolab=$(grep -oE '": [0-9]+' "$scratch/autolab.last" | awk '{ sum += $2 } END { print sum }')
    junit=$(sed -nE 's/.*name="points" value="([0-9]+)".*/\1/p' "$scratch/junit" | awk '{ sum += $1 } END { print sum }')
    echo "$json $gradescope $autolab $junit"
    [ "$json $gradescope $autolab $junit" = '11 11 11 11' ]
}
check formats formats
check formats-same-points same_points
check json-schema grep -q '"schema": 1' "$scratch/json"
check json-seed grep -q '^  "seed": 5' "$scratch/json"
check gradescope-total grep -q '^  "score": 11' "$scratch/gradescope"
check gradescope-tests eval '[ "$(grep -c "\"max_score\"" "$scratch/gradescope")" -eq 6 ]'
check autolab-last-line grep -qx '{"scores": {"90-sample": 3, "91-other": 8}}' "$scratch/autolab.last"
check autolab-text-first grep -q '^90-sample  *3 of  *10' "$scratch/autolab"
if command -v xmllint > /dev/null; then
    check junit-is-xml xmllint --noout "$scratch/junit"
    tests=$(xmllint --xpath 'count(//testcase)' "$scratch/junit")
    check junit-tests [ "$tests" = 6 ]
else
    skip junit-is-xml "xmllint is not installed"
fi
rm -r exercises/91-other

# ---- whose fault -------------------------------------------------------------------------------

echo 'int main(void) { return 0' > "$own"
check no-compile gives 0 "^exercises/90-sample/sample.c:1:.*error" make -s grade EX=90
check no-compile-points has '0 of 10 points'
check no-compile-table gives 0 '0 +0 +3 +does not compile' make -s grade
check no-compile-hint gives 0 'does not compile; the first error' make -s hint EX=90
# A character that XML has not, one that moves a cursor, and a compiler that waits for a terminal's words.
printf 'int main(void) { \xef\xbf\xbf "\033[2J" }' > "$own"
check no-compile-shown gives 0 '\.\[2J' make -s grade EX=90
if command -v xmllint > /dev/null; then
    check no-compile-junit eval 'make -s grade EX=90 FORMAT=junit | xmllint --noout -'
    failures=$(make -s grade EX=90 FORMAT=junit | xmllint --xpath 'count(//failure)' -)
    check no-compile-fails [ "$failures" = 1 ]
fi
echo '#include "/dev/ptmx"' > "$own"
check compiles-for-ever gives 0 'the compiler came to no end within 3 s' env GRADE_COMPILE_SECONDS=3 make -s grade EX=90
echo '#include "/dev/zero"' > "$own"
check compiles-too-big gives 0 'out of memory|too large|does not compile' env GRADE_COMPILE_SECONDS=60 make -s grade EX=90
student 'first fault'
check grader-fault gives 3 "no fault of the exercise's" make -s grade EX=90
check grader-fault-excused has '^10 of the points could not be judged'
student 'first inconclusive'
check inconclusive gives 0 '^  inconclusive +0 of 3 +first' make -s grade EX=90
student nonsense
check no-json gives 3 'did not say how it went' make -s grade EX=90
student silence
check grader-dies gives 3 'ended with status 1' make -s grade EX=90
student 'first second third forged'
check other-worth gives 3 'another worth than its list' make -s grade EX=90
student 'first second forgotten'
check missing-check gives 3 'third +names <third>' make -s grade EX=90

# A compiler that does nothing right, and none at all.
student first
mkdir "$scratch/broken" "$scratch/system" "$scratch/empty"
printf '#!/bin/sh\necho "cc: out of order" >&2\nexit 1\n' | tee "$scratch/broken/cc" > "$scratch/broken/gcc"
chmod +x "$scratch/broken"/*
check broken-compiler gives 3 'stub does not build, either: cc: out of order' \
    env GRADE_SANDBOX=none "PATH=$scratch/broken:$PATH" make -s grade EX=90
for folder in /usr/local/bin /usr/bin /bin; do
    ln -sf "$folder"/* "$scratch/system" 2> /dev/null
done
rm -f "$scratch/system"/{cc,apt-get,sudo}
no_compiler() {
    PATH=$scratch/system make -s grade EX=90 > "$scratch/out" 2> "$scratch/errors"
    cat "$scratch/out" "$scratch/errors"
    grep -q '^missing: gcc' "$scratch/errors" && grep -q "^grade: this is no fault of the exercise's" "$scratch/errors"
}
check no-compiler no_compiler

# ---- the sandbox -------------------------------------------------------------------------------

check without-walls gives 0 '^without a sandbox: GRADE_SANDBOX=none' env GRADE_SANDBOX=none make -s grade EX=90
if bwrap --ro-bind / / --unshare-net --unshare-pid true 2> /dev/null; then
    check walls-are-named gives 0 '"sandbox": "bubblewrap' make -s grade EX=90 FORMAT=json
    cat > "$own" << END
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
#if __has_include("$kit/exercises/90-sample/README.md") || __has_include("../../../../exercises/90-sample/README.md")
#error the kit is in sight of the compiler
#endif
int main(void)
{
    if (access("$kit/Makefile", F_OK) != 0)
        puts("first");
    if (open("written", O_CREAT | O_WRONLY, 0600) == -1)
        puts("second");
}
END
    check walls gives 0 '8 of 10 points' make -s grade EX=90
else
    skip walls "bubblewrap is not installed, or may not make a namespace here"
fi

# ---- whose -------------------------------------------------------------------------------------

mkdir -p "$scratch/subs"/{ann,"b o\"b",carol}/90-sample "$scratch/subs/dave"
student first "$scratch/subs/ann/90-sample/sample.c"
student 'first second third' "$scratch/subs/b o\"b/90-sample/sample.c"
ln -s ../../ann/90-sample/sample.c "$scratch/subs/carol/90-sample/sample.c"
student ''
check own-first gives 0 '0 of 10 points' make -s grade EX=90
check from-folders gives 0 '3 of 10 points' make -s grade EX=90 "FROM=$scratch/subs/ann"
check from-files gives 0 '3 of 10 points' make -s grade EX=90 "FROM=$scratch/subs/ann/90-sample"
check from-says-no-next eval '! grep -q ^next: "$scratch/out"'
check from-leaves-own grep -q '"points": 0,' build/grade/90-sample/last.json
check from-nowhere gives 2 'has no 90-sample' make -s grade EX=90 "FROM=$scratch"
check from-link gives 0 'sample.c: this is a symbolic link' make -s grade EX=90 "FROM=$scratch/subs/carol"
mkdir -p "$scratch/linked/eve" "$scratch/o'neil"
ln -s ../../subs/ann/90-sample "$scratch/linked/eve/90-sample"
check from-linked-folder gives 0 '90-sample: this is a symbolic link' make -s grade EX=90 "FROM=$scratch/linked/eve"
cp -r "$scratch/subs/ann/90-sample" "$scratch/o'neil"
check from-quoted gives 0 '3 of 10 points' make -s grade EX=90 "FROM=$scratch/o'neil"
check class gives 0 '^ann +3 +3$' make -s class "FROM=$scratch/subs"
check class-other has '^b o"b +10 +10$'
check class-nothing has '^dave +- +0$'
check class-keeps grep -q '"points": 10' "build/class/b o\"b.json"
check class-csv gives 0 '^"b o""b",10,10,0$' make -s class "FROM=$scratch/subs" FORMAT=csv JOBS=2
check class-csv-head has '^student,90-sample,points,not judged$'
check class-of-nobody gives 2 "no student's folder" make -s class "FROM=$scratch/empty"

# ---- hints -------------------------------------------------------------------------------------

rm -rf build/grade
student first
check hint-1 gives 0 '^second, hint 1 of 3$' make -s hint EX=90
check hint-1-text has '^Another one\.$'
check hint-2 gives 0 '^And another\.$' make -s hint EX=90
check hint-3 gives 0 '^And the last\.$' make -s -C exercises/90-sample hint
check hint-4 gives 0 '^second: that was the last hint' make -s hint EX=90
student third
check hint-of-another gives 0 '^The first nudge, on two lines\.$' make -s hint EX=90
student 'first third'
check hint-goes-on gives 0 '^second: that was the last hint' make -s hint EX=90
student 'first second third'
check hint-none gives 0 'everything passed' make -s hint EX=90

# ---- reset, stubs ------------------------------------------------------------------------------

student mine
check reset gives 0 'yours is sample.c.1$' make -s reset EX=90
check reset-keeps grep -q mine "$own.1"
check reset-is-stub cmp "$own" exercises/90-sample/.stub/sample.c
check reset-twice gives 0 'is the stub already' make -s reset EX=90
student again
check reset-next gives 0 'yours is sample.c.2$' make -s -C exercises/90-sample reset
check reset-overwrites-nothing grep -q mine "$own.1"
if command -v git > /dev/null; then
    check reset-is-ignored eval 'git init -q . && git check-ignore -q "$own.1" && ! git check-ignore -q "$own"'
    rm -rf .git
fi
rm "$own".[12]

check no-solutions gives 1 'there is no solutions/' make -s stubs
mkdir -p solutions/90-sample
printf '%s\n' '#include <stdio.h>' 'int main(void)' '{' '#ifdef STUB' '    puts("new");' '#else' \
    '    puts("first");' '#endif' '}' > solutions/90-sample/sample.c
check stubs common/tools/stubs 90
check stubs-stub eval 'grep -q new "$own" && ! grep -q first "$own" && cmp "$own" exercises/90-sample/.stub/sample.c'
sed -i s/new/newer/ solutions/90-sample/sample.c
student mine
check stubs-refuse gives 1 "$own was worked on, and stays" common/tools/stubs
check stubs-refused eval 'grep -q mine "$own" && grep -q newer exercises/90-sample/.stub/sample.c'
check mutants-too-few gives 0 '90-sample: 0 of at least 8' eval 'common/tools/mutants 90 || true'
rm -r solutions

# A student's warning stops nothing; an own one would.
printf 'int main(void)\n{\n    int unused;\n    return 0;\n}\n' > "$own"
warned() {
    make -s exercise EX=90 2>&1 | grep -q 'warning: unused' && [ -x build/exercises/90-sample/sample ]
}
check warning-stops-nothing warned

# ---- watch -------------------------------------------------------------------------------------

# judged N - so often.
judged() {
    local deadline=$((SECONDS + 120))
    until [ "$(grep -c 'waiting for the next save' "$scratch/watched")" -ge "$1" ]; do
        [ "$SECONDS" -lt "$deadline" ] || { echo "timed out after 120 s waiting to be judged $1 times"; return 1; }
        sleep 0.05
    done
}

# watches BY - it judges now, after a save, and after one that replaces the file; and ends.
watches() {
    local watcher ok=false
    student ''
    : > "$scratch/watched"
    GRADE_WATCH=$1 make -s watch EX=90 > "$scratch/watched" 2>&1 &
    watcher=$!
    if judged 1 && student first && judged 2 && student 'first second' "$own.new" && mv "$own.new" "$own" &&
        judged 3 && grep -q '3 of 10' "$scratch/watched" && grep -q '8 of 10' "$scratch/watched" &&
        grep -q "($1)" "$scratch/watched"; then
        ok=true
    fi
    cat "$scratch/watched"
    pkill -TERM -P "$watcher"
    wait "$watcher"
    $ok
}
for by in poll entr inotifywait; do
    if [ "$by" = poll ] || command -v "$by" > /dev/null; then
        check "watch-$by" watches "$by"
    else
        skip "watch-$by" "it is not installed"
    fi
done

# ---- the student's kit -------------------------------------------------------------------------

cd "$top" || exit 1
export CFLAGS=-O0
unpack() {
    common/tools/student-kit "$scratch/one.tar.gz" && common/tools/student-kit "$scratch/two.tar.gz" &&
        cmp "$scratch/one.tar.gz" "$scratch/two.tar.gz" && tar -xzf "$scratch/one.tar.gz" -C "$scratch"
}
no_solutions() {
    [ ! -e "$scratch/student-kit/solutions" ] && [ ! -e "$scratch/student-kit/build" ] &&
        ! grep -rq '^#ifdef STUB' "$scratch/student-kit/exercises"
}
if [ -e .git ] && git ls-files > /dev/null 2>&1; then
    git ls-files -z -- . ':!solutions' > "$scratch/known"
    kit_is_what_git_knows() {
        tar -tzf "$scratch/one.tar.gz" | sed -n 's|^student-kit/||; /[^/]$/p' | sort > "$scratch/packed"
        tr '\0' '\n' < "$scratch/known" | grep -v '^exercises/[^/]*/[^/]*\.[0-9]' | sort > "$scratch/wanted"
        diff "$scratch/wanted" "$scratch/packed"
    }
fi
check kit-is-reproducible unpack
[ ! -e "$scratch/known" ] || check kit-is-what-git-knows kit_is_what_git_knows
check kit-has-no-solutions no_solutions
cd "$scratch/student-kit" || exit 1
check kit-builds make -s -j "$(nproc)"
for name in 03 13; do
    check "kit-grades-$name" gives 0 '0 of 10 points' make -s grade "EX=$name"
    check "kit-says-what-is-next-$name" has "^next: read exercises/$name-[a-z-]*/README.md"
done

finish "$(basename "$0")"
