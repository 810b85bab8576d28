#include <stdio.h>
#include <string.h>

#include "verb.h"

static const struct {
    const char *spelling; /* with its dashes */
    const char *value;    /* what it is called; NULL: a flag */
    const char *help;     /* one line */
} options[CL_OPTION_COUNT] = {
#define X(id, spelling, name, value, help) {spelling, value, help},
    CL_OPTIONS(X)
#undef X
};

static int print_exit_codes(void)
{
    printf("Exit codes:\n");
#define X(id, code, text) printf("  %3d  %s\n", code, text);
    CL_EXIT_CODES(X)
#undef X
    return CL_EXIT_DONE;
}

static int print_overview(void)
{
    printf("cloner runs procedures written in Lua and keeps them safe: every step is journalled.\n"
           "\n"
           "  cloner SCRIPT [name=value...]\n");
    for (size_t i = 0; cl_verbs[i]; i++) {
        char usage[64];
        snprintf(usage, sizeof usage, "%s %s", cl_verbs[i]->name, cl_verbs[i]->words);
        printf("  cloner %-28s  %s\n", usage, cl_verbs[i]->summary);
    }
    printf("\n`cloner help VERB` tells more, `cloner help exit-codes` lists the exit codes.\n");
    return CL_EXIT_DONE;
}

static int print_verb(const struct cl_verb *verb)
{
    printf("cloner %s %s\n  %s\n", verb->name, verb->words, verb->summary);
    if (verb->help) {
        printf("\n%s", verb->help);
    }
    if (verb->options) {
        printf("\nOptions:\n");
    }
    for (size_t i = 0; i < CL_OPTION_COUNT; i++) {
        if (verb->options & (1U << i)) {
            char usage[64];
            snprintf(usage, sizeof usage, "%s %s", options[i].spelling,
                     options[i].value ? options[i].value : "");
            printf("  %-24s %s\n", usage, options[i].help);
        }
    }
    return CL_EXIT_DONE;
}

static int help(const struct cl_args *args)
{
    if (args->words == 0) {
        return print_overview();
    }
    if (strcmp(args->word[0], "exit-codes") == 0) {
        return print_exit_codes();
    }
    const struct cl_verb *verb = cl_verb_find(args->word[0]);
    if (!verb) {
        fprintf(stderr, "cloner: there is no help on '%s'\n", args->word[0]);
        return CL_EXIT_USAGE;
    }
    return print_verb(verb);
}

const struct cl_verb cl_verb_help = {
    .name = "help",
    .words = "[VERB | exit-codes]",
    .summary = "tell more about a verb, or about exit codes",
    .most = 1,
    .run = help,
};
