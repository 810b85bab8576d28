#include "comments.h"

#include <string.h>

static const char *const kinds[] = {"COMMENT ", "SECURITY LABEL "};

/* Where the first string begins that is not within a quoted identifier; NULL: there is none. */
static const char *find_string(const char *sql)
{
    bool quoted = false;
    for (; *sql; sql++) {
        if (*sql == '"') {
            quoted = !quoted;
        } else if (*sql == '\'' && !quoted) {
            return sql;
        }
    }
    return NULL;
}

bool cl_comment_mask(const char *label, const char *sql, const struct cl_mask *mask,
                     struct cl_buf *out, bool *changed, struct cl_mask_tally *tally,
                     struct cl_err *err)
{
    *changed = false;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        size_t n = strlen(kinds[i]);
        if (strncmp(label, kinds[i], n) != 0) {
            continue;
        }
        const char *statement = strstr(sql, i == 0 ? "\nCOMMENT ON " : "\nSECURITY LABEL ");
        const char *string = statement ? find_string(statement) : NULL;
        if (!string) {
            return true; /* IS NULL */
        }
        /* The string stays quoted: a mask neither adds nor takes a quote or a backslash. */
        return cl_buf_add(out, sql, (size_t)(string - sql)) &&
               cl_mask_apply(mask, NULL, CL_CARRIER_TEXT, string, strlen(string), 0, out, changed,
                             tally, err);
    }
    return true;
}
