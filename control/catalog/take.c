/* SPDX-License-Identifier: Apache-2.0 */
/* What a harvest has read of a table becomes its entry; what has not changed is not written. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/api.h"
#include "catalog/catalog.h"
#include "catalog/harvest.h"
#include "catalog/standards.h"
#include "sandbox/stage.h"

#define NAME_BYTES  128
#define TREND_MAX   30
#define DIGEST_TEXT (CRYPTO_HASH_LEN * 2 + 1)

static void digest(const json_t *v, char out[static DIGEST_TEXT])
{
    uint8_t hash[CRYPTO_HASH_LEN];
    char *text = json_dumps(v, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);

    crypto_hash(CRYPTO_SM3, text ? text : "", text ? strlen(text) : 0, hash);
    for (size_t i = 0; i < CRYPTO_HASH_LEN; i++) {
        snprintf(out + 2 * i, 3, "%02x", hash[i]);
    }
    free(text);
}

/* The description of the columns without their figures, and the figures without the description. */
static void split(const json_t *answer, json_t **described, json_t **figures)
{
    static const char *const measured[] = {"nulls", "distinct", "min", "max", "outside"};
    json_t *col;
    size_t i;

    *described = json_array();
    *figures = json_array();
    json_array_foreach(json_object_get(answer, "columns"), i, col)
    {
        json_t *d = json_copy(col), *f = json_pack("{s:O}", "name", json_object_get(col, "name"));
        for (size_t k = 0; k < COUNT(measured); k++) {
            json_t *v = json_object_get(col, measured[k]);
            if (v) {
                json_object_set(f, measured[k], v);
                json_object_del(d, measured[k]);
            }
        }
        json_array_append_new(*described, d);
        json_array_append_new(*figures, f);
    }
}

static bool plain(const char *s, size_t max)
{
    size_t n = strlen(s);

    for (size_t i = 0; i < n; i++) {
        if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f) {
            return false;
        }
    }
    return n > 0 && n <= max;
}

/* A table that could not be named in a request is not taken. */
static const char *refused(const json_t *item, const json_t *answer)
{
    json_t *col;
    size_t i;

    if (!plain(row_text(item, "table"), NAME_BYTES)) {
        return "table-name";
    }
    json_array_foreach(json_object_get(answer, "columns"), i, col)
    {
        if (!plain(row_text(col, "name"), NAME_BYTES)) {
            return "column-name";
        }
    }
    return json_array_size(json_object_get(answer, "columns")) > ENTRY_FIELDS_MAX ? "columns"
                                                                                  : NULL;
}

static void deviate(json_t *out, const char *field, const char *demand)
{
    json_array_append_new(out, json_pack("{s:s, s:s}", "field", field, "demand", demand));
}

static bool lower(const char *s)
{
    for (; *s; s++) {
        if (isupper((unsigned char)*s)) {
            return false;
        }
    }
    return true;
}

static bool meets(const json_t *col, const char *demand)
{
    return strcmp(demand, "comment") == 0 ? row_text(col, "comment")[0] != '\0'
           : strcmp(demand, "length") == 0
               ? json_integer_value(json_object_get(col, "length")) > 0 ||
                     strcmp(row_text(col, "type"), "string") != 0
           : strcmp(demand, "lower-case") == 0 ? lower(row_text(col, "name"))
                                               : true;
}

/* What the harvest's standard asks for and the table has not. */
static json_t *deviations(const json_t *standard, const json_t *answer)
{
    json_t *out = json_array(), *demand, *col;
    size_t i, k;

    json_array_foreach(standard, i, demand)
    {
        const char *word = json_string_value(demand);
        bool keyed = false;
        json_array_foreach(json_object_get(answer, "columns"), k, col)
        {
            keyed = keyed || json_is_true(json_object_get(col, "key"));
            if (!meets(col, word)) {
                deviate(out, row_text(col, "name"), word);
            }
        }
        if (strcmp(word, "key") == 0 && !keyed) {
            deviate(out, "", word);
        }
    }
    return out;
}

static json_t *outside_of(const json_t *answer)
{
    json_t *out = json_object(), *col;
    size_t i;

    json_array_foreach(json_object_get(answer, "columns"), i, col)
    {
        json_object_set(out, row_text(col, "name"), json_object_get(col, "outside"));
    }
    return out;
}

/* And where it departs from the standard of its domain. */
static enum problem depart(struct rest_call *c, struct store_txn *txn, const json_t *harvest,
                           const json_t *answer, const json_t *entry, json_t *out)
{
    const char *id = row_text(harvest, "standard_id");
    json_t *standard = NULL;
    enum problem p =
        id[0] ? api_load(c, txn, &metadata_standards_resource, id, &standard) : PROBLEM_OK;

    if (p == PROBLEM_OK && standard) {
        json_t *fields =
            entry_fields(json_object_get(answer, "columns"), json_object_get(entry, "fields"));
        json_t *outside = outside_of(answer), *report = standard_report(standard, fields, outside);
        json_array_extend(out, json_object_get(report, "deviations"));
        json_decref(report);
        json_decref(outside);
        json_decref(fields);
    }
    json_decref(standard);
    return p;
}

static void add_volume(struct rest_call *c, json_t *entry, const json_t *answer)
{
    json_t *list = json_object_get(entry, "volumes"), *rows = json_object_get(answer, "rows");
    json_t *last;

    if (!json_is_integer(rows)) {
        return;
    }
    list = json_is_array(list) ? json_copy(list) : json_array();
    last = json_array_get(list, json_array_size(list) - 1);
    if (!json_equal(json_object_get(last, "rows"), rows)) {
        json_array_append_new(list,
                              json_pack("{s:o, s:O}", "at", stage_time(c->now_ms), "rows", rows));
    }
    if (json_array_size(list) > TREND_MAX) {
        json_array_remove(list, 0);
    }
    json_object_set_new(entry, "volumes", list);
    json_object_set(entry, "volume", rows);
}

static json_t *make(struct rest_call *c, const json_t *harvest, const json_t *item,
                    const json_t *answer)
{
    const char *comment = row_text(answer, "comment");
    json_t *entry = entry_new(c, plain(comment, 200) ? comment : row_text(item, "table"),
                              row_text(harvest, "organisation_id"));

    json_object_set(entry, "source_id", json_object_get(harvest, "source_id"));
    json_object_set(entry, "department", json_object_get(harvest, "department"));
    json_object_set(entry, "domain_id", json_object_get(harvest, "domain_id"));
    if (plain(comment, 1000)) {
        json_object_set_new(entry, "summary", json_string(comment));
    }
    return entry;
}

static void fill(struct rest_call *c, json_t *entry, const json_t *item, const json_t *answer,
                 bool described_anew, bool data_anew)
{
    json_t *described = NULL, *figures = NULL, *file = json_object_get(answer, "file");

    split(answer, &described, &figures);
    json_object_set(entry, "schema", json_object_get(item, "schema"));
    json_object_set(entry, "table", json_object_get(item, "table"));
    if (file) {
        json_object_set(entry, "media_type", json_object_get(file, "media_type"));
        json_object_set(entry, "content_sm3", json_object_get(file, "sm3"));
        json_object_set(entry, "bytes", json_object_get(file, "bytes"));
    }
    if (described_anew) {
        json_object_set_new(entry, "fields",
                            entry_fields(described, json_object_get(entry, "fields")));
    }
    if (data_anew) {
        json_object_set_new(entry, "last_update", stage_time(c->now_ms));
        json_object_set_new(entry, "profile",
                            json_pack("{s:O, s:O*}", "columns", figures, "sample",
                                      json_object_get(answer, "sample")));
        add_volume(c, entry, answer);
    }
    if (json_is_integer(json_object_get(answer, "bytes"))) {
        json_object_set(entry, "bytes", json_object_get(answer, "bytes"));
    }
    json_object_set_new(entry, "harvested_at", stage_time(c->now_ms));
    json_object_set_new(entry, "gone_at", json_null());
    json_decref(described);
    json_decref(figures);
}

static enum problem write_entry(struct rest_call *c, struct store_txn *txn, const json_t *old,
                                json_t *entry, const char *state)
{
    bool published = old && strcmp(row_text(old, "state"), "published") == 0;

    if (strcmp(state, "changed") == 0 && published) {
        json_object_set_new(entry, "version",
                            json_integer(json_integer_value(json_object_get(old, "version")) + 1));
    }
    return change_store(c, txn, &entries_resource, old, entry,
                        !old                            ? "create"
                        : strcmp(state, "changed") == 0 ? "harvest"
                                                        : "refresh");
}

static enum problem touch(struct rest_call *c, struct store_txn *txn, const char *id)
{
    const struct store_value v[] = {store_int((int64_t)c->now_ms), store_text(id)};

    return rest_store_problem(
        c, store_exec(txn, "UPDATE entries SET harvested_at = ? WHERE id = ?", v, 2, NULL));
}

static bool document(const json_t *answer)
{
    return strcmp(row_text(json_object_get(answer, "file"), "kind"), "document") == 0;
}

static enum problem take(struct rest_call *c, struct store_txn *txn, const json_t *harvest,
                         json_t *item, const json_t *answer, json_t *entry)
{
    char columns[DIGEST_TEXT], data[DIGEST_TEXT];
    json_t *described = NULL, *figures = NULL, *old = entry ? json_deep_copy(entry) : NULL;
    json_t *file = json_object_get(answer, "file");
    bool dry = json_is_true(json_object_get(harvest, "dry_run"));
    enum problem p = PROBLEM_OK;

    split(answer, &described, &figures);
    json_array_append(figures, json_object_get(answer, "rows"));
    json_array_append(described, json_object_get(answer, "comment"));
    if (file) { /* other bytes are a document's change; of a table they are its rows */
        json_array_append(document(answer) ? described : figures, json_object_get(file, "sm3"));
    }
    digest(described, columns);
    digest(figures, data);
    json_decref(described);
    json_decref(figures);
    bool anew = !old || strcmp(row_text(old, "digest"), columns) != 0,
         moved = !old || strcmp(row_text(old, "data_digest"), data) != 0,
         back = old && json_is_string(json_object_get(old, "gone_at"));
    const char *state = !old ? "created" : anew || back ? "changed" : "unchanged";
    entry = old ? json_incref(entry) : make(c, harvest, item, answer);
    fill(c, entry, item, answer, anew, moved);
    json_object_set_new(entry, "digest", json_string(columns));
    json_object_set_new(entry, "data_digest", json_string(data));
    json_object_set_new(item, "state", json_string(state));
    if (!dry) {
        json_object_set(item, "entry_id", json_object_get(entry, "id"));
        p = anew || moved || back ? write_entry(c, txn, old, entry, state)
                                  : touch(c, txn, row_text(entry, "id"));
    }
    json_decref(entry);
    json_decref(old);
    return p;
}

enum problem harvest_take(struct rest_call *c, struct store_txn *txn, const json_t *harvest,
                          json_t *item, const json_t *answer)
{
    const json_t *file = json_object_get(answer, "file");
    const char *why =
        row_text(file, "reason")[0] ? row_text(file, "reason") : refused(item, answer);
    const char *detail = row_text(file, "detail");
    json_t *entry = NULL, *found;

    if (why) {
        json_object_set_new(item, "state", json_string("failed"));
        json_object_set_new(item, "reason",
                            json_sprintf("%s%s%s", why, detail[0] ? ": " : "", detail));
        return PROBLEM_OK;
    }
    found =
        document(answer) ? json_array() : deviations(json_object_get(harvest, "standard"), answer);
    json_array_extend(found, json_object_get(file, "notes"));
    json_object_set_new(item, "deviations", found);
    enum problem p = entry_of_table(c, txn, row_text(harvest, "source_id"),
                                    row_text(item, "schema"), row_text(item, "table"), &entry);
    p = p == PROBLEM_OK && !document(answer) ? depart(c, txn, harvest, answer, entry, found) : p;
    if (p == PROBLEM_OK) {
        p = take(c, txn, harvest, item, answer, entry);
    }
    json_decref(entry);
    return p;
}
