/* The command line: finds the verb, reads its options, runs it. */
#ifndef CL_CLI_H
#define CL_CLI_H

/* What the process ends with; `cloner help exit-codes` prints this list. */
#define CL_EXIT_CODES(X)                                                                           \
    X(CL_EXIT_DONE, 0, "done: everything that was asked for happened")                             \
    X(CL_EXIT_FAILED, 1, "failed: the run or command ended with an error")                         \
    X(CL_EXIT_USAGE, 2, "usage: unknown verb, script, option or parameter")                        \
    X(CL_EXIT_REFUSED, 3, "refused: a promise would have been broken; nothing was changed")        \
    X(CL_EXIT_PAUSED, 4, "paused: a step failed for good; `cloner resume` goes on when mended")    \
    X(CL_EXIT_CANCELLED, 5, "cancelled: the run was cancelled and undone")                         \
    X(CL_EXIT_INTERRUPTED, 6, "interrupted: stopped by a signal; `cloner resume` goes on")         \
    X(CL_EXIT_BUG, 70, "internal error: please report it")

enum cl_exit {
#define X(id, code, text) id = code,
    CL_EXIT_CODES(X)
#undef X
};

int cl_cli_main(int argc, char **argv);

#endif
