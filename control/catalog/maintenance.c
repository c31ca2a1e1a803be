/* SPDX-License-Identifier: Apache-2.0 */
/* What was done to the resource centre and to the catalogue of services in a period (SW-10.2-3b,
 * SW-10.2-3c): a report counted from the operations log, and a record that keeps it with what its
 * keepers say of the period and that another confirms. */
#include <stdio.h>
#include <stdlib.h>

#include "api/api.h"
#include "base/clock.h"
#include "catalog/maintenance.h"
#include "services/services.h"

#define PAGE_SIZE 100
#define WEEK_MS   (7 * STAGE_DAY_MS)

/* Kinds of operations that belong to each; between blanks. */
static const struct {
    const char *name, *kinds;
} centres[] = {
    {"resource-centre",
     " entry catalog-node harvest metadata-standard opening-scope opening-plan-item entry-share "
     "catalog-setting dataset source discovery finding query-version transfer collection "},
    {"service-catalogue",
     " service service-domain service-evaluation service-report service-change "
     "service-termination service-notice service-archive service-instance service-setting "
     "service-category api-registration api composition schema conversion "},
};
enum { RESOURCE_CENTRE, SERVICE_CATALOGUE };
static const char *const centre_names[] = {"resource-centre", "service-catalogue", NULL};

#define IN_PERIOD                                                                                  \
    " FROM operations WHERE at_ms >= ? AND at_ms < ? AND instr(?, ' ' || kind || ' ') > 0"

struct period {
    size_t centre;
    uint64_t from_ms, to_ms;
};

static void bind(const struct period *of, struct store_value v[static 3])
{
    v[0] = store_int((int64_t)of->from_ms);
    v[1] = store_int((int64_t)of->to_ms);
    v[2] = store_text(centres[of->centre].kinds);
}

/* {by_kind, by_actor, by_day, total, first_seq, last_seq}: with the numbers of the log
 * the figures can be held against it at any time. */
static enum problem figures(struct rest_call *c, struct store_txn *txn, const struct period *of,
                            json_t *out)
{
    static const struct {
        const char *name, *sql, *columns;
    } parts[] = {
        {"by_kind",
         "SELECT kind, action, count(*), count(DISTINCT resource_id)" IN_PERIOD
         " GROUP BY kind, action ORDER BY 3 DESC, 1, 2 LIMIT 500",
         "kind:t action:t operations:i resources:i"},
        {"by_actor",
         "SELECT actor, count(*)" IN_PERIOD " GROUP BY actor ORDER BY 2 DESC, 1 LIMIT 500",
         "actor:t operations:i"},
        {"by_day",
         "SELECT at_ms / 86400000 * 86400000, count(*)" IN_PERIOD
         " GROUP BY 1 ORDER BY 1 LIMIT 500",
         "day:m operations:i"},
        {"log", "SELECT count(*), min(seq), max(seq)" IN_PERIOD,
         "operations:i first_seq:i last_seq:i"},
    };
    struct store_value v[3];
    enum problem p = PROBLEM_OK;

    bind(of, v);
    for (size_t i = 0; i < COUNT(parts) && p == PROBLEM_OK; i++) {
        json_t *rows = NULL;
        p = services_rows(c, txn, parts[i].sql, v, 3, parts[i].columns, &rows);
        bool log = strcmp(parts[i].name, "log") == 0;
        json_object_set(out, parts[i].name, log ? json_array_get(rows, 0) : rows);
        json_decref(rows);
    }
    return p;
}

/* The live report --------------------------------------------------------------------------------
 */
static enum problem read_time(struct rest_call *c, const char *key, uint64_t fallback,
                              uint64_t *out)
{
    const char *text = rest_query(c, key);
    char where[16];

    *out = fallback;
    if (text && !clock_parse_ms(text, strlen(text), out)) {
        snprintf(where, sizeof where, "/%s", key);
        return rest_fail(c, PROBLEM_QUERY_MALFORMED, where, "a time of RFC 3339 is needed");
    }
    return PROBLEM_OK;
}

static enum problem read_period(struct rest_call *c, struct period *of, long *page)
{
    static const char *const known[] = {"from", "to", "page"};
    const char *text = rest_query(c, "page");
    enum problem p = rest_query_known(c, known, COUNT(known), "from, to and page are known");

    *page = text ? strtol(text, NULL, 10) : 1;
    if (p == PROBLEM_OK && (*page < 1 || *page > 1000000)) {
        p = rest_fail(c, PROBLEM_QUERY_MALFORMED, "/page", "a whole number from 1 is needed");
    }
    p = p == PROBLEM_OK ? read_time(c, "to", c->now_ms, &of->to_ms) : p;
    if (p == PROBLEM_OK) {
        p = read_time(c, "from", of->to_ms > WEEK_MS ? of->to_ms - WEEK_MS : 0, &of->from_ms);
    }
    return p == PROBLEM_OK && of->from_ms >= of->to_ms
               ? rest_fail(c, PROBLEM_QUERY_MALFORMED, "/from", "it must be before `to`")
               : p;
}

static enum problem add_items(struct rest_call *c, struct store_txn *txn, const struct period *of,
                              long page, json_t *out)
{
    static const char sql[] = "SELECT seq, at_ms, actor, action, kind, resource_id" IN_PERIOD
                              " ORDER BY seq LIMIT ? OFFSET ?";
    struct store_value v[5];
    json_t *items = NULL;

    bind(of, v);
    v[3] = store_int(PAGE_SIZE);
    v[4] = store_int((int64_t)(page - 1) * PAGE_SIZE);
    enum problem p = services_rows(c, txn, sql, v, 5,
                                   "seq:i at:m actor:t action:t kind:t resource_id:t", &items);
    json_object_set_new(out, "items", items);
    return p;
}

static enum problem add_records(struct rest_call *c, struct store_txn *txn, const struct period *of,
                                json_t *out)
{
    static const char sql[] =
        "SELECT id, state, title, period_from, period_to, made_by, confirmed_by FROM "
        "maintenance_records WHERE centre = ? AND period_from < ? AND period_to > ? ORDER BY "
        "period_from LIMIT 200";
    const struct store_value v[] = {store_text(centres[of->centre].name),
                                    store_int((int64_t)of->to_ms), store_int((int64_t)of->from_ms)};
    json_t *records = NULL;
    enum problem p = services_rows(c, txn, sql, v, 3,
                                   "id:t state:t title:t period_from:m period_to:m made_by:t "
                                   "confirmed_by:t",
                                   &records);

    json_object_set_new(out, "records", records);
    return p;
}

static enum problem report(struct rest_call *c, size_t centre)
{
    struct period of = {.centre = centre};
    struct store_txn *txn = NULL;
    json_t *out = NULL;
    long page = 1;
    enum problem p = read_period(c, &of, &page);

    p = p == PROBLEM_OK ? rest_begin(c, STORE_READ, &txn) : p;
    if (p != PROBLEM_OK) {
        return p;
    }
    out = json_pack("{s:s, s:o, s:o, s:I}", "centre", centres[centre].name, "from",
                    stage_time(of.from_ms), "to", stage_time(of.to_ms), "page", (json_int_t)page);
    p = figures(c, txn, &of, out);
    p = p == PROBLEM_OK ? add_items(c, txn, &of, page, out) : p;
    p = p == PROBLEM_OK ? add_records(c, txn, &of, out) : p;
    store_rollback(&txn);
    if (p != PROBLEM_OK) {
        json_decref(out);
        return p;
    }
    return rest_answer(c, 200, out);
}

enum problem maintenance_resources(struct rest_call *c)
{
    return report(c, RESOURCE_CENTRE);
}

enum problem maintenance_services(struct rest_call *c)
{
    return report(c, SERVICE_CATALOGUE);
}

/* The record ------------------------------------------------------------------------------------
 */
static const struct attr attrs[] = {
    {"centre", ATTR_TEXT, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, 1, 20, .values = centre_names},
    {"title", ATTR_TEXT, AF_REQUIRED | AF_SORT, 1, 200},
    {"period_from", ATTR_TIME, AF_REQUIRED | AF_IMMUTABLE | AF_SORT},
    {"period_to", ATTR_TIME, AF_REQUIRED | AF_IMMUTABLE | AF_SORT},
    {"note", ATTR_TEXT, AF_LINES, 0, REST_TEXT_MAX},
    {"figures", ATTR_JSON, AF_READ_ONLY},
    {"made_by", ATTR_TEXT, AF_READ_ONLY},
    {"confirmed_by", ATTR_TEXT, AF_READ_ONLY},
    {"confirmed_at", ATTR_TIME, AF_READ_ONLY},
    {"comment", ATTR_TEXT, AF_READ_ONLY},
};

static enum problem check(struct rest_call *c, struct change *ch)
{
    struct period of = {.centre = strcmp(row_text(ch->row, "centre"), centre_names[0]) != 0,
                        .from_ms = api_ms(ch->row, "period_from"),
                        .to_ms = api_ms(ch->row, "period_to")};

    if (ch->old) {
        return strcmp(row_text(ch->old, "state"), "draft") == 0
                   ? PROBLEM_OK
                   : rest_fail(c, PROBLEM_STATE_CONFLICT, "", "what is confirmed stays");
    }
    if (of.from_ms >= of.to_ms || of.to_ms > c->now_ms) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/period_to", "a period that is over is needed");
    }
    json_t *out = json_object();
    enum problem p = figures(c, ch->txn, &of, out);
    json_object_set_new(ch->row, "figures", out);
    json_object_set_new(ch->row, "made_by", json_string(c->user.login));
    return p;
}

static enum problem confirm(struct rest_call *c, struct change *ch)
{
    if (strcmp(row_text(ch->row, "made_by"), c->user.login) == 0) {
        return PROBLEM_SELF_APPROVAL;
    }
    stage_sign(c, ch->row, "confirmed");
    return PROBLEM_OK;
}

static const struct transition transitions[] = {
    {"draft", "confirm", "confirmed", ROLE_STAFF, .hook = confirm},
    {"draft", "discard", "discarded", ROLE_STAFF, .body_text = "comment"},
};

const struct resource maintenance_records_resource = {
    .plural = "maintenance_records",
    .kind = "maintenance-record",
    .initial = "draft",
    .attrs = attrs,
    .n_attrs = COUNT(attrs),
    .transitions = transitions,
    .n_transitions = COUNT(transitions),
    .read_roles = ROLE_STAFF | ROLE_AUDITOR,
    .create_roles = ROLE_STAFF,
    .patch_roles = ROLE_STAFF,
    .check = check,
};
