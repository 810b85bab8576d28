/* Time, with the clock named: intervals by the boot-time clock (it runs on while a machine is
 * suspended), dates by the wall clock.  Leases are compared on the database's clock only. */
#ifndef CL_CLOCK_H
#define CL_CLOCK_H

#include <stdint.h>

int64_t cl_clock_boot_ms(void); /* CLOCK_BOOTTIME */
int64_t cl_clock_wall_ms(void); /* milliseconds since 1970-01-01 UTC */

enum { CL_ISO_BYTES = 40 };

/* Writes "2026-02-24T13:05:09.123Z". */
void cl_clock_iso(int64_t wall_ms, char out[CL_ISO_BYTES]);

#endif
