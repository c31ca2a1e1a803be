/* SPDX-License-Identifier: Apache-2.0 */
/* Time. Wall times are microseconds or milliseconds since 1970 UTC; monotonic ones only measure. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CLOCK_RFC3339_LEN 24 /* "2026-11-22T01:02:03.456Z", without the NUL */

uint64_t clock_wall_us(void);
uint64_t clock_wall_ms(void);
uint64_t clock_mono_us(void);
/* Writes "2026-11-22T01:02:03.456Z" and a NUL. */
void clock_format_ms(uint64_t wall_ms, char out[CLOCK_RFC3339_LEN + 1]);
/* Reads what clock_format_ms writes, the fraction optional. False: not such a text. */
bool clock_parse_ms(const char *text, size_t n, uint64_t *wall_ms)
    __attribute__((warn_unused_result));
