-- Scripts run in the host's sandbox: Lua 5.4 without io, os, debug and package.
std = "lua54"
max_line_length = 120
not_globals = { "io", "os", "debug", "package", "dofile", "loadfile" }

-- The host's own files run before the sandbox closes, and build it.
files["runtime/host"] = { globals = { "string.dump" }, read_globals = { "debug" }, not_globals = {} }
