#include "verb.h"

const struct cl_verb cl_verb_init = {
    .name = "init",
    .words = "",
    .summary = "make or upgrade the journal",
    .help =
        "Runs do this by themselves when their role may; `init` is for operators who grant less.\n",
    .options = CL_OPT_JOURNAL | CL_OPT_CONFIG | CL_OPT_LOG_LEVEL,
    .least = 0,
    .most = 0,
    .function = "init",
};
