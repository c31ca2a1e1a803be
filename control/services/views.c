/* SPDX-License-Identifier: Apache-2.0 */
/* The service catalogue as its two kinds of readers see it (SW-8.3.2): by business domain and in
 * users' words, or with everything technical. */
#include <stdio.h>

#include "api/api.h"
#include "lifecycle/lifecycle.h"
#include "services/services.h"

#define LISTED_MAX "500"
#define WANTED_MAX 200

#define USE_DAYS 30
static const json_int_t time_ms[USES_TIMES - 1] = {10, 20, 50, 100, 200, 500, 1000, 2000, 5000};

struct measured {
    const char *from;                   /* "use", "test"; NULL: nothing was measured */
    json_int_t calls, p95_ms, permille; /* permille: answered of all that were not refused */
};

/* Where 95 of 100 lie: in a class of times, as far as they reach into it. Past the last one its
 * bound doubled is said, which no target meets. */
static json_int_t within_ms(const json_t *row, json_int_t n)
{
    json_int_t seen = 0, wanted = (n * 95 + 99) / 100;
    char name[4];

    for (size_t i = 0; i < USES_TIMES; i++) {
        snprintf(name, sizeof name, "t%zu", i);
        json_int_t here = json_integer_value(json_object_get(row, name));
        json_int_t low = i ? time_ms[i - 1] : 0, high = i < USES_TIMES - 1 ? time_ms[i] : 2 * low;
        if (here && seen + here >= wanted) {
            return low + ((high - low) * (wanted - seen) + here - 1) / here;
        }
        seen += here;
    }
    return 0;
}

/* What the gateways recorded of calls to the service's versions in the last days (SW-3.8b). */
static enum problem measure_use(struct rest_call *c, struct store_txn *txn, const json_t *service,
                                struct measured *m)
{
    static const char sql[] =
        "SELECT coalesce(sum(failed), 0), sum(t0), sum(t1), sum(t2), sum(t3), sum(t4), sum(t5), "
        "sum(t6), sum(t7), sum(t8), sum(t9) FROM api_times WHERE day >= ? AND api_id IN (SELECT id "
        "FROM apis WHERE service_id = ?)";
    const struct store_value v[] = {store_int((int64_t)(c->now_ms - USE_DAYS * STAGE_DAY_MS)),
                                    store_text(row_text(service, "id"))};
    json_t *rows = NULL;
    char name[4];
    enum problem p =
        services_rows(c, txn, sql, v, COUNT(v),
                      "failed:i t0:i t1:i t2:i t3:i t4:i t5:i t6:i t7:i t8:i t9:i", &rows);
    const json_t *row = json_array_get(rows, 0);
    json_int_t failed = json_integer_value(json_object_get(row, "failed")), n = 0;

    for (size_t i = 0; i < USES_TIMES; i++) {
        snprintf(name, sizeof name, "t%zu", i);
        n += json_integer_value(json_object_get(row, name));
    }
    if (n + failed > 0) {
        *m = (struct measured){"use", n + failed, n ? within_ms(row, n) : 0,
                               n * 1000 / (n + failed)};
    }
    json_decref(rows);
    return p;
}

/* Before anybody called: figures of the platform's last performance test. */
static enum problem measure_test(struct rest_call *c, struct store_txn *txn, const json_t *service,
                                 struct measured *m)
{
    static const char sql[] =
        "SELECT r.figures FROM service_reports r JOIN apis a ON a.id = r.api_id WHERE a.service_id "
        "= ? AND r.kind = 'performance' AND r.source = 'platform' ORDER BY r.created_at DESC LIMIT "
        "1";
    const struct store_value v = store_text(row_text(service, "id"));
    json_t *rows = NULL;
    enum problem p = services_rows(c, txn, sql, &v, 1, "figures:j", &rows);
    const json_t *figures = json_object_get(json_array_get(rows, 0), "figures");

    if (json_is_object(figures)) {
        *m = (struct measured){"test", json_integer_value(json_object_get(figures, "calls")),
                               json_integer_value(json_object_get(figures, "p95_ms")),
                               1000 -
                                   json_integer_value(json_object_get(figures, "failed_permille"))};
    }
    json_decref(rows);
    return p;
}

static json_t *target(const json_t *service, const char *name, const struct measured *m,
                      json_int_t value, bool met)
{
    json_t *wanted = json_object_get(service, name);
    bool judged = m->from && json_integer_value(wanted) > 0;

    return json_pack("{s:O?, s:o, s:o}", "target", wanted, "measured",
                     m->from ? json_integer(value) : json_null(), "met",
                     judged ? json_boolean(met) : json_null());
}

static enum problem targets_of(struct rest_call *c, struct store_txn *txn, const json_t *service,
                               json_t **out)
{
    struct measured m = {0};
    json_int_t within = json_integer_value(json_object_get(service, "response_ms")),
               available = json_integer_value(json_object_get(service, "availability_permille"));
    enum problem p = measure_use(c, txn, service, &m);

    if (p == PROBLEM_OK && !m.from) {
        p = measure_test(c, txn, service, &m);
    }
    *out = json_pack(
        "{s:o, s:o, s:s?, s:I}", "response_ms",
        target(service, "response_ms", &m, m.p95_ms, m.p95_ms <= within), "availability_permille",
        target(service, "availability_permille", &m, m.permille, m.permille >= available),
        "measured_from", m.from, "calls", m.calls);
    return p;
}

static void wanted_text(const struct rest_call *c, char like[static WANTED_MAX + 3])
{
    const char *q = rest_query(c, "q");

    snprintf(like, WANTED_MAX + 3, "%%%.*s%%", WANTED_MAX, q ? q : "");
}

static enum problem listed(struct rest_call *c, struct store_txn *txn, const char *columns,
                           const char *names, json_t **services)
{
    const char *domain = rest_query(c, "domain"), *kind = rest_query(c, "kind");
    char like[WANTED_MAX + 3], sql[1500];

    wanted_text(c, like);
    const struct store_value v[] = {store_text(domain), store_text(domain), store_text(kind),
                                    store_text(kind),   store_text(like),   store_text(like),
                                    store_text(like)};
    snprintf(sql, sizeof sql,
             "SELECT %s FROM services s LEFT JOIN service_domains d ON d.id = s.domain_id WHERE "
             "s.state = 'listed' AND (? IS NULL OR d.code = ?) AND (? IS NULL OR s.kind = ?) AND "
             "(s.name LIKE ? OR s.title LIKE ? OR s.purpose LIKE ?) ORDER BY d.code, s.name "
             "LIMIT " LISTED_MAX,
             columns);
    return services_rows(c, txn, sql, v, COUNT(v), names, services);
}

enum problem catalogue_business(struct rest_call *c)
{
    static const char *const known[] = {"domain", "kind", "q"};
    struct store_txn *txn = NULL;
    json_t *items = NULL, *item;
    size_t i;
    enum problem p = rest_query_known(c, known, COUNT(known), "domain, kind and q");

    if (p == PROBLEM_OK) {
        p = rest_begin(c, STORE_READ, &txn);
    }
    if (p == PROBLEM_OK) {
        p = listed(c, txn,
                   "s.id, s.name, s.title, s.kind, d.code, d.title_zh, d.title_en, s.purpose, "
                   "s.audience, s.usage, s.availability_permille, s.response_ms, s.support_hours, "
                   "s.link",
                   "id:t name:t title:t kind:t domain:t domain_zh:t domain_en:t purpose:t "
                   "audience:t usage:t availability_permille:i response_ms:i support_hours:t "
                   "link:t",
                   &items);
    }
    json_array_foreach(items, i, item)
    {
        json_t *targets = NULL;
        p = p == PROBLEM_OK ? targets_of(c, txn, item, &targets) : p;
        json_object_set_new(item, "targets", targets ? targets : json_null());
    }
    store_rollback(&txn);
    if (p != PROBLEM_OK) {
        json_decref(items);
        return p;
    }
    return rest_answer(c, 200, json_pack("{s:o}", "items", items));
}

/* CI-5: what an interface is for, by what it is made of. Whatever hands in records collects;
 * whatever gives those of the platform's directory shares; a unit's own API is neither to us. */
#define INTERFACE_TYPE                                                                             \
    "CASE WHEN a.profile = 'submission' THEN 'data-collection' WHEN a.kind = 'http' THEN 'other' " \
    "ELSE 'data-sharing' END"
/* CI-6.2.3: answered on the word of whose data it is alone. */
#define AUTHORISED_QUERY                                                                           \
    "a.profile <> 'submission' AND (a.owner_scoped = 1 OR a.profile = "                            \
    "'getPublicResourcesTrading')"

static enum problem versions_of(struct rest_call *c, struct store_txn *txn, const char *service_id,
                                json_t **out)
{
    const struct store_value v[] = {store_text(service_id), store_text(c->user.organisation),
                                    store_int(c->user.role & (ROLE_STAFF | ROLE_AUDITOR))};

    return services_rows(c, txn,
                         "SELECT id, name, version, path, kind, class, access, methods, state, "
                         "dataset_id, profile, sunset_at, successor, " INTERFACE_TYPE
                         ", " AUTHORISED_QUERY " FROM apis a WHERE service_id = ? "
                         "AND (state IN ('published', 'deprecated') OR organisation_id = ? OR ?) "
                         "ORDER BY created_at",
                         v, COUNT(v),
                         "id:t name:t version:t path:t kind:t class:t access:t methods:j state:t "
                         "dataset_id:t profile:t sunset_at:m successor:t interface_type:t "
                         "authorised_query:b",
                         out);
}

enum problem catalogue_developer(struct rest_call *c)
{
    static const char *const known[] = {"domain", "kind", "q"};
    struct store_txn *txn = NULL;
    json_t *items = NULL, *item;
    size_t i;
    enum problem p = rest_query_known(c, known, COUNT(known), "domain, kind and q");

    if (p == PROBLEM_OK) {
        p = rest_begin(c, STORE_READ, &txn);
    }
    if (p == PROBLEM_OK) {
        p = listed(c, txn,
                   "s.id, s.name, s.title, s.kind, d.code, s.technical, s.dataset_ids, "
                   "s.related_ids, s.link, s.response_ms, s.throughput",
                   "id:t name:t title:t kind:t domain:t technical:t dataset_ids:j related_ids:j "
                   "link:t response_ms:i throughput:i",
                   &items);
    }
    json_array_foreach(items, i, item)
    {
        json_t *versions = NULL;
        p = p == PROBLEM_OK ? versions_of(c, txn, row_text(item, "id"), &versions) : p;
        json_object_set_new(item, "versions", versions ? versions : json_null());
    }
    store_rollback(&txn);
    if (p != PROBLEM_OK) {
        json_decref(items);
        return p;
    }
    return rest_answer(c, 200, json_pack("{s:o}", "items", items));
}

/* SW-3.8a: every provider's services by kind, and what is open without being in the catalogue. */
enum problem catalogue_completeness(struct rest_call *c)
{
    struct store_txn *txn = NULL;
    json_t *kinds = NULL, *astray = NULL, *empty = NULL;
    enum problem p = rest_begin(c, STORE_READ, &txn);

    if (p == PROBLEM_OK) {
        p = services_rows(c, txn,
                          "SELECT o.name, s.kind, s.state, count(*) FROM services s LEFT JOIN "
                          "organisations o ON o.id = s.organisation_id GROUP BY o.name, s.kind, "
                          "s.state ORDER BY o.name, s.kind, s.state",
                          NULL, 0, "provider:t kind:t state:t count:i", &kinds);
    }
    if (p == PROBLEM_OK) {
        p = services_rows(c, txn,
                          "SELECT a.id, a.name, a.version, a.path FROM apis a LEFT JOIN services s "
                          "ON s.id = a.service_id WHERE a.state IN ('published', 'deprecated') AND "
                          "(s.id IS NULL OR s.state <> 'listed') ORDER BY a.name LIMIT 500",
                          NULL, 0, "id:t name:t version:t path:t", &astray);
    }
    if (p == PROBLEM_OK) {
        p = services_rows(c, txn,
                          "SELECT s.id, s.name FROM services s WHERE s.state = 'listed' AND s.kind "
                          "= 'api' AND NOT EXISTS (SELECT 1 FROM apis a WHERE a.service_id = s.id "
                          "AND a.state IN ('published', 'deprecated')) LIMIT 500",
                          NULL, 0, "id:t name:t", &empty);
    }
    store_rollback(&txn);
    if (p != PROBLEM_OK) {
        json_decref(kinds);
        json_decref(astray);
        json_decref(empty);
        return p;
    }
    bool complete = json_array_size(astray) == 0 && json_array_size(empty) == 0;
    return rest_answer(c, 200,
                       json_pack("{s:b, s:o, s:o, s:o}", "complete", complete, "services", kinds,
                                 "apis_without_entry", astray, "entries_without_api", empty));
}

/* SW-8.3.2-06: what gives access to a dataset. */
enum problem catalogue_interfaces(struct rest_call *c)
{
    static const char sql[] =
        "SELECT a.id, a.name, a.version, a.path, a.state, a.class, a.access, a.service_id, "
        "s.title, " INTERFACE_TYPE ", " AUTHORISED_QUERY " "
        "FROM apis a LEFT JOIN services s ON s.id = a.service_id WHERE (a.dataset_id = ? OR EXISTS "
        "(SELECT 1 FROM json_each(s.dataset_ids) e WHERE e.value = ?)) AND (a.state IN "
        "('published', 'deprecated') OR a.organisation_id = ?) ORDER BY a.name, a.version LIMIT "
        "500";
    struct store_txn *txn = NULL;
    json_t *row = NULL, *items = NULL;
    const char *id = c->segment[1];
    struct uuid parsed;
    const struct store_value v[] = {store_text(id), store_text(id),
                                    store_text(c->user.organisation)};
    enum problem p =
        uuid_parse(&parsed, id, strlen(id)) ? rest_begin(c, STORE_READ, &txn) : PROBLEM_NOT_FOUND;

    if (p == PROBLEM_OK) { /* what is open over it is no secret, though the dataset may be */
        p = api_load(c, txn, &datasets_resource, id, &row);
    }
    if (p == PROBLEM_OK) {
        p = services_rows(c, txn, sql, v, COUNT(v),
                          "id:t name:t version:t path:t state:t class:t access:t service_id:t "
                          "service:t interface_type:t authorised_query:b",
                          &items);
    }
    store_rollback(&txn);
    json_decref(row);
    if (p != PROBLEM_OK) {
        json_decref(items);
        return p;
    }
    return rest_answer(c, 200, json_pack("{s:o}", "items", items));
}

/* SW-8.1-m4: what a service rests on and what rests on it. */
enum problem service_dependencies(struct rest_call *c)
{
    struct store_txn *txn = NULL;
    json_t *row = NULL, *apis = NULL, *api, *by = NULL;
    json_t *apps = json_array(), *composed = json_array();
    size_t i;
    enum problem p = rest_begin(c, STORE_READ, &txn);

    if (p == PROBLEM_OK) {
        p = service_load(c, txn, &services_resource, false, &row);
    }
    const struct store_value v = store_text(row_text(row, "id"));
    if (p == PROBLEM_OK) {
        p = services_rows(c, txn,
                          "SELECT id, name, version, path, state, dataset_id FROM apis WHERE "
                          "service_id = ? AND state <> 'archived' ORDER BY created_at",
                          &v, 1, "id:t name:t version:t path:t state:t dataset_id:t", &apis);
    }
    if (p == PROBLEM_OK) {
        p = services_rows(c, txn,
                          "SELECT s.id, s.name FROM services s, json_each(s.related_ids) e WHERE "
                          "e.value = ? AND s.state <> 'withdrawn'",
                          &v, 1, "id:t name:t", &by);
    }
    json_array_foreach(apis, i, api)
    {
        json_t *parties = NULL;
        p = p == PROBLEM_OK ? parties_of(c, txn, api, &parties) : p;
        json_array_extend(apps, json_object_get(parties, "apps"));
        json_array_extend(composed, json_object_get(parties, "apis"));
        json_decref(parties);
    }
    store_rollback(&txn);
    if (p == PROBLEM_OK) {
        bool warns = json_array_size(apps) || json_array_size(composed) || json_array_size(by);
        p = rest_answer(c, 200,
                        json_pack("{s:O, s:O?, s:O?, s:O, s:O, s:O, s:b}", "apis", apis,
                                  "dataset_ids", json_object_get(row, "dataset_ids"), "related_ids",
                                  json_object_get(row, "related_ids"), "related_by", by, "apps",
                                  apps, "composed_by", composed, "breaks_dependants", warns));
    }
    json_decref(row);
    json_decref(apis);
    json_decref(by);
    json_decref(apps);
    json_decref(composed);
    return p;
}
