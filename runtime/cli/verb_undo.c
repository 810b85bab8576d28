#include "verb.h"

const struct cl_verb cl_verb_undo = {
    .name = "undo",
    .words = "RUN",
    .summary = "undo a run that succeeded, or what a stopped one did",
    .help = NULL,
    .options = CL_OPTS_COMMON | CL_OPT_SCRIPT,
    .least = 1,
    .most = 1,
    .function = "undo",
};
