# shellcheck shell=bash disable=SC2034
# exercises.sh - what the tools around the exercises share.  Source it in the top folder.
#
#   exercise_named WHAT        set `exercise` to the name of 6, 06 or 06-epoll-drain
#   exercise_all               set `exercises` to all that have a grader
#   exercise_files NAME        the student's files of it, one a line
#   exercise_from FOLDER NAME  set `from` to where FOLDER has it; fails if it has not
#   exercise_links NAME        set `linked`, the archives that its programs are linked with, and
#                              `libraries`, by their pkg-config names
#   prepare NAME...            build what judging these needs: graders, and what programs are linked with
#   sandbox_look               set `sandbox`, in words, and `walls`, what bubblewrap is to do
#   sandbox_room FOLDER...     set `room`: the folders that can be seen inside, read-only
set -u
shopt -s nullglob

# What is linked to a student's program, when CC names another compiler, has trees of its own, so that
# nothing is built to and fro.  The graders are always in build.
report=build/common/grader/report
tree=build${CC:+-${CC##*/}}

exercise_named() {
    local names=(exercises/[0-9][0-9]-*/)
    names=("${names[@]#exercises/}")
    for exercise in "${names[@]%/}"; do
        case $exercise in "$1" | "$1"-* | "0$1"-*) return ;; esac
    done
    echo "${0##*/}: there is no exercise '$1'; there are: ${names[*]%/}" >&2
    return 2
}

exercise_all() {
    exercises=(exercises/[0-9][0-9]-*/grader.c)
    exercises=("${exercises[@]%/grader.c}")
    exercises=("${exercises[@]#exercises/}")
}

exercise_files() {
    local files=("exercises/$1/.stub"/*)
    printf '%s\n' "${files[@]##*/}"
}

# A folder of exercises' folders, or one exercise's files themselves.
exercise_from() {
    local file
    from=$1/$2
    [ -d "$from" ] && return
    from=$1
    for file in $(exercise_files "$2"); do
        [ -e "$1/$file" ] && return
    done
    return 1
}

exercise_links() {
    linked=(lessons/10-reactor.a common.a) libraries=()
    [[ $1 == 1[4-7]-chat-* ]] || return 0
    linked=(exercises/chat.a lessons/14-chat.a "${linked[@]}") libraries=(jansson sqlite3 libsodium)
}

# Four makes that find nothing to do take as long as a check: where no source is newer than the last
# time, nothing is asked.
prepare() {
    local name stale=()
    for name in "$@"; do
        prepared "$name" || stale+=("$name")
    done
    [ $# -gt 0 ] && [ ${#stale[@]} -eq 0 ] && return
    for name in "${stale[@]}"; do
        mkdir -p "build/exercises/$name" && : > "build/exercises/$name/preparing-$tree" || return
    done
    prepare_by_make "${stale[@]}" || return
    for name in "${stale[@]}"; do
        mv "build/exercises/$name/preparing-$tree" "build/exercises/$name/prepared-$tree" 2> /dev/null
    done
    true # another one may have done it meanwhile
}

prepared() {
    local stamp=build/exercises/$1/prepared-$tree linked libraries
    local sources=(Makefile common lessons/10-reactor "exercises/$1/grader.c")
    exercise_links "$1"
    [ ${#libraries[@]} -eq 0 ] || sources+=(lessons/14-chat exercises/chat)
    [ -e "$stamp" ] && [ -x "build/exercises/$1/grader" ] && [ -x "$report" ] &&
        [ -e "$tree/common.a" ] && [ -e "$tree-address/common.a" ] && [ -e "$tree-thread/common.a" ] &&
        [ -z "$(find "${sources[@]}" \
            \( -path common/tests -o -path common/tools \) -prune -o -newer "$stamp" -print -quit)" ]
}

prepare_by_make() (
    unset MAKEFLAGS MFLAGS MAKELEVEL BUILD # of the make that runs this
    build() {
        local folder=$1 target targets=()
        shift
        for target in "$@"; do
            case $target in *=*) targets+=("$target") ;; *) targets+=("$folder/$target") ;; esac
        done
        make -s --no-print-directory -j "$(nproc)" "BUILD=$folder" "${targets[@]}"
    }
    local graders=("${@/%//grader}") archives=(common.a lessons/10-reactor.a) name linked libraries
    for name in "$@"; do
        exercise_links "$name"
        archives+=("${linked[@]}")
    done
    mapfile -t archives < <(printf '%s\n' "${archives[@]}" | sort -u)
    (
        ! command -v cc > /dev/null || unset CC
        build build common/grader/report "${graders[@]/#/exercises/}"
    ) && build "$tree" common/grader/wrap.o "${archives[@]}" &&
        build "$tree-address" SAN=address "${archives[@]}" &&
        build "$tree-thread" SAN=thread "${archives[@]}"
)

# The kit is out of sight inside, and so is what GRADE_HIDE names: solutions and the files of other
# students are nothing to include, to run or to read.
sandbox_look() {
    local folder small=(--perms 1777 --size 536870912) # 512 MiB
    bwrap --help 2> /dev/null | grep -q -e --size || small=()
    walls=(bwrap --ro-bind / / --dev /dev "${small[@]}" --tmpfs /dev/shm --proc /proc "${small[@]}" --tmpfs /tmp)
    for folder in "$PWD" ${GRADE_HIDE:+"$(realpath "$GRADE_HIDE")"}; do
        walls+=(--tmpfs "$folder")
    done
    walls+=(--unshare-net --unshare-ipc --unshare-pid --new-session --die-with-parent)
    if [ "${GRADE_SANDBOX-}" = none ]; then
        sandbox='none: GRADE_SANDBOX=none'
    elif ! command -v bwrap > /dev/null; then
        sandbox='none: bubblewrap is not installed (make deps)'
    elif ! "${walls[@]}" --chdir / true 2> /dev/null; then
        sandbox='none: bubblewrap may not make a namespace here'
    else
        sandbox='bubblewrap: no network but loopback, nothing to write but a /tmp of its own'
        return
    fi
    walls=()
}

sandbox_room() {
    local path
    room=("${walls[@]}")
    [ ${#walls[@]} -eq 0 ] && return
    for path in "$@"; do
        path=$(realpath "$path")
        room+=(--ro-bind "$path" "$path")
    done
}
