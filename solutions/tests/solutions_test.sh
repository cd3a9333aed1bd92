#!/bin/bash
# That the graders are right, from both ends: the solutions earn all points, with gcc and with clang;
# what knows nothing of the task earns none: the stub, programs that do something else, and, where an
# exercise is about a model, servers of the other models that are right in all else.
#
#   solutions_test.sh [EXERCISE...]    REPEAT=200 repeats the solutions; JOBS is how many at a time
# shellcheck disable=SC2154,SC2317  # exercises.sh sets them; check calls the functions by their names

cd "$(dirname "$0")/../.." || exit 1
source common/testkit/check.sh
source common/tools/exercises.sh
unset BUILD CC

repeat=${REPEAT:-1} jobs=${JOBS:-$((3 * $(nproc)))}
work=build/tests/solutions

# right GOAL OUT - all points, or none and nothing that only the grader is to blame for.
right() {
    local outcomes
    outcomes=$("$report" outcomes "$2/last.json" | cut -f 2) && [ -n "$outcomes" ] || return
    case $1 in
    all) ! grep -qvx passed <<< "$outcomes" ;;
    none) ! grep -qvx -e failed -e 'not judged' <<< "$outcomes" && ! grep -q '"compiles": false' "$2/last.json" ;;
    esac
}

# judge_task GOAL COMPILER NN-name NAME FILES - once; a solution again and again, as long as it is right.
judge_task() {
    local out=$work/$3/$4 i built=() runs=1
    [ "$2" = cc ] || export CC=$2
    [ "$1" = none ] || runs=$repeat
    mkdir -p "$out"
    for ((i = 1; i <= runs; i++)); do
        common/tools/judge "${built[@]}" "$3" "$5" "$out" > "$out/log" 2>&1
        right "$1" "$out" || break
        built=(--built)
    done
    rm -rf "$out"/{source,objects,plain,address,thread,stub}
}
if [ "${1-}" = --task ]; then
    shift
    judge_task "$@"
    exit 0
fi

rm -rf "$work"
mkdir -p "$work"

exercise_all
if [ $# -gt 0 ]; then
    chosen=()
    for name in "$@"; do
        exercise_named "$name" || exit
        chosen+=("$exercise")
    done
    exercises=("${chosen[@]}")
fi
prepare "${exercises[@]}" || exit
clang=false
if command -v clang > /dev/null; then
    clang=true
    # shellcheck disable=SC2016  # the inner shell's
    CC=clang bash -c 'source common/tools/exercises.sh; prepare "$@"' bash "${exercises[@]}" || exit
fi

# ---- what is judged ----------------------------------------------------------------------------

# A task: what must come of it (all or none), with what it is compiled, the exercise, its name, its files.
tasks=()
task() {
    tasks+=("$1" "$2" "$3" "$4" "$5")
}

# copy NN-name NAME - a folder with the stub, to be changed.
copy() {
    folder=$work/$1/$2/files
    mkdir -p "$folder"
    cp "exercises/$1/.stub"/* "$folder"
}

# put_before FILE NULL - the program of a null runs in place of the one that is given, as a part of the file.
put_before() {
    {
        echo '#define main null_main'
        cat "$2"
        echo '#undef main'
        echo '#include <stdlib.h>'
        echo '__attribute__((constructor)) static void run(int argc, char **argv)'
        echo '{ exit(null_main(4, (char *[]){argv[(void)argc, 0], "--port", "0", "--quiet", NULL})); }'
    } >> "$1"
}

# The exercise's model, and the lessons' servers that have another one.
other_models() {
    local model lesson
    case $1 in
    03-*) model=03-select ;;
    04-*) model=04-poll ;;
    05-*) model=05-epoll-lt ;;
    06-*) model=06-epoll-et ;;
    *) return ;;
    esac
    for lesson in lessons/0[2-9]-*/server.c; do
        lesson=${lesson#lessons/}
        [ "${lesson%/*}" = "$model" ] || echo "${lesson%/*}"
    done
}

for exercise in "${exercises[@]}"; do
    [ -d "solutions/$exercise" ] || continue
    task all cc "$exercise" solution "solutions/$exercise"
    ! $clang || task all clang "$exercise" solution-clang "solutions/$exercise"
    task none cc "$exercise" stub "exercises/$exercise/.stub"
    mains=$(grep -l '^int main\b' "exercises/$exercise/.stub"/*.c)
    for null in solutions/tests/nulls/*.c; do
        name=${null##*/}
        name=${name%.c}
        if [ -n "$mains" ] && [ "$name" != leaves ]; then
            copy "$exercise" "$name"
            cp "$null" "$folder/${mains##*/}"
            task none cc "$exercise" "$name" "$folder"
        elif [ -z "$mains" ] && [ "$name" = leaves ]; then
            copy "$exercise" "$name"
            files=("$folder"/*.c)
            cat "$null" >> "${files[0]}"
            task none cc "$exercise" "$name" "$folder"
        elif [ -z "$mains" ] && [ -e "exercises/$exercise/server.c" ] && [ "$name" != exit0 ]; then
            copy "$exercise" "$name"
            files=("$folder"/*.c)
            put_before "${files[0]}" "$null"
            task none cc "$exercise" "$name" "$folder"
        fi
    done
    for lesson in $(other_models "$exercise"); do
        copy "$exercise" "$lesson"
        cp "lessons/$lesson/server.c" "$folder/server.c"
        task none cc "$exercise" "$lesson" "$folder"
    done
done

printf '%s\0' "${tasks[@]}" | xargs -0 -n 5 -P "$jobs" "$0" --task

# ---- how it went -------------------------------------------------------------------------------

# as_it_should GOAL OUT - else what was not.
as_it_should() {
    right "$1" "$2" && return
    cat "$2/log"
    build/common/grader/report show "$2/last.json"
    return 1
}
for ((i = 0; i < ${#tasks[@]}; i += 5)); do
    exercise=${tasks[i + 2]} name=${tasks[i + 3]}
    check "${exercise%%-*}-$name" as_it_should "${tasks[i]}" "$work/$exercise/$name"
done
$clang || skip clang "it is not installed (make deps)"
[ "$repeat" -eq 1 ] || echo "each solution $repeat times"
finish "$(basename "$0")"
