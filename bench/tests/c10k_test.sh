#!/bin/bash
# c10k: with few connections, what it writes and prints, who is left out and why, and the figure.
# No figure is judged: only that it is there.
# BUILD names the folder of the programs (build).
# shellcheck disable=SC2317  # check calls the functions by their names

cd "$(dirname "$0")/../.." || exit 1
source common/testkit/check.sh
build=${BUILD:-build}
export BUILD=$build

mkdir -p "$build"
scratch=$(mktemp -d "$build/c10k.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
results=$scratch/c10k.tsv

# gives STATUS PATTERN COMMAND...: it exits so within 200 s, and its output has the pattern.
gives() {
    local status=$1 pattern=$2 got
    shift 2
    timeout 200 "$@" > "$scratch/out" 2>&1
    got=$?
    cat "$scratch/out"
    [ "$got" -ne 124 ] || echo "timed out after 200 s waiting for its end"
    [ "$got" -eq "$status" ] || { echo "exit status $got, not $status"; return 1; }
    grep -qE -- "$pattern" "$scratch/out" || { echo "no line with: $pattern"; return 1; }
}

prints() { # PATTERN: a line of the table of the stored results
    bench/c10k --table "$results" > "$scratch/table" || return
    grep -qE -- "$1" "$scratch/table" || { cat "$scratch/table"; echo "no line with: $1"; return 1; }
}

rows() { # MODEL POINT COUNT CONDITION: so many rows of the results, and of each the condition holds
    awk -F '\t' -v model="$1" -v point="$2" -v wanted="$3" '
        function of(name) { return $column[name] }
        /^#/ { next }
        !n { for (i = 1; i <= NF; i++) column[$i] = i; n = NF; next }
        of("model") != model || of("point") != point { next }
        NF != n || !('"$4"') { print; bad = 1 }
        { count++ }
        END { if (count != wanted) print count + 0 " rows, not " wanted; exit bad || count != wanted }' "$results"
}

check "runs" gives 0 '^epoll-lt +150 ' bench/c10k --connections 150 --models epoll-lt,thread-per-client,prefork --out "$results"
for name in run machine kernel compiler commit date cores; do
    check "header: $name" grep -qE "^# $name: ." "$results"
done
measured='of("idle") == 50 && of("connections") == 100 && of("errors") == 0 && of("qps") > 0 && of("p99_us") > 0 && of("server_cpu_us") > 0 && of("idle_kb") > 0 && of("idle_seconds") > 0 && of("idle_buffers_kb") >= 0 && of("reason") == "-"'
check "rows: among idle ones" rows epoll-lt idle 3 "$measured"
check "rows: threads" rows thread-per-client idle 3 "$measured"
check "rows: alone" rows epoll-lt load 3 'of("idle_kb") == "-" && of("idle_seconds") == "-" && of("qps") > 0'
check "rows: who cannot" rows prefork idle 1 'of("qps") == "-" && of("reason") ~ /idle connection 5 .*an idle client keeps its worker/'
check "table: a head" prints '^150 connections, 100 of them active; '
check "table: figures" prints '^epoll-lt +150 +[0-9.]+ +[0-9]+ +0 +[0-9-]+ +[0-9]+ +[0-9]+ +[0-9.]+ +[0-9.]+$'
check "table: threads, and what ends them" prints '^\[1\] thread-per-client: a thread for each connection; here at most [1-9][0-9]+ '
check "table: who cannot, how many it holds" prints '^prefork +4 '
check "table: who cannot, why" prints '^\[2\] prefork: .*an idle client keeps its worker'

few_descriptors() {
    # shellcheck disable=SC2016  # the inner shell's
    gives 0 '^bench/c10k: 336 connections, not 10000: the descriptor limit is 400' \
        bash -c 'ulimit -n 400; exec "$@"' bash bench/c10k --models poll --out "$scratch/few.tsv" &&
        grep -qE '^poll +336 ' "$scratch/out"
}
check "the descriptor limit" few_descriptors
check "bad usage: option" gives 2 "'--many' is not an option" bench/c10k --many
check "bad usage: number" gives 2 "'100' is not a number from 101" bench/c10k --connections 100
check "bad usage: no value" gives 2 '--models needs a value' bench/c10k --models
check "bad usage: no such model" gives 2 "there is no model 'pool'" bench/c10k --models pool --out "$scratch/none.tsv"

svg_is_whole() {
    local model
    grep -q '</svg>' "$scratch/c10k.svg" || { echo "the SVG has no end"; return 1; }
    [ -s "$scratch/c10k.png" ] || { echo "no PNG"; return 1; }
    for model in epoll-lt thread-per-client prefork; do
        grep -qE "<tspan[^>]*>\s*$model\s*</tspan>" "$scratch/c10k.svg" || { echo "$model is not in it"; return 1; }
    done
    grep -q 'left out: an idle client keeps its worker' "$scratch/c10k.svg" || { echo "the reason is not in it"; return 1; }
}
only_one() { # nothing of the other figures is drawn over
    [ "$(find "$scratch" -name '*.svg' -o -name '*.html' | wc -l)" -eq 1 ]
}
if command -v gnuplot > /dev/null; then
    check "draw" gives 0 'c10k as SVG and PNG' plots/draw "$results" "$scratch"
    check "figure" svg_is_whole
    check "figure: no other" only_one
else
    skip figure "gnuplot is not installed"
fi

finish "$(basename "$0" .sh)"
