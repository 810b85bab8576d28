#include <stdio.h>
#include <string.h>

#include "verb.h"

static const struct {
    const char *spelling; /* with its dashes */
    const char *value;    /* what it is called; NULL: a flag */
} options[CL_OPTION_COUNT] = {
#define X(id, spelling, name, value, help) {spelling, value},
    CL_OPTIONS(X)
#undef X
};

static bool unknown_option(const struct cl_verb *verb, const char *typed)
{
    const char *names[CL_OPTION_COUNT + 1];
    size_t n = 0;
    for (size_t i = 0; i < CL_OPTION_COUNT; i++) {
        if (verb->options & (1U << i)) {
            names[n++] = options[i].spelling;
        }
    }
    names[n] = NULL;
    const char *near = cl_nearest(typed, names);
    fprintf(stderr, "cloner: %s has no option '%s'", verb->name, typed);
    if (near) {
        fprintf(stderr, ": did you mean '%s'?\n", near);
    } else {
        fprintf(stderr, "; `cloner help %s` lists them\n", verb->name);
    }
    return false;
}

/* Takes argv[*at], and its value from behind '=' or from the next word. */
static bool read_option(const struct cl_verb *verb, int argc, char **argv, int *at,
                        struct cl_args *args)
{
    const char *typed = argv[*at];
    const char *equals = strchr(typed, '=');
    size_t len = equals ? (size_t)(equals - typed) : strlen(typed);
    for (size_t i = 0; i < CL_OPTION_COUNT; i++) {
        if (!(verb->options & (1U << i)) || strlen(options[i].spelling) != len ||
            strncmp(typed, options[i].spelling, len) != 0) {
            continue;
        }
        if (!options[i].value) {
            if (equals) {
                fprintf(stderr, "cloner: %s takes no value\n", options[i].spelling);
                return false;
            }
            args->option[i] = "1";
            return true;
        }
        if (!equals && *at + 1 >= argc) {
            fprintf(stderr, "cloner: %s needs a %s\n", options[i].spelling, options[i].value);
            return false;
        }
        args->option[i] = equals ? equals + 1 : argv[++*at];
        return true;
    }
    return unknown_option(verb, typed);
}

bool cl_args_read(const struct cl_verb *verb, int argc, char **argv, struct cl_args *args)
{
    bool only_words = false;
    memset(args, 0, sizeof *args);
    for (int i = 0; i < argc; i++) {
        if (!only_words && strcmp(argv[i], "--") == 0) {
            only_words = true;
        } else if (!only_words && argv[i][0] == '-' && argv[i][1] != '\0') {
            if (!read_option(verb, argc, argv, &i, args)) {
                return false;
            }
        } else if (args->words == CL_ARGS_MAX) {
            fprintf(stderr, "cloner: more than %d arguments\n", CL_ARGS_MAX);
            return false;
        } else {
            args->word[args->words++] = argv[i];
        }
    }
    if (args->words < verb->least) {
        fprintf(stderr, "cloner: usage: cloner %s %s\n", verb->name, verb->words);
        return false;
    }
    if (args->words > verb->most) {
        fprintf(stderr, "cloner: '%s' is one too many; usage: cloner %s %s\n",
                args->word[verb->most], verb->name, verb->words);
        return false;
    }
    const char *level = args->option[CL_OPT_LOG_LEVEL_INDEX];
    static const char *const levels[] = {"debug", "info", "warn", "error", "off", NULL};
    for (size_t i = 0; level && (i == 0 || levels[i - 1]); i++) {
        if (!levels[i]) {
            fprintf(stderr, "cloner: '%s' is no log level: debug, info, warn, error or off\n",
                    level);
            return false;
        }
        if (strcmp(level, levels[i]) == 0) {
            break;
        }
    }
    return true;
}
