/* Each fuzz target of mask_fuzz.c on its kept corpus, as it is and altered at random, the same way
 * every time. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define CL_FUZZ
#include "mask_fuzz.c"
#include "noise.h"

#define CORPUS "tests/mask/corpus"

enum { FILES_LEAST = 50, INPUT_BYTES_MAX = 4096, ALTERED = 150 };

/* Alters one place of *n bytes. */
static void alter(uint8_t *bytes, size_t *n)
{
    static const char telling[] = "@.=\n\r\\\"%&;/+-_ <>'[](){}A4\xff";
    size_t at = noise((uint32_t)*n + 1);
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
            size_t from = noise((uint32_t)*n), len = *n - (at > from ? at : from);
            memmove(bytes + at, bytes + from, len < 16 ? len : 16);
        }
    }
}

static int is_input(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* As bytes of their own, so that a sanitizer sees what is read beyond them. */
static void run(const struct target *target, const uint8_t *input, size_t n)
{
    char *copy = malloc(n + 1);
    assert_non_null(copy);
    memcpy(copy, input, n);
    target->run(copy, n);
    free(copy);
}

static void check_file(const struct target *target, const char *path)
{
    uint8_t input[INPUT_BYTES_MAX + 1], altered[INPUT_BYTES_MAX + 1];
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t n = fread(input, 1, INPUT_BYTES_MAX, file);
    fclose(file);
    run(target, input, n);
    for (int round = 0; round < ALTERED; round++) {
        size_t len = n;
        memcpy(altered, input, n);
        for (size_t k = 1 + noise(4); k > 0; k--) {
            alter(altered, &len);
        }
        run(target, altered, len);
    }
}

static void the_kept_corpora(void **state)
{
    (void)state;
    noise_state = 1;
    for (size_t t = 0; t < COUNT(targets); t++) {
        struct dirent **entries;
        char path[512];
        snprintf(path, sizeof path, CORPUS "/%s", targets[t].name);
        int n_files = scandir(path, &entries, is_input, alphasort);
        assert_true(n_files >= FILES_LEAST);
        for (int i = 0; i < n_files; i++) {
            snprintf(path, sizeof path, CORPUS "/%s/%s", targets[t].name, entries[i]->d_name);
            check_file(&targets[t], path);
            free(entries[i]);
        }
        free((void *)entries);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_kept_corpora),
    };
    return cmocka_run_group_tests_name("mask_fuzz", tests, NULL, NULL);
}
