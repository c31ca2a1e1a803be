/* SPDX-License-Identifier: Apache-2.0 */
/* One row a dataset: its stage, which only goes forward, each step an operation of its own; how its
 * data may come to be; where it may lie, and what of that does not hold. */
#include <stdlib.h>

#include "api/api.h"
#include "lifecycle/lifecycle.h"
#include "notices/notices.h"
#include "sandbox/stage.h"
#include "services/services.h"

#define CHECK_MS "60000" /* between two looks at a dataset's storage */

static const char *const ways[] = {"collection", "supply", "transfer", "write", "file", NULL};
static const char *const zones[] = {"outside", "landing", "exchange", "open", NULL};
static const char *const stages[] = {"generated", "stored", "used", "shared", "destroyed"};

static const struct attr attrs[] = {
    {"dataset_id", ATTR_TEXT, AF_READ_ONLY | AF_FILTER},
    {"organisation_id", ATTR_TEXT, AF_READ_ONLY | AF_FILTER},
    {"name", ATTR_TEXT, AF_READ_ONLY | AF_FILTER | AF_SORT},
    {"stage", ATTR_TEXT, AF_READ_ONLY | AF_FILTER},
    {"since", ATTR_TIME, AF_READ_ONLY | AF_SORT},
    {"ways", ATTR_JSON, 0},
    {"zones", ATTR_JSON, 0},
    {"must_encrypt", ATTR_BOOL, 0, .fallback = "false"},
    {"backup_days", ATTR_INT, 0, 1, 3650},
    {"encryption", ATTR_TEXT, 0, 1, 200},
    {"backup_place", ATTR_TEXT, AF_READ_ONLY},
    {"backed_up_at", ATTR_TIME, AF_READ_ONLY},
    {"breaches", ATTR_JSON, AF_READ_ONLY, .fallback = "[]"},
    {"checked_at", ATTR_TIME, AF_READ_ONLY},
    {"remains", ATTR_JSON, AF_READ_ONLY},
};

static bool names(const json_t *list, const char *word)
{
    json_t *item;
    size_t i;

    json_array_foreach(list, i, item)
    {
        if (strcmp(json_string_value(item), word) == 0) {
            return true;
        }
    }
    return !json_is_array(list); /* no policy: any */
}

/* Where it lies, and whether that is as its policy says ------------------------------------------
 */
static json_t *breaches_of(const struct rest_call *c, const json_t *life, const json_t *source,
                           const json_t *said)
{
    const char *zone = row_text(source, "zone");
    json_int_t days = json_integer_value(json_object_get(life, "backup_days"));
    uint64_t backed_up = api_ms(life, "backed_up_at");
    uint64_t copied = (uint64_t)json_integer_value(json_object_get(said, "copied_ms"));
    bool encrypted =
        row_text(life, "encryption")[0] || json_is_true(json_object_get(said, "at_rest"));
    json_t *list = json_array();

    backed_up = copied > backed_up ? copied : backed_up;

    if (!names(json_object_get(life, "zones"), zone[0] ? zone : "outside")) {
        json_array_append_new(list, json_string("place"));
    }
    if (json_is_true(json_object_get(life, "must_encrypt")) && !encrypted) {
        json_array_append_new(list, json_string("not-encrypted"));
    }
    if (json_is_true(json_object_get(life, "must_encrypt")) &&
        json_is_false(json_object_get(said, "tls"))) {
        json_array_append_new(list, json_string("plain-connection"));
    }
    if (days && (!backed_up || backed_up + (uint64_t)days * STAGE_DAY_MS < c->now_ms)) {
        json_array_append_new(list, json_string("not-backed-up"));
    }
    return list;
}

static enum problem alert(struct rest_call *c, struct store_txn *txn, const json_t *life)
{
    char *reason = json_dumps(json_object_get(life, "breaches"), JSON_COMPACT);
    json_t *row = resource_row(&alerts_resource);
    const struct notice n = {.kind = "data-storage-breach",
                             .organisation_id = row_text(life, "organisation_id"),
                             .object_kind = "dataset-life",
                             .object_id = row_text(life, "id"),
                             .object_name = row_text(life, "name"),
                             .detail = reason};

    json_object_set_new(row, "kind", json_string("data-storage"));
    json_object_set_new(row, "at", stage_time(c->now_ms));
    json_object_set_new(row, "created_at", stage_time(c->now_ms));
    json_object_set_new(row, "updated_at", stage_time(c->now_ms));
    json_object_set_new(row, "revision", json_integer(1));
    json_object_set_new(row, "node", json_string("control"));
    json_object_set(row, "target", json_object_get(life, "name"));
    json_object_set_new(row, "reason", json_string(reason ? reason : ""));
    enum problem p = row_insert(c, txn, &alerts_resource, row);
    json_decref(row);
    p = p == PROBLEM_OK ? notice_put(c, txn, &n) : p;
    free(reason);
    return p;
}

/* What the database said of itself when it was asked last (control/api/source_accounts.c). */
static enum problem said_by(struct rest_call *c, struct store_txn *txn, const json_t *source,
                            json_t **said)
{
    const struct store_value v = store_text(row_text(source, "id"));
    json_t *rows = NULL;
    enum problem p = services_rows(
        c, txn, "SELECT tls, at_rest, copied_at FROM source_accounts WHERE source_id = ?", &v, 1,
        "tls:b at_rest:b copied_ms:i", &rows);

    *said = json_incref(json_array_get(rows, 0));
    json_decref(rows);
    return p;
}

/* Sets the breaches of now; those that are new are alerted. */
static enum problem look(struct rest_call *c, struct store_txn *txn, json_t *life)
{
    json_t *dataset = NULL, *source = NULL, *said = NULL, *now;
    enum problem p = api_load(c, txn, &datasets_resource, row_text(life, "dataset_id"), &dataset);

    if (p == PROBLEM_OK) {
        p = api_load(c, txn, &sources_resource, row_text(dataset, "source_id"), &source);
    }
    p = p == PROBLEM_OK ? said_by(c, txn, source, &said) : p;
    if (p == PROBLEM_OK) {
        bool gone = strcmp(row_text(life, "stage"), "destroyed") == 0;
        now = gone ? json_array() : breaches_of(c, life, source, said);
        bool fresh =
            json_array_size(now) > 0 && !json_equal(now, json_object_get(life, "breaches"));
        json_object_set_new(life, "breaches", now);
        json_object_set_new(life, "checked_at", stage_time(c->now_ms));
        p = fresh ? alert(c, txn, life) : PROBLEM_OK;
    }
    json_decref(said);
    json_decref(source);
    json_decref(dataset);
    return p;
}

static enum problem check(struct rest_call *c, struct change *ch)
{
    const json_t *by = json_object_get(ch->row, "ways"), *at = json_object_get(ch->row, "zones");
    json_t *dataset = NULL;
    enum problem p = json_is_null(by) ? PROBLEM_OK : api_check_words(c, "/ways", by, ways, 5);

    if (p == PROBLEM_OK && !json_is_null(at)) {
        p = api_check_words(c, "/zones", at, zones, 4);
    }
    if (p == PROBLEM_OK) {
        p = api_load(c, ch->txn, &datasets_resource, row_text(ch->row, "dataset_id"), &dataset);
    }
    if (p == PROBLEM_OK && !names(by, "write") &&
        json_is_object(json_object_get(dataset, "writable"))) {
        p = rest_fail(c, PROBLEM_STATE_CONFLICT, "/ways",
                      "apps write the dataset: take its writable away first");
    }
    json_decref(dataset);
    return p == PROBLEM_OK ? look(c, ch->txn, ch->row) : p;
}

static enum problem backed_up(struct rest_call *c, struct change *ch)
{
    json_object_set_new(ch->row, "backed_up_at", stage_time(c->now_ms));
    return look(c, ch->txn, ch->row);
}

#define KEEPER (ROLE_STAFF | ROLE_PROVIDER)
static const struct transition transitions[] = {
    {"kept", "back-up", NULL, KEEPER, .body_text = "backup_place", .hook = backed_up},
};

#define OWN "t.organisation_id = ?"
static const struct scope scopes[] = {{ROLE_PROVIDER, BIND_ORGANISATION, OWN, OWN}};

const struct resource dataset_lives_resource = {
    .plural = "dataset_lives",
    .kind = "dataset-life",
    .initial = "kept",
    .attrs = attrs,
    .n_attrs = COUNT(attrs),
    .transitions = transitions,
    .n_transitions = COUNT(transitions),
    .scopes = scopes,
    .n_scopes = COUNT(scopes),
    .read_roles = KEEPER | ROLE_AUDITOR,
    .patch_roles = KEEPER,
    .check = check,
};

/* What may come in -------------------------------------------------------------------------------
 */
static enum problem forbidden(struct rest_call *c, const char *name, const char *way)
{
    return rest_fail(c, PROBLEM_NOT_PERMITTED, "",
                     "the policy of generation of %.80s does not take: %s", name, way);
}

static enum problem ask(struct rest_call *c, struct store_txn *txn, const char *sql,
                        const struct store_value *v, size_t n, const char *way)
{
    json_t *lives = NULL, *life;
    size_t i;
    enum problem p = services_rows(c, txn, sql, v, n, "name:t ways:j", &lives);

    json_array_foreach(lives, i, life)
    {
        if (p == PROBLEM_OK && !names(json_object_get(life, "ways"), way)) {
            p = forbidden(c, row_text(life, "name"), way);
        }
    }
    json_decref(lives);
    return p;
}

enum problem life_may_come(struct rest_call *c, struct store_txn *txn, const char *dataset_id,
                           const char *way)
{
    const struct store_value v = store_text(dataset_id);

    return ask(c, txn,
               "SELECT name, ways FROM dataset_lives WHERE dataset_id = ? AND ways IS NOT NULL", &v,
               1, way);
}

enum problem life_may_come_to(struct rest_call *c, struct store_txn *txn, const char *source_id,
                              const char *table, const char *way)
{
    const struct store_value v[] = {store_text(source_id), store_text(table)};

    return ask(c, txn,
               "SELECT l.name, l.ways FROM dataset_lives l JOIN datasets d ON d.id = l.dataset_id "
               "WHERE d.source_id = ? AND d.\"table\" = ? AND d.state <> 'retired' AND l.ways IS "
               "NOT NULL",
               v, 2, way);
}

/* By the clock -----------------------------------------------------------------------------------
 */
static enum problem open_life(struct rest_call *c, struct store_txn *txn, json_t *dataset)
{
    json_t *row = resource_row(&dataset_lives_resource);

    json_object_set(row, "dataset_id", json_object_get(dataset, "id"));
    json_object_set(row, "organisation_id", json_object_get(dataset, "organisation_id"));
    json_object_set(row, "name", json_object_get(dataset, "name"));
    json_object_set_new(row, "stage", json_string(stages[0]));
    json_object_set(row, "since", json_object_get(dataset, "created_at"));
    json_object_set_new(row, "checked_at", stage_time(c->now_ms));
    enum problem p = change_store(c, txn, &dataset_lives_resource, NULL, row, "create");
    json_decref(row);
    return p;
}

static const char *stage_after(const char *stage)
{
    size_t i = 0;

    while (i + 1 < COUNT(stages) && strcmp(stages[i], stage) != 0) {
        i++;
    }
    return i + 1 < COUNT(stages) ? stages[i + 1] : stages[i];
}

static enum problem step(struct rest_call *c, struct store_txn *txn, json_t *row, const char *to)
{
    json_t *old = json_deep_copy(row);

    json_object_set_new(row, "stage", json_string(to));
    json_object_set_new(row, "since", stage_time(c->now_ms));
    enum problem p = look(c, txn, row);
    if (p == PROBLEM_OK) {
        p = stage_change(c, txn, &dataset_lives_resource, old, row, NULL, "advance");
    }
    json_decref(old);
    return p;
}

static enum problem advance(struct rest_call *c, struct store_txn *txn, json_t *row)
{
    return step(c, txn, row, stage_after(row_text(row, "stage")));
}

/* Nothing of it is held here any more; what was shared stays the business of who received it. */
static enum problem destroy(struct rest_call *c, struct store_txn *txn, json_t *row)
{
    static const char sql[] =
        "SELECT s.kind, s.state, (SELECT count(*) FROM exports e JOIN apis a ON a.id = e.api_id "
        "WHERE a.dataset_id = d.id AND e.state IN ('erased', 'expired')) FROM datasets d JOIN "
        "sources s ON s.id = d.source_id WHERE d.id = ?";
    const struct store_value v = store_text(row_text(row, "dataset_id"));
    json_t *rows = NULL;
    enum problem p =
        services_rows(c, txn, sql, &v, 1, "source:t source_state:t files_erased:i", &rows);

    json_object_set(row, "remains", json_array_get(rows, 0));
    json_decref(rows);
    return p == PROBLEM_OK ? step(c, txn, row, "destroyed") : p;
}

static enum problem look_again(struct rest_call *c, struct store_txn *txn, json_t *row)
{
    json_t *old = json_deep_copy(row), *was = json_deep_copy(json_object_get(row, "breaches"));
    enum problem p = look(c, txn, row);

    if (p == PROBLEM_OK && !json_equal(was, json_object_get(row, "breaches"))) {
        p = stage_change(c, txn, &dataset_lives_resource, old, row, NULL, "check");
    } else if (p == PROBLEM_OK) {
        p = row_update(c, txn, &dataset_lives_resource, row); /* when it was looked at, no more */
    }
    json_decref(was);
    json_decref(old);
    return p;
}

#define SHARED                                                                                     \
    "(EXISTS (SELECT 1 FROM data_uses u JOIN apis a ON a.id = u.api_id JOIN apps p ON p.id = "     \
    "u.app_id WHERE a.dataset_id = l.dataset_id AND u.rows > 0 AND p.organisation_id <> "          \
    "l.organisation_id) OR EXISTS (SELECT 1 FROM transfers t WHERE t.dataset_id = l.dataset_id "   \
    "AND t.state = 'succeeded' AND (t.to_zone = 'outside' OR t.receiver_organisation_id <> "       \
    "l.organisation_id)))"
#define USED                                                                                       \
    "(EXISTS (SELECT 1 FROM data_uses u JOIN apis a ON a.id = u.api_id WHERE a.dataset_id = "      \
    "l.dataset_id AND u.calls > u.refused) OR EXISTS (SELECT 1 FROM transfers t WHERE "            \
    "t.dataset_id = l.dataset_id AND t.state = 'succeeded'))"

static const struct {
    const char *sql; /* bound to now */
    const struct resource *res;
    stage_visit visit;
} turns[] = {
    {"SELECT d.id FROM datasets d WHERE NOT EXISTS (SELECT 1 FROM dataset_lives l WHERE "
     "l.dataset_id = d.id) AND ? > 0",
     &datasets_resource, open_life},
    {"SELECT l.id FROM dataset_lives l JOIN datasets d ON d.id = l.dataset_id JOIN sources s ON "
     "s.id = d.source_id WHERE l.stage <> 'destroyed' AND d.state = 'retired' AND ? > 0 AND "
     "(s.kind <> 'managed' OR s.state = 'dropped') AND NOT EXISTS (SELECT 1 FROM exports e JOIN "
     "apis a ON a.id = e.api_id WHERE a.dataset_id = d.id AND e.state IN ('requested', 'queued', "
     "'running', 'ready'))",
     &dataset_lives_resource, destroy},
    {"SELECT l.id FROM dataset_lives l JOIN datasets d ON d.id = l.dataset_id JOIN sources s ON "
     "s.id = d.source_id WHERE l.stage = 'generated' AND s.state IN ('ready', 'disabled') AND ? > "
     "0",
     &dataset_lives_resource, advance},
    {"SELECT l.id FROM dataset_lives l WHERE l.stage = 'stored' AND ? > 0 AND " USED,
     &dataset_lives_resource, advance},
    {"SELECT l.id FROM dataset_lives l WHERE l.stage = 'used' AND ? > 0 AND " SHARED,
     &dataset_lives_resource, advance},
    {"SELECT id FROM dataset_lives WHERE stage <> 'destroyed' AND checked_at < ? - " CHECK_MS
     " ORDER BY checked_at",
     &dataset_lives_resource, look_again},
};

enum problem lives_job(struct rest_call *c)
{
    enum problem first = PROBLEM_OK;

    for (size_t i = 0; i < COUNT(turns); i++) {
        enum problem p = stage_each_due(c, turns[i].sql, 0, turns[i].res, turns[i].visit);
        first = first == PROBLEM_OK ? p : first;
    }
    return first;
}
