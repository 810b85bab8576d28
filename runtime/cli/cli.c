#include "cli.h"

#include <stdio.h>
#include <string.h>

#include "backup/warden.h"
#include "verb.h"

enum { VERBS_MAX = 32 };

const struct cl_verb *const cl_verbs[] = {
    &cl_verb_run,    &cl_verb_plan,    &cl_verb_list, &cl_verb_show,
    &cl_verb_resume, &cl_verb_cancel,  &cl_verb_undo, &cl_verb_init,
    &cl_verb_help,   &cl_verb_version, NULL,
};

const struct cl_verb *cl_verb_find(const char *name)
{
    for (size_t i = 0; cl_verbs[i]; i++) {
        if (strcmp(cl_verbs[i]->name, name) == 0) {
            return cl_verbs[i];
        }
    }
    return NULL;
}

static bool looks_like_script(const char *word)
{
    size_t n = strlen(word);
    return strchr(word, '/') || (n > 4 && strcmp(word + n - 4, ".lua") == 0);
}

static int unknown_verb(const char *word)
{
    const char *names[VERBS_MAX + 1];
    size_t n = 0;
    for (const struct cl_verb *const *verb = cl_verbs; *verb && n < VERBS_MAX; verb++) {
        names[n++] = (*verb)->name;
    }
    names[n] = NULL;
    const char *near = cl_nearest(word, names);
    fprintf(stderr, "cloner: '%s' is neither a verb nor a script", word);
    if (near) {
        fprintf(stderr, ": did you mean '%s'?\n", near);
    } else {
        fprintf(stderr, "; `cloner help` lists the verbs\n");
    }
    return CL_EXIT_USAGE;
}

int cl_cli_main(int argc, char **argv)
{
    const struct cl_verb *verb = NULL;
    int first = 1;
    if (argc == 2 && strcmp(argv[1], CL_WARDEN_WORD) == 0) {
        return cl_warden_main(); /* ours to start, not for people: no verb, no help */
    }
    for (; first < argc && argv[first][0] == '-'; first++) {
        /* `cloner --json clone.lua …`: options may stand in front when there is no verb. */
        if (strcmp(argv[first], "--help") == 0 || strcmp(argv[first], "-h") == 0) {
            verb = &cl_verb_help;
        } else if (strcmp(argv[first], "--version") == 0) {
            verb = &cl_verb_version;
        } else {
            verb = &cl_verb_run;
        }
        if (verb != &cl_verb_run) {
            struct cl_args none = {0};
            return verb->run(&none);
        }
        break;
    }
    if (argc < 2) {
        struct cl_args none = {0};
        cl_verb_help.run(&none);
        return CL_EXIT_USAGE;
    }
    if (!verb) {
        verb = cl_verb_find(argv[1]);
        first = verb ? 2 : 1;
    }
    if (!verb && looks_like_script(argv[1])) {
        verb = &cl_verb_run;
    }
    if (!verb) {
        return unknown_verb(argv[1]);
    }
    for (int i = first; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            struct cl_args topic = {.word = {verb->name}, .words = 1};
            return cl_verb_help.run(&topic);
        }
    }
    struct cl_args args;
    if (!cl_args_read(verb, argc - first, argv + first, &args)) {
        return CL_EXIT_USAGE;
    }
    if (verb->run) {
        return verb->run(&args);
    }
    return cl_engine_call(verb->function, &args, verb == &cl_verb_run || verb == &cl_verb_plan);
}
