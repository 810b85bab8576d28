/*
 * Design notes. COPY data is cut into rows and each checked to follow the one before.  Without a
 * mask rows go on as they come.  With one, an object is held as long as it may be text; when it
 * ends as one it is masked whole.  Of any other, addresses are overwritten: each time up to the
 * last place no text spans, so that little is held; what cannot be cut so is text within it, and
 * held like text.  The masked form is cut into the same pieces a reader would cut it into, so sums
 * over pieces agree.
 */
#include <stdlib.h>
#include <string.h>

#include "largeobject_private.h"

enum {
    HEAD_BYTES_MAX = 16 * 1024 * 1024, /* owner, grants and remarks of one object */
    MASKED_BYTES_MAX = 0x40000000,
    KEEP_BYTES = 1024 * 1024, /* buffers wider than that are given back after use */
};

struct cl_lo_sink {
    struct cl_sink base;         /* first */
    struct cl_rows rows;         /* the cutter */
    const struct cl_mask *mask;  /* borrowed; NULL: none */
    struct cl_checksum *sum;     /* borrowed; NULL: nobody asks for it */
    struct cl_lo_writer *writer; /* NULL: nothing is written */
    struct cl_mask_tally tally;  /* what the mask did */
    cl_lo_found *found;          /* NULL: addresses are masked */
    void *arg;                   /* of found */
    uint64_t objects;            /* begun so far */
    uint32_t oid;                /* of the object that came last */
    int64_t size;                /* of it, so far */
    bool holding;                /* one is under way; of its contents are in `held` … */
    bool binary;                 /* … with this, those from `given` on; else all */
    struct cl_mask_judge judge;  /* is it text? */
    size_t checked;              /* so many bytes of `held` are masked already */
    int64_t given;               /* so many bytes of it are gone, a multiple of a piece */
    struct cl_buf held;          /* its contents */
    struct cl_buf head;          /* what its owner, grants and remarks point into */
    struct cl_lo_piece first;    /* its first row, pointing into head */
    struct cl_buf masked;        /* its masked contents */
};

static uint64_t be(const char *p, int bytes)
{
    uint64_t v = 0;
    for (int i = 0; i < bytes; i++) {
        v = v << 8 | (unsigned char)p[i];
    }
    return v;
}

static void trim(struct cl_buf *b)
{
    if (b->cap > KEEP_BYTES) {
        cl_buf_fini(b);
    }
    cl_buf_reset(b);
}

/* A piece leaves. */
static bool emit(struct cl_lo_sink *sink, const struct cl_lo_piece *piece, struct cl_err *err)
{
    if (sink->writer && !cl_lo_writer_put(sink->writer, piece, err)) {
        return false;
    }
    if (!sink->sum) {
        return true;
    }
    const struct cl_field *data = &piece->field[CL_LO_DATA];
    struct cl_digest contents = cl_digest_bytes(data->data, (size_t)data->len);
    uint64_t row[] = {piece->oid, (uint64_t)piece->offset, contents.half[0], contents.half[1]};
    cl_checksum_add(sink->sum, cl_digest_bytes(row, sizeof row));
    return true;
}

/* Contents of the held object leave, from byte `given` of it on, in pieces; a short one only at its
 * end. Returns in *n what is left. */
static bool emit_pieces(struct cl_lo_sink *sink, const char *data, size_t *n, bool ends,
                        struct cl_err *err)
{
    size_t at = 0;
    while (*n - at >= CL_LO_PIECE_BYTES || (ends && (*n > at || sink->given == 0))) {
        size_t part = *n - at < CL_LO_PIECE_BYTES ? *n - at : CL_LO_PIECE_BYTES;
        struct cl_lo_piece piece = sink->first;
        piece.offset = sink->given;
        piece.field[CL_LO_DATA] = (struct cl_field){data + at, (int64_t)part};
        for (int i = CL_LO_OWNER; sink->given > 0 && i < CL_LO_FIELDS; i++) {
            piece.field[i] = (struct cl_field){NULL, -1};
        }
        if (!emit(sink, &piece, err)) {
            return false;
        }
        at += part;
        sink->given += (int64_t)part;
        if (part == 0) {
            break;
        }
    }
    *n -= at;
    return true;
}

/* Masks of the held bytes those that no text to come can reach, all of them when the object ends,
 * and lets whole pieces go. */
static bool pass_binary(struct cl_lo_sink *sink, bool ends, struct cl_err *err)
{
    char *data = sink->held.data;
    size_t more = sink->held.len - sink->checked;
    size_t n = ends ? more : cl_mask_text_break(data + sink->checked, more);
    if (n > 0 && sink->found) {
        cl_mask_find_binary(sink->mask, data + sink->checked, n, sink->found, sink->arg);
    } else if (n > 0) {
        sink->tally.masked += cl_mask_overwrite(sink->mask, data + sink->checked, n);
    }
    sink->checked += n;
    size_t left = sink->checked;
    if (!emit_pieces(sink, data, &left, ends, err)) {
        return false;
    }
    if (left < sink->checked) {
        cl_buf_shift(&sink->held, sink->checked - left);
    }
    sink->checked = left;
    return true;
}

/* The object that came last is whole. */
static bool settle(struct cl_lo_sink *sink, struct cl_err *err)
{
    if (!sink->holding) {
        return true;
    }
    sink->holding = false;
    bool ok = true;
    size_t n = sink->held.len;
    if (sink->binary || !cl_mask_judge_text(&sink->judge, n)) {
        sink->tally.values++;
        ok = pass_binary(sink, true, err);
    } else if (sink->found) {
        cl_mask_find(sink->mask, NULL, CL_CARRIER_TEXT, cl_buf_str(&sink->held), n, sink->found,
                     sink->arg);
    } else {
        bool changed;
        trim(&sink->masked);
        ok = cl_mask_apply(sink->mask, NULL, CL_CARRIER_TEXT, cl_buf_str(&sink->held), n, 0,
                           &sink->masked, &changed, &sink->tally, err);
        n = sink->masked.len;
        ok = ok && emit_pieces(sink, cl_buf_str(&sink->masked), &n, true, err);
    }
    trim(&sink->held);
    return ok || cl_err_context(err, "large object %u", (unsigned)sink->oid);
}

/* Copies one of an object's fields into head; its comment and its labels through the mask. */
static bool copy_field(struct cl_lo_sink *sink, int i, const struct cl_field *field,
                       struct cl_err *err)
{
    bool changed;
    if (field->len <= 0) {
        return true;
    }
    if (i == CL_LO_REMARKS && !sink->found) { /* within SQL strings: a mask adds no quote */
        return cl_mask_apply(sink->mask, NULL, CL_CARRIER_TEXT, field->data, (size_t)field->len, 0,
                             &sink->head, &changed, &sink->tally, err);
    }
    return cl_buf_add(&sink->head, field->data, (size_t)field->len) ||
           cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
}

/* Begins to hold an object: its first row is copied. */
static bool hold(struct cl_lo_sink *sink, const struct cl_lo_piece *piece, struct cl_err *err)
{
    size_t at[CL_LO_FIELDS + 1] = {0};
    trim(&sink->head);
    for (int i = CL_LO_OWNER; i < CL_LO_FIELDS; i++) {
        at[i] = sink->head.len;
        if (!copy_field(sink, i, &piece->field[i], err)) {
            return cl_err_context(err, "large object %u", (unsigned)piece->oid);
        }
        at[i + 1] = sink->head.len;
    }
    sink->first = *piece;
    for (int i = CL_LO_OWNER; i < CL_LO_FIELDS; i++) {
        if (piece->field[i].len > 0) {
            sink->first.field[i] =
                (struct cl_field){cl_buf_str(&sink->head) + at[i], (int64_t)(at[i + 1] - at[i])};
        }
    }
    sink->holding = true;
    sink->binary = false;
    sink->judge = (struct cl_mask_judge){0};
    sink->checked = 0;
    sink->given = 0;
    return true;
}

static bool add_to_held(struct cl_lo_sink *sink, const struct cl_field *data, struct cl_err *err)
{
    if (!cl_buf_add(&sink->held, data->data, (size_t)data->len)) {
        if (sink->held.len + (size_t)data->len <= CL_LO_TEXT_MAX) {
            return cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
        }
        return cl_fail(
            err, CL_INVALID, "E_LARGE_OBJECT",
            "large object %u holds text of more than %d MiB, the most that can be masked; "
            "leave = {\"large_objects\"} copies without large objects",
            (unsigned)sink->oid, CL_LO_TEXT_MAX >> 20);
    }
    sink->binary =
        sink->binary || !cl_mask_judge_more(&sink->judge, sink->held.data, sink->held.len);
    return !sink->binary || pass_binary(sink, false, err) ||
           cl_err_context(err, "large object %u", (unsigned)sink->oid);
}

static bool bad_data(const struct cl_lo_sink *sink, struct cl_err *err)
{
    return cl_fail(err, CL_INVALID, "E_COPY_DATA",
                   "the data after row %llu is not COPY data of large objects",
                   (unsigned long long)sink->rows.n);
}

static bool take_row(struct cl_lo_sink *sink, struct cl_err *err)
{
    const struct cl_field *field = sink->rows.fields;
    struct cl_lo_piece piece;
    if (field[CL_LO_OID].len != 4 || field[CL_LO_OFFSET].len != 8 || field[CL_LO_DATA].len < 0) {
        return bad_data(sink, err);
    }
    piece.oid = (uint32_t)be(field[CL_LO_OID].data, 4);
    piece.offset = (int64_t)be(field[CL_LO_OFFSET].data, 8);
    memcpy(piece.field, field, sizeof piece.field);
    bool first = piece.offset == 0;
    if (piece.oid == 0 ||
        (first ? sink->objects > 0 && piece.oid == sink->oid
               : sink->objects == 0 || piece.oid != sink->oid || piece.offset != sink->size)) {
        return bad_data(sink, err);
    }
    if (first) {
        if (!settle(sink, err) || (sink->mask && !hold(sink, &piece, err))) {
            return false;
        }
        sink->objects++;
        sink->oid = piece.oid;
        sink->size = 0;
    }
    sink->size += piece.field[CL_LO_DATA].len;
    return sink->holding ? add_to_held(sink, &piece.field[CL_LO_DATA], err)
                         : emit(sink, &piece, err);
}

static bool lo_put(struct cl_sink *base, const char *bytes, size_t n, struct cl_err *err)
{
    struct cl_lo_sink *sink = (struct cl_lo_sink *)base;
    if (!cl_rows_feed(&sink->rows, bytes, n, err)) {
        return false;
    }
    for (;;) {
        switch (cl_rows_next(&sink->rows)) {
        case CL_ROW_OK:
            if (!take_row(sink, err)) {
                return false;
            }
            break;
        case CL_ROW_MORE:
            return true;
        case CL_ROW_END:
            break;
        case CL_ROW_BAD:
            return bad_data(sink, err);
        }
    }
}

static bool lo_finish(struct cl_sink *base, struct cl_err *err)
{
    struct cl_lo_sink *sink = (struct cl_lo_sink *)base;
    if (!cl_rows_complete(&sink->rows)) {
        return bad_data(sink, err);
    }
    base->rows = (int64_t)sink->rows.n;
    return settle(sink, err) && (!sink->writer || cl_lo_writer_finish(sink->writer, err));
}

struct cl_lo_sink *cl_lo_sink_open(const struct cl_lo_sink_spec *spec, struct cl_err *err)
{
    struct cl_lo_sink *sink = calloc(1, sizeof *sink);
    if (!sink) {
        cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
        return NULL;
    }
    sink->base.put = lo_put;
    sink->base.finish = lo_finish;
    sink->base.rows = CL_ROWS_UNKNOWN;
    sink->mask = spec->mask;
    sink->sum = spec->sum;
    sink->found = spec->found;
    sink->arg = spec->arg;
    cl_buf_init(&sink->held, CL_LO_TEXT_MAX);
    cl_buf_init(&sink->head, HEAD_BYTES_MAX);
    cl_buf_init(&sink->masked, MASKED_BYTES_MAX);
    bool ok = cl_rows_init(&sink->rows, CL_COPY_BINARY, CL_LO_FIELDS, err);
    if (ok && spec->target) {
        sink->writer = cl_lo_writer_new(spec->target, spec->leave, spec->replace, err);
        ok = sink->writer != NULL;
    }
    if (!ok) {
        cl_lo_sink_close(sink);
        return NULL;
    }
    return sink;
}

struct cl_sink *cl_lo_sink_base(struct cl_lo_sink *sink)
{
    return &sink->base;
}

uint64_t cl_lo_sink_objects(const struct cl_lo_sink *sink)
{
    return sink->objects;
}

const struct cl_mask_tally *cl_lo_sink_tally(const struct cl_lo_sink *sink)
{
    return &sink->tally;
}

void cl_lo_sink_close(struct cl_lo_sink *sink)
{
    if (!sink) {
        return;
    }
    cl_lo_writer_free(sink->writer);
    cl_rows_fini(&sink->rows);
    cl_buf_fini(&sink->held);
    cl_buf_fini(&sink->head);
    cl_buf_fini(&sink->masked);
    free(sink);
}
