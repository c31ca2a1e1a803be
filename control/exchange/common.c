/* SPDX-License-Identifier: Apache-2.0 */
#include "api/api.h"
#include "base/clock.h"
#include "exchange/exchange.h"
#include "notices/notices.h"

json_t *exchange_time(uint64_t ms)
{
    char text[CLOCK_RFC3339_LEN + 1];

    if (!ms) {
        return json_null();
    }
    clock_format_ms(ms, text);
    return json_string(text);
}

json_t *exchange_row(const struct resource *res)
{
    struct uuid id;
    char text[UUID_TEXT_LEN + 1];
    json_t *row = json_object();

    uuid_new(&id);
    uuid_format(&id, text);
    for (size_t i = 0; i < res->n_attrs; i++) {
        const struct attr *a = &res->attrs[i];
        if (!(a->flags & AF_WRITE_ONLY)) {
            json_object_set_new(row, a->name,
                                a->fallback ? json_loads(a->fallback, JSON_DECODE_ANY, NULL)
                                            : json_null());
        }
    }
    json_object_set_new(row, "id", json_string(text));
    json_object_set_new(row, "state", json_string(res->initial));
    return row;
}

enum problem exchange_alert(struct rest_call *c, struct store_txn *txn, const char *kind,
                            const json_t *about, const char *reason)
{
    json_t *row = exchange_row(&alerts_resource), *now = exchange_time(c->now_ms);
    const struct notice n = {.kind = kind,
                             .object_kind = "collection",
                             .object_id = row_text(about, "id"),
                             .object_name = row_text(about, "name")[0] ? row_text(about, "name")
                                                                       : row_text(about, "id"),
                             .detail = reason};

    json_object_set(row, "created_at", now);
    json_object_set(row, "updated_at", now);
    json_object_set(row, "at", now);
    json_object_set_new(row, "revision", json_integer(1));
    json_object_set_new(row, "kind", json_string(kind));
    json_object_set_new(row, "node", json_string("control"));
    json_object_set(row, "target", json_object_get(about, "id"));
    json_object_set_new(row, "count", json_integer(1));
    json_object_set_new(row, "reason", json_string(reason));
    enum problem p = row_insert(c, txn, &alerts_resource, row);
    json_decref(row);
    json_decref(now);
    return p == PROBLEM_OK ? notice_put(c, txn, &n) : p;
}

json_t *exchange_source(const struct rest_call *c, const json_t *source)
{
    const char *id = row_text(source, "id"), *kind = row_text(source, "kind");

    if (strcmp(kind, "managed") == 0 || strcmp(kind, "files") == 0) {
        return json_pack("{s:s, s:s}", "id", id, "kind", kind);
    }
    json_t *sealed = api_reseal(c->ctl, id, row_text(source, "connection_sealed"));
    return sealed ? json_pack("{s:s, s:s, s:o, s:s}", "id", id, "kind", "odbc", "connection_sealed",
                              sealed, "encoding", row_text(source, "encoding"))
                  : NULL;
}
