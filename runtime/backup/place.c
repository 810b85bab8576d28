#include "place.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_URL "file://"

char *cl_path_join(const char *folder, const char *name)
{
    size_t n = strlen(folder) + strlen(name) + 2;
    char *path = malloc(n);
    if (path) {
        snprintf(path, n, "%s/%s", folder, name);
    }
    return path;
}

bool cl_place_lacks(const char *name, struct cl_err *err)
{
    return cl_fail(err, CL_INVALID, "E_ARCHIVE_MISSING", "the archive lacks %s", name);
}

/* file:///a%20b -> /a b */
static struct cl_place *open_file_url(const char *url, struct cl_err *err)
{
    struct cl_buf path;
    struct cl_place *place = NULL;
    cl_buf_init(&path, CL_BLOB_URL_MAX);
    if (url[strlen(FILE_URL)] == '/' && cl_blob_unescape(&path, url + strlen(FILE_URL))) {
        place = cl_place_folder(cl_buf_str(&path), err);
    } else {
        cl_fail(err, CL_INVALID, "E_BLOB_URL", "'%.200s' does not name a folder: file:///folder",
                url);
    }
    cl_buf_fini(&path);
    return place;
}

static struct cl_place *open_place(const char *where, const struct cl_blob_store *store,
                                   struct cl_job *job, struct cl_err *err)
{
    if (store) {
        where = store->url;
    }
    if (strncmp(where, FILE_URL, strlen(FILE_URL)) == 0) {
        return open_file_url(where, err);
    }
    if (!store && !strstr(where, "://")) {
        return cl_place_folder(where, err);
    }
    if (store) {
        return cl_place_blob(store, job, err);
    }
    struct cl_blob_store *own = cl_blob_open(where, NULL, err);
    struct cl_place *place = own ? cl_place_blob(own, job, err) : NULL;
    cl_blob_free(own);
    return place;
}

struct cl_place *cl_place_open(const char *where, const struct cl_blob_store *store,
                               struct cl_job *job, struct cl_err *err)
{
    struct cl_place *place = open_place(where, store, job, err);
    if (place) {
        place->job = job;
    }
    return place;
}

bool cl_place_begin(struct cl_place *place, struct cl_err *err)
{
    return place->driver->begin(place, err);
}

const char *cl_place_work(struct cl_place *place)
{
    return place->driver->work ? place->driver->work(place) : NULL;
}

bool cl_place_sweep(struct cl_place *place, cl_place_wanted wanted, void *arg, struct cl_err *err)
{
    return place->driver->sweep(place, wanted, arg, err);
}

struct cl_place_writer *cl_place_create(struct cl_place *place, const char *name,
                                        struct cl_err *err)
{
    return place->driver->create(place, name, err);
}

bool cl_place_publish(struct cl_place *place, const char *name, const char *bytes, size_t n,
                      struct cl_err *err)
{
    return place->driver->publish(place, name, bytes, n, err);
}

struct cl_place_reader *cl_place_read(struct cl_place *place, const char *name, struct cl_err *err)
{
    return place->driver->open(place, name, err);
}

bool cl_place_list(struct cl_place *place, struct cl_blob_items *items, struct cl_err *err)
{
    if (!place->driver->list(place, items, err)) {
        return false;
    }
    cl_blob_items_sort(items);
    return true;
}

void cl_place_close(struct cl_place *place)
{
    if (place) {
        place->driver->close(place);
    }
}
