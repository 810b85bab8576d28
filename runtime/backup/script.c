/*
 * A section of a dump as a script. `pg_restore --list` says what there is, one line an entry; those
 * that are wanted go into a list of ours, for which pg_restore then writes the SQL, each entry
 * under a comment with its number. A comment of that form inside of an object's own text would cut
 * it in the middle of a quoted string: the piece before it then fails, and nothing after it is run.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "after.h"
#include "base/fault.h"
#include "comments.h"
#include "defaults.h"
#include "loop/child.h"
#include "pg/session.h"
#include "pick.h"
#include "schema.h"

enum {
    SCRIPT_BYTES_MAX = 1024 * 1024 * 1024, /* of one section */
    ENTRIES_A_TRANSACTION = 300, /* each holds a few locks until the end, of about 6400 there are */
    ARGS_MAX = 16,
};

static bool starts_with(const char *s, const char *prefix)
{
    return strncmp(s, prefix, strlen(prefix)) == 0;
}

static enum cl_script_turn turn_of(const char *what)
{
    if (starts_with(what, "EVENT TRIGGER ") || starts_with(what, "COMMENT - EVENT TRIGGER ") ||
        starts_with(what, "SECURITY LABEL - EVENT TRIGGER ")) {
        return CL_TURN_LAST;
    }
    return starts_with(what, "ACL ") || starts_with(what, "DEFAULT ACL ") ? CL_TURN_PRIVILEGES
                                                                          : CL_TURN_MAIN;
}

static bool excepted(const struct cl_script_except *except, const struct cl_script_entry *entry)
{
    return except &&
           (!cl_pick_wants(except->pick, entry->id) ||
            (except->after && cl_after_makes(except->after, entry->class_oid, entry->oid)));
}

/* "215; 1259 16385 TABLE public foo postgres" -> the entry, and where its words begin; NULL when
 * the line is a comment. */
static const char *read_line(const char *line, struct cl_script_entry *entry)
{
    char *end;
    if (*line < '0' || *line > '9') {
        return NULL;
    }
    entry->id = (int)strtol(line, &end, 10);
    if (*end != ';') {
        return NULL;
    }
    entry->class_oid = (uint32_t)strtoul(end + 1, &end, 10);
    entry->oid = (uint32_t)strtoul(end, &end, 10);
    return *end == ' ' ? end + 1 : NULL;
}

/* Takes the wanted lines of pg_restore's list into entries, and into `kept` for pg_restore. */
static bool choose(struct cl_script *script, const struct cl_buf *list, unsigned leave,
                   const struct cl_script_except *except, struct cl_buf *kept, struct cl_err *err)
{
    size_t cap = 0;
    for (const char *p = list->data; p && *p; p++) {
        cap += *p == '\n';
    }
    script->entries = calloc(cap + 1, sizeof *script->entries);
    if (!script->entries) {
        return cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
    }
    const char *next;
    for (const char *line = cl_buf_str(list); *line; line = next) {
        const char *end = strchr(line, '\n');
        next = end ? end + 1 : line + strlen(line);
        size_t n = end ? (size_t)(end - line) : strlen(line);
        struct cl_script_entry entry = {0};
        const char *what = read_line(line, &entry);
        if (!what || excepted(except, &entry)) {
            continue;
        }
        if ((leave & CL_LEAVE_USER_MAPPINGS) && starts_with(what, "USER MAPPING ")) {
            script->n_logins++;
            continue;
        }
        entry.turn = turn_of(what);
        entry.label = strndup(what, n - (size_t)(what - line));
        script->entries[script->n_entries++] = entry;
        if (!entry.label || !cl_buf_add(kept, line, n) || !cl_buf_addc(kept, '\n')) {
            return cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
        }
    }
    return true;
}

static bool run_restore(const struct cl_tools *tools, struct cl_watch *watch, unsigned leave,
                        const char *const *more, struct cl_buf *out, struct cl_err *err)
{
    char path[CL_TOOL_PATH_BYTES];
    const char *argv[ARGS_MAX] = {cl_tools_program(tools, "pg_restore", path), NULL};
    size_t n = 1;
    static const struct {
        unsigned leave;
        const char *option;
    } options[] = {
        {CL_LEAVE_OWNERS, "--no-owner"},
        {CL_LEAVE_PRIVILEGES, "--no-privileges"},
        {CL_LEAVE_PUBLICATIONS, "--no-publications"},
        {CL_LEAVE_SUBSCRIPTIONS, "--no-subscriptions"},
    };
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        if (leave & options[i].leave) {
            argv[n++] = options[i].option;
        }
    }
    for (; *more; more++) {
        argv[n++] = *more;
    }
    struct cl_child child = {.argv = argv, .out = out, .job = cl_watch_job(watch)};
    if (!cl_child_run(&child, err)) {
        return false;
    }
    return !out->failed ||
           cl_fail(err, CL_INVALID, "E_TOO_LONG", "the schema is too long: over 1 GB");
}

static bool write_list(char path[CL_TOOL_PATH_BYTES], const struct cl_buf *list, struct cl_err *err)
{
    const char *base = getenv("TMPDIR");
    snprintf(path, CL_TOOL_PATH_BYTES, "%s/cloner-list-XXXXXX", base && *base ? base : "/tmp");
    int fd = mkstemp(path);
    FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (!file) {
        *path = '\0';
        return cl_fail_errno(err, errno, "cannot make a temporary file");
    }
    bool ok = fwrite(cl_buf_str(list), 1, list->len, file) == list->len;
    ok = fclose(file) == 0 && ok;
    return ok || cl_fail_errno(err, errno, "cannot write %s", path);
}

/* psql's own commands around a dump (\restrict, since CVE-2025-8714) are not for a server. */
static void blank_psql_command(char *text, const char *command)
{
    char *line = NULL;
    for (char *p = text; (p = strstr(p, command)) != NULL; p++) {
        line = p + 1;
    }
    for (; line && *line && *line != '\n'; line++) {
        *line = ' ';
    }
}

/* The comment above the SQL of an entry. */
static char *find_header(char *text, const struct cl_script_entry *entry)
{
    char mark[96];
    snprintf(mark, sizeof mark, "\n--\n-- TOC entry %d (class %u OID %u)\n", entry->id,
             entry->class_oid, entry->oid);
    return strstr(text, mark);
}

/* Cuts the text into the entries' pieces. pg_restore writes them in the order of the list, except
 * that privileges and event triggers come last: as by_turn() sorts. */
static bool cut(struct cl_script *script, const struct cl_backup_spec *spec, struct cl_err *err)
{
    char *text = script->text.data;
    if (!text) {
        return script->n_entries == 0 ||
               cl_fail(err, CL_BUG, "E_SCRIPT", "pg_restore wrote nothing");
    }
    for (size_t i = 0; i < script->n_entries; i++) {
        struct cl_script_entry *entry = &script->entries[i];
        char *header = find_header(text, entry);
        if (!header) {
            return cl_fail(err, CL_BUG, "E_SCRIPT", "pg_restore wrote no SQL for %s", entry->label);
        }
        *header = '\0';
        entry->sql = header + 1;
        text = header + 1;
    }
    blank_psql_command(script->text.data, "\n\\restrict ");
    blank_psql_command(text, "\n\\unrestrict ");
    script->settings = cl_tablespaces_cut(&script->tablespaces, spec, script->text.data, err);
    for (size_t i = 0; script->settings && i < script->n_entries; i++) {
        struct cl_script_entry *entry = &script->entries[i];
        entry->settings = cl_tablespaces_cut(&script->tablespaces, spec, entry->sql, err);
        if (!entry->settings) {
            return false;
        }
    }
    return script->settings != NULL;
}

/* What can be masked without breaking the schema: an entry is a comment or has expressions. */
static bool mask_entries(struct cl_script *script, const struct cl_mask *mask, struct cl_err *err)
{
    bool ok = true;
    for (size_t i = 0; ok && mask && i < script->n_entries; i++) {
        struct cl_script_entry *entry = &script->entries[i];
        struct cl_buf out;
        bool changed;
        cl_buf_init(&out, SCRIPT_BYTES_MAX);
        ok = cl_comment_mask(entry->label, entry->sql, mask, &out, &changed, &script->tally, err) &&
             (changed || cl_defaults_mask(entry->label, entry->sql, mask, &out, &changed,
                                          &script->tally, err));
        if (ok && changed) {
            entry->masked = out.data;
            entry->sql = out.data;
        } else {
            cl_buf_fini(&out);
        }
    }
    return ok;
}

/* Stable, so that entries of one turn keep the dump's order. */
static bool by_turn(struct cl_script *script, struct cl_err *err)
{
    struct cl_script_entry *sorted = calloc(script->n_entries + 1, sizeof *sorted);
    size_t n = 0;
    if (!sorted) {
        return cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
    }
    for (int turn = CL_TURN_MAIN; turn <= CL_TURN_LAST; turn++) {
        for (size_t i = 0; i < script->n_entries; i++) {
            if ((int)script->entries[i].turn == turn) {
                sorted[n++] = script->entries[i];
            }
        }
    }
    free(script->entries);
    script->entries = sorted;
    return true;
}

bool cl_script_load(struct cl_script *script, const struct cl_tools *tools, struct cl_watch *watch,
                    const char *file, enum cl_section section, const struct cl_backup_spec *spec,
                    const struct cl_script_except *except, struct cl_err *err)
{
    char list_path[CL_TOOL_PATH_BYTES] = "";
    struct cl_buf list;
    struct cl_buf kept;
    const char *which =
        section == CL_SECTION_PRE_DATA ? "--section=pre-data" : "--section=post-data";
    const char *const list_args[] = {"--list", which, file, NULL};
    const char *const sql_args[] = {"--verbose", "--use-list", list_path, "--file",
                                    "-",         file,         NULL};
    cl_buf_init(&list, SCRIPT_BYTES_MAX);
    cl_buf_init(&kept, SCRIPT_BYTES_MAX);
    cl_buf_init(&script->text, SCRIPT_BYTES_MAX);
    bool ok = run_restore(tools, watch, spec->leave, list_args, &list, err) &&
              choose(script, &list, spec->leave, except, &kept, err) && by_turn(script, err) &&
              (script->n_entries == 0 ||
               (write_list(list_path, &kept, err) &&
                run_restore(tools, watch, spec->leave, sql_args, &script->text, err) &&
                cut(script, spec, err) && mask_entries(script, spec->mask, err)));
    if (*list_path) {
        unlink(list_path);
    }
    cl_buf_fini(&list);
    cl_buf_fini(&kept);
    return ok || cl_err_context(err, "restoring the schema");
}

void cl_script_fini(struct cl_script *script)
{
    for (size_t i = 0; i < script->n_entries; i++) {
        free(script->entries[i].label);
        free(script->entries[i].settings);
        free(script->entries[i].masked);
    }
    free(script->entries);
    free(script->settings);
    cl_tablespaces_fini(&script->tablespaces);
    cl_buf_fini(&script->text);
    memset(script, 0, sizeof *script);
}

/* What follows entries that were run before is to find the settings they leave. */
static bool set_for_next(const struct cl_script *script, PGconn *conn, size_t from, size_t to,
                         struct cl_err *err)
{
    bool ok = true;
    for (size_t i = from; ok && i < to; i++) {
        ok = !*script->entries[i].settings || cl_pg_exec(conn, script->entries[i].settings, err);
    }
    return ok;
}

/* Entries [from, to) in one transaction; ends: the marks go with it. */
static bool run_batch(const struct cl_script *script, const struct cl_script_run *run, size_t from,
                      size_t to, bool ends, struct cl_err *err)
{
    PGconn *conn = run->conn;
    const char *label = from < to ? script->entries[from].label : "";
    struct cl_mark mark = {.kind = "schema", .name = run->name, .number = (int64_t)from};
    if (cl_marks_done(run->marks, &mark)) {
        /* the same snapshot gives the same script, or else this is no copy of it */
        if (!mark.note || strcmp(mark.note, label) != 0) {
            return cl_fail(
                err, CL_CONFLICT, "E_SNAPSHOT_LOST",
                "the copy cannot go on: its schema is not what it was (%s, before %s): drop "
                "the target database, make it anew and start over",
                label, mark.note ? mark.note : "nothing");
        }
        return set_for_next(script, conn, from, to, err);
    }
    mark.note = label;
    if (!cl_pg_exec(conn, "BEGIN", err)) {
        return false;
    }
    bool ok = !ends || cl_marks_drop(run->marks, conn, err);
    for (size_t i = from; ok && i < to; i++) {
        const struct cl_script_entry *entry = &script->entries[i];
        ok = (cl_watch_check(run->watch, err) && cl_pg_exec(conn, entry->sql, err) &&
              (!*entry->settings || cl_pg_exec(conn, entry->settings, err))) ||
             cl_err_context(err, "restoring %s", entry->label);
    }
    if (!ok || (!ends && !cl_marks_put(run->marks, conn, &mark, err))) {
        cl_pg_exec(conn, "ROLLBACK", NULL); /* the failure to tell is the first one */
        return false;
    }
    return (cl_pg_exec(conn, "COMMIT", err) ||
            cl_err_context(err, "restoring %s", to > from ? script->entries[to - 1].label : "")) &&
           (!cl_fault("copy_schema") ||
            cl_fail(err, CL_TRANSIENT, "E_FAULT", "fault point copy_schema"));
}

bool cl_script_run(const struct cl_script *script, const struct cl_script_run *run,
                   enum cl_script_turn turn, struct cl_err *err)
{
    size_t from = 0;
    size_t end;
    while (from < script->n_entries && script->entries[from].turn != turn) {
        from++;
    }
    for (end = from; end < script->n_entries && script->entries[end].turn == turn; end++) {
    }
    if (from < end) {
        /* the text is cut by NULs: the preamble ends at the first */
        if (!cl_pg_exec(run->conn, script->text.data, err) ||
            !cl_pg_exec(run->conn, script->settings, err)) {
            return cl_err_context(err, "restoring the schema");
        }
    }
    if (turn == CL_TURN_LAST) { /* all at once: nothing may come after the marks are gone */
        return (from == end && !run->marks->used) || run_batch(script, run, from, end, true, err);
    }
    bool ok = true;
    while (ok && from < end) {
        size_t to = from + ENTRIES_A_TRANSACTION < end ? from + ENTRIES_A_TRANSACTION : end;
        ok = run_batch(script, run, from, to, false, err);
        from = to;
    }
    return ok;
}
