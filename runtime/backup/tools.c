/* Which of the installed pg_dump and pg_restore fit a server. */
#include "tools.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "loop/child.h"

/* Where Debian keeps each major version; CLONER_PG_BIN names another folder. */
#define DEBIAN_FOLDER "/usr/lib/postgresql"

enum { VERSION_BYTES_MAX = 4096 };

/* "pg_dump (PostgreSQL) 15.20 (Debian …)" -> 15; 0 when it cannot be run. */
static int version_of(const char *folder)
{
    char program[CL_TOOL_PATH_BYTES];
    snprintf(program, sizeof program, "%s%spg_dump", folder, *folder ? "/" : "");
    const char *argv[] = {program, "--version", NULL};
    struct cl_buf out;
    cl_buf_init(&out, VERSION_BYTES_MAX);
    struct cl_child child = {.argv = argv, .out = &out};
    int major = 0;
    if (cl_child_run(&child, NULL)) {
        const char *number = strpbrk(cl_buf_str(&out), "0123456789");
        major = number ? (int)strtol(number, NULL, 10) : 0;
    }
    cl_buf_fini(&out);
    return major;
}

static void consider(struct cl_tools *best, const char *folder, int least)
{
    int major = version_of(folder);
    if (major >= least && (best->major == 0 || major < best->major)) {
        best->major = major;
        snprintf(best->folder, sizeof best->folder, "%s", folder);
    }
}

static void consider_debian(struct cl_tools *best, int least)
{
    DIR *folder = opendir(DEBIAN_FOLDER);
    if (!folder) {
        return;
    }
    struct dirent *entry;
    while ((entry = readdir(folder)) != NULL) {
        char bin[CL_TOOL_PATH_BYTES];
        snprintf(bin, sizeof bin, DEBIAN_FOLDER "/%s/bin/pg_dump", entry->d_name);
        if (entry->d_name[0] != '.' && access(bin, X_OK) == 0) {
            snprintf(bin, sizeof bin, DEBIAN_FOLDER "/%s/bin", entry->d_name);
            consider(best, bin, least);
        }
    }
    closedir(folder);
}

bool cl_tools_find(struct cl_tools *tools, int server_number, struct cl_err *err)
{
    int least = server_number / 10000;
    const char *chosen = getenv("CLONER_PG_BIN");
    memset(tools, 0, sizeof *tools);
    if (chosen && *chosen) {
        consider(tools, chosen, least);
    } else {
        consider_debian(tools, least);
        if (tools->major == 0) {
            consider(tools, "", least);
        }
    }
    if (tools->major == 0) {
        return cl_fail(err, CL_INVALID, "E_SERVER_TOO_NEW",
                       "no pg_dump of version %d or newer is installed, which a server of that "
                       "version needs; the package postgresql-client-%d has it",
                       least, least);
    }
    return true;
}

const char *cl_tools_program(const struct cl_tools *tools, const char *name,
                             char path[CL_TOOL_PATH_BYTES])
{
    snprintf(path, CL_TOOL_PATH_BYTES, "%s%s%s", tools->folder, *tools->folder ? "/" : "", name);
    return path;
}
