#include "err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "redact.h"

static const struct {
    const char *name;
    bool retryable;
} classes[] = {
#define X(id, name, retry) [id] = {name, retry},
    CL_ERR_CLASSES(X)
#undef X
};

/* Messages of servers and child programs come with newlines; ours are one line. */
static void one_line(char *text)
{
    size_t n = strlen(text);
    while (n > 0 && (unsigned char)text[n - 1] <= ' ') {
        text[--n] = '\0';
    }
    for (char *p = text; *p; p++) {
        if ((unsigned char)*p < ' ') {
            *p = ' ';
        }
    }
}

static void fill(struct cl_err *err, enum cl_class class, const char *code, const char *fmt,
                 va_list ap)
{
    memset(err, 0, sizeof *err);
    err->class = class;
    err->retryable = classes[class].retryable;
    snprintf(err->code, sizeof err->code, "%s", code ? code : "");
    vsnprintf(err->message, sizeof err->message, fmt, ap);
    cl_redact(err->message, strlen(err->message));
    one_line(err->message);
}

bool cl_fail(struct cl_err *err, enum cl_class class, const char *code, const char *fmt, ...)
{
    if (err) {
        va_list ap;
        va_start(ap, fmt);
        fill(err, class, code, fmt, ap);
        va_end(ap);
    }
    return false;
}

static enum cl_class class_of_errno(int errnum)
{
    switch (errnum) {
    case ENOENT:
    case ENOTDIR:
        return CL_NOT_FOUND;
    case EACCES:
    case EPERM:
    case EROFS:
        return CL_PERMISSION;
    case EEXIST:
    case ENOTEMPTY:
        return CL_CONFLICT;
    case EINVAL:
    case ENAMETOOLONG:
        return CL_INVALID;
    case ETIMEDOUT:
        return CL_TIMEOUT;
    default:
        return CL_TRANSIENT; /* ENOSPC, EIO, EMFILE, ECONNRESET…: may pass */
    }
}

bool cl_fail_errno(struct cl_err *err, int errnum, const char *fmt, ...)
{
    if (!err) {
        return false;
    }
    const char *name = strerrorname_np(errnum);
    va_list ap;
    va_start(ap, fmt);
    fill(err, class_of_errno(errnum), name ? name : "EUNKNOWN", fmt, ap);
    va_end(ap);
    size_t n = strlen(err->message);
    const char *text = strerrordesc_np(errnum);
    snprintf(err->message + n, sizeof err->message - n, ": %s", text ? text : "unknown error");
    return false;
}

bool cl_err_context(struct cl_err *err, const char *fmt, ...)
{
    if (err) {
        char old[sizeof err->message];
        memcpy(old, err->message, sizeof old);
        va_list ap;
        va_start(ap, fmt);
        int n = vsnprintf(err->message, sizeof err->message, fmt, ap);
        va_end(ap);
        if (n >= 0 && (size_t)n < sizeof err->message) {
            snprintf(err->message + n, sizeof err->message - (size_t)n, ": %s", old);
        }
        cl_redact(err->message, strlen(err->message));
    }
    return false;
}

const char *cl_class_name(enum cl_class class)
{
    return classes[class].name;
}

bool cl_class_parse(const char *name, enum cl_class *out)
{
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++) {
        if (strcmp(classes[i].name, name) == 0) {
            *out = (enum cl_class)i;
            return true;
        }
    }
    return false;
}
