# Reads results.tsv: measured on, size, contender, run, measure, value, unit. Used with report.awk and
# chart.awk. Seconds are the parts of a contender's time; what has another unit stands beside it.

function name_it(contender, label) {
    names[++n_names] = contender
    label_of[contender] = label
}

BEGIN {
    FS = "\t"
    name_it("dump", "`pg_dump -Fd -j` + `pg_restore -j`")
    name_it("recipe", "the same + UPDATE masking")
    name_it("dump_plain", "`pg_dump -Fd -j -Z0` + `pg_restore -j`")
    name_it("pgcopydb", "`pgcopydb clone`, Debian's")
    name_it("pgcopydb_new", "`pgcopydb clone`, newest")
    name_it("pgcopydb_binary", "`pgcopydb clone`, newest, binary COPY")
    name_it("file_copy", "`CREATE DATABASE ... STRATEGY FILE_COPY`")
    name_it("template_masked", "the same + `backup.rewrite`, masked")
    name_it("raw", "raw binary COPY pipe, then `pg_restore -j`")
    name_it("stream", "cloner stream")
    name_it("stream_masked", "cloner stream, masked")
    name_it("stream_pglz", "cloner stream, masked, not `toast_lz4`")
    name_it("archive", "cloner archive, create + restore")
    name_it("archive_masked", "cloner archive, create + restore, masked")
    name_it("clone_archive", "the 24 steps, strategy archive")
    name_it("clone_stream", "the 24 steps, strategy stream")
    name_it("clone_golden", "the 24 steps, strategy golden")
    name_it("table_1", "one table, 1 job")
    name_it("table_2", "one table, 2 jobs")
    name_it("link_1", "one table, 1 job, limited link")
    name_it("link_2", "one table, 2 jobs, limited link")
}

/^#/ {
    machine[++n_machine] = substr($1, 2) FS $2
    next
}

{
    if (!($2 in seen_size)) {
        seen_size[$2] = 1
        sizes[++n_sizes] = $2
    }
    measured[$2] = $1
    if ($4 > n_runs[$2, $3]) n_runs[$2, $3] = $4
    if ($7 == "s") {
        total[$2, $3, $4] += $6
        part[$2, $3, $5, $4] = $6
        if (!(($2, $3, $5) in seen_part)) {
            seen_part[$2, $3, $5] = 1
            parts[$2, $3] = parts[$2, $3] (parts[$2, $3] == "" ? "" : FS) $5
        }
    } else {
        other[$2, $3, $5, $4] += $6
        has_other[$2, $3, $5] = 1
    }
}

# Sorts the first n of list; there are never many.
function sort_numbers(list, n,    i, j, t) {
    for (i = 2; i <= n; i++)
        for (j = i; j > 1 && list[j] < list[j - 1]; j--) {
            t = list[j]
            list[j] = list[j - 1]
            list[j - 1] = t
        }
}

function middle(list, n) {
    sort_numbers(list, n)
    return n % 2 ? list[(n + 1) / 2] : (list[n / 2] + list[n / 2 + 1]) / 2
}

function measured_at(size, contender) {
    return (size, contender) in n_runs
}

# The seconds of a contender, median over its runs.
function seconds(size, contender,    list, n, i) {
    for (i = 1; i <= n_runs[size, contender]; i++)
        if ((size, contender, i) in total) list[++n] = total[size, contender, i]
    return middle(list, n)
}

function spread(size, contender,    list, n, i) {
    for (i = 1; i <= n_runs[size, contender]; i++)
        if ((size, contender, i) in total) list[++n] = total[size, contender, i]
    sort_numbers(list, n)
    return sprintf("%.1f-%.1f of %d", list[1], list[n], n)
}

function part_seconds(size, contender, name,    list, n, i) {
    for (i = 1; i <= n_runs[size, contender]; i++)
        if ((size, contender, name, i) in part) list[++n] = part[size, contender, name, i]
    return middle(list, n)
}

# What has another unit: MiB written, seconds offline.
function beside(size, contender, name,    list, n, i) {
    for (i = 1; i <= n_runs[size, contender]; i++)
        if ((size, contender, name, i) in other) list[++n] = other[size, contender, name, i]
    return middle(list, n)
}

# The size to judge by: 2 GB as the bars say, else the largest where all of these were measured.
function judged_at(a, b,    i, best) {
    best = ""
    for (i = 1; i <= n_sizes; i++)
        if (measured_at(sizes[i], a) && measured_at(sizes[i], b)) {
            if (sizes[i] + 0 == 2) return sizes[i]
            if (best == "" || sizes[i] + 0 > best + 0) best = sizes[i]
        }
    return best
}
