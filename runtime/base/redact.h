/*
 * Values that must never be printed.  Whoever reveals a secret adds it here; the log and error
 * messages show *** instead.  A second line of defence: the first is not to print secrets.
 * One set a process; any thread.
 */
#ifndef CL_REDACT_H
#define CL_REDACT_H

#include <stddef.h>

enum {
    CL_REDACT_BYTES_MIN = 6,         /* shorter values would blot out ordinary words */
    CL_REDACT_BYTES_MAX = 16 * 1024, /* of one value */
    CL_REDACT_VALUES_MAX = 512,      /* then the one not used for longest is forgotten */
};

/* Adds a copy of the value, and of what JSON makes of it. Too short or too long ones are not kept.
 */
void cl_redact_add(const char *value, size_t n);

/* Replaces, in place, every added value in the n bytes of text, also one that is cut off by the
 * end of the text. Returns the new length, and ends the text with a NUL when it got shorter. */
size_t cl_redact(char *text, size_t n);

/* Forgets everything; for tests. */
void cl_redact_clear(void);

#endif
