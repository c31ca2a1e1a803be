/* SPDX-License-Identifier: Apache-2.0 */
/* Counts how often texts come: at most TALLY_MAX different ones, later ones are left out. Nothing
 * is allocated; a text longer than TALLY_TEXT_MAX bytes is not counted. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#define TALLY_MAX      50
#define TALLY_TEXT_MAX 200
#define TALLY_SLOTS    128 /* a power of two, above twice TALLY_MAX */

struct tally {
    struct {
        char text[TALLY_TEXT_MAX + 1];
        size_t n_text, times;
        uint64_t hash;
    } of[TALLY_MAX];
    size_t n;
    uint8_t slots[TALLY_SLOTS]; /* 1 + place in `of`; 0: free */
};

void tally_add(struct tally *t, const char *text, size_t n);
