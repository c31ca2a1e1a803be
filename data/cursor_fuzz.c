/* SPDX-License-Identifier: Apache-2.0 */
/* The first bit says which: bytes as a cursor, which is none of ours and refused; or bytes as what
 * was sealed in one, as if our own key had been used badly: read or refused, never beyond its end,
 * and what is read fits the columns it is bound to. */
#include "data/cursor.h"

#include <stdlib.h>

#include "base/codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static struct worker w;
static const struct slice keys[] = {{"id", 2}, {"name", 4}};
static const uint8_t key_types[] = {QUERY_INTEGER, QUERY_STRING};
static const struct query_column columns[] = {
    {.name = {"id", 2}, .column = {"id", 2}, .type = QUERY_INTEGER},
    {.name = {"name", 4}, .column = {"name", 4}, .type = QUERY_STRING},
    {.name = {"paid", 4}, .column = {"paid", 4}, .type = QUERY_BOOLEAN}};
static const struct catalog_api api = {.table = {.table = {"t", 1},
                                                 .columns = columns,
                                                 .n_columns = 3,
                                                 .keys = keys,
                                                 .key_types = key_types,
                                                 .n_keys = 2}};

static void check(bool ordered)
{
    static const uint8_t types[] = {QUERY_BOOLEAN, QUERY_INTEGER, QUERY_STRING};
    if (w.query.n_seek != (ordered ? 3u : 2u))
        abort();
    for (size_t i = 0; i < w.query.n_seek; i++)
        if (w.query.seek[i].p &&
            !query_value_fits((enum query_type)types[i + !ordered], w.query.seek[i]))
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    char text[CURSOR_TEXT_MAX * 2];
    uint8_t aad[UUID_LEN * 2] = {0}, sealed[CURSOR_VALUES_MAX + CRYPTO_SEAL_EXTRA];
    if (n == 0 || n > CURSOR_VALUES_MAX || (!w.arena.block && !arena_init(&w.arena, ARENA_BYTES)))
        return 0;
    bool ours = data[0] & 1, ordered = data[0] & 2;
    arena_reset(&w.arena);
    query_clear(&w.query);
    if (ordered)
        w.query.order[w.query.n_order++] = (struct query_order){.column = 2};
    if (ours) {
        crypto_seal(w.cursor_key, slice_of((const char *)aad, sizeof aad), data + 1, n - 1, sealed);
        w.query.after = slice_of(text, codec_base64url(text, sealed, n - 1 + CRYPTO_SEAL_EXTRA));
    } else {
        w.query.after = slice_of((const char *)data + 1, n - 1);
    }
    bool opened = cursor_open(&w, &api, SLICE(""));
    if (opened && !ours)
        abort();
    if (opened)
        check(ordered);
    return 0;
}
