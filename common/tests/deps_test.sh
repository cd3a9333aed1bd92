#!/bin/bash
# common/tools/deps: what it says and the exact lines that it types, with an apt-get, a sudo and an
# id that only write down how they were called.
# shellcheck disable=SC2317  # check calls the functions by their names

cd "$(dirname "$0")/../.." || exit 1
source common/testkit/check.sh

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir "$scratch/tools" "$scratch/system"
cp common/tools/deps "$scratch/tools"
printf '%s\n' '# a comment' '' 'paint  walls,doors  brush  covers the wall' \
    'glue   doors  glue.pc  holds the door' "nail  doors  $scratch/nail  joins two boards" \
    > "$scratch/tools/packages"

# A system that has nothing but these.
for tool in cat rm grep mktemp env true touch ln; do
    ln -s "$(type -P "$tool")" "$scratch/system/$tool"
done

# fake NAME COMMANDS - a program of the system, which writes down how it was called.
fake() {
    printf '#!/bin/bash\necho "%s $*" >> %s/typed\n%s\n' "$1" "$scratch" "$2" > "$scratch/system/$1"
    chmod +x "$scratch/system/$1"
}

# begin USER SUDO INSTALLS - a fresh system: who asks, whether sudo lets him, what apt-get brings.
begin() {
    rm -f "$scratch"/{typed,nail} "$scratch"/system/{brush,pkg-config,id,sudo,apt-get}
    printf '#!/bin/bash\necho %s\n' "$1" > "$scratch/system/id"
    chmod +x "$scratch/system/id"
    # shellcheck disable=SC2016  # they are the fake's arguments
    case $2 in
    yes) fake sudo '[ "$1" = -n ] && shift; exec "$@"' ;;
    no) fake sudo 'exit 1' ;;
    esac
    [ "$3" = none ] && return
    fake apt-get "[ \$1 = install ] && { $3; }; exit"
}

# deps STATUS ARGUMENT... - run it on that system; what it says goes to said.
deps() {
    local expected=$1 status
    shift
    (PATH=$scratch/system exec "$scratch/tools/deps" "$@") > "$scratch/out" 2> "$scratch/said"
    status=$?
    cat "$scratch/out" "$scratch/said"
    [ "$status" -eq "$expected" ] || { echo "exit status $status, not $expected"; return 1; }
    [ ! -s "$scratch/out" ] || { echo "something on standard output"; return 1; }
}

said() {
    grep -Fqx -- "$1" "$scratch/said" || { cat "$scratch/said"; return 1; }
}

# typed LINE... - exactly these lines were typed.
typed() {
    local lines=''
    [ $# -gt 0 ] && lines=$(printf '%s\n' "$@")
    [ "$(cat "$scratch/typed" 2> /dev/null)" = "$lines" ] || { cat "$scratch/typed"; return 1; }
}

all_there="cd $scratch && touch nail && ln -s true system/brush && ln -s true system/pkg-config"

begin 0 none "$all_there"
check root-installs deps 0
check root-types typed 'apt-get update' 'apt-get install -y paint glue nail'
check says-why said 'missing: glue          holds the door'
rm "$scratch/typed"
check nothing-missing deps 0 walls doors
check nothing-missing-says-nothing [ ! -s "$scratch/said" ]
check nothing-missing-types-nothing typed

begin 0 none "$all_there"
check first-group deps 0 walls
check only-its-group typed 'apt-get update' 'apt-get install -y paint'

begin 1000 yes "$all_there"
check sudo-installs deps 0 doors
check sudo-types typed 'sudo -n true' 'sudo apt-get update' 'apt-get update' \
    'sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y paint glue nail' \
    'apt-get install -y paint glue nail'

begin 1000 no "$all_there"
check plain-user-fails deps 1 doors
check plain-user-is-told said 'to install: sudo apt-get install -y paint glue nail'
check plain-user-types-nothing typed 'sudo -n true'

begin 1000 none "$all_there"
check no-sudo-fails deps 1 walls
check no-sudo-is-told said 'to install: sudo apt-get install -y paint'

begin 0 none none
check not-debian-fails deps 1 walls
check not-debian-is-told \
    said "install them as your system does; the names above are Debian's: paint"

begin 0 none "$all_there"
check list-only-tells deps 0 --list doors
check list-types-nothing typed
check list-has-the-line said 'to install: apt-get install -y paint glue nail'

begin 0 none 'echo E: no such package; exit 100'
check failure-fails deps 1 walls
check failure-shows-the-log said 'E: no such package'

begin 0 none true
check empty-install-fails deps 1 walls
check empty-install-is-told said 'installed, but still not found: paint'

check unknown-group deps 2 doors windows
check unknown-group-is-named said 'deps: no such group: windows'

# The real table: four fields a line, and every group that somebody asks for.
complete() {
    awk '!/^#/ && NF { lines++; if (NF < 4 || $2 !~ /^[a-z,]+$/) { print; bad = 1 } }
         END { exit bad || lines < 10 }' common/tools/packages
}
has_groups() {
    local groups group missing=0
    while read -r groups; do
        for group in $groups; do
            grep -Eq "^[^# ]+ +([a-z]+,)*$group(,| )" common/tools/packages && continue
            echo "no package for: $group"
            missing=1
        done
    done < <(sed -nE 's/^\t.*deps( --list)? ([a-z ]+)$/\2/p' Makefile)
    return "$missing"
}
check table-complete complete
check table-has-groups has_groups

finish "$(basename "$0")"
