#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "clock.h"
#include "redact.h"

enum { LINE_BYTES_MAX = 64 * 1024, TEXT_BYTES_MAX = 16 * 1024 };

static const char *const names[] = {"debug", "info", "warn", "error", "off"};
static enum cl_log_level least = CL_LOG_INFO; /* set once, before threads start */
static bool as_json;

void cl_log_setup(enum cl_log_level level, bool json)
{
    least = level;
    as_json = json;
}

bool cl_log_parse_level(const char *name, enum cl_log_level *out)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(names[i], name) == 0) {
            *out = (enum cl_log_level)i;
            return true;
        }
    }
    return false;
}

bool cl_log_enabled(enum cl_log_level level)
{
    return level >= least && level < CL_LOG_OFF;
}

static void add_json_string(struct cl_buf *b, const char *s)
{
    cl_buf_addc(b, '"');
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        if (c == '"' || c == '\\') {
            cl_buf_addc(b, '\\');
            cl_buf_addc(b, *s);
        } else if (c < 0x20) {
            cl_buf_addf(b, "\\u%04x", c);
        } else {
            cl_buf_addc(b, *s);
        }
    }
    cl_buf_addc(b, '"');
}

void cl_log_event(enum cl_log_level level, const char *text, const char *json_fields)
{
    if (!cl_log_enabled(level)) {
        return;
    }
    char at[CL_ISO_BYTES];
    cl_clock_iso(cl_clock_wall_ms(), at);
    struct cl_buf b;
    struct cl_buf safe; /* the text, cut to its maximum, without secrets */
    cl_buf_init(&b, LINE_BYTES_MAX);
    cl_buf_init(&safe, TEXT_BYTES_MAX);
    cl_buf_add(&safe, text, strnlen(text, TEXT_BYTES_MAX));
    if (safe.data) {
        safe.len = cl_redact(safe.data, safe.len);
    }
    if (as_json) {
        cl_buf_addf(&b, "{\"at\":\"%s\",\"level\":\"%s\",\"text\":", at, names[level]);
        add_json_string(&b, cl_buf_str(&safe));
        if (json_fields && *json_fields) {
            cl_buf_addc(&b, ',');
            cl_buf_adds(&b, json_fields);
        }
        cl_buf_adds(&b, "}\n");
    } else {
        cl_buf_addf(&b, "%s %-5s %s\n", at, names[level], cl_buf_str(&safe));
    }
    if (as_json && b.data) {
        b.len = cl_redact(b.data, b.len); /* what came in json_fields */
    }
    /* One write a line, so that lines of several threads never mix. A log that cannot be written
     * is no reason to stop the work. */
    if (b.len > 0 && write(STDERR_FILENO, b.data, b.len) < 0) {
        least = CL_LOG_OFF;
    }
    cl_buf_fini(&safe);
    cl_buf_fini(&b);
}

void cl_log(enum cl_log_level level, const char *fmt, ...)
{
    if (!cl_log_enabled(level)) {
        return;
    }
    char text[4096];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    cl_log_event(level, text, NULL);
}
