/*
 * Named fault points. In a test build cl_fault("step_intent") looks at CLONER_FAULT and, at the
 * chosen passage, kills the process (SIGKILL: no handler, no flush) or tells its caller to fail.
 * In a release build it is the constant false and leaves no code.
 */
#ifndef CL_FAULT_H
#define CL_FAULT_H

#include <stdbool.h>

#ifdef CL_FAULTS
bool cl_fault(const char *name); /* true: the caller must fail now */
#else
#define cl_fault(name) (false)
#endif

/* Is there a point of that name? (For checking CLONER_FAULT at start.) */
bool cl_fault_known(const char *name);

#endif
