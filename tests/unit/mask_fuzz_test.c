/* The fuzz target of mask_fuzz.c on its kept corpus, as it is and altered at random, the same way
 * every time. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define CL_FUZZ
#include "mask_fuzz.c"

#define CORPUS "tests/mask/corpus"

enum { FILES_LEAST = 100, INPUT_BYTES_MAX = 4096, ALTERED = 300 };

static uint64_t noise_state = 1;

static size_t noise(size_t below)
{
    noise_state = noise_state * 6364136223846793005u + 1442695040888963407u;
    return (size_t)(noise_state >> 33) % below;
}

/* Alters one place of *n bytes. */
static void alter(uint8_t *bytes, size_t *n)
{
    static const char telling[] = "@.=\n\r\\\"%&;/+-_ <>'[](){}A4\xff";
    size_t at = noise(*n + 1);
    switch (noise(4)) {
    case 0:
        if (*n < INPUT_BYTES_MAX) {
            memmove(bytes + at + 1, bytes + at, *n - at);
            bytes[at] = (uint8_t)telling[noise(sizeof telling)];
            (*n)++;
        }
        break;
    case 1:
        if (at < *n) {
            memmove(bytes + at, bytes + at + 1, *n - at - 1);
            (*n)--;
        }
        break;
    case 2:
        if (at < *n) {
            bytes[at] = (uint8_t)telling[noise(sizeof telling)];
        }
        break;
    default:
        if (at < *n) {
            size_t from = noise(*n), len = *n - (at > from ? at : from);
            memmove(bytes + at, bytes + from, len < 16 ? len : 16);
        }
    }
}

static int is_input(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static void the_kept_corpus(void **state)
{
    struct dirent **entries;
    int n_files = scandir(CORPUS, &entries, is_input, alphasort);
    (void)state;
    assert_true(n_files >= FILES_LEAST);
    for (int i = 0; i < n_files; i++) {
        uint8_t input[INPUT_BYTES_MAX + 1], altered[INPUT_BYTES_MAX + 1];
        char path[512];
        snprintf(path, sizeof path, CORPUS "/%s", entries[i]->d_name);
        free(entries[i]);
        FILE *file = fopen(path, "rb");
        assert_non_null(file);
        size_t n = fread(input, 1, INPUT_BYTES_MAX, file);
        fclose(file);
        LLVMFuzzerTestOneInput(input, n);
        for (int round = 0; round < ALTERED; round++) {
            size_t len = n;
            memcpy(altered, input, n);
            for (size_t k = 1 + noise(4); k > 0; k--) {
                alter(altered, &len);
            }
            LLVMFuzzerTestOneInput(altered, len);
        }
    }
    free((void *)entries);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_kept_corpus),
    };
    return cmocka_run_group_tests_name("mask_fuzz", tests, NULL, NULL);
}
