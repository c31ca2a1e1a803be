/* SPDX-License-Identifier: Apache-2.0 */
#include "catalog/tally.h"

#include <string.h>
#include <xxhash.h>

void tally_add(struct tally *t, const char *text, size_t n)
{
    size_t at;
    uint64_t hash;

    if (n == 0 || n > TALLY_TEXT_MAX) {
        return;
    }
    hash = XXH3_64bits(text, n);
    for (at = hash & (TALLY_SLOTS - 1); t->slots[at]; at = (at + 1) & (TALLY_SLOTS - 1)) {
        size_t i = t->slots[at] - 1u;
        if (t->of[i].hash == hash && t->of[i].n_text == n && memcmp(t->of[i].text, text, n) == 0) {
            t->of[i].times++;
            return;
        }
    }
    if (t->n == TALLY_MAX) {
        return;
    }
    memcpy(t->of[t->n].text, text, n);
    t->of[t->n].text[n] = '\0';
    t->of[t->n].n_text = n;
    t->of[t->n].hash = hash;
    t->of[t->n].times = 1;
    t->slots[at] = (uint8_t)++t->n;
}
