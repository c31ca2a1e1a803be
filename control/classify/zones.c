/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a dataset may stand where others reach it, and how far the labels go. */
#include <stdio.h>

#include "api/api.h"
#include "classify/classify.h"

#define ITEMS_MAX 500

static json_int_t level_of(const json_t *f)
{
    return json_integer_value(json_object_get(f, "level"));
}

bool classify_sensitive(const json_t *field)
{
    const json_t *said = json_object_get(field, "sensitive");

    return json_is_boolean(said) ? json_is_true(said) : level_of(field) >= 3;
}

static bool unlabelled(const json_t *f)
{
    return level_of(f) == 0;
}

static bool name_those(const json_t *fields, bool (*is)(const json_t *), char list[static 200])
{
    json_t *f;
    size_t i;

    list[0] = '\0';
    json_array_foreach(fields, i, f)
    {
        size_t n = strlen(list);
        if (is(f) && n < 199) {
            snprintf(list + n, 200 - n, "%s%s", n ? ", " : "", row_text(f, "name"));
        }
    }
    return list[0] != '\0';
}

struct looked {
    bool done;
    char waiting[200];
};

static enum problem see_discovery(struct rest_call *c, struct change *ch)
{
    struct looked *l = ch->arg;
    const char *state = row_text(ch->row, "state");

    (void)c;
    l->done = l->done || strcmp(state, "proposed") == 0 || strcmp(state, "applied") == 0;
    return PROBLEM_OK;
}

static enum problem see_finding(struct rest_call *c, struct change *ch)
{
    struct looked *l = ch->arg;
    size_t n = strlen(l->waiting);

    (void)c;
    if (strcmp(row_text(ch->row, "state"), "proposed") == 0 && n < sizeof l->waiting - 1) {
        snprintf(l->waiting + n, sizeof l->waiting - n, "%s%s", n ? ", " : "",
                 row_text(ch->row, "column"));
    }
    return PROBLEM_OK;
}

enum problem classify_zone_check(struct rest_call *c, struct store_txn *txn, const json_t *dataset,
                                 enum classify_zone zone)
{
    const json_t *fields = json_object_get(dataset, "fields");
    const char *id = row_text(dataset, "id");
    struct looked l = {0};
    char list[200];

    if (name_those(fields, unlabelled, list)) {
        return rest_fail(c, PROBLEM_FIELDS_UNCLASSIFIED, "/fields", "without a level: %s", list);
    }
    if (zone == CLASSIFY_EXCHANGE && name_those(fields, classify_sensitive, list)) {
        return rest_fail(c, PROBLEM_SENSITIVE_FIELD, "/fields", "sensitive: %s", list);
    }
    enum problem p = row_each(c, txn, &discoveries_resource, "dataset_id", id, see_discovery, &l);
    if (p == PROBLEM_OK) {
        p = row_each(c, txn, &findings_resource, "dataset_id", id, see_finding, &l);
    }
    if (p == PROBLEM_OK && !l.done) {
        return rest_fail(c, PROBLEM_SENSITIVE_CHECK_MISSING, "",
                         "its columns were not looked through yet");
    }
    if (p == PROBLEM_OK && l.waiting[0]) {
        return rest_fail(c, PROBLEM_SENSITIVE_CHECK_MISSING, "/fields",
                         "what was found waits for a decision: %s", l.waiting);
    }
    return p;
}

static enum problem visible_dataset(struct rest_call *c, struct store_txn *txn, json_t **row)
{
    struct uuid id;

    if (!uuid_parse(&id, c->segment[1], strlen(c->segment[1]))) {
        return PROBLEM_NOT_FOUND;
    }
    enum problem p = row_load(c, txn, &datasets_resource, c->segment[1], true, row);
    return p == PROBLEM_OK && !*row ? PROBLEM_NOT_FOUND : p;
}

enum problem classify_zone_check_post(struct rest_call *c)
{
    static const char *const members[] = {"zone", NULL};
    struct store_txn *txn = NULL;
    json_t *row = NULL;
    enum problem p = rest_body_members(c, members);
    const char *zone = p == PROBLEM_OK ? rest_body_text(c, "zone", 20, &p) : NULL;

    if (p == PROBLEM_OK && strcmp(zone, "open") != 0 && strcmp(zone, "exchange") != 0) {
        p = rest_fail(c, PROBLEM_FIELD_INVALID, "/zone", "open or exchange is needed");
    }
    if (p == PROBLEM_OK) {
        p = rest_begin(c, STORE_READ, &txn);
    }
    if (p != PROBLEM_OK) {
        return p;
    }
    p = visible_dataset(c, txn, &row);
    if (p == PROBLEM_OK) {
        p = classify_zone_check(c, txn, row,
                                strcmp(zone, "exchange") == 0 ? CLASSIFY_EXCHANGE : CLASSIFY_OPEN);
    }
    store_rollback(&txn);
    json_decref(row);
    return p == PROBLEM_OK ? rest_answer(c, 200, json_pack("{s:b, s:s}", "fit", 1, "zone", zone))
                           : p;
}

/* The three schemes of a field (EC-5.2, SW-9.6, BK-6.2 with BK-3.9b) ------------------------------
 */

static bool tagged(const json_t *f, const char *tag)
{
    json_t *t;
    size_t i;

    json_array_foreach(json_object_get(f, "tags"), i, t)
    {
        if (strcmp(json_string_value(t), tag) == 0) {
            return true;
        }
    }
    return false;
}

static json_t *schemes_of(const json_t *f, const int served[static 5])
{
    static const char *const opening[] = {"unclassified", "unconditional", "conditional",
                                          "conditional", "not-open"};
    static const char *const outcome[] = {"none", "open", "grant", "mask", "refuse"};
    json_int_t level = level_of(f);
    json_t *tags = json_object_get(f, "tags");
    bool personal = tagged(f, "personal-financial") || tagged(f, "payment-sensitive");
    size_t at = level >= 0 && level <= 4 ? (size_t)level : 0;

    return json_pack("{s:O, s:s, s:I, s:i, s:s, s:s, s:b, s:s, s:s, s:o, s:s}", "column",
                     json_object_get(f, "column"), "name", row_text(f, "name"), "level", level,
                     "served_as", served[at], "protection", outcome[served[at]], "opening",
                     opening[at], "sensitive", classify_sensitive(f), "interface_class",
                     personal ? "A2" : "A1", "category", row_text(f, "category"), "tags",
                     json_is_array(tags) ? json_incref(tags) : json_array(), "mask",
                     row_text(f, "mask"));
}

static json_t *sources_of(struct rest_call *c, struct store_txn *txn, const json_t *row)
{
    json_t *out = json_array(), *id;
    size_t i;

    json_array_foreach(json_object_get(row, "derived_from"), i, id)
    {
        json_t *from = NULL;
        if (row_load(c, txn, &datasets_resource, json_string_value(id), false, &from) ==
                PROBLEM_OK &&
            from) {
            json_array_append_new(out, json_pack("{s:O, s:s, s:s}", "dataset_id", id, "name",
                                                 row_text(from, "name"), "table",
                                                 row_text(from, "table")));
        }
        json_decref(from);
    }
    return out;
}

enum problem classify_dataset_get(struct rest_call *c)
{
    struct store_txn *txn = NULL;
    json_t *row = NULL, *fields = json_array(), *sources = NULL, *f;
    int served[5];
    size_t i;
    enum problem p = rest_begin(c, STORE_READ, &txn);

    if (p == PROBLEM_OK) {
        p = visible_dataset(c, txn, &row);
        p = p == PROBLEM_OK ? classify_served_levels(c, txn, served) : p;
        sources = p == PROBLEM_OK ? sources_of(c, txn, row) : NULL;
        store_rollback(&txn);
    }
    if (p != PROBLEM_OK) {
        json_decref(fields);
        json_decref(row);
        return p;
    }
    json_array_foreach(json_object_get(row, "fields"), i, f)
    {
        json_array_append_new(fields, schemes_of(f, served));
    }
    json_t *out = json_pack(
        "{s:O, s:s, s:s, s:s, s:o, s:o}", "dataset_id", json_object_get(row, "id"), "opening_class",
        row_text(row, "opening_class"), "confidentiality", row_text(row, "confidentiality"),
        "audience", row_text(row, "audience"), "derived_from", sources, "fields", fields);
    json_decref(row);
    return rest_answer(c, 200, out);
}

/* Coverage --------------------------------------------------------------------------------------
 */

struct sums {
    json_int_t datasets, fields, labelled, sensitive, category;
};

static json_t *sums_json(const struct sums *s)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:f}", "datasets", s->datasets, "fields",
                     s->fields, "labelled", s->labelled, "sensitive", s->sensitive, "non_sensitive",
                     s->labelled - s->sensitive, "with_category", s->category, "percent",
                     s->fields ? 100.0 * (double)s->labelled / (double)s->fields : 100.0);
}

static void count_fields(const json_t *fields, struct sums *one)
{
    json_t *f;
    size_t i;

    *one = (struct sums){.datasets = 1};
    json_array_foreach(fields, i, f)
    {
        one->fields++;
        one->labelled += !unlabelled(f);
        one->sensitive += !unlabelled(f) && classify_sensitive(f);
        one->category += row_text(f, "category")[0] != '\0';
    }
}

static void add_sums(struct sums *all, const struct sums *one)
{
    all->datasets += one->datasets;
    all->fields += one->fields;
    all->labelled += one->labelled;
    all->sensitive += one->sensitive;
    all->category += one->category;
}

static enum problem cover(struct rest_call *c, struct store_rows *rows, json_t *items,
                          struct sums all[2])
{
    while (store_next(rows)) {
        json_t *fields = json_loads(store_get_text(rows, 3), 0, NULL);
        struct sums one;
        count_fields(fields, &one);
        json_decref(fields);
        add_sums(&all[0], &one);
        if (strcmp(store_get_text(rows, 2), "published") == 0) {
            add_sums(&all[1], &one);
        }
        if (one.labelled < one.fields && json_array_size(items) < ITEMS_MAX) {
            json_array_append_new(
                items, json_pack("{s:s, s:s, s:s, s:I, s:I}", "dataset_id", store_get_text(rows, 0),
                                 "name", store_get_text(rows, 1), "state", store_get_text(rows, 2),
                                 "fields", one.fields, "labelled", one.labelled));
        }
    }
    return rest_store_problem(c, store_rows_end(&rows));
}

enum problem classify_coverage_get(struct rest_call *c)
{
    static const char all_of[] =
        "SELECT id, name, state, fields FROM datasets WHERE state <> 'retired' ORDER BY created_at";
    static const char own[] =
        "SELECT id, name, state, fields FROM datasets WHERE state <> 'retired' AND "
        "organisation_id = ? ORDER BY created_at";
    const struct store_value v = store_text(c->user.organisation);
    bool provider = c->user.role == ROLE_PROVIDER;
    struct store_txn *txn = NULL;
    struct store_rows *rows = NULL;
    struct sums sums[2] = {0};
    json_t *items = json_array();
    enum problem p = rest_begin(c, STORE_READ, &txn);

    if (p == PROBLEM_OK) {
        p = rest_store_problem(c, store_query(txn, provider ? own : all_of, &v, provider, &rows));
        p = p == PROBLEM_OK ? cover(c, rows, items, sums) : p;
        store_rollback(&txn);
    }
    if (p != PROBLEM_OK) {
        json_decref(items);
        return p;
    }
    return rest_answer(c, 200,
                       json_pack("{s:o, s:o, s:o}", "all", sums_json(&sums[0]), "open",
                                 sums_json(&sums[1]), "unlabelled", items));
}

enum problem classify_tags_get(struct rest_call *c)
{
    json_t *tags = json_array();

    for (size_t i = 0; field_tags[i]; i++) {
        json_array_append_new(tags, json_string(field_tags[i]));
    }
    return rest_answer(c, 200, json_pack("{s:o}", "items", tags));
}
