#!/bin/sh
# embed.sh FILE... : prints a C file that holds the given files and looks them up by path.
# The assembler reads them (.incbin), so the compile has to run where the paths are valid.
set -eu
cat <<'EOF'
/* made by runtime/base/embed.sh */
#include "base/embed.h"

#include <string.h>

#define HOLD(n, path)                                                                              \
    __asm__(".section .rodata\n"                                                                   \
            "cl_file_" #n ": .incbin \"" path "\"\n"                                               \
            "cl_file_" #n "_end: .byte 0\n"                                                        \
            ".globl cl_file_" #n ", cl_file_" #n "_end\n"                                          \
            ".previous\n");                                                                        \
    extern const char cl_file_##n[], cl_file_##n##_end[];
#define FIND(n, name)                                                                              \
    if (strcmp(path, name) == 0) {                                                                 \
        static struct cl_embedded file = {.path = name, .data = cl_file_##n};                      \
        file.len = (size_t)(cl_file_##n##_end - cl_file_##n);                                      \
        return &file;                                                                              \
    }

EOF
i=0
for f in "$@"; do
    echo "HOLD($i, \"$f\")"
    i=$((i + 1))
done
echo
echo 'const struct cl_embedded *cl_embedded(const char *path)'
echo '{'
i=0
for f in "$@"; do
    echo "    FIND($i, \"$f\")"
    i=$((i + 1))
done
echo '    return NULL;'
echo '}'
