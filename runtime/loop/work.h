/*
 * What a job is doing right now, for people: its phase, the objects its threads have in work, and
 * why it waits when it does.  Any thread of the job writes, the loop's thread reads; everything is
 * copied under one mutex, so a name need not outlive the call.
 *
 *   int slot = cl_work_begin(work, "%s.%s (%d/%d)", schema, table, number, of);
 *   … the work …
 *   cl_work_end(work, slot);
 */
#ifndef CL_LOOP_WORK_H
#define CL_LOOP_WORK_H

#include <stdbool.h>
#include <stddef.h>

#include <uv.h>

enum {
    CL_WORK_SLOTS = 96,        /* objects shown at once; more are worked on, but not shown */
    CL_WORK_LABEL_BYTES = 200, /* longer names are cut */
    CL_WORK_STATE_BYTES = 64,  /* "loading tuples in tree 45 %" */
    CL_WORK_PHASE_BYTES = 32,  /* "rows" */
    CL_WORK_NOTE_BYTES = 200,  /* one line */
    CL_WORK_LINE_BYTES = CL_WORK_LABEL_BYTES + CL_WORK_STATE_BYTES, /* label and state */
};

struct cl_work_slot {
    char label[CL_WORK_LABEL_BYTES]; /* printable UTF-8; "": the slot is free */
    char state[CL_WORK_STATE_BYTES]; /* how far it is; "": not known */
    int tag;                         /* what its state is asked by, 0: nothing */
};

/* Opened by cl_work_init(), closed by cl_work_fini(). */
struct cl_work {
    uv_mutex_t mutex;                         /* guards all below */
    char phase[CL_WORK_PHASE_BYTES];          /* "": not said */
    char note[CL_WORK_NOTE_BYTES];            /* "": nothing to say */
    struct cl_work_slot slots[CL_WORK_SLOTS]; /* in no order */
};

void cl_work_init(struct cl_work *work);
void cl_work_fini(struct cl_work *work);

/* "schema", "rows", "indexes" …; stays until the next. */
void cl_work_phase(struct cl_work *work, const char *phase);

/* A line about the whole: why it waits, what is unusual; "" takes it back. */
void cl_work_note(struct cl_work *work, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* An object is taken up. Returns what cl_work_end() wants: -1 when no slot is free. */
int cl_work_begin(struct cl_work *work, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void cl_work_end(struct cl_work *work, int slot); /* -1 is fine */

/* Makes the object known by a number (a server process), under which others tell its state. */
void cl_work_tag(struct cl_work *work, int slot, int tag);

/* The tags of all objects that have one; how many. */
size_t cl_work_tags(struct cl_work *work, int tags[CL_WORK_SLOTS]);

/* How far the object with this tag is: "45 %". */
void cl_work_state(struct cl_work *work, int tag, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Copies what slot shows, "label state"; false when it is free. */
bool cl_work_line(struct cl_work *work, int slot, char line[CL_WORK_LINE_BYTES]);

void cl_work_copy_phase(struct cl_work *work, char phase[CL_WORK_PHASE_BYTES]);
void cl_work_copy_note(struct cl_work *work, char note[CL_WORK_NOTE_BYTES]);

#endif
