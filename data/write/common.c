/* SPDX-License-Identifier: Apache-2.0 */
/* What all writes share. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/codec.h"
#include "data/query/cell.h"
#include "data/write/rows.h"
#include "data/write/write.h"

static write_hook hook;
static void *hook_ctx;

void write_on_committed(write_hook to, void *ctx)
{
    hook = to;
    hook_ctx = ctx;
}

void write_committed(const char *dataset, const char *operation, const json_t *row)
{
    const json_t *after = json_object_get(row, "after");
    if (hook)
        hook(hook_ctx, dataset, operation, json_object_get(row, "key"),
             !after || json_is_null(after));
}

enum problem write_source_problem(enum source_err err, const char **detail)
{
    switch (err) {
    case SOURCE_ECONSTRAINT:
        *detail =
            "a rule of the table refuses the row: a key that is taken, a value that is needed";
        return PROBLEM_STATE_CONFLICT;
    case SOURCE_EBUSY:
        *detail = "the rows are being changed by somebody else; try again";
        return PROBLEM_STATE_CONFLICT;
    case SOURCE_EVALUE:
        *detail = "a value does not fit its column";
        return PROBLEM_BODY_INVALID;
    default:
        return service_source_problem(err);
    }
}

enum problem write_journal_problem(enum journal_err err)
{
    switch (err) {
    case JOURNAL_OK:
        return PROBLEM_OK;
    case JOURNAL_EFULL:
        return PROBLEM_STORAGE_FULL;
    case JOURNAL_EKEY:
        return PROBLEM_STATE_CONFLICT;
    case JOURNAL_EABSENT:
        return PROBLEM_NOT_FOUND;
    default:
        return PROBLEM_INTERNAL;
    }
}

int64_t write_guard_number(const char *operation)
{
    struct uuid id;
    int64_t number = 0;
    if (uuid_parse(&id, operation, strlen(operation)))
        memcpy(&number, id.b + 8, sizeof number); /* the random half */
    return number;
}

static bool digits_at(const char *s, const char *form)
{
    for (; *form; s++, form++)
        if (*form == 'd' ? *s < '0' || *s > '9' : *s != *form)
            return false;
    return true;
}

/* The shape alone: which days a month has is the source's to know. */
static bool is_time(const char *s, bool date_only)
{
    size_t n = strlen(s);
    if (n < 10 || !digits_at(s, "dddd-dd-dd"))
        return false;
    if (n == 10)
        return true;
    return !date_only && n >= 16 && n <= 40 && (s[10] == 'T' || s[10] == ' ') &&
           digits_at(s + 11, "dd:dd") && strspn(s + 16, "0123456789:.+-Z") == n - 16;
}

static json_t *number_text(const json_t *value)
{
    char text[40];
    if (json_is_integer(value))
        return json_sprintf("%" JSON_INTEGER_FORMAT, json_integer_value(value));
    snprintf(text, sizeof text, "%.15g", json_real_value(value));
    if (strtod(text, NULL) != json_real_value(value))
        snprintf(text, sizeof text, "%.17g", json_real_value(value));
    return json_string(text);
}

static json_t *json_value(const json_t *value)
{
    char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    json_t *out = text ? json_string(text) : NULL;
    free(text);
    return out;
}

static json_t *refused(const char **why, const char *text)
{
    *why = text;
    return NULL;
}

json_t *write_value(const json_t *value, enum query_type type, const char **why)
{
    bool text = json_is_string(value);
    struct slice s = slice_of(json_string_value(value), json_string_length(value));
    *why = NULL;
    if (json_is_null(value))
        return json_null();
    if (text && memchr(s.p, '\0', s.n))
        return refused(why, "a text without NUL is needed");
    switch (type) {
    case QUERY_BINARY:
        return refused(why, "binary fields cannot be written");
    case QUERY_JSON:
        return json_value(value);
    case QUERY_BOOLEAN:
        return json_is_boolean(value) ? json_string(json_is_true(value) ? "true" : "false")
                                      : refused(why, "true or false is needed");
    case QUERY_INTEGER:
        if (json_is_integer(value))
            return number_text(value);
        return text && query_value_fits(type, s) ? json_incref((json_t *)(uintptr_t)value)
                                                 : refused(why, "a whole number is needed");
    case QUERY_NUMBER:
        if (json_is_number(value))
            return number_text(value);
        return text && query_value_fits(type, s) ? json_incref((json_t *)(uintptr_t)value)
                                                 : refused(why, "a number is needed");
    case QUERY_DATE:
    case QUERY_DATETIME:
        return text && is_time(s.p, type == QUERY_DATE)
                   ? json_incref((json_t *)(uintptr_t)value)
                   : refused(why, "a date like 2026-01-31, with a time where the field has one, is "
                                  "needed");
    default:
        return text ? json_incref((json_t *)(uintptr_t)value) : refused(why, "a text is needed");
    }
}

void write_version_begin(struct worker *w)
{
    crypto_hmac_begin(w->version);
}

/* Of the value as it is answered: drivers spell one and the same value differently. */
void write_version_add(struct worker *w, enum query_type type, struct slice value, bool null)
{
    struct buf plain;
    buf_init(&plain);
    if (!null)
        (void)cell_plain(&plain, type, value);
    uint64_t n = null ? UINT64_MAX : plain.n;
    crypto_hmac_add(w->version, &n, sizeof n);
    crypto_hmac_add(w->version, plain.p, plain.n);
    buf_fini(&plain);
}

void write_version_end(struct worker *w, char out[static WRITE_VERSION_MAX])
{
    uint8_t mac[CRYPTO_HASH_LEN];
    crypto_hmac_end(w->version, mac);
    out[0] = '"';
    size_t n = codec_base64url(out + 1, mac, 16);
    memcpy(out + 1 + n, "\"", 2);
}

enum problem write_open(struct worker *w, const char *source_id, const char *schema,
                        const char *table, const json_t *keys, struct source **source,
                        json_t **shape)
{
    struct uuid id;
    const char *detail;
    if (!uuid_parse(&id, source_id, strlen(source_id)))
        return PROBLEM_INTERNAL;
    enum problem p = catalog_writer(&w->catalog, &id, source);
    if (p)
        return p;
    enum source_err err = source_ready(*source);
    if (!err)
        err = rows_shape(*source, schema, table, keys, shape);
    return err ? write_source_problem(err, &detail) : PROBLEM_OK;
}

enum problem write_commit(struct worker *w, struct source *source, const struct journal_op *op,
                          const char **detail)
{
    enum source_err err = source_commit(source);
    size_t i;
    const json_t *row;
    if (err == SOURCE_EUNAVAILABLE || err == SOURCE_ETIMEOUT) {
        /* It may have happened: the images will tell. */
        wjournal_doubt(w->journal, op->id);
        *detail = "the source went away while the write was being committed; the journal will know "
                  "whether it was";
        return PROBLEM_SOURCE_UNAVAILABLE;
    }
    if (err) {
        wjournal_finish(w->journal, op->id, false, "the source refused to commit");
        return write_source_problem(err, detail);
    }
    /* The rows are in the source: the answer says so, whatever the journal's disk says now. */
    if (wjournal_finish(w->journal, op->id, true, NULL))
        wjournal_doubt(w->journal, op->id);
    json_array_foreach(op->rows, i, row)
    {
        write_committed(op->dataset, op->id, row);
    }
    return PROBLEM_OK;
}
