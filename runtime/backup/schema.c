#include "schema.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conninfo.h"
#include "loop/child.h"

/* Where Debian keeps each major version; CLONER_PG_BIN names another folder. */
#define DEBIAN_FOLDER "/usr/lib/postgresql"

enum {
    PATH_BYTES = 512,
    VERSION_BYTES_MAX = 4096,
    ARGS_MAX = 24,
    LIST_BYTES_MAX = 256 * 1024 * 1024, /* a line for each object of the schema */
};

/* "pg_dump (PostgreSQL) 15.20 (Debian …)" -> 15; 0 when it cannot be run. */
static int version_of(const char *folder)
{
    char program[PATH_BYTES];
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
        char bin[PATH_BYTES];
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

static const char *program(const struct cl_tools *tools, const char *name, char path[PATH_BYTES])
{
    snprintf(path, PATH_BYTES, "%s%s%s", tools->folder, *tools->folder ? "/" : "", name);
    return path;
}

/* Runs argv with the connection's password in the environment, where other users cannot see it. */
static bool run(struct cl_watch *watch, const char *const *argv,
                const struct cl_conninfo_parts *parts, struct cl_err *err)
{
    const char *env[] = {parts->password_env, NULL};
    struct cl_child child = {
        .argv = argv, .env = parts->password_env ? env : NULL, .job = cl_watch_job(watch)};
    return cl_child_run(&child, err);
}

bool cl_schema_dump(const struct cl_tools *tools, struct cl_watch *watch, const char *conninfo,
                    const char *snapshot, const char *file, struct cl_err *err)
{
    char path[PATH_BYTES];
    struct cl_conninfo_parts parts;
    if (!cl_conninfo_split(conninfo, &parts, err)) {
        return false;
    }
    const char *argv[] = {program(tools, "pg_dump", path),
                          "--format=custom",
                          "--schema-only",
                          "--no-password",
                          "--snapshot",
                          snapshot,
                          "--file",
                          file,
                          "--dbname",
                          parts.public_part,
                          NULL};
    bool ok = run(watch, argv, &parts, err);
    cl_conninfo_fini(&parts);
    return ok;
}

/* A line of pg_restore's list, "4321; 1418 16500 USER MAPPING - …", that names logins elsewhere. */
static bool is_login(const char *line, size_t n)
{
    static const char kind[] = "USER MAPPING ";
    size_t digits = strspn(line, "0123456789");
    if (digits == 0 || digits >= n || line[digits] != ';') {
        return false;
    }
    const char *p = line + digits + 1;
    p += strspn(p, " 0123456789");
    return (size_t)(p - line) + sizeof kind <= n && strncmp(p, kind, sizeof kind - 1) == 0;
}

/* Takes the logins out of the list; returns how many there were. */
static size_t without_logins(struct cl_buf *kept, const char *list)
{
    size_t logins = 0;
    while (*list) {
        const char *end = strchr(list, '\n');
        size_t n = end ? (size_t)(end - list) + 1 : strlen(list);
        if (is_login(list, n)) {
            logins++;
        } else {
            cl_buf_add(kept, list, n);
        }
        list += n;
    }
    return logins;
}

static bool write_list(char path[PATH_BYTES], const struct cl_buf *list, struct cl_err *err)
{
    const char *base = getenv("TMPDIR");
    snprintf(path, PATH_BYTES, "%s/cloner-list-XXXXXX", base && *base ? base : "/tmp");
    int fd = mkstemp(path);
    FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (!file) {
        *path = '\0';
        return cl_fail_errno(err, errno, "cannot make a temporary file");
    }
    bool ok = fwrite(list->data, 1, list->len, file) == list->len;
    ok = fclose(file) == 0 && ok;
    return ok || cl_fail_errno(err, errno, "cannot write %s", path);
}

/* Writes what of the file is restored to a list, whose path the caller unlinks; "" when that is
 * all of it. */
static bool select_objects(const struct cl_tools *tools, struct cl_watch *watch, const char *file,
                           char list_path[PATH_BYTES], size_t *logins, struct cl_err *err)
{
    char path[PATH_BYTES];
    struct cl_buf list;
    struct cl_buf kept;
    const char *argv[] = {program(tools, "pg_restore", path), "--list", file, NULL};
    cl_buf_init(&list, LIST_BYTES_MAX);
    cl_buf_init(&kept, LIST_BYTES_MAX);
    struct cl_child child = {.argv = argv, .out = &list, .job = cl_watch_job(watch)};
    *list_path = '\0';
    bool ok = cl_child_run(&child, err);
    *logins = ok ? without_logins(&kept, cl_buf_str(&list)) : 0;
    if (ok && (list.failed || kept.failed)) {
        ok = cl_fail(err, CL_INVALID, "E_TOO_LONG", "the list of the schema's objects is too long");
    }
    ok = ok && (*logins == 0 || write_list(list_path, &kept, err));
    cl_buf_fini(&list);
    cl_buf_fini(&kept);
    return ok;
}

static bool restore_section(const struct cl_tools *tools, struct cl_watch *watch,
                            const char *conninfo, enum cl_section section, int jobs,
                            const char *file, const char *list, struct cl_err *err)
{
    char path[PATH_BYTES];
    char jobs_text[16];
    struct cl_conninfo_parts parts;
    if (!cl_conninfo_split(conninfo, &parts, err)) {
        return false;
    }
    snprintf(jobs_text, sizeof jobs_text, "%d", jobs);
    const char *argv[ARGS_MAX] = {program(tools, "pg_restore", path),
                                  section == CL_SECTION_PRE_DATA ? "--section=pre-data"
                                                                 : "--section=post-data",
                                  "--no-owner",
                                  "--no-privileges",
                                  "--no-tablespaces",
                                  "--no-publications",
                                  "--no-subscriptions",
                                  "--no-password",
                                  "--exit-on-error",
                                  "--jobs",
                                  section == CL_SECTION_PRE_DATA ? "1" : jobs_text,
                                  "--dbname",
                                  parts.public_part,
                                  file,
                                  *list ? "--use-list" : NULL,
                                  list,
                                  NULL};
    bool ok = run(watch, argv, &parts, err);
    cl_conninfo_fini(&parts);
    return ok || cl_err_context(err, "restoring the schema");
}

bool cl_schema_restore(const struct cl_tools *tools, struct cl_watch *watch, const char *conninfo,
                       enum cl_section section, int jobs, const char *file, size_t *logins,
                       struct cl_err *err)
{
    char list[PATH_BYTES];
    size_t n = 0;
    bool ok = select_objects(tools, watch, file, list, &n, err) &&
              restore_section(tools, watch, conninfo, section, jobs, file, list, err);
    if (*list) {
        unlink(list);
    }
    if (logins) {
        *logins = n;
    }
    return ok;
}
