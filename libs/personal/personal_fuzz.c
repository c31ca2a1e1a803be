/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes, in pieces of any size: what is found lies within them, is covered, and is then not
 * found again; how they are cut changes nothing. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "personal/personal.h"

struct told {
    char *copy;
    size_t n, hits;
};

static void cover(void *ctx, const struct personal_hit *hit)
{
    struct told *t = ctx;
    if (hit->n == 0 || hit->at + hit->n > t->n || hit->line == 0)
        abort();
    personal_fill(t->copy + hit->at, hit->n, hit->literal);
    t->hits++;
}

static void look(struct told *t, const uint8_t *data, size_t n, size_t step)
{
    struct personal_stream *s = personal_stream_new(cover, t);
    if (!s)
        return;
    for (size_t at = 0; at < n; at += step)
        personal_stream_add(s, slice_of((const char *)data + at, n - at < step ? n - at : step));
    personal_stream_end(s);
    personal_stream_free(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n < 2)
        return 0;
    size_t step = 1 + data[0];
    data++, n--;
    struct told whole = {.copy = malloc(n), .n = n}, pieces = {.copy = malloc(n), .n = n};
    if (!whole.copy || !pieces.copy)
        abort();
    memcpy(whole.copy, data, n);
    memcpy(pieces.copy, data, n);
    look(&whole, data, n, n);
    look(&pieces, data, n, step);
    if (whole.hits != pieces.hits || memcmp(whole.copy, pieces.copy, n) != 0)
        abort();
    json_t *document = json_loadb((const char *)data, n, JSON_DECODE_ANY, NULL);
    struct personal_seen seen = {0};
    if (document)
        (void)personal_document(PERSONAL_MASK, NULL, &document, &seen);
    json_decref(document);
    free(whole.copy);
    free(pieces.copy);
    return 0;
}
