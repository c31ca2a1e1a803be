/* SPDX-License-Identifier: Apache-2.0 */
/* One step from a dataset, a table or a view to a documented API that answers (SW-8.3.2-a): entry,
 * dataset and API in one transaction, or nothing of them and the list of all that is missing. */
#include <stdio.h>

#include "api/api.h"
#include "classify/classify.h"
#include "services/publish.h"

static const char *const members[] = {"dataset_id",
                                      "source_id",
                                      "schema",
                                      "table",
                                      "owner_column",
                                      "fields",
                                      "name",
                                      "title",
                                      "domain_id",
                                      "purpose",
                                      "audience",
                                      "usage",
                                      "technical",
                                      "response_ms",
                                      "availability_permille",
                                      "support_hours",
                                      "throughput",
                                      "version",
                                      "path",
                                      "profile",
                                      "class",
                                      "access",
                                      "cache_ms",
                                      "paged",
                                      "dry_run",
                                      NULL};

static json_t *only(const json_t *body, const char *const *names)
{
    json_t *out = json_object();

    for (size_t i = 0; names[i]; i++) {
        json_t *v = json_object_get(body, names[i]);
        if (v) {
            json_object_set(out, names[i], v);
        }
    }
    return out;
}

struct publishing {
    json_t *body, *dataset, *service, *api, *missing;
    bool new_dataset, dry;
};

static enum problem load_dataset(struct rest_call *c, struct store_txn *txn, struct publishing *p)
{
    const char *id = row_text(p->body, "dataset_id");
    struct uuid parsed;
    enum problem pr = PROBLEM_OK;

    if (!uuid_parse(&parsed, id, strlen(id))) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/dataset_id", "the id of a dataset is needed");
    }
    pr = row_load(c, txn, &datasets_resource, id, true, &p->dataset);
    if (pr == PROBLEM_OK && !p->dataset) {
        pr = rest_fail(c, PROBLEM_FIELD_INVALID, "/dataset_id", "there is no such dataset");
    }
    return pr == PROBLEM_OK && !row_writable(c, txn, &datasets_resource, id) ? PROBLEM_NOT_PERMITTED
                                                                             : pr;
}

/* Levels and masks that the caller states for columns of a table just read. */
static void classify(json_t *dataset, const json_t *stated)
{
    json_t *f, *s;
    size_t i, k;

    json_array_foreach(json_object_get(dataset, "fields"), i, f)
    {
        json_array_foreach(stated, k, s)
        {
            if (strcmp(row_text(s, "column"), row_text(f, "column")) == 0) {
                json_object_update(f, s);
            }
        }
    }
}

/* Reads the table's columns from its source; outside a transaction. */
static enum problem prepare_dataset(struct rest_call *c, struct publishing *p)
{
    static const char *const copied[] = {"name",  "title",        "source_id", "schema",
                                         "table", "owner_column", NULL};
    struct store_txn *txn = NULL;
    json_t *stated = json_object_get(p->body, "fields");
    enum problem pr = rest_begin(c, STORE_READ, &txn);

    if (pr != PROBLEM_OK) {
        return pr;
    }
    p->new_dataset = true;
    p->dataset = resource_row(&datasets_resource);
    c->body = only(p->body, copied);
    pr = attr_apply(c, txn, &datasets_resource, p->dataset, true);
    store_rollback(&txn);
    if (pr == PROBLEM_OK && datasets_resource.prepare) {
        struct change ch = {.res = &datasets_resource, .row = p->dataset};
        pr = datasets_resource.prepare(c, &ch);
    }
    if (pr == PROBLEM_OK && stated) {
        classify(p->dataset, stated);
        pr = fields_check_dataset(c, "/fields", json_object_get(p->dataset, "fields"));
    }
    json_decref(c->body);
    c->body = p->body;
    return pr;
}

static enum problem store_new(struct rest_call *c, struct store_txn *txn,
                              const struct resource *res, json_t *row)
{
    struct change ch = {.res = res, .txn = txn, .row = row};
    enum problem p = res->check ? res->check(c, &ch) : PROBLEM_OK;

    if (p == PROBLEM_OK) {
        p = change_store(c, txn, res, NULL, row, "create");
    }
    return p == PROBLEM_OK && !row_writable(c, txn, res, row_text(row, "id"))
               ? PROBLEM_NOT_PERMITTED
               : p;
}

/* Where the platform asks for nothing more, the entry is listed with its first version; else it
 * waits for its reviewer like any other. */
static enum problem make_entry(struct rest_call *c, struct store_txn *txn, struct publishing *p)
{
    static const char *const copied[] = {"name",          "title",       "domain_id",
                                         "purpose",       "audience",    "usage",
                                         "technical",     "response_ms", "availability_permille",
                                         "support_hours", "throughput",  NULL};
    bool entry = false, evaluation = false;
    enum problem pr = service_setting_on(c, txn, "entry-required", &entry);

    if (pr == PROBLEM_OK) {
        pr = service_setting_on(c, txn, "evaluation-required", &evaluation);
    }
    if (pr != PROBLEM_OK) {
        return pr;
    }
    p->service = resource_row(&services_resource);
    c->body = only(p->body, copied);
    if (!json_object_get(c->body, "title")) {
        json_object_set(c->body, "title", json_object_get(c->body, "name"));
    }
    pr = attr_apply(c, txn, &services_resource, p->service, true);
    json_decref(c->body);
    c->body = p->body;
    json_object_set_new(p->service, "dataset_ids",
                        json_pack("[O]", json_object_get(p->dataset, "id")));
    stage_sign(c, p->service, "submitted");
    if (!entry && !evaluation) {
        json_object_set_new(p->service, "state", json_string("listed"));
        json_object_set_new(p->service, "approved_by", json_string("platform"));
        json_object_set_new(p->service, "approved_at", stage_time(c->now_ms));
    } else {
        json_object_set_new(p->service, "state", json_string("submitted"));
    }
    return pr == PROBLEM_OK ? store_new(c, txn, &services_resource, p->service) : pr;
}

static void lacks(json_t *missing, const char *what, const char *format, const char *name)
{
    char text[300];

    snprintf(text, sizeof text, format, name);
    json_array_append_new(missing, json_pack("{s:s, s:s}", "what", what, "text", text));
}

static void ask_fields(const json_t *fields, json_t *missing)
{
    json_t *f;
    size_t i, open = 0;

    json_array_foreach(fields, i, f)
    {
        json_int_t level = json_integer_value(json_object_get(f, "level"));
        if (level == 0) {
            lacks(missing, "level", "%.200s has no level", row_text(f, "column"));
        }
        if (level == 3 && !row_text(f, "mask")[0]) {
            lacks(missing, "mask", "%.200s is of level 3 and has no mask", row_text(f, "column"));
        }
        open += level >= 1 && level <= 3;
    }
    if (!open) {
        lacks(missing, "level", "no field may be open%s", "");
    }
}

static void ask_entry(const json_t *service, json_t *missing)
{
    static const char *const needed[] = {"purpose",
                                         "audience",
                                         "usage",
                                         "domain_id",
                                         "response_ms",
                                         "support_hours",
                                         "availability_permille"};

    for (size_t i = 0; i < COUNT(needed); i++) {
        json_t *v = json_object_get(service, needed[i]);
        if (!v || json_is_null(v)) {
            lacks(missing, "entry", "the entry lacks %s", needed[i]);
        }
    }
}

/* The refusal of the reviewers' side becomes one more item of the list. */
static enum problem ask_review(struct rest_call *c, struct store_txn *txn, struct publishing *p)
{
    enum problem pr = security_review_covers(c, txn, &datasets_resource, p->dataset,
                                             json_object_get(p->dataset, "fields"));

    if (pr == PROBLEM_SECURITY_REVIEW_MISSING) {
        lacks(p->missing, "review", "%.250s", c->detail);
        c->where[0] = c->detail[0] = '\0';
        pr = PROBLEM_OK;
    }
    return pr;
}

static enum problem make_api(struct rest_call *c, struct store_txn *txn, struct publishing *p)
{
    static const char *const copied[] = {"name",  "title",  "version",  "path",  "profile",
                                         "class", "access", "cache_ms", "paged", NULL};
    json_t *more = NULL;
    enum problem pr;

    p->api = json_object();
    c->body = only(p->body, copied);
    json_object_set(c->body, "service_id", json_object_get(p->service, "id"));
    json_object_set(c->body, "description", json_object_get(p->service, "purpose"));
    if (json_is_null(json_object_get(c->body, "description"))) {
        json_object_del(c->body, "description");
    }
    pr = publish_make_row(c, txn, p->dataset, p->api);
    if (pr == PROBLEM_OK) {
        json_object_set_new(
            p->api, "fields",
            fields_for_profile(row_text(p->api, "profile"), json_object_get(p->dataset, "fields")));
        pr = life_missing(c, txn, p->api, &more);
        json_array_extend(p->missing, more);
        json_decref(more);
    }
    json_object_set_new(p->api, "fields", json_array());
    if (pr == PROBLEM_OK && json_array_size(p->missing) == 0) {
        pr = publish_write_row(c, txn, p->api);
    }
    json_decref(c->body);
    c->body = p->body;
    return pr;
}

static enum problem write_all(struct rest_call *c, struct store_txn *txn, struct publishing *p)
{
    enum problem pr = PROBLEM_OK;

    if (p->new_dataset) {
        pr = store_new(c, txn, &datasets_resource, p->dataset);
    } else {
        pr = load_dataset(c, txn, p);
    }
    if (pr == PROBLEM_OK) {
        ask_fields(json_object_get(p->dataset, "fields"), p->missing);
        pr = make_entry(c, txn, p);
    }
    if (pr == PROBLEM_OK) {
        ask_entry(p->service, p->missing);
        pr = ask_review(c, txn, p);
    }
    if (pr == PROBLEM_OK) {
        pr = make_api(c, txn, p);
    }
    return pr;
}

static enum problem answer(struct rest_call *c, struct publishing *p, bool published)
{
    char at[120];

    if (!published) {
        return rest_answer(c, 200,
                           json_pack("{s:b, s:O, s:b}", "published", false, "missing", p->missing,
                                     "would_publish", json_array_size(p->missing) == 0));
    }
    snprintf(at, sizeof at, "/api/v1/apis/%.40s/openapi", row_text(p->api, "id"));
    return rest_answer(c, 201,
                       json_pack("{s:b, s:[], s:o, s:o, s:s}", "published", true, "missing",
                                 "service", row_public(&services_resource, p->service), "api",
                                 row_public(&apis_resource, p->api), "openapi", at));
}

enum problem service_publish(struct rest_call *c)
{
    struct publishing p = {.body = c->body, .missing = json_array()};
    struct store_txn *txn = NULL;
    enum problem pr = rest_body_members(c, members);
    bool published = false;

    p.dry = json_is_true(json_object_get(c->body, "dry_run"));
    if (pr == PROBLEM_OK &&
        !json_object_get(c->body, "dataset_id") == !json_object_get(c->body, "source_id")) {
        pr = rest_fail(c, PROBLEM_FIELD_INVALID, "/dataset_id",
                       "either dataset_id, or source_id and table, are needed");
    }
    if (pr == PROBLEM_OK && json_object_get(c->body, "source_id")) {
        pr = prepare_dataset(c, &p);
    }
    if (pr == PROBLEM_OK) {
        pr = rest_begin(c, STORE_WRITE, &txn);
    }
    if (pr == PROBLEM_OK) {
        pr = write_all(c, txn, &p);
        published = pr == PROBLEM_OK && json_array_size(p.missing) == 0 && !p.dry;
        if (pr == PROBLEM_OK && !published) {
            store_rollback(&txn); /* nothing half made */
        } else {
            pr = rest_finish(c, &txn, pr);
        }
    }
    if (pr == PROBLEM_OK) {
        pr = answer(c, &p, published);
    }
    json_decref(p.dataset);
    json_decref(p.service);
    json_decref(p.api);
    json_decref(p.missing);
    return pr;
}
