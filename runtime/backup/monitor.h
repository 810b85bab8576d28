/* The monitor: asks the target how far the indexes are that the run's own sessions build (objects
 * of the run's work with a tag), and shows it there. Makes no connection while there are none. */
#ifndef CL_BACKUP_MONITOR_H
#define CL_BACKUP_MONITOR_H

#include <stdbool.h>

#include "run.h"

/* Starts run->monitor; cl_poller_end() ends it. */
bool cl_monitor_start(struct cl_run *run, struct cl_err *err);

#endif
