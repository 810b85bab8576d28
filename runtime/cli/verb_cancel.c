#include "verb.h"

const struct cl_verb cl_verb_cancel = {
    .name = "cancel",
    .words = "[RUN]",
    .summary = "stop a run and undo what it did",
    .help = "A run that another process executes is asked to stop; a run nobody executes is undone "
            "here.\n"
            "With --no-undo it only ends, and `cloner undo RUN` can undo it later.\n",
    .options = CL_OPTS_COMMON | CL_OPT_SCRIPT | CL_OPT_NO_UNDO,
    .least = 0,
    .most = 1,
    .function = "cancel",
};
