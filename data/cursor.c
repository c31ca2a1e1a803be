/* SPDX-License-Identifier: Apache-2.0 */
#include "data/cursor.h"

#include "base/codec.h"

/* What a cursor is good for, as the seal's associated data. The parameters that only say how much
 * of a row is given, or how many, may change from page to page. */
static bool bind_to(struct worker *w, const struct catalog_api *api, struct slice raw,
                    struct buf *aad)
{
    static const struct slice free_names[] = {{"after", 5}, {"limit", 5}, {"select", 6}};
    struct sql_scope scope;
    buf_add(aad, api->id.b, UUID_LEN);
    buf_add(aad, w->call.app.b, UUID_LEN);
    if (service_scope(w, api, &scope) && scope.owner.p)
        buf_add(aad, scope.owner.p, scope.owner.n);
    if (w->call.rows.n) { /* no query string has such a sign */
        buf_addc(aad, '\n');
        buf_add(aad, w->call.rows.p, w->call.rows.n);
    }
    while (raw.n) {
        const char *amp = memchr(raw.p, '&', raw.n);
        size_t n = amp ? (size_t)(amp - raw.p) : raw.n;
        const char *equals = memchr(raw.p, '=', n);
        struct slice name = slice_of(raw.p, equals ? (size_t)(equals - raw.p) : n);
        bool is_free = n == 0;
        for (size_t i = 0; i < sizeof free_names / sizeof *free_names; i++)
            is_free = is_free || slice_eq(name, free_names[i]);
        if (!is_free) {
            buf_addc(aad, '&');
            buf_add(aad, raw.p, n);
        }
        size_t skip = amp ? n + 1 : n;
        raw = slice_of(raw.p + skip, raw.n - skip);
    }
    return !aad->failed;
}

static bool read_values(struct worker *w, const uint8_t *at, size_t n)
{
    struct query *q = &w->query;
    const uint8_t *end = at + n;
    for (q->n_seek = 0; at < end; q->n_seek++) {
        if (q->n_seek == QUERY_SORT_MAX || end - at < 3)
            return false;
        size_t length = (size_t)at[1] << 8 | at[2];
        bool null = at[0] == 0;
        at += 3;
        if ((size_t)(end - at) < length)
            return false;
        q->seek[q->n_seek] = null ? (struct slice){NULL, 0}
                                  : arena_copy(&w->arena, slice_of((const char *)at, length));
        if (!null && !q->seek[q->n_seek].p)
            return false;
        at += length;
    }
    return q->n_seek > 0;
}

/* What is bound as an integer must be one, whoever wrote it. */
static bool values_fit(const struct worker *w, const struct catalog_api *api)
{
    struct sql_sort sorts[QUERY_SORT_MAX];
    size_t n = sql_sorts(&api->table, &w->query, sorts);
    if (n != w->query.n_seek)
        return false;
    for (size_t i = 0; i < n; i++)
        if (w->query.seek[i].p &&
            !query_value_fits((enum query_type)sorts[i].type, w->query.seek[i]))
            return false;
    return true;
}

bool cursor_open(struct worker *w, const struct catalog_api *api, struct slice raw)
{
    uint8_t sealed[CURSOR_TEXT_MAX], plain[CURSOR_TEXT_MAX];
    struct slice text = w->query.after;
    size_t n = 0;
    struct buf aad;
    if (text.n >= CURSOR_TEXT_MAX ||
        !codec_unbase64url(sealed, sizeof sealed, &n, text.p, text.n) || n <= CRYPTO_SEAL_EXTRA)
        return false;
    buf_init(&aad);
    bool ok = bind_to(w, api, raw, &aad) &&
              crypto_open(w->cursor_key, buf_slice(&aad), sealed, n, plain) == CRYPTO_OK &&
              read_values(w, plain, n - CRYPTO_SEAL_EXTRA) && values_fit(w, api);
    buf_fini(&aad);
    return ok;
}

void cursor_write(struct worker *w, const struct catalog_api *api, struct slice raw,
                  const struct slice *values, size_t n, char out[static CURSOR_TEXT_MAX])
{
    uint8_t plain[CURSOR_VALUES_MAX], sealed[CURSOR_VALUES_MAX + CRYPTO_SEAL_EXTRA];
    size_t used = 0;
    struct buf aad;
    out[0] = '\0';
    for (size_t i = 0; i < n; i++) {
        size_t length = values[i].p ? values[i].n : 0;
        if (used + 3 + length > sizeof plain)
            return;
        plain[used++] = values[i].p != NULL;
        plain[used++] = (uint8_t)(length >> 8);
        plain[used++] = (uint8_t)length;
        if (length)
            memcpy(plain + used, values[i].p, length);
        used += length;
    }
    buf_init(&aad);
    if (bind_to(w, api, raw, &aad)) {
        crypto_seal(w->cursor_key, buf_slice(&aad), plain, used, sealed);
        out[codec_base64url(out, sealed, used + CRYPTO_SEAL_EXTRA)] = '\0';
    }
    buf_fini(&aad);
}
