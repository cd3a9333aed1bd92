#!/bin/bash
# What stands in exercises/: that its parts are there and agree with each other, that the stubs compile
# without a warning, and that they are what the solutions say, where there are solutions.
# shellcheck disable=SC2016,SC2154,SC2317  # backticks are to be matched; exercises.sh sets names; check
# calls the functions by theirs

cd "$(dirname "$0")/../.." || exit 1
source common/testkit/check.sh
source common/tools/exercises.sh
unset BUILD CC

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
names=(exercises/[0-9][0-9]-*/)
names=("${names[@]#exercises/}")
names=("${names[@]%/}")
prepare "${names[@]}" || exit

# ---- parts -------------------------------------------------------------------------------------

has_parts() {
    local part missing=0
    for part in README.md Makefile grader.c hints .stub; do
        [ -e "exercises/$1/$part" ] || { echo "exercises/$1 has no $part"; missing=1; }
    done
    return "$missing"
}

# The README's table of checks, as the grader has them: name, points, title.
table_is_list() {
    diff <(sed -nE 's/^\| `([a-z0-9-]+)` \| ([0-9]+) \| (.*) \|$/\1\t\2\t\3/p' "exercises/$1/README.md") \
        <(cut -f 1,2,5 "$scratch/$1.list")
}

points_add_up() {
    awk -F '\t' '{ sum += $2 } END { if (sum != 10) { print sum " points"; exit 1 } }' "$scratch/$1.list"
}

# A check needs what stands before it; a build is one of three.
list_is_sound() {
    awk -F '\t' '
        NF != 5 || $1 !~ /^[a-z0-9]+(-[a-z0-9]+)*$/ || $4 !~ /^(plain|address|thread)$/ { print; bad = 1 }
        $3 != "-" { n = split($3, need, " "); for (i = 1; i <= n; i++) if (!(need[i] in seen)) { print; bad = 1 } }
        { seen[$1] = 1 }
        END { exit bad }' "$scratch/$1.list"
}

# Three hints for each check, and for nothing else.
has_hints() {
    diff <(awk '{ print $1 ": 1. 2. 3." }' "$scratch/$1.list" | sort) <(awk '
        /^check / { if (name != "") print name ":" hints; name = $2; hints = ""; next }
        /^[0-9]\. ./ { hints = hints " " $1; next }
        /^$/ || /^   [^ ]/ { next }
        { print "what is this: " $0 }
        END { print name ":" hints }' "exercises/$1/hints" | sort)
}

# Anchors that a README names, in the exercise, its solution or the lesson that it points to.
has_anchors() {
    local anchor missing=0 places=("exercises/$1"/*.[ch] lessons/*/*.[ch])
    while read -r anchor; do
        grep -qF -- "$anchor" "${places[@]}" && continue
        echo "exercises/$1/README.md names $anchor, which is not there"
        missing=1
    done < <(grep -oE '`\[[a-z0-9]+(-[a-z0-9]+)*\]`' "exercises/$1/README.md" | tr -d '`')
    return "$missing"
}

says_what_to_type() {
    local target missing=0
    for target in grade watch hint reset; do
        grep -q "make $target EX=${1%%-*}" "exercises/$1/README.md" && continue
        echo "exercises/$1/README.md does not say make $target EX=${1%%-*}"
        missing=1
    done
    return "$missing"
}

# ---- stubs -------------------------------------------------------------------------------------

# The visible files are the student's as soon as he has changed them; then only .stub counts.
is_generated() {
    common/tools/stubs --into "$scratch/stubs" "$1" && diff -r "$scratch/stubs/$1/.stub" "exercises/$1/.stub" || return
    local file
    for file in $(exercise_files "$1"); do
        [ -n "$(git status --porcelain -- "exercises/$1/$file" 2>&1)" ] ||
            cmp "exercises/$1/.stub/$file" "exercises/$1/$file" || return
    done
}

# warning_free NN-name COMPILER - what a student begins with: the stub, and what is given.
warning_free() {
    local file folder=$scratch/$2/$1
    mkdir -p "$folder"
    cp "exercises/$1"/*.[ch] "exercises/$1/.stub"/* "$folder"
    rm -f "$folder/grader.c"
    for file in "$folder"/*.c; do
        "$2" -std=c11 -O2 -D_GNU_SOURCE -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 \
            -Icommon -Ilessons/10-reactor -Ilessons/14-chat -Iexercises/chat \
            -Wall -Wextra -Wpedantic -Wshadow -Wformat=2 -Werror -pthread -c -o /dev/null "$file" || return
    done
}

for name in "${names[@]}"; do
    number=${name%%-*}
    check "parts-$number" has_parts "$name"
    if ! "build/exercises/$name/grader" --list > "$scratch/$name.list"; then
        check "list-$number" false
        continue
    fi
    check "list-$number" list_is_sound "$name"
    check "points-$number" points_add_up "$name"
    check "readme-table-$number" table_is_list "$name"
    check "readme-commands-$number" says_what_to_type "$name"
    check "anchors-$number" has_anchors "$name"
    check "hints-$number" has_hints "$name"
    check "gcc-$number" warning_free "$name" gcc
    if command -v clang > /dev/null; then
        check "clang-$number" warning_free "$name" clang
    fi
    if [ -d "solutions/$name" ]; then
        check "generated-$number" is_generated "$name"
    fi
done
command -v clang > /dev/null || skip clang "it is not installed (make deps)"
[ -d solutions ] || skip generated "there is no solutions/"

# ---- the overview ------------------------------------------------------------------------------

# exercises/README.md lists each exercise, and the chat room's beside them if there are any.
listed() {
    diff <(printf '%s\n' "${names[@]}") \
        <(sed -nE 's/^\| \[([0-9]{2}-[a-z-]+)\]\(\1(\/README.md)?\) \|.*/\1/p' exercises/README.md)
}
check overview listed
total() {
    local sum
    sum=$(cat "$scratch"/*.list | awk -F '\t' '{ sum += $2 } END { print sum }')
    grep -q "$sum points" exercises/README.md || { echo "exercises/README.md does not say $sum points"; return 1; }
}
check total total

finish "$(basename "$0")"
