/* Ending a connection whose server is busy, without blocking the loop. Private to this room. */
#ifndef CL_PG_CANCEL_H
#define CL_PG_CANCEL_H

#include <libpq-fe.h>
#include <uv.h>

/* Asks the server to cancel what pg runs, for CL_PG_CANCEL_WAIT_MS at most, then closes pg, which
 * is this function's from now on. The loop lives until that is over. */
void cl_pg_cancel_and_finish(uv_loop_t *loop, PGconn *pg);

#endif
