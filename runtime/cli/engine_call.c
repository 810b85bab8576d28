#include <stdio.h>

#include "host/host.h"
#include "verb.h"

enum { NAME_BYTES = 16 };

static const char *const option_names[CL_OPTION_COUNT] = {
#define X(id, spelling, name, value, help) name,
    CL_OPTIONS(X)
#undef X
};

int cl_engine_call(const char *function, const struct cl_args *args, bool script_word)
{
    char numbered[CL_ARGS_MAX][NAME_BYTES];
    const char *names[CL_ARGS_MAX + CL_OPTION_COUNT + 1];
    const char *values[CL_ARGS_MAX + CL_OPTION_COUNT + 1];
    size_t n = 0;
    for (size_t i = 0; i < CL_OPTION_COUNT; i++) {
        if (args->option[i]) {
            names[n] = option_names[i];
            values[n++] = args->option[i];
        }
    }
    for (size_t i = 0; i < args->words; i++) {
        snprintf(numbered[i], NAME_BYTES, "arg%zu", script_word ? i : i + 1);
        names[n] = script_word && i == 0 ? "script" : numbered[i];
        values[n++] = args->word[i];
    }
    names[n] = values[n] = NULL;

    struct cl_err err = {0};
    int code = CL_EXIT_BUG;
    struct cl_host *host = cl_host_new(&err);
    if (!host || !cl_host_run(host, "engine", function, names, values, &code, &err)) {
        fprintf(stderr, "cloner: %s\n", err.message);
        code = CL_EXIT_BUG;
    }
    cl_host_free(host);
    return code;
}
