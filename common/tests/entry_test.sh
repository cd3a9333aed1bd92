#!/bin/bash
# The entry point: what make builds and builds again, its targets lesson by lesson, and that the
# folders and READMEs keep what they promise.  Works in a copy, so that nobody else is disturbed.
# shellcheck disable=SC2016,SC2317  # backticks are to be matched; check calls functions by name

cd "$(dirname "$0")/../.." || exit 1
source common/testkit/check.sh
unset MAKEFLAGS MFLAGS MAKELEVEL BUILD # of the make that runs this

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir "$scratch/kit"
tar -c --exclude=./.git --exclude='./build*' --exclude='./bench/results/*' . |
    tar -x -C "$scratch/kit"
cd "$scratch/kit" || exit 1

targets=$(sed -nE 's/^\.PHONY: (all .*)/\1/p' Makefile)
lessons=()
for folder in lessons/[0-9][0-9]-*; do
    lessons+=("${folder#lessons/}")
done
if command -v git > /dev/null; then
    git init -q && git add -A && git -c user.name=test -c user.email=test commit -q -m copy
fi

# ---- what stands where -------------------------------------------------------------------------

# Beside dotfiles and the licence; build folders are not in the copy.
top_level() {
    local name strange=0
    for name in *; do
        case $name in
        LICENSE | Makefile | README.md | common | lessons | exercises | solutions | bench | plots) ;;
        *)
            echo "$name does not belong here"
            strange=1
            ;;
        esac
    done
    return "$strange"
}

has_parts() {
    local part missing=0
    for part in README.md Makefile; do
        [ -f "lessons/$1/$part" ] || { echo "lessons/$1 has no $part"; missing=1; }
    done
    grep -ql '^int main\b' "lessons/$1"/*.c || { echo "lessons/$1 has no program"; missing=1; }
    return "$missing"
}

# An anchor that a README names stands in a source of its folder.
has_anchors() {
    local anchor missing=0
    while read -r anchor; do
        grep -qF "$anchor" "lessons/$1"/*.[ch] && continue
        echo "lessons/$1/README.md names $anchor, which is not there"
        missing=1
    done < <(grep -oE '`\[[a-z0-9]+(-[a-z0-9]+)*\]`' "lessons/$1/README.md" | tr -d '`')
    return "$missing"
}

readmes=$(find . -name '*.md' | sort)

has_links() {
    local readme link missing=0
    for readme in $readmes; do
        while read -r link; do
            [ -e "${readme%/*}/$link" ] && continue
            echo "$readme: there is no $link"
            missing=1
        done < <(sed -E 's/`[^`]*`//g' "$readme" | grep -oE '\]\([^)#]+|(src|href)="[^"#]+' |
            sed -E 's/^\]\(|^[a-z]+="//' | grep -Ev '^[a-z]+:')
    done
    return "$missing"
}

# Every `make target` of the READMEs, in backticks or in a block; build/X is a file.
has_targets() {
    local target missing=0
    while read -r target; do
        [[ " $targets " == *" $target "* ]] && continue
        echo "a README says make $target"
        missing=1
    done < <(for readme in $readmes; do
        awk '/^```/ { block = !block; next } block && /^(\$ )?make / { print }
             !block { n = split($0, part, "`"); for (i = 2; i <= n; i += 2) print part[i] }' "$readme"
    done | sed -nE 's/^(\$ )?make( -C [^ ]+| [A-Z]+=[^ ]*)* ([a-z][a-z0-9-]*)([^a-z0-9/-].*)?$/\3/p' | sort -u)
    return "$missing"
}

ci_runs_what_readme_says() {
    grep -qE '(exec )?make test$' .ci/run && grep -q 'make test' README.md && [ -x .ci/run ]
}

check top-level top_level
for lesson in "${lessons[@]}"; do
    check "parts-$lesson" has_parts "$lesson"
    [ -f "lessons/$lesson/README.md" ] && check "anchors-$lesson" has_anchors "$lesson"
done
check readme-links has_links
check readme-targets has_targets
check ci ci_runs_what_readme_says

# ---- what is built -----------------------------------------------------------------------------

# built VARIABLE... - make it; what it did goes to log, what it complained about to errors.
built() {
    make "$@" > "$scratch/log" 2> "$scratch/errors" && [ ! -s "$scratch/errors" ] && return
    cat "$scratch/log" "$scratch/errors"
    return 1
}

# compiled FILE... - the last make compiled exactly these.
compiled() {
    local wanted
    wanted=$(printf '%s\n' "$@" | sed 's/\.c$/.o/' | sort)
    diff <(echo "$wanted") <(sed -n 's|^  CC *build[^/]*/||p' "$scratch/log" | sort)
}

linked() {
    local program
    for program in "$@"; do
        grep -q "^  LINK  $program\$" "$scratch/log" || { echo "$program was not linked"; return 1; }
    done
}

idle() {
    built "$@" && grep -q 'Nothing to be done' "$scratch/log"
}

includes_queue() {
    grep -sEl '"queue\.h"|"(tests/)?room_peer\.h"' common/*.c lessons/*/*.c bench/*.c common/tools/*.c \
        exercises/*/*.c solutions/*/*.c lessons/14-chat/tests/room_peer.c
}

prints() {
    local pattern=$1
    shift
    "$@" > "$scratch/printed" 2>&1 || { cat "$scratch/printed"; return 1; }
    grep -Eq -- "$pattern" "$scratch/printed" || { cat "$scratch/printed"; return 1; }
}

# refuses PATTERN COMMAND... - it fails, and says why in one line.
refuses() {
    local pattern=$1
    shift
    "$@" > "$scratch/printed" 2>&1 && { echo "it does not fail"; return 1; }
    cat "$scratch/printed"
    [ "$(wc -l < "$scratch/printed")" -eq 1 ] && grep -Eq -- "$pattern" "$scratch/printed"
}

# A system without pkg-config, where nothing can be installed: what needs a library is left out and
# says so, and everything else is built, by several at once.
mkdir "$scratch/bin"
printf '#!/bin/sh\necho pkg-config was asked >&2\nexit 127\n' > "$scratch/bin/pkg-config"
printf '#!/bin/sh\nexit 1\n' | tee "$scratch/bin/apt-get" > "$scratch/bin/sudo"
chmod +x "$scratch/bin"/*
leaves_out() {
    local source
    PATH=$scratch/bin:$PATH make -s -j 8 CFLAGS=-O0 > "$scratch/log" 2> "$scratch/errors" ||
        { cat "$scratch/log" "$scratch/errors"; return 1; }
    cat "$scratch/log" "$scratch/errors"
    grep -q '^left out: .*build/lessons/12-io-uring/server' "$scratch/log" || return
    grep -q '^missing: liburing-dev' "$scratch/errors" || return
    ! grep -q 'pkg-config was asked' "$scratch/errors" || return
    for source in lessons/*/server.c; do
        case $source in
        *12-io-uring* | *14-chat*) [ ! -e "build/${source%.c}" ] || return ;;
        *) [ -x "build/${source%.c}" ] || return ;;
        esac
    done
}
check library-missing leaves_out

check parallel-build built -s -j 8 CFLAGS=-O0
check silent-build [ ! -s "$scratch/log" ]
check nothing-left idle CFLAGS=-O0
touch common/queue.h
built CFLAGS=-O0 -j 2
mapfile -t queue_users < <(includes_queue)
check touched-header compiled "${queue_users[@]}"
touch lessons/01-blocking/server.c
built CFLAGS=-O0
check touched-source compiled lessons/01-blocking/server.c
check touched-source-links linked build/lessons/01-blocking/server

echo 'int extra(void); int extra(void) { return 1; }' > lessons/01-blocking/extra.c
built CFLAGS=-O0 -j 2
check new-source compiled lessons/01-blocking/extra.c
check new-source-links linked build/lessons/01-blocking/server
rm lessons/01-blocking/extra.c
built CFLAGS=-O0 -j 2
check lost-source-links linked build/lessons/01-blocking/server
check nothing-left-again idle CFLAGS=-O0

check lesson-alone built lesson LESSON=1 BUILD=build-alone
check other-flags built lesson LESSON=1 BUILD=build-alone CFLAGS=-O1
check other-flags-compile compiled common/*.c lessons/01-blocking/*.c
check same-flags built lesson LESSON=1 BUILD=build-alone CFLAGS=-O1
check same-flags-do-nothing [ ! -s "$scratch/log" ]
check sanitizer built lesson LESSON=1 SAN=address
check sanitizer-folder [ -x build-address/lessons/01-blocking/server ]
check bad-sanitizer refuses "not 'memory'" make SAN=memory

# alone LESSON - make inside its folder builds its programs, and no other lesson's.
alone() {
    local file others
    rm -rf build-alone/lessons
    make -s -C "lessons/$1" BUILD=build-alone CFLAGS=-O1 || return
    for file in "lessons/$1"/*.c; do
        grep -q '^int main\b' "$file" || continue
        [ -x "build-alone/${file%.c}" ] || { echo "$file was not built"; return 1; }
    done
    others=$(find build-alone -mindepth 2 -maxdepth 2 -path '*/lessons/*' ! -name "$1" ! -name "$1.a")
    [ "$1" != 14-chat ] || others=$(grep -v '/10-reactor' <<< "$others") # it stands on that loop
    [ -z "$others" ] || { echo "built as well: $others"; return 1; }
}
for lesson in "${lessons[@]}"; do
    check "alone-$lesson" alone "$lesson"
done

# ---- the targets -------------------------------------------------------------------------------

for target in $targets; do
    [ "$target" = all ] && continue
    check "help-$target" prints "^  make $target( |\$)" make help
done
check help-is-narrow eval 'make help | awk "length > 100 { exit 1 }"'
for name in 5 05 05-epoll-lt; do
    check "lesson-named-$name" prints lessons/05-epoll-lt/server make -n run "LESSON=$name"
done
check unknown-lesson refuses "there is no lesson '77'.*01-blocking 02-busy-poll" make run LESSON=77
check no-lesson refuses '01-blocking 02-busy-poll' make watch
check plots-draws-last prints 'plots/draw bench/results/quick.tsv' make -n plots
check plots-full prints 'bench/run --full' make -n plots FULL=1
check plots-of-results prints 'plots/draw some.tsv' make -n plots RESULTS=some.tsv

# run_until_ctrl_c ARGUMENT... - make run; SIGINT for all of them, as the terminal sends it, ends
# the server well.  A make that is interrupted at the moment when its child ends may complain of that
# itself ("wait: No child processes", "Interrupt"); what counts is that all of them are gone, and that
# nobody else complains.
run_until_ctrl_c() {
    local server
    set -m
    env --default-signal=INT make -s run "$@" ARGS='--port 0 --quiet' CFLAGS=-O0 > "$scratch/line" 2> "$scratch/errors" &
    server=$!
    set +m
    local deadline=$((SECONDS + 60))
    until grep -q listening "$scratch/line"; do
        if [ "$SECONDS" -ge "$deadline" ]; then
            kill -KILL -- "-$server"
            echo "timed out after 60 s waiting for it to listen"
            return 1
        fi
        sleep 0.02
    done
    kill -INT -- "-$server"
    while kill -0 -- "-$server" 2> /dev/null; do
        if [ "$SECONDS" -ge "$deadline" ]; then
            kill -KILL -- "-$server"
            echo "timed out after 60 s waiting for its end"
            return 1
        fi
        sleep 0.02
    done
    wait "$server"
    cat "$scratch/errors"
    ! grep -qv '^make' "$scratch/errors"
}
check run-until-ctrl-c run_until_ctrl_c LESSON=5
check run-inside-until-ctrl-c run_until_ctrl_c -C lessons/05-epoll-lt
check run-passes-arguments prints '^server: .*--bad' \
    timeout 60 make -s run LESSON=5 ARGS=--bad CFLAGS=-O0 --ignore-errors

# steps LESSON - the diff, or the word that there is none.
steps() {
    local before
    before=$(sed -n 's/^ \* Compare with: *//p' "lessons/$1/server.c")
    if [ -n "$before" ]; then
        prints "^--- lessons/$before/server.c" make -s diff "LESSON=$1" &&
            prints "^\+\+\+ lessons/$1/server.c" make -s diff "LESSON=$1"
    else
        prints baseline make -s diff "LESSON=$1"
    fi
}

# story LESSON - the calls of a conversation, with words beside them.
story() {
    local call calls=('accept4.* = [0-9].* client' 'recvfrom.*"hello.* bytes' 'sendto.* the echo'
        'recvfrom.*"".*more will come' 'SIGTERM')
    grep -q '<liburing.h>' "lessons/$1/"*.[ch] && calls=('io_uring_enter' 'SIGTERM') # no call tells it
    [ "$1" != 14-chat ] || calls=('accept4.* client' 'recvfrom.*join' 'the reply' 'SIGTERM')
    prints listening make -s watch "LESSON=$1" CFLAGS=-O0 || return
    for call in "${calls[@]}"; do
        grep -Eq "$call" "$scratch/printed" && continue
        echo "no line has: $call"
        cat "$scratch/printed"
        return 1
    done
    awk 'length > 100 { print "too wide: " $0; wide = 1 } END { exit wide }' "$scratch/printed"
}

for lesson in "${lessons[@]}"; do
    [ -f "lessons/$lesson/server.c" ] || continue
    check "diff-$lesson" steps "$lesson"
    if strace -o /dev/null true 2> /dev/null; then
        check "watch-$lesson" story "$lesson"
    else
        skip "watch-$lesson" "strace cannot trace here"
    fi
done

# ---- what all of it left behind ----------------------------------------------------------------

clean_tree() {
    local left
    left=$(git status --porcelain --ignored | grep -Ev '^!! build[^/]*/$')
    [ -z "$left" ] || { echo "$left"; return 1; }
}
if command -v git > /dev/null; then
    check writes-only-build clean_tree
else
    skip writes-only-build "git is not installed"
fi
make -s clean
check clean eval '[ -z "$(ls -d build* 2> /dev/null)" ]'

finish "$(basename "$0")"
