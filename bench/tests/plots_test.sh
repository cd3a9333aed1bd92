#!/bin/bash
# summary, table and draw: the medians, and every figure redrawn from the stored results, opened and
# looked into for its series.
# BUILD names the folder in which a scratch folder is made (build).
# shellcheck disable=SC2317  # check calls the functions by their names

cd "$(dirname "$0")/../.." || exit 1
source common/testkit/check.sh
build=${BUILD:-build}
reference=bench/results/reference.tsv

mkdir -p "$build"
scratch=$(mktemp -d "$build/plots.XXXXXX")
trap 'rm -rf "$scratch"' EXIT

# ---- the medians ---------------------------------------------------------------------------------

# Results of our own, which a reader can compute by hand.
columns="round model point connections idle work messages seconds qps mean_us p50_us p90_us p99_us
p999_us max_us errors server_cpu_us generator_cpu_us other_share switches ready_kb peak_kb idle_kb
idle_kernel_kb syscalls syscalls_by reason"
result() { # round model point connections idle work messages qps server_cpu_us other_share switches idle_kb syscalls by reason
    printf '%s\t' "$1" "$2" "$3" "$4" "$5" "$6" "$7" 1.0 "$8" 1 10 20 30 40 50 0 "$9" 1 "${10}" "${11}" 1000 2048 "${12}" 0 "${13}" "${14}"
    printf '%s\n' "${15}"
}
{
    printf '# %s\n' 'run: quick' 'machine: a processor, 2 cores' 'kernel: Linux 1' 'compiler: cc' 'commit: 1' 'date: 2000-01-01T00:00Z' 'cores: two'
    # shellcheck disable=SC2086  # one word for each column
    printf '%s\n' $columns | paste -s
    result 1 alpha load 100 0 0 1000 50 4000 0.01 10 - - - -
    result 2 alpha load 100 0 0 1000 70 6000 0.01 30 - - - -
    result 3 alpha load 100 0 0 1000 60 5000 0.02 20 - - - -
    result 4 alpha load 100 0 0 1000 1 90000 0.50 20 - - - - # the machine was busy
    result 1 alpha idle 100 900 0 1000 60 10000 0 20 1900 - - -
    result 1 alpha work 100 0 20 1000 40 25000 0 20 - - - -
    result 1 alpha calls 100 0 0 1000 60 5000 0 20 - 2500 strace -
    result 1 alpha calls 100 0 0 3000 60 5000 0 20 - 6600 strace -
    result 1 beta load 100 0 0 1000 80 3000 0.9 0 - - - -
    result 1 beta idle 100 900 0 - - - - - - - - 'idle connection 5 was closed by the server (it has no more)'
    result 1 chat-epoll fanout 100 0 0 200000 1000000 20000 0 0 - 4000 tracepoint -
    result 1 chat-epoll fanout 1000 0 0 400000 2000000 50000 0 0 - 8000 tracepoint -
    result 1 chat-select fanout 100 0 0 100000 500000 20000 0 0 - 4000 tracepoint -
    result 1 chat-select fanout 1500 0 0 - - - - - - - - 'server_full (select cannot watch a descriptor above FD_SETSIZE, 1024)'
} > "$scratch/own.tsv"

summary_has() { # a line, its words separated by blanks
    awk -f bench/summary.awk "$scratch/own.tsv" > "$scratch/summary" || return
    tr '\t' ' ' < "$scratch/summary" | grep -qxF -- "$1" || { cat "$scratch/summary"; echo "no line: $1"; return 1; }
}

table_has() {
    bench/table "$1" > "$scratch/table" || return
    grep -qF -- "$2" "$scratch/table" || { cat "$scratch/table"; echo "no line with: $2"; return 1; }
}

table_has_all() {
    local model
    bench/table "$reference" > "$scratch/table" || return
    while read -r model; do
        [ "$(grep -cE "^\| $model \| [0-9,-]" "$scratch/table")" -eq 1 ] || { cat "$scratch/table"; echo "no row of $model"; return 1; }
    done < "$scratch/models"
    [ "$(grep '^|' "$scratch/table" | tr -cd '|\n' | sort -u | wc -l)" -eq 1 ] || { cat "$scratch/table"; echo "rows of different length"; return 1; }
}

check "median, smallest and largest" summary_has 'value load.qps alpha 100 60 50 70 3'
check "CPU time a request" summary_has 'value load.cpu alpha 100 5 4 6 3'
check "a busy run is dropped" summary_has 'dropped 2'
check "but not if there is no other" summary_has 'value load.qps beta 100 80 80 80 1'
check "system calls: the difference of two runs" summary_has 'value calls.syscalls alpha 100 2.05 2.05 2.05 1'
check "memory for each idle connection" summary_has 'value memory.user alpha 900 1024 1024 1024 1'
check "no idle connections: the load" summary_has 'value idle.cpu alpha 0 5 4 6 3'
check "what could not be measured" summary_has 'missing idle beta 900 idle connection 5 was closed by the server (it has no more)'
check "deliveries a second" summary_has 'value fanout.rate epoll 100 1e+06 1e+06 1e+06 1'
check "deliveries a CPU second" summary_has 'value fanout.speed epoll 1000 8e+06 8e+06 8e+06 1'
check "a backend is no model" summary_has 'backend select'
check "what a backend cannot" summary_has 'missing fanout select 1500 server_full (select cannot watch a descriptor above FD_SETSIZE, 1024)'
chat_table_has() {
    bench/table --chat "$scratch/own.tsv" > "$scratch/table" || return
    grep -qF -- "$1" "$scratch/table" || { cat "$scratch/table"; echo "no line with: $1"; return 1; }
}
check "table of the chat room: the figures" chat_table_has '| epoll | 1,000 | 2,000,000 | 8,000,000 | 0.0200 | 10 us | 30 us |'
check "table of the chat room: a reason" chat_table_has 'select: server_full (select cannot'
check "table: the figures" table_has "$scratch/own.tsv" '| alpha | 1,000+ | 60 | 5.00 us | 2.05 | 0.020 | 2.0 MiB | 1.0 KiB | 2.00 times with 900 |'
check "table: a reason" table_has "$scratch/own.tsv" '[1] beta: idle connection 5 was closed by the server (it has no more)'
check "table: clients at once" table_has "$scratch/own.tsv" '| beta | 4 | 80 |'

# ---- the figures ---------------------------------------------------------------------------------

awk -f bench/summary.awk "$reference" > "$scratch/reference"
awk -F '\t' '$1 == "model" { print $2 }' "$scratch/reference" > "$scratch/models"
check "table: every model of the stored results" table_has_all

# points FIGURE TITLE: the points that an SVG has in its plots of this title.
points() {
    awk -v title="<title>$2</title>" '
        /<g id="[a-z_]*_plot_/ { inside = index($0, title) > 0 }
        inside { n += gsub(/<use /, "") + gsub(/<polygon /, "") }
        END { print n + 0 }' "$out/$1.svg"
}

# values METRIC [MODEL [X]]: the lines of the medians.
values() {
    awk -F '\t' -v metric="$1" -v model="${2:-}" -v x="${3:-}" \
        '$1 == "value" && $2 == metric && (model == "" || $3 == model) && (x == "" || $4 == x)' "$scratch/reference" | wc -l
}

expect() { # WHAT GOT WANTED
    [ "$2" -eq "$3" ] || { echo "$1: $2, not $3"; return 1; }
}

svg_is_whole() { # FIGURE
    grep -q '<svg ' "$out/$1.svg" || { echo "not an SVG"; return 1; }
    tail -n 2 "$out/$1.svg" | grep -q '</svg>' || { echo "it has no end"; return 1; }
    grep -qF "$(sed -n 's/^# machine: //p' "$reference")" "$out/$1.svg" || { echo "the machine is not named"; return 1; }
    [ "$(grep -c 'font-weight="bold"' "$out/$1.svg")" -ge 1 ] || { echo "no heading"; return 1; }
}

png_is_whole() { # FIGURE: signature, size and end, and much more in it than in an empty picture
    local png=$out/$1.png
    [ "$(od -An -tx1 -N8 "$png" | tr -d ' \n')" = 89504e470d0a1a0a ] || { echo "not a PNG"; return 1; }
    [ "$(od -An -tx1 -j16 -N8 "$png" | tr -d ' \n')" = 000005a000000360 ] || { echo "not 1440 times 864"; return 1; }
    [ "$(tail -c 8 "$png" | od -An -tx1 | tr -d ' \n')" = 49454e44ae426082 ] || { echo "it has no end"; return 1; }
    [ "$(wc -c < "$png")" -gt $((5 * $(wc -c < "$scratch/empty.png"))) ] || { echo "next to nothing in it"; return 1; }
}

every_name() { # FIGURE: each model stands in it, as text
    local model
    while read -r model; do
        grep -qE "<tspan[^>]*>\s*$model\s*</tspan>" "$out/$1.svg" || { echo "$model is not in it"; return 1; }
    done < "$scratch/models"
}

bars() { # FIGURE METRIC [TITLE METRIC]: a bar for each model that has the value, and every name
    svg_is_whole "$1" && png_is_whole "$1" && every_name "$1" || return
    if [ $# -eq 2 ]; then
        expect bars "$(grep -c '<polygon ' "$out/$1.svg")" "$(values "$2" '' 100)"
    else
        shift
        while [ $# -gt 1 ]; do # the key has a sample of each
            expect "bars of $1" "$(points syscalls "$1")" $(($(values "$2" '' 100) + 1)) || return
            shift 2
        done
    fi
}

curves() { # FIGURE METRIC METRIC...: a line for each model with all its points, in each panel
    local figure=$1 model metric wanted
    shift
    svg_is_whole "$figure" && png_is_whole "$figure" || return
    while read -r model; do
        wanted=1 # the key's
        [ "$(values "$1" "$model")" -ge 2 ] || continue
        for metric in "$@"; do
            wanted=$((wanted + $(values "$metric" "$model")))
        done
        expect "points of $model" "$(points "$figure" "$model")" "$wanted" || return
    done < "$scratch/models"
}

latency() {
    local title
    svg_is_whole latency && png_is_whole latency && every_name latency || return
    for title in p50:p50 p90:p90 p99:p99 p99.9:p999 max:max; do
        expect "points of $title" "$(points latency "${title%:*}")" $(($(values "load.${title#*:}" '' 100) + 1)) || return
    done
}

memory() {
    local wanted
    svg_is_whole memory && png_is_whole memory && every_name memory || return
    wanted=$(awk -F '\t' '$2 == "memory.user" { seen[$3] = 1 } END { for (m in seen) n++; print n + 0 }' "$scratch/reference")
    expect bars "$(points memory "the server's own memory")" $((wanted + 1))
}

report_is_whole() {
    local figure model
    for figure in qps cpu syscalls qps-connections latency idle memory work fanout fanout-latency; do
        grep -q "<figure id=\"$figure\">" "$out/report.html" || { echo "no figure $figure"; return 1; }
    done
    expect 'SVG pictures' "$(grep -c '<svg ' "$out/report.html")" 10 || return
    expect 'ends of them' "$(grep -c '</svg>' "$out/report.html")" 10 || return
    while read -r model; do
        grep -q "<td>$model</td>" "$out/report.html" || { echo "no row of $model"; return 1; }
    done < "$scratch/models"
    # Names of namespaces are no references; everything else that could fetch something is one.
    if sed 's/xmlns[:a-z]*="[^"]*"//g' "$out/report.html" | grep -nE "https?:|//[a-z]|src=|@import|url\([^#]|<link|<script|<!ENTITY|<!DOCTYPE svg"; then
        echo "an external reference"
        return 1
    fi
}

in_characters() {
    local model
    while read -r model; do
        grep -qE "^ *$model [-0-9]" "$scratch/drawn" || { cat "$scratch/drawn"; echo "no bar of $model"; return 1; }
    done < "$scratch/models"
    [ "$(grep -v '^plots/draw:' "$scratch/drawn" | awk '{ if (length > n) n = length } END { print n }')" -le 80 ] ||
        { echo "wider than 80 columns"; return 1; }
}

fails() { # STATUS PATTERN COMMAND...
    local status=$1 pattern=$2 got
    shift 2
    "$@" > "$scratch/said" 2>&1
    got=$?
    cat "$scratch/said"
    [ "$got" -eq "$status" ] || { echo "exit status $got, not $status"; return 1; }
    grep -qE -- "$pattern" "$scratch/said"
}

if ! command -v gnuplot > /dev/null; then
    skip figures "gnuplot is not installed"
    finish plots_test
fi

out=$scratch/drawn-figures
gnuplot -e "set terminal pngcairo size 1440,864; set output '$scratch/empty.png'; unset border; unset tics; plot [0:1] [0:1] 2 notitle" 2> /dev/null
draws() { plots/draw "$reference" "$out" > "$scratch/drawn"; }
check "draw" draws
check "figure qps" bars qps load.qps
check "figure cpu" bars cpu load.cpu
check "figure syscalls" bars syscalls 'system calls' calls.syscalls 'context switches' load.switches
check "figure qps-connections" curves qps-connections load.qps
check "figure latency" latency
check "figure idle" curves idle idle.qps idle.cpu
check "figure memory" memory
check "figure work" curves work work.qps
check "report" report_is_whole
check "the figure in the terminal" in_characters
check "draw: results with next to nothing in them" plots/draw "$scratch/own.tsv" "$scratch/own-figures"

fanout() { # FIGURE TITLE WANTED: so many points, and one in the key
    out=$scratch/own-figures
    svg_is_whole_own "$1" || return
    expect "points of $2" "$(points "$1" "$2")" "$3"
}
svg_is_whole_own() {
    { grep -q '</svg>' "$out/$1.svg" && [ -s "$out/$1.png" ]; } || { echo "no figure"; return 1; }
    grep -q 'select ends at descriptor 1024' "$out/$1.svg" || { echo "it does not say where select ends"; return 1; }
}
check "figure fanout: epoll" fanout fanout epoll 5 # two in each panel
check "figure fanout: select" fanout fanout select 3
check "figure fanout-latency" fanout fanout-latency 'epoll, p99' 3
for n in 10 20 60; do # lines that an interrupted run has left, with whole figures missing
    head -n "$n" "$reference" > "$scratch/cut.tsv"
    check "draw: the first $n lines of a run" plots/draw "$scratch/cut.tsv" "$scratch/cut-figures"
done
check "draw: no such file" fails 1 'cannot read' plots/draw "$scratch/nothing.tsv" "$out"
check "draw: no results" fails 1 'no measured run' plots/draw /dev/null "$out"
check "draw: no argument" fails 2 '^usage' plots/draw

finish plots_test
