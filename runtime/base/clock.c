#include "clock.h"

#include <stdio.h>
#include <time.h>

static int64_t now_ms(clockid_t id)
{
    struct timespec ts;
    clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int64_t cl_clock_boot_ms(void)
{
    return now_ms(CLOCK_BOOTTIME);
}

int64_t cl_clock_wall_ms(void)
{
    return now_ms(CLOCK_REALTIME);
}

void cl_clock_iso(int64_t wall_ms, char out[CL_ISO_BYTES])
{
    time_t sec = (time_t)(wall_ms / 1000);
    struct tm tm;
    gmtime_r(&sec, &tm);
    size_t n = strftime(out, CL_ISO_BYTES, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(out + n, CL_ISO_BYTES - n, ".%03uZ", (unsigned)(wall_ms % 1000));
}
