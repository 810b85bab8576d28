/*
 * libFuzzer target of the mask's promises: nothing left after masking, masking twice equals
 * masking once, every carrier, any bytes.
 *
 *   make fuzz FUZZ_S=3600        an hour from the kept corpus on, tests/mask/corpus
 *
 * What it found worth keeping is in build/fuzz/corpus; mask_fuzz_test.c runs the kept ones,
 * altered. Built without CL_FUZZ it reads one input from standard input: to replay a finding.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "mask/mask.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void apply(const struct cl_mask *mask, enum cl_carrier carrier, const char *in, size_t n,
                  struct cl_buf *out)
{
    bool changed;
    struct cl_err err;
    struct cl_mask_tally tally = {0};
    cl_buf_init(out, SIZE_MAX / 2);
    if (!cl_mask_apply(mask, NULL, carrier, in, n, 0, out, &changed, &tally, &err)) {
        abort();
    }
    if (cl_mask_find(mask, NULL, carrier, cl_buf_str(out), out->len, NULL, NULL) != 0) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct cl_mask *mask;
    struct cl_mask_spec spec = {.sink_domain = "mailinator.com"};
    struct cl_err err;
    if (!mask) {
        mask = cl_mask_new(&spec, &err);
    }
    for (enum cl_carrier carrier = CL_CARRIER_TEXT; carrier <= CL_CARRIER_NESTED; carrier++) {
        struct cl_buf once, twice;
        apply(mask, carrier, (const char *)data, size, &once);
        apply(mask, carrier, cl_buf_str(&once), once.len, &twice);
        if (once.len != twice.len || memcmp(cl_buf_str(&once), cl_buf_str(&twice), once.len)) {
            abort();
        }
        cl_buf_fini(&once);
        cl_buf_fini(&twice);
    }
    return 0;
}

#ifndef CL_FUZZ
int main(void)
{
    static char input[1 << 20];
    size_t n = fread(input, 1, sizeof input, stdin);
    return LLVMFuzzerTestOneInput((const uint8_t *)input, n);
}
#endif
