# The table of results.tsv, as Markdown. With stats.awk.

function verdict(good) {
    return good ? "met" : "**not met**"
}

function bar_line(what, at, figure, wanted, good) {
    printf "| %s | %s | %s | %s | %s |\n", what, at, figure, wanted, good
}

# a / b, at least or at most.
function bar(what, a, b, least, limit,    at, ratio, wanted) {
    at = judged_at(a, b)
    wanted = (least ? "at least " : "at most ") limit
    if (at == "") {
        bar_line(what, "-", "-", wanted, "not measured")
        return
    }
    ratio = seconds(at, a) / seconds(at, b)
    bar_line(what, at " GB", sprintf("%.2f", ratio), wanted,
        verdict(least ? ratio >= limit : ratio <= limit))
}

function offline_bars(    i, s, least, most, list, n, last, share) {
    for (i = 1; i <= n_sizes; i++) {
        s = sizes[i]
        if (!((s, "clone_golden", "offline") in has_other)) continue
        list[++n] = beside(s, "clone_golden", "offline")
        last = s
        text = text (text == "" ? "" : ", ") sprintf("%.1f s at %s GB", list[n], s)
    }
    if (!n) {
        bar_line("offline window, golden", "-", "-", "does not grow; at most a tenth of the recipe", "not measured")
        return
    }
    sort_numbers(list, n)
    bar_line("offline window, golden: largest / smallest", text, sprintf("%.2f", list[n] / list[1]),
        "the same within noise (1.3)", n > 1 ? verdict(list[n] / list[1] <= 1.3) : "one size only")
    if (measured_at(last, "recipe")) {
        share = beside(last, "clone_golden", "offline") / seconds(last, "recipe")
        bar_line("offline window, golden / recipe", last " GB", sprintf("%.2f", share), "at most 0.1 (at 8 GB)",
            verdict(share <= 0.1))
    }
}

function bars() {
    print "\n## Bars\n"
    print "| Ratio | At | Figure | Bar | |"
    print "|---|---|---|---|---|"
    bar("(pg_dump + pg_restore + UPDATE masking) / masked stream", "recipe", "stream_masked", 1, 4.5)
    bar("(pg_dump + pg_restore, unmasked) / masked stream", "dump", "stream_masked", 1, 1.9)
    bar("pgcopydb clone, Debian's (unmasked) / masked stream", "pgcopydb", "stream_masked", 1, 1.3)
    bar("pgcopydb clone, newest, binary COPY (unmasked) / masked stream", "pgcopydb_binary",
        "stream_masked", 1, 1.1)
    bar("(pg_dump + pg_restore, unmasked) / (masked create + restore)", "dump", "archive_masked", 1, 1.4)
    bar("masked stream / unmasked stream", "stream_masked", "stream", 0, 1.05)
    bar("masked stream / (raw binary COPY pipe, then indexes by pg_restore)", "stream_masked", "raw", 0, 1.0)
    offline_bars()
    bar("one table, 1 job / 2 jobs, over a limited link", "link_1", "link_2", 1, 1.8)
    bar("one table, 1 job / 2 jobs, servers and jobs sharing the cores", "table_1", "table_2", 1, 1.0)
}

function parts_text(size, contender,    list, n, i, text) {
    n = split(parts[size, contender], list, FS)
    if (n < 2) return ""
    for (i = 1; i <= n; i++)
        text = text (i > 1 ? " + " : "") list[i] " " sprintf("%.1f", part_seconds(size, contender, list[i]))
    return text
}

# Empty where there is none.
function extra(size, contender, name, decimals) {
    if (!((size, contender, name) in has_other)) return ""
    return sprintf("%.*f", decimals, beside(size, contender, name))
}

function size_table(size,    i, c, base) {
    printf "\n## %s GB, measured on %s\n\n", size, measured[size]
    print "| What | Median, s | Range of runs | Parts, s | / masked stream | CPU, s | Copy, MiB | WAL, MiB | Archive, MiB |"
    print "|---|---|---|---|---|---|---|---|---|"
    base = measured_at(size, "stream_masked") ? seconds(size, "stream_masked") : 0
    for (i = 1; i <= n_names; i++) {
        c = names[i]
        if (!measured_at(size, c)) continue
        printf "| %s | %.1f | %s | %s | %s | %s | %s | %s | %s |\n", label_of[c], seconds(size, c), spread(size, c),
            parts_text(size, c), base && c !~ /^(table|link)/ ? sprintf("%.2f", seconds(size, c) / base) : "",
            extra(size, c, "CPU", 1), extra(size, c, "database", 0), extra(size, c, "WAL", 0),
            extra(size, c, "archive", 0)
    }
}

function growth(    i, k, c, line, shown) {
    print "\n## How cost grows\n"
    line = "| Seconds at"
    for (k = 1; k <= n_sizes; k++) line = line " | " sizes[k] " GB"
    print line " |"
    line = "|---"
    for (k = 1; k <= n_sizes; k++) line = line "|---"
    print line "|"
    for (i = 1; i <= n_names; i++) {
        c = names[i]
        line = ""
        shown = 0
        for (k = 1; k <= n_sizes; k++) {
            if (measured_at(sizes[k], c)) shown++
            line = line " | " (measured_at(sizes[k], c) ? sprintf("%.1f", seconds(sizes[k], c)) : "")
        }
        if (shown > 1) print "| " label_of[c] line " |"
        line = ""
        for (k = 1; k <= n_sizes; k++)
            line = line " | " ((sizes[k], c, "offline") in has_other ? \
                sprintf("%.1f", beside(sizes[k], c, "offline")) : "")
        if (line ~ /[0-9]/) print "| ... of them offline" line " |"
    }
}

END {
    print "# Results\n"
    print "Written by `make bench`; README.md says what is measured and how. Medians of the runs in"
    print "results.tsv, seconds by the clock, in a warm cache.\n"
    print "![results](results.svg)\n"
    print "| Machine | |"
    print "|---|---|"
    for (i = 1; i <= n_machine; i++) {
        split(machine[i], pair, FS)
        printf "| %s | %s |\n", pair[1], pair[2]
    }
    bars()
    if (n_sizes > 1) growth()
    for (k = 1; k <= n_sizes; k++) size_table(sizes[k])
}
