/*
 * The log: one line an event on standard error, `2026-02-24T13:05:09.123Z warn  text`, or one JSON
 * object a line.  Lines are written whole, from any thread.  The terminal view of a run is not a
 * log; it is drawn by the host and only asks the log to be silent below a level.
 */
#ifndef CL_LOG_H
#define CL_LOG_H

#include <stdbool.h>

enum cl_log_level { CL_LOG_DEBUG, CL_LOG_INFO, CL_LOG_WARN, CL_LOG_ERROR, CL_LOG_OFF };

void cl_log_setup(enum cl_log_level least, bool json);
bool cl_log_parse_level(const char *name, enum cl_log_level *out);
bool cl_log_enabled(enum cl_log_level level);
void cl_log(enum cl_log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* An event with a ready JSON object of fields (without braces, may be NULL). */
void cl_log_event(enum cl_log_level level, const char *text, const char *json_fields);

#endif
