/*
 * The world of functions that give the same for the same input: libraries without clock, chance,
 * I/O and state, `pairs` in a fixed order, and nothing that could be set. It is made in a lua_State
 * of its own; functions come there as capsules (capsule.h).
 */
#ifndef CL_BINDING_PURE_H
#define CL_BINDING_PURE_H

#include <stdbool.h>

#include <lua.h>

/* [-0, +1] the environment, new. Raises. */
void cl_pure_push(lua_State *L);

/* [-1, +1] a view of the table on top that cannot be changed. */
void cl_pure_freeze(lua_State *L);

/* [-0, +1] a list of the keys of the table at idx: numbers, then strings, each sorted. False, and
 * nothing pushed, when there are others. */
bool cl_pure_keys(lua_State *L, int idx);

/*
 * What the value at idx, of a state where scripts run, is called in a pure environment: "string"
 * and "upper", "string" and "" for the whole library, "" and "tostring". False when it has none.
 */
bool cl_pure_find(lua_State *L, int idx, const char **library, const char **name);

#endif
