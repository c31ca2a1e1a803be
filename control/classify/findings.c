/* SPDX-License-Identifier: Apache-2.0 */
/* What is proposed for a column, with its evidence. It counts once somebody has accepted it, as it
 * is or adjusted, and the accepted ones of a discovery are applied in one transaction. */
#include <stdio.h>

#include "api/api.h"
#include "classify/classify.h"
#include "mask/mask.h"
#include "sandbox/stage.h"

static enum problem check_mask(struct rest_call *c, const char *where, const json_t *v)
{
    struct mask_spec spec;

    return !json_string_length(v) || mask_parse(&spec, slice_str(json_string_value(v))) == MASK_OK
               ? PROBLEM_OK
               : rest_fail(c, PROBLEM_FIELD_INVALID, where, "there is no such mask rule");
}

static const struct attr attrs[] = {
    {"discovery_id", ATTR_REF, AF_READ_ONLY | AF_FILTER, .ref = "discoveries"},
    {"dataset_id", ATTR_REF, AF_READ_ONLY | AF_FILTER, .ref = "datasets"},
    {"organisation_id", ATTR_REF, AF_READ_ONLY | AF_FILTER, .ref = "organisations"},
    {"column", ATTR_TEXT, AF_READ_ONLY | AF_FILTER | AF_SORT},
    {"rule", ATTR_TEXT, AF_READ_ONLY | AF_FILTER},
    {"level", ATTR_INT, 0, 1, 4},
    {"mask", ATTR_TEXT, 0, 0, 60, .check = check_mask},
    {"category", ATTR_TEXT, AF_FILTER, 0, 40},
    {"tags", ATTR_JSON, 0, .check = classify_check_words},
    {"sensitive", ATTR_BOOL, 0},
    {"confidence", ATTR_INT, AF_READ_ONLY | AF_SORT},
    {"evidence", ATTR_JSON, AF_READ_ONLY},
    {"decided_by", ATTR_TEXT, AF_READ_ONLY},
    {"decided_at", ATTR_TIME, AF_READ_ONLY},
    {"comment", ATTR_TEXT, AF_READ_ONLY},
};

static enum problem check(struct rest_call *c, struct change *ch)
{
    const char *state = row_text(ch->row, "state");

    return strcmp(state, "proposed") == 0
               ? PROBLEM_OK
               : rest_fail(c, PROBLEM_STATE_CONFLICT, "", "the finding is %s already", state);
}

static enum problem decide(struct rest_call *c, struct change *ch)
{
    stage_sign(c, ch->row, "decided");
    return PROBLEM_OK;
}

#define KEEPER (ROLE_STAFF | ROLE_PROVIDER)
static const struct transition transitions[] = {
    {"proposed", "accept", "accepted", KEEPER, .hook = decide},
    {"proposed|accepted", "reject", "rejected", KEEPER, .body_text = "comment", .hook = decide},
};

static const struct scope scopes[] = {
    {ROLE_PROVIDER, BIND_ORGANISATION, "t.organisation_id = ?", "t.organisation_id = ?"},
};

const struct resource findings_resource = {
    .plural = "findings",
    .kind = "finding",
    .initial = "proposed",
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

/* Made ------------------------------------------------------------------------------------------
 */

static json_int_t level_of(const json_t *f)
{
    return json_integer_value(json_object_get(f, "level"));
}

static bool lacks_tags(const json_t *field, const json_t *tags)
{
    json_t *tag, *have = json_object_get(field, "tags"), *each;
    size_t i, k;

    json_array_foreach(tags, i, tag)
    {
        bool there = false;
        json_array_foreach(have, k, each)
        {
            there = there || json_equal(each, tag);
        }
        if (!there) {
            return true;
        }
    }
    return false;
}

static enum problem insert(struct rest_call *c, struct store_txn *txn, const char *discovery,
                           const json_t *dataset, const json_t *field, const json_t *proposal)
{
    const json_t *evidence = json_object_get(proposal, "evidence");
    double confidence = json_number_value(json_object_get(proposal, "confidence"));
    json_t *row = json_pack(
        "{s:s?, s:O, s:O, s:O, s:s, s:O, s:O, s:O, s:O, s:O, s:i, s:O}", "discovery_id", discovery,
        "dataset_id", json_object_get(dataset, "id"), "organisation_id",
        json_object_get(dataset, "organisation_id"), "column", json_object_get(field, "column"),
        "rule", row_text(evidence, "rule"), "level", json_object_get(proposal, "level"), "mask",
        json_object_get(proposal, "mask"), "category", json_object_get(proposal, "category"),
        "tags", json_object_get(proposal, "tags"), "sensitive",
        json_object_get(proposal, "sensitive"), "confidence", (int)(confidence * 100 + 0.5),
        "evidence", evidence);
    enum problem p =
        row ? classify_insert(c, txn, &findings_resource, row, "proposed") : PROBLEM_INTERNAL;

    json_decref(row);
    return p;
}

static enum problem supersede(struct rest_call *c, struct change *ch)
{
    const char *column = ch->arg, *state = row_text(ch->row, "state");

    if (strcmp(state, "proposed") != 0 ||
        (column && strcmp(row_text(ch->row, "column"), column) != 0)) {
        return PROBLEM_OK;
    }
    json_t *old = json_deep_copy(ch->row);
    enum problem p =
        stage_change(c, ch->txn, &findings_resource, old, ch->row, "superseded", "supersede");
    json_decref(old);
    return p;
}

/* Something in the column or its name spoke, not only what the dataset is for. */
static bool looked_at(const json_t *proposal)
{
    const char *by = row_text(json_object_get(proposal, "evidence"), "by");

    return strcmp(by, "nothing") != 0 && strcmp(by, "template") != 0;
}

/* A labelled column is only spoken of when more than its label was found. */
static bool worth(const json_t *field, const json_t *proposal)
{
    return level_of(field) == 0 ||
           (looked_at(proposal) && (level_of(proposal) > level_of(field) ||
                                    lacks_tags(field, json_object_get(proposal, "tags"))));
}

struct kin { /* the same column in another dataset, classified there */
    const char *dataset, *schema, *table, *column;
    json_t *field;
};

static enum problem look_at_kin(struct rest_call *c, struct change *ch)
{
    struct kin *k = ch->arg;
    json_t *f;
    size_t i;

    (void)c;
    if (k->field || strcmp(row_text(ch->row, "id"), k->dataset) == 0 ||
        strcmp(row_text(ch->row, "state"), "retired") == 0 ||
        strcmp(row_text(ch->row, "schema"), k->schema) != 0 ||
        strcmp(row_text(ch->row, "table"), k->table) != 0) {
        return PROBLEM_OK;
    }
    json_array_foreach(json_object_get(ch->row, "fields"), i, f)
    {
        if (strcmp(row_text(f, "column"), k->column) == 0 && level_of(f) > 0) {
            k->field = json_incref(f);
            return PROBLEM_OK;
        }
    }
    return PROBLEM_OK;
}

/* What somebody has said of the same source column follows it. */
static json_t *inherited(const json_t *kin)
{
    json_t *tags = json_object_get(kin, "tags");
    bool sensitive = classify_sensitive(kin);

    return json_pack("{s:I, s:s, s:s, s:o, s:b, s:f, s:{s:s, s:s}}", "level", level_of(kin), "mask",
                     row_text(kin, "mask"), "category", row_text(kin, "category"), "tags",
                     json_is_array(tags) ? json_incref(tags) : json_array(), "sensitive", sensitive,
                     "confidence", 0.95, "evidence", "by", "lineage", "rule", "same-source-column");
}

static enum problem find_kin(struct rest_call *c, struct store_txn *txn, const json_t *dataset,
                             const json_t *field, json_t **kin)
{
    struct kin k = {.dataset = row_text(dataset, "id"),
                    .schema = row_text(dataset, "schema"),
                    .table = row_text(dataset, "table"),
                    .column = row_text(field, "column")};
    enum problem p = row_each(c, txn, &datasets_resource, "source_id",
                              row_text(dataset, "source_id"), look_at_kin, &k);

    *kin = k.field;
    return p;
}

static enum problem make_one(struct rest_call *c, struct store_txn *txn, const json_t *discovery,
                             const struct classify_context *x, const json_t *field)
{
    const json_t *counts =
        json_object_get(json_object_get(discovery, "counts"), row_text(field, "column"));
    json_t *kin = NULL, *proposal = classify_propose(x, field, counts);
    enum problem p = find_kin(c, txn, x->dataset, field, &kin);

    if (kin && (level_of(kin) >= level_of(proposal) || !looked_at(proposal))) {
        json_decref(proposal);
        proposal = inherited(kin);
    }
    if (p == PROBLEM_OK && worth(field, proposal)) {
        p = insert(c, txn, row_text(discovery, "id"), x->dataset, field, proposal);
    }
    json_decref(proposal);
    json_decref(kin);
    return p;
}

enum problem findings_make(struct rest_call *c, struct store_txn *txn, const json_t *discovery,
                           const json_t *dataset)
{
    json_t *rules = NULL, *patterns = NULL, *now = NULL, *f;
    size_t i;
    enum problem p = api_load(c, txn, &datasets_resource, row_text(dataset, "id"), &now);

    if (p == PROBLEM_OK) {
        p = classify_load_rules(c, txn, &rules, &patterns);
    }
    if (p == PROBLEM_OK) {
        p = row_each(c, txn, &findings_resource, "dataset_id", row_text(dataset, "id"), supersede,
                     NULL);
    }
    const struct classify_context x = {now, rules, patterns};
    json_array_foreach(json_object_get(now, "fields"), i, f)
    {
        p = p == PROBLEM_OK ? make_one(c, txn, discovery, &x, f) : p;
    }
    json_decref(rules);
    json_decref(patterns);
    json_decref(now);
    return p;
}

/* Applied ---------------------------------------------------------------------------------------
 */

static void write_field(json_t *field, const json_t *finding)
{
    static const char *const texts[] = {"mask", "category"};
    json_t *tags = json_object_get(finding, "tags");

    json_object_set(field, "level", json_object_get(finding, "level"));
    json_object_set(field, "sensitive", json_object_get(finding, "sensitive"));
    for (size_t i = 0; i < COUNT(texts); i++) {
        if (row_text(finding, texts[i])[0]) {
            json_object_set(field, texts[i], json_object_get(finding, texts[i]));
        }
    }
    if (json_array_size(tags)) {
        json_object_set(field, "tags", tags);
    }
}

static json_t *field_of(json_t *fields, const char *column)
{
    json_t *f;
    size_t i;

    json_array_foreach(fields, i, f)
    {
        if (strcmp(row_text(f, "column"), column) == 0) {
            return f;
        }
    }
    return NULL;
}

struct application {
    json_t *fields, *applied;
};

static enum problem apply_one(struct rest_call *c, struct change *ch)
{
    struct application *a = ch->arg;
    json_t *field = field_of(a->fields, row_text(ch->row, "column"));

    if (strcmp(row_text(ch->row, "state"), "accepted") != 0 || !field) {
        return PROBLEM_OK;
    }
    write_field(field, ch->row);
    json_array_append(a->applied, field);
    json_t *old = json_deep_copy(ch->row);
    enum problem p = stage_change(c, ch->txn, &findings_resource, old, ch->row, "applied", "apply");
    json_decref(old);
    return p;
}

/* Other datasets of the same table hear of it: what is known of a column follows it (lineage). */
static enum problem spread(struct rest_call *c, struct change *ch)
{
    const json_t *from = ((void **)ch->arg)[0], *applied = ((void **)ch->arg)[1];
    json_t *f;
    size_t i;

    if (strcmp(row_text(ch->row, "id"), row_text(from, "id")) == 0 ||
        strcmp(row_text(ch->row, "state"), "retired") == 0 ||
        strcmp(row_text(ch->row, "schema"), row_text(from, "schema")) != 0 ||
        strcmp(row_text(ch->row, "table"), row_text(from, "table")) != 0) {
        return PROBLEM_OK;
    }
    json_array_foreach(applied, i, f)
    {
        json_t *theirs = field_of(json_object_get(ch->row, "fields"), row_text(f, "column"));
        json_t *proposal = inherited(f);
        enum problem p = PROBLEM_OK;
        if (theirs && worth(theirs, proposal)) {
            p = row_each(c, ch->txn, &findings_resource, "dataset_id", row_text(ch->row, "id"),
                         supersede, (void *)row_text(f, "column"));
            p = p == PROBLEM_OK ? insert(c, ch->txn, NULL, ch->row, theirs, proposal) : p;
        }
        json_decref(proposal);
        if (p != PROBLEM_OK) {
            return p;
        }
    }
    return PROBLEM_OK;
}

enum problem findings_apply(struct rest_call *c, struct store_txn *txn, const json_t *discovery)
{
    const char *dataset = row_text(discovery, "dataset_id");
    json_t *old = NULL, *row = NULL;
    struct application a = {.applied = json_array()};
    enum problem p = api_load(c, txn, &datasets_resource, dataset, &old);

    if (p == PROBLEM_OK) {
        row = json_deep_copy(old);
        a.fields = json_object_get(row, "fields");
        p = row_each(c, txn, &findings_resource, "dataset_id", dataset, apply_one, &a);
    }
    if (p == PROBLEM_OK && json_array_size(a.applied) == 0) {
        p = rest_fail(c, PROBLEM_STATE_CONFLICT, "", "no finding of it is accepted");
    }
    if (p == PROBLEM_OK) {
        p = fields_check_dataset(c, "/fields", a.fields);
    }
    if (p == PROBLEM_OK) {
        p = change_store(c, txn, &datasets_resource, old, row, "update");
    }
    if (p == PROBLEM_OK) {
        void *arg[] = {row, a.applied};
        p = row_each(c, txn, &datasets_resource, "source_id", row_text(row, "source_id"), spread,
                     arg);
    }
    json_decref(a.applied);
    json_decref(row);
    json_decref(old);
    return p;
}

static enum problem accept_one(struct rest_call *c, struct change *ch)
{
    if (strcmp(row_text(ch->row, "state"), "proposed") != 0) {
        return PROBLEM_OK;
    }
    json_t *old = json_deep_copy(ch->row);
    stage_sign(c, ch->row, "decided");
    enum problem p =
        stage_change(c, ch->txn, &findings_resource, old, ch->row, "accepted", "accept");
    json_decref(old);
    return p;
}

enum problem findings_accept_all(struct rest_call *c, struct store_txn *txn,
                                 const json_t *discovery)
{
    return row_each(c, txn, &findings_resource, "dataset_id", row_text(discovery, "dataset_id"),
                    accept_one, NULL);
}
