/* The table that tests of backup are about. */
#ifndef CL_TEST_BACKUP_TABLE_H
#define CL_TEST_BACKUP_TABLE_H

#include "backup/backup.h"

enum { OUT_MAX = 1 << 20 };

static struct cl_column columns[] = {
    {.name = "id", .class = {.binary = true}},
    {.name = "note", .class = {.text_like = true, .binary = true}},
    {.name = "j",
     .class = {.text_like = true,
               .binary = true,
               .carrier = CL_CARRIER_JSON,
               .form = CL_BINARY_JSONB,
               .reorders = true}},
};

static const struct cl_table table = {
    .schema = "crm7", .name = "note", .columns = columns, .n_columns = 3, .text_like = true};

#endif
