#include "verb.h"

const struct cl_verb cl_verb_resume = {
    .name = "resume",
    .words = "[RUN]",
    .summary = "go on with a run that was interrupted, paused or killed",
    .help = "Without RUN, the only unfinished one. A run keeps the scripts it was started with, "
            "unless\n"
            "--script says otherwise; that is noted in the journal.\n",
    .options = CL_OPTS_COMMON | CL_OPT_SCRIPT,
    .least = 0,
    .most = 1,
    .function = "resume",
};
