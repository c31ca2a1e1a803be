/* SPDX-License-Identifier: Apache-2.0 */
/* One record on its way: mapped to the declared names, merged by key where the run says so,
 * cleaned, held against the standard, stored with where it came from or kept apart. */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/codec.h"
#include "data/collect/inner.h"
#include "mask/mask.h"

#define KEEP_MAX                                                                                   \
    65536 /* bytes of a record that is kept apart; a longer one is named by its digest */

/* Kept apart ------------------------------------------------------------------------------------
 */
static bool keep_apart(struct collect *c, const json_t *record, const char *sender,
                       const char *reason, const char *where)
{
    sqlite3_stmt *st = c->quarantine;
    char *text = json_dumps(record, JSON_COMPACT | JSON_ENCODE_ANY);
    bool fits = text && strlen(text) <= KEEP_MAX;
    sqlite3_bind_text(st, 1, collect_text(c->job, "run"), -1, SQLITE_STATIC);
    sqlite3_bind_int64(st, 2, (sqlite3_int64)c->quarantined);
    sqlite3_bind_text(st, 3, sender, -1, SQLITE_STATIC);
    sqlite3_bind_text(st, 4, reason, -1, SQLITE_STATIC);
    sqlite3_bind_text(st, 5, where, -1, SQLITE_STATIC);
    sqlite3_bind_text(st, 6, fits ? text : "null", -1, SQLITE_STATIC);
    int rc = sqlite3_step(st);
    sqlite3_reset(st);
    sqlite3_clear_bindings(st);
    free(text);
    c->quarantined++;
    return rc == SQLITE_DONE || collect_fail(c, "failed", "store-failed", "", "");
}

/* Seen before? ----------------------------------------------------------------------------------
 */
static bool seen_grow(struct collect_seen *s)
{
    struct collect_seen wide = {.cap = s->cap ? s->cap * 2 : 1024};
    wide.slots = calloc(wide.cap, sizeof *wide.slots);
    if (!wide.slots)
        return false;
    for (size_t i = 0; i < s->cap; i++) {
        if (!s->slots[i].a && !s->slots[i].b)
            continue;
        size_t at = s->slots[i].a % wide.cap;
        while (wide.slots[at].a || wide.slots[at].b)
            at = (at + 1) % wide.cap;
        wide.slots[at] = s->slots[i];
    }
    wide.n = s->n;
    free(s->slots);
    *s = wide;
    return true;
}

/* False: out of memory. */
static bool seen_add(struct collect_seen *s, const char *text, bool *before)
{
    if (s->n * 2 >= s->cap && !seen_grow(s))
        return false;
    XXH128_hash_t h = XXH3_128bits(text, strlen(text));
    struct collect_digest d = {h.low64 | 1, h.high64};
    size_t at = d.a % s->cap;
    while (s->slots[at].a || s->slots[at].b) {
        *before = s->slots[at].a == d.a && s->slots[at].b == d.b;
        if (*before)
            return true;
        at = (at + 1) % s->cap;
    }
    s->slots[at] = d;
    s->n++;
    *before = false;
    return true;
}

/* The values of the key columns, or the whole record where there is no key; caller frees. */
static char *identity_of(const struct collect *c, const json_t *record)
{
    json_t *key = json_array();
    for (size_t i = 0; i < c->n_columns; i++)
        if (c->columns[i].key)
            json_array_append(key,
                              json_object_getn(record, c->columns[i].name.p, c->columns[i].name.n));
    char *text = json_dumps(json_array_size(key) ? key : record,
                            JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);
    json_decref(key);
    return text;
}

/* Storing ----------------------------------------------------------------------------------------
 */
static bool text_of(const json_t *v, char digits[static 40], char **dumped, struct zone_value *out)
{
    *out = (struct zone_value){.text = SLICE("")};
    switch (json_typeof(v)) {
    case JSON_NULL:
        out->null = true;
        return true;
    case JSON_STRING:
        out->text = slice_of(json_string_value(v), json_string_length(v));
        return true;
    case JSON_INTEGER:
        snprintf(digits, 40, "%lld", (long long)json_integer_value(v));
        break;
    case JSON_REAL:
        snprintf(digits, 40, "%.15g", json_real_value(v));
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        snprintf(digits, 40, "%d", json_is_true(v));
        break;
    default:
        *dumped = json_dumps(v, JSON_COMPACT);
        out->text = slice_str(*dumped ? *dumped : "");
        return *dumped != NULL;
    }
    out->text = slice_str(digits);
    return true;
}

struct cells {
    struct zone_value v[ZONE_COLUMNS_MAX];
    char digits[ZONE_COLUMNS_MAX][40];
    char *dumped[ZONE_COLUMNS_MAX], *masked[ZONE_COLUMNS_MAX];
};

static bool mask_cell(const struct mask_spec *spec, struct zone_value *v, char **masked)
{
    if (!spec->rule || v->null)
        return true;
    if (spec->rule == MASK_NULL) {
        v->null = true;
        return true;
    }
    *masked = malloc(MASK_OUT_MAX(v->text.n));
    if (!*masked)
        return false;
    v->text = slice_of(*masked, mask_apply(spec, NULL, v->text, *masked));
    return true;
}

/* The column's name when its value cannot be held. */
static const char *fill_cells(const struct collect *c, const json_t *record, const char *sender,
                              const char *sm3, struct cells *cells)
{
    static const json_t *const none = NULL;
    for (size_t i = 0; i < c->n_columns; i++) {
        const json_t *v = json_object_getn(record, c->columns[i].name.p, c->columns[i].name.n);
        cells->v[i] = (struct zone_value){.null = true};
        if (v != none && (!text_of(v, cells->digits[i], &cells->dumped[i], &cells->v[i]) ||
                          !mask_cell(&c->masks[i], &cells->v[i], &cells->masked[i])))
            return c->columns[i].name.p;
        if (cells->v[i].null && c->columns[i].key)
            return c->columns[i].name.p;
    }
    const char *more[COLLECT_PROVENANCE] = {sender, collect_text(c->job, "run"), c->at, sm3};
    for (size_t i = 0; i < COLLECT_PROVENANCE; i++)
        cells->v[c->n_columns + i] = (struct zone_value){.text = slice_str(more[i])};
    return NULL;
}

static void free_cells(struct cells *cells, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(cells->dumped[i]);
        free(cells->masked[i]);
    }
    free(cells);
}

static void add_given(struct collect *c, const struct zone_value *v)
{
    bool ok = true;
    for (size_t i = 0; i < c->n_columns + COLLECT_PROVENANCE && ok; i++)
        ok = zone_sum_value(&c->given, c->columns[i].type, &v[i]) == ZONE_OK;
    zone_sum_row(&c->given);
    c->accepted++;
}

static bool store(struct collect *c, const json_t *record, const char *sender, const char *sm3)
{
    struct cells *cells = calloc(1, sizeof *cells);
    if (!cells)
        return collect_fail(c, "failed", "out-of-memory", "", "");
    const char *bad = fill_cells(c, record, sender, sm3, cells);
    enum zone_err err = bad ? ZONE_EVALUE : zone_load_row(c->zone, cells->v);
    bool ok = true;
    if (!err) {
        add_given(c, cells->v);
    } else if (err == ZONE_EVALUE || err == ZONE_EKEY) {
        c->illegal++;
        ok = keep_apart(c, record, sender, "illegal", bad ? bad : zone_strerror(err));
    } else {
        ok = collect_fail(c, "failed", err == ZONE_EFULL ? "storage-full" : "store-failed", "",
                          zone_strerror(err));
    }
    free_cells(cells, c->n_columns);
    return ok;
}

/* Checking ---------------------------------------------------------------------------------------
 */
static bool conforms(struct collect *c, const json_t *record, struct schema_error *err)
{
    char *text = c->standard ? json_dumps(record, JSON_COMPACT) : NULL;
    if (!text)
        return !c->standard;
    const struct schema_request rq = {.method = SLICE("POST"),
                                      .path = SLICE("/"),
                                      .content_type = SLICE("application/json"),
                                      .body = slice_str(text)};
    enum schema_err e = schema_check_request(c->standard, &rq, err);
    free(text);
    return e == SCHEMA_OK;
}

/* record is ours to change. */
static bool finish(struct collect *c, json_t *record, const char *sender, const char *sm3)
{
    struct schema_error err;
    bool blank = false, before = false;
    const char *bad =
        collect_clean(json_object_get(c->job, "rules"), record, &c->converted, &blank);
    if (bad) {
        *(blank ? &c->blank : &c->illegal) += 1;
        return keep_apart(c, record, sender, blank ? "blank" : "illegal", bad);
    }
    if (!conforms(c, record, &err)) {
        c->illegal++;
        char where[400];
        snprintf(where, sizeof where, "%s: %s", err.where, err.detail);
        return keep_apart(c, record, sender, "non-conforming", where);
    }
    char *identity = identity_of(c, record);
    bool ok = identity && seen_add(&c->seen, identity, &before);
    free(identity);
    if (!ok)
        return collect_fail(c, "failed", "out-of-memory", "", "");
    if (before) {
        c->duplicate++;
        return true;
    }
    return store(c, record, sender, sm3);
}

static json_t *mapped(const struct collect *c, const json_t *record)
{
    const json_t *map = json_object_get(c->job, "mapping");
    const char *to;
    json_t *from;
    if (!json_is_object(map) || json_object_size(map) == 0)
        return json_deep_copy(record);
    json_t *out = json_object();
    json_object_foreach((json_t *)map, to, from)
    {
        json_t *v = collect_at(record, json_string_value(from));
        if (v)
            json_object_set_new(out, to, json_deep_copy(v));
    }
    return out;
}

static void digest_of(const json_t *record, char hex[static 65])
{
    uint8_t hash[CRYPTO_HASH_LEN];
    char *text = json_dumps(record, JSON_COMPACT | JSON_SORT_KEYS);
    crypto_hash(CRYPTO_SM3, text ? text : "", text ? strlen(text) : 0, hash);
    hex[codec_hex(hex, hash, sizeof hash)] = '\0';
    free(text);
}

/* Merging ----------------------------------------------------------------------------------------
 */
static bool is_blank(const json_t *v)
{
    return !v || json_is_null(v) || (json_is_string(v) && json_string_length(v) == 0);
}

/* What the later source knows fills what the earlier does not; with rule "last" it wins. */
static void merge_into(json_t *kept, json_t *record, bool last)
{
    const char *name;
    json_t *v;
    json_object_foreach(record, name, v)
    {
        if (!is_blank(v) && (last || is_blank(json_object_get(kept, name))))
            json_object_set(kept, name, v);
    }
}

static bool merge(struct collect *c, json_t *record, const char *sender, const char *sm3)
{
    char *key = identity_of(c, record), senders[200];
    json_t *kept = key ? json_object_get(c->merged, key) : NULL;
    bool ok = key != NULL;
    if (ok && !kept) {
        ok = json_object_size(c->merged) < COLLECT_MERGE_MAX &&
             json_object_set_new(
                 c->merged, key,
                 json_pack("{s:O, s:s, s:s}", "record", record, "sender", sender, "sm3", sm3)) == 0;
    } else if (ok) {
        const char *so_far = collect_text(kept, "sender");
        merge_into(json_object_get(kept, "record"), record,
                   strcmp(collect_text(c->job, "merge"), "last") == 0);
        if (!strstr(so_far, sender)) {
            snprintf(senders, sizeof senders, "%s+%s", so_far, sender);
            json_object_set_new(kept, "sender", json_string(senders));
        }
        char hex[65];
        digest_of(json_object_get(kept, "record"), hex);
        json_object_set_new(kept, "sm3", json_string(hex));
    }
    free(key);
    return ok || collect_fail(c, "failed", "too-large", "", "too many records to merge");
}

bool collect_finish_merge(struct collect *c)
{
    const char *key;
    json_t *kept;
    json_object_foreach(c->merged, key, kept)
    {
        if (!finish(c, json_object_get(kept, "record"), collect_text(kept, "sender"),
                    collect_text(kept, "sm3")))
            return false;
    }
    return true;
}

bool collect_record(struct collect *c, const json_t *record, const char *sender)
{
    char sm3[65];
    if (++c->received > COLLECT_RECORDS_MAX)
        return collect_fail(c, "failed", "too-large", "", "too many records");
    if (!json_is_object(record)) {
        c->illegal++;
        return keep_apart(c, record, sender, "illegal", "a record is an object");
    }
    digest_of(record, sm3);
    json_t *own = mapped(c, record);
    bool ok = own && (c->outgoing ? collect_outgoing(c, own)
                      : c->merged ? merge(c, own, sender, sm3)
                                  : finish(c, own, sender, sm3));
    json_decref(own);
    return ok || c->code ? ok : collect_fail(c, "failed", "out-of-memory", "", "");
}
