#include "verb.h"

const struct cl_verb cl_verb_list = {
    .name = "list",
    .words = "",
    .summary = "list the runs of the journal, the newest first",
    .help = NULL,
    .options = CL_OPTS_COMMON,
    .least = 0,
    .most = 0,
    .function = "list",
};
