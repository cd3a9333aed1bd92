# summary.awk - the medians of a result file of bench/run, for bench/table and plots/draw.
#
# Prints lines of words separated by tabs:
#   header  NAME  TEXT                                     from the lines that begin with "#"
#   model   NAME                                           in the order of the lessons
#   backend NAME                                           of the chat room: a way to wait
#   value   METRIC  MODEL  X  MEDIAN  MIN  MAX  RUNS       METRIC is point.what; X connections, idle
#                                                          connections, or microseconds of work
#   missing POINT  MODEL  X  REASON                        a run that a model could not do
#   dropped N                                              runs that are not counted, see below
#
# A run during which more than 15 % of the machine was busy with something else is dropped, if the
# same point has others.

BEGIN { FS = OFS = "\t" }

/^# / {
    split(substr($0, 3), pair, ": ")
    print "header", pair[1], substr($0, length(pair[1]) + 5)
    next
}

!n_columns {
    n_columns = NF
    for (i = 1; i <= NF; i++)
        column[$i] = i
    next
}

function field(name) { return $column[name] }

function keep(metric, x, v,    key) {
    key = metric OFS model OFS x
    if (!(key in runs)) {
        order[++n_keys] = key
        runs[key] = busy_runs[key] = 0
    }
    if (busy)
        busy_values[key, ++busy_runs[key]] = v
    else
        values[key, ++runs[key]] = v
}

# What every run tells, under the name of a point.
function keep_run(point, x) {
    keep(point ".qps", x, field("qps"))
    keep(point ".p50", x, field("p50_us"))
    keep(point ".p90", x, field("p90_us"))
    keep(point ".p99", x, field("p99_us"))
    keep(point ".p999", x, field("p999_us"))
    keep(point ".max", x, field("max_us"))
    keep(point ".cpu", x, field("server_cpu_us") / field("messages"))
    keep(point ".switches", x, field("switches") / field("messages"))
    keep(point ".peak", x, field("peak_kb"))
    keep(point ".ready", x, field("ready_kb"))
}

function positive(v) { return v > 0 ? v : 0 }

# The chat room's waits are no models: lines "backend NAME" instead, and deliveries count.
$column["point"] == "fanout" {
    model = field("model")
    sub(/^chat-/, "", model)
    x = field("connections")
    if (!(model in known_backend)) {
        known_backend[model] = 1
        print "backend", model
    }
    if (field("reason") != "-") {
        if (!(("fanout", model, x) in said))
            print "missing", "fanout", model, x, field("reason")
        said["fanout", model, x] = 1
        next
    }
    busy = field("other_share") > 0.15
    n_busy += busy
    keep("fanout.rate", x, field("qps"))
    keep("fanout.speed", x, field("messages") / field("server_cpu_us") * 1e6)
    keep("fanout.p50", x, field("p50_us"))
    keep("fanout.p99", x, field("p99_us"))
    keep("fanout.calls", x, field("syscalls") == "-" ? 0 : field("syscalls") / field("messages"))
    next
}

{
    model = field("model")
    point = field("point")
    x = point == "idle" ? field("idle") : point == "work" ? field("work") : field("connections")
    if (!(model in known)) {
        known[model] = 1
        print "model", model
    }
    if (field("reason") != "-") {
        if (!((point, model, x) in said))
            print "missing", point, model, x, field("reason")
        said[point, model, x] = 1
        next
    }
    busy = field("other_share") > 0.15
    n_busy += busy
}

# Two runs of different length make one figure: what the messages between them cost.
point == "calls" {
    key = model SUBSEP field("round")
    if (field("syscalls") == "-") {
        if (!((point, model) in said))
            print "missing", "calls", model, x, "needs strace, or root and tracefs"
        said[point, model] = 1
    } else if (key in calls_messages) {
        busy = 0 # a count is no time
        keep("calls.syscalls", x, (field("syscalls") - calls_count[key]) / (field("messages") - calls_messages[key]))
    } else {
        calls_messages[key] = field("messages")
        calls_count[key] = field("syscalls")
        print "header", "syscalls counted by", field("syscalls_by")
    }
    next
}

{
    keep_run(point, x)
    if (point == "load" && x == 100) {
        keep_run("idle", 0)
        keep_run("work", 0)
    }
    if (point == "idle" && x > 0) {
        keep("memory.user", x, positive(field("idle_kb") - field("ready_kb")) * 1024 / x)
        keep("memory.kernel", x, positive(field("idle_kernel_kb")) * 1024 / x)
        if ("idle_slab_kb" in column) {
            keep("idle.open", x, field("idle_seconds"))
            keep("memory.buffers", x, positive(field("idle_buffers_kb")) * 1024 / x)
            if (field("idle_slab_kb") != "-")
                keep("memory.ends", x, field("idle_slab_kb") * 1024 / x)
        }
    }
}

END {
    for (k = 1; k <= n_keys; k++) {
        key = order[k]
        n = runs[key] ? runs[key] : busy_runs[key]
        for (i = 1; i <= n; i++) { # sorted by insertion: n is small
            v = (runs[key] ? values[key, i] : busy_values[key, i]) + 0
            for (j = i; j > 1 && sorted[j - 1] > v; j--)
                sorted[j] = sorted[j - 1]
            sorted[j] = v
        }
        median = (sorted[int((n + 1) / 2)] + sorted[int((n + 2) / 2)]) / 2
        printf "value\t%s\t%.6g\t%.6g\t%.6g\t%d\n", key, median, sorted[1], sorted[n], n
        if (key ~ /^memory\.ends/) {
            split(key, parts, OFS)
            ends[parts[2], parts[3]] = median
            if (!(parts[3] in least) || median < least[parts[3]])
                least[parts[3]] = median
        }
    }
    # The kernel's objects of a connection, at the server's end.  The client's end is a bare socket: half
    # of what the most frugal model takes for both.
    for (key in ends) {
        split(key, parts, SUBSEP)
        median = ends[key] - least[parts[2]] / 2
        printf "value\tmemory.slab\t%s\t%s\t%.6g\t%.6g\t%.6g\t1\n", parts[1], parts[2], median, median, median
    }
    print "dropped", n_busy + 0
}
