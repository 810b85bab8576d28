#include "work.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void cl_work_init(struct cl_work *work)
{
    memset(work, 0, sizeof *work);
    uv_mutex_init(&work->mutex);
}

void cl_work_fini(struct cl_work *work)
{
    uv_mutex_destroy(&work->mutex);
}

/* How many bytes the character at p has: 1 for what is none and for controls of both kinds, with
 * *bad set. Strings end with a byte that continues nothing, so this reads no further. */
static size_t character(const unsigned char *p, bool *bad)
{
    static const struct {
        unsigned char mask, lead; /* of the first byte */
        unsigned least;           /* the smallest code of this length */
    } forms[] = {{0xe0, 0xc0, 0xa0}, {0xf0, 0xe0, 0x800}, {0xf8, 0xf0, 0x10000}};
    *bad = *p < ' ' || *p >= 0x7f;
    for (size_t i = 0; *p >= 0x80 && i < sizeof forms / sizeof *forms; i++) {
        if ((*p & forms[i].mask) != forms[i].lead) {
            continue;
        }
        unsigned code = *p & (unsigned char)~forms[i].mask;
        size_t n = 1;
        while (n < i + 2 && (p[n] & 0xc0) == 0x80) {
            code = code << 6 | (p[n++] & 0x3f);
        }
        *bad = n < i + 2 || code < forms[i].least || code > 0x10ffff ||
               (code >= 0xd800 && code < 0xe000);
        return *bad ? 1 : n;
    }
    return 1;
}

/* Names come from databases and end on terminals and in JSON. */
static void tidy(char *text)
{
    bool bad;
    for (size_t i = 0, n; text[i]; i += n) {
        n = character((const unsigned char *)text + i, &bad);
        if (bad) {
            text[i] = '?';
        }
    }
}

static void print(char *to, size_t size, const char *fmt, va_list args)
{
    vsnprintf(to, size, fmt, args);
    tidy(to);
}

void cl_work_phase(struct cl_work *work, const char *phase)
{
    uv_mutex_lock(&work->mutex);
    snprintf(work->phase, sizeof work->phase, "%s", phase);
    uv_mutex_unlock(&work->mutex);
}

void cl_work_note(struct cl_work *work, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    uv_mutex_lock(&work->mutex);
    print(work->note, sizeof work->note, fmt, args);
    uv_mutex_unlock(&work->mutex);
    va_end(args);
}

int cl_work_begin(struct cl_work *work, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    uv_mutex_lock(&work->mutex);
    int slot = 0;
    while (slot < CL_WORK_SLOTS && work->slots[slot].label[0]) {
        slot++;
    }
    if (slot < CL_WORK_SLOTS) {
        struct cl_work_slot *s = &work->slots[slot];
        memset(s, 0, sizeof *s);
        print(s->label, sizeof s->label, fmt, args);
    }
    uv_mutex_unlock(&work->mutex);
    va_end(args);
    return slot < CL_WORK_SLOTS ? slot : -1;
}

void cl_work_end(struct cl_work *work, int slot)
{
    if (slot < 0) {
        return;
    }
    uv_mutex_lock(&work->mutex);
    memset(&work->slots[slot], 0, sizeof work->slots[slot]);
    uv_mutex_unlock(&work->mutex);
}

void cl_work_tag(struct cl_work *work, int slot, int tag)
{
    if (slot < 0) {
        return;
    }
    uv_mutex_lock(&work->mutex);
    work->slots[slot].tag = tag;
    uv_mutex_unlock(&work->mutex);
}

size_t cl_work_tags(struct cl_work *work, int tags[CL_WORK_SLOTS])
{
    size_t n = 0;
    uv_mutex_lock(&work->mutex);
    for (int i = 0; i < CL_WORK_SLOTS; i++) {
        if (work->slots[i].tag != 0) {
            tags[n++] = work->slots[i].tag;
        }
    }
    uv_mutex_unlock(&work->mutex);
    return n;
}

void cl_work_state(struct cl_work *work, int tag, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    uv_mutex_lock(&work->mutex);
    for (int i = 0; i < CL_WORK_SLOTS; i++) {
        if (work->slots[i].tag == tag) {
            print(work->slots[i].state, sizeof work->slots[i].state, fmt, args);
            break;
        }
    }
    uv_mutex_unlock(&work->mutex);
    va_end(args);
}

bool cl_work_line(struct cl_work *work, int slot, char line[CL_WORK_LINE_BYTES])
{
    const struct cl_work_slot *s = &work->slots[slot];
    uv_mutex_lock(&work->mutex);
    bool used = s->label[0] != '\0';
    snprintf(line, CL_WORK_LINE_BYTES, "%s%s%s", s->label, s->state[0] ? " " : "", s->state);
    uv_mutex_unlock(&work->mutex);
    return used;
}

void cl_work_copy_phase(struct cl_work *work, char phase[CL_WORK_PHASE_BYTES])
{
    uv_mutex_lock(&work->mutex);
    memcpy(phase, work->phase, sizeof work->phase);
    uv_mutex_unlock(&work->mutex);
}

void cl_work_copy_note(struct cl_work *work, char note[CL_WORK_NOTE_BYTES])
{
    uv_mutex_lock(&work->mutex);
    memcpy(note, work->note, sizeof work->note);
    uv_mutex_unlock(&work->mutex);
}
