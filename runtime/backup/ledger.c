#include "ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"

#define LEDGER_FILE "ledger.jsonl"

enum {
    LEDGER_BYTES_MAX = 256 * 1024 * 1024,
    LINE_BYTES_MAX = 16 * 1024,
    NOTE_BYTES = 128, /* size and checksum */
    NUMBER_BYTES = 24,
    SEAL_BYTES = 128, /* salt and check in base64 */
};

static const char file_kind[] = "file";

static bool no_memory(struct cl_err *err)
{
    return cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
}

/* ---------------------------------------------------------------- reading */

static bool read_all(int fd, struct cl_buf *out, struct cl_err *err)
{
    struct stat st;
    if (fstat(fd, &st) != 0 || st.st_size > LEDGER_BYTES_MAX) {
        return cl_fail_errno(err, errno ? errno : EFBIG, "cannot read the ledger");
    }
    size_t size = (size_t)st.st_size;
    if (!cl_buf_reserve(out, size + 1)) {
        return no_memory(err);
    }
    ssize_t n = pread(fd, out->data, size, 0);
    if (n < 0) {
        return cl_fail_errno(err, errno, "cannot read the ledger");
    }
    out->len = (size_t)n;
    out->data[n] = '\0';
    return true;
}

/* How an archive is encrypted, as the ledger's first line has it. */
static bool write_seal(const struct cl_archive *archive, char out[SEAL_BYTES])
{
    struct cl_buf text;
    cl_buf_init(&text, SEAL_BYTES);
    if (archive->sealed) {
        cl_base64_encode(&text, archive->seal.salt, sizeof archive->seal.salt);
        cl_buf_addc(&text, ' ');
        cl_base64_encode(&text, archive->seal.check, sizeof archive->seal.check);
    }
    bool ok = !text.failed && text.len < SEAL_BYTES;
    snprintf(out, SEAL_BYTES, "%s", cl_buf_str(&text));
    cl_buf_fini(&text);
    return ok;
}

/* Do the files that the ledger tells of have our key? Then the archive goes on with their salt. */
static bool take_seal(struct cl_archive *archive, const uint8_t *key, const char *text)
{
    struct cl_seal seal = {0};
    struct cl_buf salt;
    const char *space = strchr(text, ' ');
    char found[SEAL_BYTES];
    if (!archive->sealed || !space) {
        return !archive->sealed && *text == '\0';
    }
    cl_buf_init(&salt, SEAL_BYTES);
    struct cl_seal before = archive->seal;
    bool ok = cl_base64_decode(&salt, text, (size_t)(space - text)) && salt.len == sizeof seal.salt;
    if (ok) {
        memcpy(seal.salt, salt.data, sizeof seal.salt);
        ok = cl_seal_derive(&seal, key, NULL);
        archive->seal = seal;
        ok = ok && write_seal(archive, found) && strcmp(found, text) == 0;
    }
    if (!ok) {
        archive->seal = before;
    }
    explicit_bzero(&seal, sizeof seal);
    explicit_bzero(&before, sizeof before);
    cl_buf_fini(&salt);
    return ok;
}

static const char *string_of(const struct cl_json *line, const char *name)
{
    const struct cl_json *v = cl_json_get(line, name, CL_JSON_STRING);
    return v ? v->string : "";
}

static bool same_copy(const struct cl_json *line, const struct cl_run *run,
                      struct cl_archive *archive)
{
    return strcmp(string_of(line, "options"), run->options) == 0 &&
           strcmp(string_of(line, "token"), run->token) == 0 &&
           take_seal(archive, run->spec->key, string_of(line, "seal"));
}

struct lines {
    struct cl_json **line; /* n, owned; marks in the order they were written */
    size_t n;              /* entries in use */
    size_t cap;            /* allocated */
};

static bool add_line(struct lines *lines, struct cl_json *line)
{
    if (lines->n == lines->cap) {
        size_t cap = 2 * lines->cap + 64;
        struct cl_json **grown = realloc(lines->line, cap * sizeof(struct cl_json *));
        if (!grown) {
            return false;
        }
        lines->line = grown;
        lines->cap = cap;
    }
    lines->line[lines->n++] = line;
    return true;
}

static int64_t number_of(const struct cl_json *line)
{
    const struct cl_json *v = cl_json_get(line, "number", CL_JSON_INTEGER);
    return v ? v->integer : 0;
}

static int in_order(const void *a, const void *b)
{
    const struct cl_json *x = *(const struct cl_json *const *)a;
    const struct cl_json *y = *(const struct cl_json *const *)b;
    int order = strcmp(string_of(x, "kind"), string_of(y, "kind"));
    order = order != 0 ? order : strcmp(string_of(x, "name"), string_of(y, "name"));
    return order != 0 ? order : (number_of(x) > number_of(y)) - (number_of(x) < number_of(y));
}

static void set(PGresult *rows, int row, int column, const char *text)
{
    char value[LINE_BYTES_MAX];
    snprintf(value, sizeof value, "%s", text); /* libpq wants one it could write to */
    PQsetvalue(rows, row, column, value, (int)strlen(value));
}

/* The lines as the server would give them, for cl_marks_done(). */
static PGresult *as_rows(struct lines *lines)
{
    PGresAttDesc columns[CL_MARK_COLUMNS] = {0};
    static char name[] = "mark";
    PGresult *rows = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
    for (int i = 0; i < CL_MARK_COLUMNS; i++) {
        columns[i].name = name;
    }
    if (!rows || !PQsetResultAttrs(rows, CL_MARK_COLUMNS, columns)) {
        PQclear(rows);
        return NULL;
    }
    if (lines->n > 1) {
        qsort(lines->line, lines->n, sizeof *lines->line, in_order);
    }
    for (size_t i = 0; i < lines->n; i++) {
        char number[NUMBER_BYTES];
        int column = 0;
        const struct cl_json *line = lines->line[i];
        const struct cl_json *counts = cl_json_get(line, "counts", CL_JSON_ARRAY);
        set(rows, (int)i, column++, string_of(line, "kind"));
        set(rows, (int)i, column++, string_of(line, "name"));
        snprintf(number, sizeof number, "%" PRId64, number_of(line));
        set(rows, (int)i, column++, number);
        for (const struct cl_json *v = counts ? counts->child : NULL;
             v && column < CL_MARK_COLUMNS - 1; v = v->next) {
            snprintf(number, sizeof number, "%" PRId64, v->integer);
            set(rows, (int)i, column++, number);
        }
        set(rows, (int)i, CL_MARK_COLUMNS - 1, string_of(line, "note"));
    }
    return rows;
}

/* The marks of an earlier run of this copy, *whole bytes of them; NULL: there are none. */
static PGresult *read_marks(const struct cl_run *run, struct cl_archive *archive,
                            const struct cl_buf *text, size_t *whole)
{
    struct lines lines = {0};
    bool ok = true;
    bool ours = false;
    size_t at = 0;
    *whole = 0;
    while (ok && at < text->len) {
        const char *end = memchr(text->data + at, '\n', text->len - at);
        size_t n = end ? (size_t)(end - (text->data + at)) : 0;
        struct cl_json *line = end ? cl_json_parse(text->data + at, n, NULL) : NULL;
        if (!line) {
            break; /* what a crash cut short; nothing follows it */
        }
        at += n + 1;
        if (*whole == 0) {
            ok = ours = same_copy(line, run, archive);
            cl_json_free(line);
        } else if (!add_line(&lines, line)) {
            cl_json_free(line);
            ok = false;
        }
        *whole = at;
    }
    PGresult *rows = ok && ours ? as_rows(&lines) : NULL;
    for (size_t i = 0; i < lines.n; i++) {
        cl_json_free(lines.line[i]);
    }
    free(lines.line);
    return rows;
}

/* ---------------------------------------------------------------- beginning */

struct census {
    const struct cl_marks *marks; /* borrowed */
    size_t found;                 /* files that are there as marked */
};

/* "SIZE CHECKSUM" */
static uint64_t noted_bytes(const struct cl_mark *mark)
{
    return strtoull(mark->note ? mark->note : "", NULL, 10);
}

static bool wanted(void *arg, const char *name, uint64_t size)
{
    struct census *census = arg;
    struct cl_mark mark = {.kind = file_kind, .name = name};
    if (strcmp(name, LEDGER_FILE) == 0) {
        return true;
    }
    bool whole = cl_marks_done(census->marks, &mark) && noted_bytes(&mark) == size;
    census->found += whole;
    return whole;
}

static size_t count_files(const PGresult *rows)
{
    size_t n = 0;
    for (int i = 0; i < PQntuples(rows); i++) {
        n += strcmp(PQgetvalue(rows, i, 0), file_kind) == 0;
    }
    return n;
}

static bool append(int fd, const struct cl_buf *line, struct cl_err *err)
{
    /* one write: lines of several workers do not mix */
    if (line->failed || write(fd, line->data, line->len) != (ssize_t)line->len) {
        return cl_fail_errno(err, errno ? errno : EIO, "cannot write the archive's ledger");
    }
    return true;
}

static bool write_header(int fd, const struct cl_run *run, const struct cl_archive *archive,
                         struct cl_err *err)
{
    struct cl_buf line;
    char seal[SEAL_BYTES];
    cl_buf_init(&line, LINE_BYTES_MAX);
    bool ok = write_seal(archive, seal) || no_memory(err);
    cl_buf_adds(&line, "{\"options\": ");
    cl_json_string(&line, run->options);
    cl_buf_adds(&line, ", \"token\": ");
    cl_json_string(&line, run->token);
    cl_buf_adds(&line, ", \"seal\": ");
    cl_json_string(&line, seal);
    cl_buf_adds(&line, "}\n");
    ok = ok && append(fd, &line, err);
    cl_buf_fini(&line);
    return ok;
}

/* Takes over what is there, or removes it. */
static bool begin(struct cl_run *run, struct cl_archive *archive, int fd, struct cl_err *err)
{
    struct cl_marks *marks = &run->marks;
    struct cl_buf text;
    size_t whole = 0;
    cl_buf_init(&text, LEDGER_BYTES_MAX + 1);
    if (!read_all(fd, &text, err)) {
        cl_buf_fini(&text);
        return false;
    }
    marks->rows = text.len > 0 ? read_marks(run, archive, &text, &whole) : NULL;
    cl_buf_fini(&text);
    struct census census = {.marks = marks};
    if (!cl_place_sweep(archive->place, wanted, &census, err)) {
        return false;
    }
    marks->resumed = marks->rows && census.found == count_files(marks->rows);
    if (marks->resumed) { /* without the end that a crash cut short */
        return ftruncate(fd, (off_t)whole) == 0 ||
               cl_fail_errno(err, errno, "cannot write the archive's ledger");
    }
    PQclear(marks->rows);
    marks->rows = NULL;
    if (census.found > 0 && !cl_place_sweep(archive->place, wanted, &census, err)) {
        return false;
    }
    if (ftruncate(fd, 0) != 0) {
        return cl_fail_errno(err, errno, "cannot write the archive's ledger");
    }
    return write_header(fd, run, archive, err);
}

bool cl_ledger_open(struct cl_run *run, struct cl_archive *archive, struct cl_err *err)
{
    const char *folder = run->spec->resume ? cl_place_work(archive->place) : NULL;
    if (!folder) {
        return true;
    }
    char *path = cl_path_join(folder, LEDGER_FILE);
    int fd = path ? open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600) : -1;
    if (fd < 0) {
        path ? cl_fail_errno(err, errno, "cannot write %s", path) : no_memory(err);
        free(path);
        return false;
    }
    run->marks.used = true;
    run->marks.ledger = fd;
    run->marks.in_ledger = true;
    free(path);
    return begin(run, archive, fd, err);
}

bool cl_ledger_remove(struct cl_run *run, struct cl_archive *archive, struct cl_err *err)
{
    struct cl_marks *marks = &run->marks;
    if (!marks->in_ledger) {
        return true;
    }
    char *path = cl_path_join(cl_place_work(archive->place), LEDGER_FILE);
    bool ok = path ? unlink(path) == 0 || cl_fail_errno(err, errno, "cannot remove %s", path)
                   : no_memory(err);
    free(path);
    return ok;
}

/* ---------------------------------------------------------------- marks */

bool cl_ledger_append(int fd, const struct cl_mark *mark, struct cl_err *err)
{
    struct cl_buf line;
    struct cl_mark copy = *mark;
    uint64_t *counts[CL_MARK_COUNTS];
    cl_mark_counts(&copy, counts);
    cl_buf_init(&line, LINE_BYTES_MAX);
    cl_buf_adds(&line, "{\"kind\": ");
    cl_json_string(&line, mark->kind);
    cl_buf_adds(&line, ", \"name\": ");
    cl_json_string(&line, mark->name);
    cl_buf_addf(&line, ", \"number\": %" PRId64 ", \"counts\": [", mark->number);
    for (int i = 0; i < CL_MARK_COUNTS; i++) {
        cl_buf_addf(&line, "%s%" PRId64, i > 0 ? ", " : "", (int64_t)*counts[i]);
    }
    cl_buf_adds(&line, "], \"note\": ");
    cl_json_string(&line, mark->note ? mark->note : "");
    cl_buf_adds(&line, "}\n");
    bool ok = append(fd, &line, err);
    cl_buf_fini(&line);
    return ok;
}

bool cl_ledger_done(struct cl_run *run, struct cl_data_file *file, struct cl_mark *mark)
{
    *mark = (struct cl_mark){.kind = file_kind, .name = file->file};
    const char *space =
        cl_marks_done(&run->marks, mark) && mark->note ? strchr(mark->note, ' ') : NULL;
    if (!space || strlen(space + 1) >= sizeof file->sha256) {
        return false;
    }
    file->rows = mark->sum.rows;
    file->raw_bytes = mark->bytes;
    file->bytes = noted_bytes(mark);
    snprintf(file->sha256, sizeof file->sha256, "%s", space + 1);
    return true;
}

bool cl_ledger_put(struct cl_run *run, const struct cl_data_file *file,
                   const struct cl_mark *counts, struct cl_err *err)
{
    char note[NOTE_BYTES];
    struct cl_mark mark = *counts;
    snprintf(note, sizeof note, "%" PRIu64 " %s", file->bytes, file->sha256);
    mark.kind = file_kind;
    mark.name = file->file;
    mark.number = 0;
    mark.note = note;
    mark.sum.rows = file->rows;
    mark.bytes = file->raw_bytes;
    return cl_marks_put(&run->marks, NULL, &mark, err);
}
