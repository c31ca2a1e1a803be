/* SPDX-License-Identifier: Apache-2.0 */
/* The audited operations, newest first. Shown to those who run or audit the platform. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/codec.h"
#include "rest/resource.h"

#define FILTERS       5
#define PAGE_SIZE_MAX 200

static const struct {
    const char *name;
    bool number;
} filters[FILTERS] = {
    {"actor", false}, {"action", false}, {"kind", false}, {"resource_id", false}, {"seq", true}};

struct listing {
    struct store_value v[FILTERS + 2];
    size_t n;
    long page, page_size;
    bool ascending;
    struct buf where;
};

static enum problem add_filter(struct rest_call *c, struct listing *l,
                               const struct rest_parameter *q)
{
    for (size_t i = 0; i < FILTERS; i++) {
        if (strcmp(filters[i].name, q->key) != 0 || l->n == FILTERS) {
            continue;
        }
        buf_addf(&l->where, " AND %s = ?", filters[i].name);
        l->v[l->n++] =
            filters[i].number ? store_int(strtoll(q->value, NULL, 10)) : store_text(q->value);
        return PROBLEM_OK;
    }
    return rest_fail(c, PROBLEM_QUERY_MALFORMED, "", "%.60s is no filter of operations", q->key);
}

static enum problem read_query(struct rest_call *c, struct listing *l)
{
    enum problem p = PROBLEM_OK;

    for (size_t i = 0; i < c->req->n_query && p == PROBLEM_OK; i++) {
        const struct rest_parameter *q = &c->req->query[i];
        if (strcmp(q->key, "page") == 0) {
            l->page = strtol(q->value, NULL, 10);
        } else if (strcmp(q->key, "page_size") == 0) {
            l->page_size = strtol(q->value, NULL, 10);
        } else if (strcmp(q->key, "sort") == 0) {
            l->ascending = strcmp(q->value, "seq") == 0;
            p = l->ascending || strcmp(q->value, "-seq") == 0
                    ? p
                    : rest_fail(c, PROBLEM_QUERY_MALFORMED, "/sort", "seq or -seq is needed");
        } else {
            p = add_filter(c, l, q);
        }
    }
    if (p == PROBLEM_OK &&
        (l->page < 1 || l->page > 1000000000 || l->page_size < 1 || l->page_size > PAGE_SIZE_MAX)) {
        p = rest_fail(c, PROBLEM_QUERY_MALFORMED, l->page < 1 ? "/page" : "/page_size",
                      "a page from 1 of 1 to %d operations", PAGE_SIZE_MAX);
    }
    return p;
}

static json_t *text_or_null(const char *s)
{
    return s ? json_string(s) : json_null();
}

static json_t *snapshot_of(const char *text)
{
    json_t *v = text ? json_loads(text, JSON_DECODE_ANY, NULL) : NULL;

    return v ? v : text_or_null(text);
}

static json_t *read_operation(struct store_rows *rows)
{
    char at[CLOCK_RFC3339_LEN + 1], chain[CODEC_HEX_LEN(CRYPTO_HASH_LEN)];
    struct slice value = store_get_blob(rows, 8);
    size_t n = codec_hex(chain, value.p, value.n < CRYPTO_HASH_LEN ? value.n : CRYPTO_HASH_LEN);

    clock_format_ms((uint64_t)store_get_int(rows, 1), at);
    return json_pack("{s:I, s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:s%}", "seq",
                     (json_int_t)store_get_int(rows, 0), "at", at, "actor", store_get_text(rows, 2),
                     "action", store_get_text(rows, 3), "kind", store_get_text(rows, 4),
                     "resource_id", store_get_text(rows, 5), "before",
                     snapshot_of(store_get_text(rows, 6)), "after",
                     snapshot_of(store_get_text(rows, 7)), "chain", chain, n);
}

static enum store_err read_rows(struct store_txn *txn, struct listing *l, const char *head,
                                const char *tail, size_t n, json_t *items, int64_t *total)
{
    struct store_rows *rows = NULL;
    struct buf sql;

    buf_init(&sql);
    buf_addf(&sql, "SELECT %s FROM operations WHERE 1 = 1", head);
    buf_add(&sql, l->where.p, l->where.n);
    buf_adds(&sql, tail);
    buf_addc(&sql, '\0');
    enum store_err err = sql.failed ? STORE_EIO : store_query(txn, sql.p, l->v, n, &rows);
    while (err == STORE_OK && store_next(rows)) {
        if (items) {
            json_array_append_new(items, read_operation(rows));
        } else if (total) {
            *total = store_get_int(rows, 0);
        }
    }
    if (err == STORE_OK) {
        err = store_rows_end(&rows);
    }
    buf_fini(&sql);
    return err;
}

static enum problem answer(struct rest_call *c, struct listing *l)
{
    static const char columns[] =
        "seq, at_ms, actor, action, kind, resource_id, before, after, chain";
    struct store_txn *txn = NULL;
    json_t *items = json_array();
    int64_t total = 0;
    enum problem p = rest_begin(c, STORE_READ, &txn);

    if (p == PROBLEM_OK) {
        enum store_err err = read_rows(txn, l, "count(*)", "", l->n, NULL, &total);
        l->v[l->n] = store_int(l->page_size);
        l->v[l->n + 1] = store_int((int64_t)(l->page - 1) * l->page_size);
        if (err == STORE_OK) {
            err = read_rows(txn, l, columns,
                            l->ascending ? " ORDER BY seq LIMIT ? OFFSET ?"
                                         : " ORDER BY seq DESC LIMIT ? OFFSET ?",
                            l->n + 2, items, NULL);
        }
        store_rollback(&txn);
        p = rest_store_problem(c, err);
    }
    if (p == PROBLEM_OK) {
        p = rest_answer(c, 200,
                        json_pack("{s:O, s:I, s:I, s:I}", "items", items, "page",
                                  (json_int_t)l->page, "page_size", (json_int_t)l->page_size,
                                  "total", (json_int_t)total));
    }
    json_decref(items);
    return p;
}

enum problem rest_operations(struct rest_call *c)
{
    struct listing l = {.page = 1, .page_size = 50};

    buf_init(&l.where);
    enum problem p = read_query(c, &l);
    if (p == PROBLEM_OK) {
        p = l.where.failed ? PROBLEM_INTERNAL : answer(c, &l);
    }
    buf_fini(&l.where);
    return p;
}
