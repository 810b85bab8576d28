#include "verb.h"

const struct cl_verb cl_verb_show = {
    .name = "show",
    .words = "[RUN]",
    .summary = "show a run: its steps, attempts, errors and progress",
    .help = "RUN is an id, or its first or last characters; without it the newest run is shown.\n",
    .options = CL_OPTS_COMMON,
    .least = 0,
    .most = 1,
    .function = "show",
};
