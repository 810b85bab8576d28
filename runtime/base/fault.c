#include "fault.h"

#include <stddef.h>
#include <string.h>

static const char *const points[] = {
#define FAULT(name) #name,
#include "fault_points.def"
#undef FAULT
};

bool cl_fault_known(const char *name)
{
    for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
        if (strcmp(points[i], name) == 0) {
            return true;
        }
    }
    return false;
}

#ifdef CL_FAULTS
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

/* Reads "name[:N][:kill|error]"; false when the variable names another point. */
static bool chosen(const char *name, long *at, bool *kills)
{
    const char *set = getenv("CLONER_FAULT");
    size_t n = strlen(name);
    if (!set || strncmp(set, name, n) != 0 || (set[n] != ':' && set[n] != '\0')) {
        return false;
    }
    *at = 1;
    *kills = true;
    const char *p = set + n;
    if (*p == ':' && p[1] >= '0' && p[1] <= '9') {
        char *end;
        *at = strtol(p + 1, &end, 10);
        p = end;
    }
    *kills = strcmp(p, ":error") != 0;
    return true;
}

bool cl_fault(const char *name)
{
    static atomic_long passed; /* one point is set per process, so one counter serves */
    long at;
    bool kills;
    if (!chosen(name, &at, &kills) || atomic_fetch_add(&passed, 1) + 1 != at) {
        return false;
    }
    if (kills) {
        raise(SIGKILL);
    }
    return true;
}
#endif
