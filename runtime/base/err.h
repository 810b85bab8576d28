/*
 * Errors as data: one value that says what failed, where, and whether trying again may help.
 *
 * The function that detects a failure fills the error with cl_fail(); callers add context with
 * cl_err_context() and pass it on.  Nobody logs on the way up: the one who handles the error
 * prints it, once.
 */
#ifndef CL_ERR_H
#define CL_ERR_H

#include <stdbool.h>
#include <stddef.h>

/* X(enumerator, name scripts see, retryable by default) */
#define CL_ERR_CLASSES(X)                                                                          \
    X(CL_TRANSIENT, "transient", true)    /* a lost connection, a restarting server */             \
    X(CL_THROTTLED, "throttled", true)    /* the peer asked us to slow down */                     \
    X(CL_CONFLICT, "conflict", false)     /* the state of the world differs from what was asked */ \
    X(CL_INVALID, "invalid", false)       /* bad input; trying again cannot help */                \
    X(CL_PERMISSION, "permission", false) /* refused by a login, a grant or a promise of ours */   \
    X(CL_NOT_FOUND, "not_found", false)   /* what was named does not exist */                      \
    X(CL_TIMEOUT, "timeout", true)        /* no answer in the time allowed; outcome unknown */     \
    X(CL_CANCELLED, "cancelled", false)   /* somebody asked for it */                              \
    X(CL_LEASE_LOST, "lease_lost", false) /* another worker owns the run: write nothing more */    \
    X(CL_LEAK, "leak", false)             /* a real address outside the sink domain */             \
    X(CL_BUG, "bug", false)               /* a broken promise inside script or runtime */

enum cl_class {
#define X(id, name, retry) id,
    CL_ERR_CLASSES(X)
#undef X
};

struct cl_err {
    enum cl_class class;
    bool retryable;     /* may the same call succeed later? */
    int retry_after_ms; /* what the peer asked for; 0 when it did not */
    char code[32];      /* SQLSTATE, "HTTP_503", errno name, or our own "E_…" word */
    char message[1024]; /* one line, no trailing newline, no secrets */
    char detail[1024];  /* more for a log: server detail and hint; may be empty */
};

/* Fills *err (when not NULL) and returns false, so that a function can `return cl_fail(…)`. */
bool cl_fail(struct cl_err *err, enum cl_class class, const char *code, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* Same for a failed system call: class and code follow errnum (pass errno, saved at once). */
bool cl_fail_errno(struct cl_err *err, int errnum, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Puts "context: " in front of the message; returns false. */
bool cl_err_context(struct cl_err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

const char *cl_class_name(enum cl_class class);

/* The class called name; false when there is none. */
bool cl_class_parse(const char *name, enum cl_class *out);

#endif
