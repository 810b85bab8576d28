/* The width that a CHECK constraint gives a column of text. */
#ifndef CL_BACKUP_WIDTH_H
#define CL_BACKUP_WIDTH_H

#include <stddef.h>

/*
 * The most characters a value of the column may have by the constraint, whose expression is as
 * pg_get_expr() writes it where only pg_catalog is in the search path; 0 when it does not say so,
 * or in a way that is not understood.  column is its name, or "VALUE" in a domain's constraint.
 *
 * Understood are length, char_length and octet_length (n octets are n characters at most) of the
 * column itself against a number, such comparisons among others joined by AND, and joined by OR
 * with each other or with "column IS NULL".
 */
size_t cl_width_of_check(const char *expr, const char *column);

#endif
