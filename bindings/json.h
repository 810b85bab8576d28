/* What other bindings need of json. */
#ifndef CL_BINDING_JSON_H
#define CL_BINDING_JSON_H

/* Metatable of a table that is an array also when it is empty. Made when the module is loaded. */
#define CL_MT_JSON_ARRAY "cl.json.array"

#endif
