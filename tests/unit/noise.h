/* Noise for tests: the same sequence on every machine. Set noise_state first. */
#ifndef CL_TEST_NOISE_H
#define CL_TEST_NOISE_H

#include <stdint.h>

static uint64_t noise_state;

static uint32_t noise(uint32_t below)
{
    noise_state = noise_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(noise_state >> 33) % below;
}

#endif
