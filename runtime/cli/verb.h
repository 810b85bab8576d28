/*
 * What the files of this room share: the table of verbs, the options they take, and the arguments
 * once they are read.  A verb is one `struct cl_verb` in a file of its own, listed in cli.c.
 */
#ifndef CL_CLI_VERB_H
#define CL_CLI_VERB_H

#include <stdbool.h>
#include <stddef.h>

#include "cli.h"

enum { CL_ARGS_MAX = 200 };

/* X(bit, spelling, name Lua sees, what its value is called or NULL, help) */
#define CL_OPTIONS(X)                                                                              \
    X(CL_OPT_JOURNAL, "--journal", "journal", "DSN", "the journal's database")                     \
    X(CL_OPT_CONFIG, "--config", "config", "FILE", "the configuration to use")                     \
    X(CL_OPT_JSON, "--json", "json", NULL, "one JSON object an event or a row")                    \
    X(CL_OPT_LOG_LEVEL, "--log-level", "log_level", "LEVEL", "debug, info, warn, error or off")    \
    X(CL_OPT_SCRIPT, "--script", "script", "FILE", "adopt this edited script")                     \
    X(CL_OPT_NO_UNDO, "--no-undo", "no_undo", NULL, "end the run and leave things as they are")    \
    X(CL_OPT_KEY, "--idempotency-key", "idempotency_key", "KEY",                                   \
      "start once: the same key means the same run")

enum cl_option_index {
#define X(id, spelling, name, value, help) id##_INDEX,
    CL_OPTIONS(X)
#undef X
        CL_OPTION_COUNT
};

enum cl_option {
#define X(id, spelling, name, value, help) id = 1 << id##_INDEX,
    CL_OPTIONS(X)
#undef X
};

enum { CL_OPTS_COMMON = CL_OPT_JOURNAL | CL_OPT_CONFIG | CL_OPT_JSON | CL_OPT_LOG_LEVEL };

struct cl_args {
    const char *option[CL_OPTION_COUNT]; /* the value, "1" for flags, NULL when not given */
    const char *word[CL_ARGS_MAX + 1];   /* what is no option, in order; NULL-terminated */
    size_t words;                        /* how many */
};

struct cl_verb {
    const char *name;                       /* as typed; NULL for a help topic's end */
    const char *words;                      /* "[RUN]": shown behind the name */
    const char *summary;                    /* one line */
    const char *help;                       /* paragraphs, each line ended; may be NULL */
    unsigned options;                       /* bits of enum cl_option it takes */
    size_t least;                           /* words it needs */
    size_t most;                            /* words it takes */
    const char *function;                   /* of the Lua module `engine`; NULL: run is used */
    int (*run)(const struct cl_args *args); /* NULL when function is set */
};

/* NULL-terminated, in the order help shows them. */
extern const struct cl_verb *const cl_verbs[];

extern const struct cl_verb cl_verb_run;
extern const struct cl_verb cl_verb_plan;
extern const struct cl_verb cl_verb_list;
extern const struct cl_verb cl_verb_show;
extern const struct cl_verb cl_verb_resume;
extern const struct cl_verb cl_verb_cancel;
extern const struct cl_verb cl_verb_undo;
extern const struct cl_verb cl_verb_init;
extern const struct cl_verb cl_verb_help;
extern const struct cl_verb cl_verb_version;

const struct cl_verb *cl_verb_find(const char *name);

/* Reads argv[0..argc) into *args; says what is wrong and returns false. */
bool cl_args_read(const struct cl_verb *verb, int argc, char **argv, struct cl_args *args);

/* Runs a function of the engine; script_word: is the first word the script? */
int cl_engine_call(const char *function, const struct cl_args *args, bool script_word);

/* The nearest of names (NULL-terminated) to what was typed, or NULL. */
const char *cl_nearest(const char *typed, const char *const *names);

#endif
