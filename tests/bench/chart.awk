# The picture of results.tsv, as SVG: a panel a size, a bar a contender, its parts one after the other;
# below them the time offline. With stats.awk.

function text(x, y, what, more) {
    gsub(/`/, "", what)
    gsub(/&/, "\\&amp;", what)
    gsub(/</, "\\&lt;", what)
    body = body sprintf("<text x=\"%.1f\" y=\"%.1f\"%s>%s</text>\n", x, y, more == "" ? "" : " " more, what)
}

function rect(x, y, width, height, class) {
    body = body sprintf("<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" class=\"%s\"/>\n",
        x, y, width < 0.5 ? 0.5 : width, height, class)
}

# The bar of a contender in this panel, its parts in three shades.
function bar(size, c, scale,    list, n, i, at, width) {
    text(LEFT - 8, y + 12, label_of[c], "text-anchor=\"end\"")
    n = split(parts[size, c], list, FS)
    at = LEFT
    for (i = 1; i <= n; i++) {
        width = part_seconds(size, c, list[i]) * scale
        rect(at, y, width, 16, (c ~ /^(stream|archive|template|clone|table|link)/ ? "own" : "other") (i > 3 ? 3 : i))
        at += width
    }
    text(at + 6, y + 12, sprintf("%.1f s", seconds(size, c)))
    y += 22
}

function panel(size, pattern, title,    i, most, c, shown) {
    for (i = 1; i <= n_names; i++)
        if (names[i] ~ pattern && measured_at(size, names[i])) {
            shown++
            if (seconds(size, names[i]) > most) most = seconds(size, names[i])
        }
    if (!shown) return
    y += 14
    text(LEFT, y + 10, title, "class=\"title\"")
    y += 20
    for (i = 1; i <= n_names; i++) {
        c = names[i]
        if (c ~ pattern && measured_at(size, c)) bar(size, c, WIDTH / most)
    }
}

function offline_panel(    i, k, c, most, value) {
    for (k = 1; k <= n_sizes; k++)
        for (i = 1; i <= n_names; i++)
            if ((sizes[k], names[i], "offline") in has_other) {
                value = beside(sizes[k], names[i], "offline")
                if (value > most) most = value
            }
    if (!most) return
    y += 14
    text(LEFT, y + 10, "offline window, seconds", "class=\"title\"")
    y += 20
    for (i = 1; i <= n_names; i++)
        for (k = 1; k <= n_sizes; k++) {
            c = names[i]
            if (!((sizes[k], c, "offline") in has_other)) continue
            value = beside(sizes[k], c, "offline")
            text(LEFT - 8, y + 12, label_of[c] ", " sizes[k] " GB", "text-anchor=\"end\"")
            rect(LEFT, y, value * WIDTH / most, 16, "own2")
            text(LEFT + value * WIDTH / most + 6, y + 12, sprintf("%.1f s", value))
            y += 22
        }
}

END {
    LEFT = 300
    WIDTH = 420
    y = 6
    for (k = 1; k <= n_sizes; k++) {
        panel(sizes[k], "^(dump.*|recipe|pgcopydb.*|file_copy|raw|stream.*|archive.*|template.*)$", sizes[k] " GB")
        panel(sizes[k], "^(table|link)_", sizes[k] " GB in one table, masked stream")
    }
    offline_panel()
    printf "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"800\" height=\"%d\" ", y + 10
    print "font-family=\"sans-serif\" font-size=\"12\">"
    print "<style>text { fill: #333 } .title { font-weight: bold; font-size: 14px }"
    print ".own1 { fill: #1f6fb2 } .own2 { fill: #5b9bd0 } .own3 { fill: #9cc4e4 }"
    print ".other1 { fill: #777 } .other2 { fill: #aaa } .other3 { fill: #d9a05b }</style>"
    print "<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>"
    printf "%s", body
    print "</svg>"
}
