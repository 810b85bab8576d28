#include "verb.h"

const struct cl_verb cl_verb_run = {
    .name = "run",
    .words = "SCRIPT [name=value...]",
    .summary = "run a script now (the word `run` may be left out)",
    .help =
        "A procedure is journalled: when the process dies, `cloner resume` goes on with it. "
        "Ctrl-C\n"
        "stops it after the current safe point, a second Ctrl-C at once; both can be resumed.\n"
        "Parameters are the procedure's own; `cloner plan SCRIPT name=value...` shows what would\n"
        "happen. Words behind `--` are never taken for options.\n",
    .options = CL_OPTS_COMMON | CL_OPT_KEY,
    .least = 1,
    .most = CL_ARGS_MAX,
    .function = "run",
};
