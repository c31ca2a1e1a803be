/* SPDX-License-Identifier: Apache-2.0 */
/* What stays of an API that is gone (BK-11f): a part for each class of data, with the rule that
 * says how long, read-only, and disposed of only when that time is over. */
#include <stdio.h>
#include <stdlib.h>

#include "api/api.h"
#include "base/clock.h"
#include "base/codec.h"
#include "notices/notices.h"
#include "services/services.h"

static const struct attr rule_attrs[] = {
    {"data_class", ATTR_TEXT, AF_READ_ONLY | AF_FILTER},
    {"days", ATTR_INT, AF_REQUIRED, 0, 36500},
    {"rule", ATTR_TEXT, AF_REQUIRED, 1, 500},
};

const struct resource retention_rules_resource = {
    .plural = "retention_rules",
    .kind = "retention-rule",
    .initial = "active",
    .attrs = rule_attrs,
    .n_attrs = COUNT(rule_attrs),
    .read_roles = ROLE_STAFF | ROLE_AUDITOR,
    .patch_roles = ROLE_ADMIN,
};

static const struct attr attrs[] = {
    {"api_id", ATTR_REF, AF_READ_ONLY | AF_FILTER, .ref = "apis"},
    {"termination_id", ATTR_TEXT, AF_READ_ONLY},
    {"data_class", ATTR_TEXT, AF_READ_ONLY | AF_FILTER},
    {"name", ATTR_TEXT, AF_READ_ONLY | AF_FILTER | AF_SORT},
    {"version", ATTR_TEXT, AF_READ_ONLY | AF_FILTER},
    {"content", ATTR_JSON, AF_READ_ONLY},
    {"content_sm3", ATTR_TEXT, AF_READ_ONLY},
    {"days", ATTR_INT, AF_READ_ONLY},
    {"rule", ATTR_TEXT, AF_READ_ONLY},
    {"keep_until", ATTR_TIME, AF_READ_ONLY | AF_SORT},
    {"due_at", ATTR_TIME, AF_READ_ONLY},
    {"disposed_by", ATTR_TEXT, AF_READ_ONLY},
    {"disposed_at", ATTR_TIME, AF_READ_ONLY},
    {"comment", ATTR_TEXT, AF_READ_ONLY},
};

static enum problem dispose(struct rest_call *c, struct change *ch)
{
    if (api_ms(ch->row, "keep_until") > c->now_ms) {
        return rest_fail(c, PROBLEM_STATE_CONFLICT, "/keep_until", "it is kept until %s: %s",
                         row_text(ch->row, "keep_until"), row_text(ch->row, "rule"));
    }
    json_object_set_new(ch->row, "content", json_null());
    stage_sign(c, ch->row, "disposed");
    return PROBLEM_OK;
}

static const struct transition transitions[] = {
    {"kept|due", "dispose", "disposed", ROLE_ADMIN, .body_text = "comment", .hook = dispose},
};

#define OWN_API "t.api_id IN (SELECT id FROM apis WHERE organisation_id = ?)"
static const struct scope scopes[] = {
    {ROLE_PROVIDER, BIND_ORGANISATION, OWN_API, "1 = 0"},
};

const struct resource service_archives_resource = {
    .plural = "service_archives",
    .kind = "service-archive",
    .initial = "kept",
    .attrs = attrs,
    .n_attrs = COUNT(attrs),
    .transitions = transitions,
    .n_transitions = COUNT(transitions),
    .scopes = scopes,
    .n_scopes = COUNT(scopes),
    .read_roles = ROLE_STAFF | ROLE_PROVIDER | ROLE_AUDITOR,
};

/* Made --------------------------------------------------------------------------------------------
 */
struct keeping {
    struct rest_call *c;
    struct store_txn *txn;
    const json_t *api;
};

static enum problem definition(struct keeping *k, json_t **content)
{
    const struct store_value v = store_text(row_text(k->api, "id"));
    json_t *schemas = NULL, *conversions = NULL, *graphs = NULL;
    enum problem p =
        services_rows(k->c, k->txn, "SELECT openapi, state FROM schemas WHERE api_id = ?", &v, 1,
                      "openapi:j state:t", &schemas);

    if (p == PROBLEM_OK) {
        p = services_rows(k->c, k->txn,
                          "SELECT definition, state FROM conversions WHERE api_id = ?", &v, 1,
                          "definition:j state:t", &conversions);
    }
    if (p == PROBLEM_OK) {
        p = services_rows(k->c, k->txn, "SELECT graph, state FROM compositions WHERE api_id = ?",
                          &v, 1, "graph:j state:t", &graphs);
    }
    *content = json_pack("{s:o, s:o?, s:o?, s:o?}", "api", row_public(&apis_resource, k->api),
                         "schemas", schemas, "conversions", conversions, "compositions", graphs);
    return p;
}

static enum problem grants(struct keeping *k, json_t **content)
{
    const struct store_value v = store_text(row_text(k->api, "id"));
    json_t *subscriptions = NULL, *given = NULL;
    enum problem p = services_rows(
        k->c, k->txn,
        "SELECT id, state, app_id, purpose, max_level, created_at, updated_at FROM subscriptions "
        "WHERE api_id = ? ORDER BY created_at",
        &v, 1, "id:t state:t app_id:t purpose:t max_level:i created_at:m updated_at:m",
        &subscriptions);

    if (p == PROBLEM_OK) {
        p = services_rows(k->c, k->txn,
                          "SELECT id, state, app_id, owner, purpose, term, created_at, expires_at "
                          "FROM grants WHERE api_id = ? ORDER BY created_at",
                          &v, 1,
                          "id:t state:t app_id:t owner:t purpose:t term:t created_at:m "
                          "expires_at:m",
                          &given);
    }
    *content = json_pack("{s:o?, s:o?}", "subscriptions", subscriptions, "grants", given);
    return p;
}

/* The logs are read-only where they are; here is where to look in them. */
static enum problem operations(struct keeping *k, json_t **content)
{
    const struct store_value v = store_text(row_text(k->api, "id"));
    json_t *rows = NULL;
    enum problem p = services_rows(k->c, k->txn,
                                   "SELECT min(seq), max(seq), count(*), min(at_ms), max(at_ms) "
                                   "FROM operations WHERE resource_id "
                                   "= ?",
                                   &v, 1, "first_seq:i last_seq:i count:i from:m to:m", &rows);

    *content = json_pack("{s:s, s:s, s:O?}", "log", "operations", "resource_id",
                         row_text(k->api, "id"), "range", json_array_get(rows, 0));
    json_decref(rows);
    return p;
}

static enum problem transactions(struct keeping *k, json_t **content)
{
    *content = json_pack("{s:s, s:s, s:s, s:s, s:o, s:o}", "log", "audit segments of every node",
                         "api_id", row_text(k->api, "id"), "path", row_text(k->api, "path"), "from",
                         row_text(k->api, "created_at"), "to", stage_time(k->c->now_ms), "search",
                         json_sprintf("sluice audit show --api %s", row_text(k->api, "id")));
    return PROBLEM_OK;
}

static enum problem rule_of(struct keeping *k, const char *data_class, json_t **rule)
{
    const struct store_value v = store_text(data_class);
    json_t *rows = NULL;
    enum problem p =
        services_rows(k->c, k->txn, "SELECT days, rule FROM retention_rules WHERE data_class = ?",
                      &v, 1, "days:i rule:t", &rows);

    *rule = json_incref(json_array_get(rows, 0));
    json_decref(rows);
    return p == PROBLEM_OK && !*rule ? PROBLEM_INTERNAL : p;
}

static enum problem keep(struct keeping *k, const char *data_class, json_t *content,
                         const char *termination_id)
{
    json_t *rule = NULL, *row = resource_row(&service_archives_resource);
    uint8_t digest[CRYPTO_HASH_LEN];
    char hex[CODEC_HEX_LEN(CRYPTO_HASH_LEN) + 1];
    char *text = json_dumps(content, JSON_COMPACT | JSON_SORT_KEYS);
    enum problem p = text ? rule_of(k, data_class, &rule) : PROBLEM_INTERNAL;
    json_int_t days = json_integer_value(json_object_get(rule, "days"));

    crypto_hash(CRYPTO_SM3, text ? text : "", text ? strlen(text) : 0, digest);
    hex[codec_hex(hex, digest, sizeof digest)] = '\0';
    json_object_set(row, "api_id", json_object_get(k->api, "id"));
    json_object_set_new(row, "termination_id",
                        termination_id[0] ? json_string(termination_id) : json_null());
    json_object_set_new(row, "data_class", json_string(data_class));
    json_object_set(row, "name", json_object_get(k->api, "name"));
    json_object_set(row, "version", json_object_get(k->api, "version"));
    json_object_set(row, "content", content);
    json_object_set_new(row, "content_sm3", json_string(hex));
    json_object_set_new(row, "days", json_integer(days));
    json_object_set_new(row, "rule", json_string(row_text(rule, "rule")));
    json_object_set_new(row, "keep_until",
                        stage_time(k->c->now_ms + (uint64_t)days * STAGE_DAY_MS));
    if (p == PROBLEM_OK) {
        p = change_store(k->c, k->txn, &service_archives_resource, NULL, row, "create");
    }
    free(text);
    json_decref(rule);
    json_decref(row);
    return p;
}

enum problem archive_make(struct rest_call *c, struct store_txn *txn, const json_t *api,
                          const char *termination_id)
{
    static const struct {
        const char *data_class;
        enum problem (*read)(struct keeping *k, json_t **content);
    } parts[] = {{"definition", definition},
                 {"grants", grants},
                 {"operations", operations},
                 {"transactions", transactions}};
    struct keeping k = {c, txn, api};
    enum problem p = PROBLEM_OK;

    for (size_t i = 0; i < COUNT(parts) && p == PROBLEM_OK; i++) {
        json_t *content = NULL;
        p = parts[i].read(&k, &content);
        if (p == PROBLEM_OK) {
            p = content ? keep(&k, parts[i].data_class, content, termination_id) : PROBLEM_INTERNAL;
        }
        json_decref(content);
    }
    return p;
}

/* Searched ----------------------------------------------------------------------------------------
 */
#define USED                                                                                       \
    " FROM data_uses u WHERE u.api_id = ? AND (? IS NULL OR u.app_id = ?) AND (? IS NULL OR "      \
    "u.owner = ?) AND u.day >= ? AND u.day < ?"
#define SUMS "coalesce(sum(u.calls), 0), coalesce(sum(u.refused), 0), coalesce(sum(u.rows), 0)"

/* A time of the query, or what stands for none. */
static enum problem time_of(struct rest_call *c, const char *name, int64_t otherwise, int64_t *ms)
{
    const char *text = rest_query(c, name);
    uint64_t read = 0;
    char where[40];

    *ms = otherwise;
    if (!text) {
        return PROBLEM_OK;
    }
    snprintf(where, sizeof where, "/%s", name);
    if (!clock_parse_ms(text, strlen(text), &read)) {
        return rest_fail(c, PROBLEM_QUERY_MALFORMED, where, "a time as 2026-11-22T01:02:03Z");
    }
    *ms = (int64_t)read;
    return PROBLEM_OK;
}

static enum problem count_calls(struct rest_call *c, struct store_txn *txn, const json_t *archive,
                                json_t **out)
{
    const char *app = rest_query(c, "app_id"), *owner = rest_query(c, "owner");
    json_t *all = NULL, *apps = NULL, *days = NULL;
    int64_t from = 0, to = INT64_MAX;
    enum problem p = time_of(c, "since", 0, &from);

    p = p == PROBLEM_OK ? time_of(c, "until", INT64_MAX, &to) : p;
    const struct store_value v[] = {store_text(row_text(archive, "api_id")),
                                    store_text(app),
                                    store_text(app),
                                    store_text(owner),
                                    store_text(owner),
                                    store_int(from),
                                    store_int(to)};
    if (p == PROBLEM_OK) {
        p = services_rows(c, txn, "SELECT " SUMS USED, v, COUNT(v), "calls:i refused:i rows:i",
                          &all);
    }
    if (p == PROBLEM_OK) {
        p = services_rows(c, txn,
                          "SELECT u.app_id, " SUMS USED
                          " GROUP BY u.app_id ORDER BY u.app_id LIMIT "
                          "1000",
                          v, COUNT(v), "app_id:t calls:i refused:i rows:i", &apps);
    }
    if (p == PROBLEM_OK) {
        p = services_rows(
            c, txn, "SELECT u.day, " SUMS USED " GROUP BY u.day ORDER BY u.day DESC LIMIT 1000", v,
            COUNT(v), "day:m calls:i refused:i rows:i", &days);
    }
    *out = json_pack("{s:O?, s:O?, s:o?, s:o?}", "found", json_array_get(all, 0), "where",
                     json_object_get(archive, "content"), "apps", apps, "days", days);
    json_decref(all);
    return p;
}

enum problem archive_calls(struct rest_call *c)
{
    static const char *const known[] = {"app_id", "owner", "since", "until"};
    struct store_txn *txn = NULL;
    json_t *row = NULL, *out = NULL;
    enum problem p = rest_query_known(c, known, COUNT(known), "app_id, owner, since and until");

    if (p == PROBLEM_OK) {
        p = rest_begin(c, STORE_READ, &txn);
    }
    if (p == PROBLEM_OK) {
        p = service_load(c, txn, &service_archives_resource, false, &row);
    }
    if (p == PROBLEM_OK && strcmp(row_text(row, "data_class"), "transactions") != 0) {
        p = rest_fail(c, PROBLEM_STATE_CONFLICT, "", "it holds no transactions");
    }
    p = p == PROBLEM_OK ? count_calls(c, txn, row, &out) : p;
    store_rollback(&txn);
    json_decref(row);
    if (p != PROBLEM_OK) {
        json_decref(out);
        return p;
    }
    return rest_answer(c, 200, out);
}

/* The end of the time raises the task to dispose of it. */
static enum problem fall_due(struct rest_call *c, struct store_txn *txn, json_t *row)
{
    json_t *old = json_deep_copy(row);
    const struct notice n = {.kind = "service-archive-due",
                             .object_kind = "service-archive",
                             .object_id = row_text(row, "id"),
                             .object_name = row_text(row, "name"),
                             .detail = row_text(row, "data_class")};

    json_object_set_new(row, "due_at", stage_time(c->now_ms));
    enum problem p = stage_change(c, txn, &service_archives_resource, old, row, "due", "due");
    json_decref(old);
    return p == PROBLEM_OK ? notice_put(c, txn, &n) : p;
}

enum problem archives_due(struct rest_call *c)
{
    return stage_each_due(
        c, "SELECT id FROM service_archives WHERE state = 'kept' AND keep_until <= ?", 0,
        &service_archives_resource, fall_due);
}
