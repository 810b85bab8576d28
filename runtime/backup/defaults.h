/* Default and generated expressions of a dump on their way through the mask. */
#ifndef CL_BACKUP_DEFAULTS_H
#define CL_BACKUP_DEFAULTS_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "mask/mask.h"

/* Appends the SQL of an entry masked, when it makes a table or a domain and a constant in such an
 * expression holds something to mask: *changed then. label is the entry's in pg_restore's list. */
bool cl_defaults_mask(const char *label, const char *sql, const struct cl_mask *mask,
                      struct cl_buf *out, bool *changed, struct cl_mask_tally *tally,
                      struct cl_err *err);

#endif
