# data.awk - turn the medians of bench/summary.awk into the files that the figures plot.
#
# In the folder `data`:
#   data.gp        variables for gnuplot: the models, the axes' tics, notes and footer
#   qps cpu syscalls switches memory      bars: row, "model", median, min, max, "label"
#   memory-kernel  row, "model", kernel stack, own memory, their sum, "label of both"
#   c10k           row, "model", own memory, kernel stack, kernel objects, "label"; only of such a run
#   latency        row, "model", p50, p90, p99, p99.9, max
#   NAME.missing   row, where, "why": the models that are left out of such a figure
#   qps-connections idle idle-cpu work    curves: x, number of x, median, min, max; two blank lines
#                  between the models
#   fanout fanout-speed fanout-latency fanout-p99      the same for the backends of the chat room
#   work-ceiling   number of x, requests a second if the work were all
# A file is empty where nothing was measured.

BEGIN { FS = "\t" }

$1 == "header" { header[$2] = $3 }
$1 == "model" { models[++n_models] = $2; row[$2] = n_models }
$1 == "backend" { backends[++n_backends] = $2 }
$1 == "value" {
    median[$2, $3, $4] = $5
    smallest[$2, $3, $4] = $6
    largest[$2, $3, $4] = $7
    runs[$2, $3, $4] = $8
    has[$2, $3]++
    point = $2
    sub(/\..*/, "", point)
    if (!((point, $4) in known)) {
        known[point, $4] = 1
        xs[point, ++n_xs[point]] = $4
    }
    if ($2 == "idle.cpu" && (!least || $6 < least))
        least = $6
    if ($2 == "memory.user" && (!($3 in most_idle) || $4 > most_idle[$3]))
        most_idle[$3] = $4
}
$1 == "missing" && !(($2, $3) in reason) { reason[$2, $3] = $5 }

function thousands(n,    text, tail) {
    text = sprintf("%.0f", n)
    while (length(text) > 3) {
        tail = "," substr(text, length(text) - 2) tail
        text = substr(text, 1, length(text) - 3)
    }
    return text tail
}

function bytes(n) { return n < 1000 ? sprintf("%.0f B", n) : sprintf("%.1f KiB", n / 1024) }

# A text inside gnuplot's single quotes.
function quote(text) { gsub(/'/, "''", text); return "'" text "'" }

function without_quotes(text) { gsub(/["\\]/, "", text); return text }

# How a bar is labelled.
function label(kind, v) {
    if (kind == "qps") return thousands(v)
    if (kind == "cpu") return sprintf("%.2f (%s/s)", v, thousands(1e6 / v))
    if (kind == "memory") return bytes(v)
    return sprintf(v < 0.1 ? "%.3f" : "%.2f", v)
}

# Writes the file of a bar for each model; returns the end of the longest.
function bars(file, metric, point, missing_at,    i, m, x, key, text, most) {
    most = 0
    printf "" > (data "/" file)
    printf "%d %s \"\"\n", -9, missing_at > (data "/" file ".missing") # gnuplot wants a row: off the picture
    for (i = 1; i <= n_models; i++) {
        m = models[i]
        x = point == "memory" ? most_idle[m] : 100
        if ((metric, m, x) in median) {
            key = metric SUBSEP m SUBSEP x
            if (largest[key] > most)
                most = largest[key]
            printf "%d \"%s\" %s %s %s \"%s\"\n", i, m, median[key], smallest[key], largest[key], label(file, median[key]) > (data "/" file)
        } else {
            text = reason[point == "memory" ? "idle" : point, m]
            if (match(text, / \(.*\)$/)) # what the model itself says
                text = substr(text, RSTART + 2, RLENGTH - 3)
            printf "%d %s \"left out: %s\"\n", i, missing_at, without_quotes(text ? text : "not measured") > (data "/" file ".missing")
        }
    }
    close(data "/" file)
    close(data "/" file ".missing")
    return most > 0 ? most : 1
}

# One block for each model that has more than one point; returns their names.
function curves(metric, point, file,    i, j, m, x, key, names) {
    names = ""
    printf "" > (data "/" file)
    for (i = 1; i <= n_models; i++) {
        m = models[i]
        if (has[metric, m] < (n_xs[point] > 1 ? 2 : 1))
            continue
        if (names != "")
            printf "\n\n" > (data "/" file)
        names = names (names == "" ? "" : " ") m
        for (j = 1; j <= n_xs[point]; j++) {
            x = xs[point, j]
            key = metric SUBSEP m SUBSEP x
            if (key in median)
                print x, j - 1, median[key], smallest[key], largest[key] > (data "/" file)
        }
    }
    close(data "/" file)
    return names
}

# The same for the chat room's backends, which are no models.
function backend_curves(metric, file,    i, j, key, names) {
    names = ""
    printf "" > (data "/" file)
    for (i = 1; i <= n_backends; i++) {
        if (!has[metric, backends[i]])
            continue
        if (names != "")
            printf "\n\n" > (data "/" file)
        names = names (names == "" ? "" : " ") backends[i]
        for (j = 1; j <= n_xs["fanout"]; j++) {
            key = metric SUBSEP backends[i] SUBSEP xs["fanout", j]
            if (key in median)
                print xs["fanout", j], j - 1, median[key], smallest[key], largest[key] > (data "/" file)
        }
    }
    close(data "/" file)
    return names
}

# What backends cannot do.
function backends_end(    i, j, key, text) {
    text = ""
    for (i = 1; i <= n_backends; i++)
        if (("fanout", backends[i]) in reason)
            text = text "; " backends[i] " ends" (reason["fanout", backends[i]] ~ /FD_SETSIZE/ ? " at descriptor 1024" : ", see the table")
    return text
}

# Models that lack a point of a curve, or all of it.
function cut_short(point,    i, m, list) {
    list = ""
    for (i = 1; i <= n_models; i++)
        if ((point, models[i]) in reason)
            list = list (list == "" ? "" : ", ") models[i]
    return list == "" ? "" : "; where a line ends, see the table: " list
}

function sort_xs(point,    i, j, v) {
    for (i = 2; i <= n_xs[point]; i++) {
        v = xs[point, i]
        for (j = i; j > 1 && xs[point, j - 1] + 0 > v + 0; j--)
            xs[point, j] = xs[point, j - 1]
        xs[point, j] = v
    }
}

# The axis of a curve: (text place, text place, ...).
function tics(point, zero_text, zero_place, by_number,    j, x, list) {
    list = ""
    for (j = 1; j <= n_xs[point]; j++) {
        x = xs[point, j]
        list = list (j > 1 ? ", " : "") "\"" (x == 0 && zero_text != "" ? zero_text : thousands(x)) "\" " \
               (by_number ? j - 1 : x == 0 ? zero_place : x)
    }
    return "(" list ")"
}

END {
    gp = data "/data.gp"
    list = rows = ""
    for (i = 1; i <= n_models; i++) {
        list = list (i > 1 ? " " : "") models[i]
        rows = rows (i > 1 ? ", " : "") "\"" models[i] "\" " i
    }
    sort_xs("load")
    sort_xs("idle")
    sort_xs("work")
    sort_xs("fanout")

    print "QPS_MAX =", bars("qps", "load.qps", "load", 0) > gp
    print "CPU_MAX =", bars("cpu", "load.cpu", "load", 0) > gp
    print "SYSCALLS_MAX =", bars("syscalls", "calls.syscalls", "calls", 0) > gp
    bars("switches", "load.switches", "load", 0)
    bars("memory", "memory.user", "memory", 0)

    most = 0
    printf "" > (data "/memory-kernel")
    for (i = 1; i <= n_models; i++) {
        m = models[i]
        x = most_idle[m]
        if (x > 0) {
            own = median["memory.user", m, x]
            stack = median["memory.kernel", m, x]
            if (own + stack > most)
                most = own + stack
            text = bytes(own) (stack < 1024 ? "" : " + " bytes(stack))
            printf "%d \"%s\" %s %s %s \"%s\"\n", i, m, (stack < 1024 ? "NaN" : stack), own, own + stack, text > (data "/memory-kernel")
        } else
            printf "%d \"%s\" NaN NaN NaN \"\"\n", i, m > (data "/memory-kernel")
    }

    print "MEMORY_MAX =", (most > 0 ? most : 1024) > gp

    most = 0
    printf "" > (data "/c10k")
    for (i = 1; i <= n_models && header["run"] ~ /^c10k/; i++) {
        m = models[i]
        x = most_idle[m]
        if (!x)
            continue
        clients = x + 100
        own = median["memory.user", m, x]
        stack = median["memory.kernel", m, x]
        objects = median["memory.slab", m, x] + 0 # none where only root may count them
        if (own + stack + objects > most)
            most = own + stack + objects
        text = bytes(own) " + " bytes((stack < 1024 ? 0 : stack) + objects)
        printf "%d \"%s\" %s %s %s \"%s\"\n", i, m, own, (stack < 1024 ? 0 : stack), objects, text > (data "/c10k")
    }
    print "C10K_MAX =", (most > 0 ? most : 1024) > gp
    print "C10K_CLIENTS =", quote(thousands(clients)) > gp

    bars("latency", "load.p50", "load", 10)
    printf "" > (data "/latency")
    for (i = 1; i <= n_models; i++) {
        m = models[i]
        if (!(("load.p50", m, 100) in median))
            continue
        line = i " \"" m "\""
        n = split("load.p50 load.p90 load.p99 load.p999 load.max", parts, " ")
        for (j = 1; j <= n; j++)
            line = line " " median[parts[j], m, 100]
        print line > (data "/latency")
    }

    print "N =", n_models + 0 > gp
    print "MODELS =", quote(list) > gp
    print "MODEL_TICS =", quote("(" rows ")") > gp
    print "LOAD_QPS =", quote(curves("load.qps", "load", "qps-connections")) > gp
    print "IDLE_QPS =", quote(curves("idle.qps", "idle", "idle")) > gp
    curves("idle.cpu", "idle", "idle-cpu")
    print "WORK_QPS =", quote(curves("work.qps", "work", "work")) > gp
    print "BACKENDS =", quote(backend_curves("fanout.rate", "fanout")) > gp
    backend_curves("fanout.speed", "fanout-speed")
    backend_curves("fanout.p50", "fanout-latency")
    backend_curves("fanout.p99", "fanout-p99")
    print "FANOUT_TICS =", quote(tics("fanout", "", 0, 0)) > gp
    print "FANOUT_FIRST =", (n_xs["fanout"] ? xs["fanout", 1] : 1) > gp
    print "FANOUT_LAST =", (n_xs["fanout"] ? xs["fanout", n_xs["fanout"]] : 10) > gp
    print "FANOUT_NOTE =", quote("one room, two members send, 64 messages of 100 bytes in flight; higher is better" backends_end()) > gp
    print "FANOUT_LATENCY_NOTE =", quote("one room, two members send, 64 messages of 100 bytes in flight; lower is better" backends_end()) > gp
    print "LOAD_TICS =", quote(tics("load", "", 0, 0)) > gp
    print "LOAD_FIRST =", (n_xs["load"] ? xs["load", 1] : 1) > gp
    print "LOAD_LAST =", (n_xs["load"] ? xs["load", n_xs["load"]] : 10) > gp
    first = n_xs["idle"] > 1 ? xs["idle", 2] / 4 : 1
    print "IDLE_NONE =", first > gp
    print "IDLE_CPU_MIN =", (least ? least : 1) > gp
    print "IDLE_LAST =", (n_xs["idle"] > 1 ? xs["idle", n_xs["idle"]] : 10) > gp
    print "IDLE_TICS =", quote(tics("idle", "none", first, 0)) > gp
    print "WORK_TICS =", quote(tics("work", "", 0, 1)) > gp
    print "WORK_COUNT =", (n_xs["work"] ? n_xs["work"] : 1) > gp
    print "lt_of(names, i) = sum [k=1:N] (word(MODELS, k) eq word(names, i) ? k : 0)" > gp
    print "LOAD_QPS_NOTE =", quote("64-byte messages, one in flight on each connection; higher is better; bars: smallest to largest run" cut_short("load")) > gp
    print "IDLE_QPS_NOTE =", quote("flat: only what is ready costs, O(1); climbing: every connection is looked at, O(n)" cut_short("idle")) > gp
    print "WORK_QPS_NOTE =", quote("100 connections; where the lines meet, the core is the limit and not the model" cut_short("work")) > gp
    by = header["syscalls counted by"]
    print "SYSCALLS_NOTE =", quote("fewer is better" (by == "" ? "" : "; system calls counted by " (by == "strace" ? "strace, which slows the server (so it asks in vain less often)" : "a tracepoint of the kernel"))) > gp
    print "FOOTER =", quote(header["machine"] "; " header["kernel"] "; " header["compiler"]) > gp
    print "FOOTER_2 =", quote(header["cores"] "; " header["run"] ", " substr(header["date"], 1, 10) ", commit " header["commit"]) > gp

    printf "" > (data "/work-ceiling")
    for (j = 1; j <= n_xs["work"]; j++)
        if (xs["work", j] > 0)
            print j - 1, 1e6 / xs["work", j] > (data "/work-ceiling")
}
