#include "verb.h"

const struct cl_verb cl_verb_plan = {
    .name = "plan",
    .words = "SCRIPT [name=value...]",
    .summary = "show the steps, where each comes from and what it would touch",
    .help = "Nothing is changed. Refuses (exit code 3) what a run would refuse.\n",
    .options = CL_OPT_CONFIG | CL_OPT_JSON | CL_OPT_LOG_LEVEL,
    .least = 1,
    .most = CL_ARGS_MAX,
    .function = "plan",
};
