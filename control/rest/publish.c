/* SPDX-License-Identifier: Apache-2.0 */
/* A dataset becomes an API in one step: created and published in one transaction. */
#include "services/publish.h"
#include "api/api.h"

static const struct transition *publish_transition(void)
{
    for (size_t i = 0; i < apis_resource.n_transitions; i++) {
        if (strcmp(apis_resource.transitions[i].action, "publish") == 0) {
            return &apis_resource.transitions[i];
        }
    }
    return NULL;
}

enum problem publish_make_row(struct rest_call *c, struct store_txn *txn, const json_t *dataset,
                              json_t *row)
{
    struct uuid id;
    char text[UUID_TEXT_LEN + 1];

    uuid_new(&id);
    uuid_format(&id, text);
    json_object_set_new(row, "id", json_string(text));
    json_object_set_new(row, "state", json_string("draft"));
    json_object_set_new(c->body, "kind", json_string("dataset"));
    json_object_set(c->body, "dataset_id", json_object_get(dataset, "id"));
    if (!json_object_get(c->body, "version")) {
        json_object_set_new(c->body, "version", json_string("v1"));
    }
    if (!json_object_get(c->body, "title") && row_text(dataset, "title")[0]) {
        json_object_set(c->body, "title", json_object_get(dataset, "title"));
    }
    return attr_apply(c, txn, &apis_resource, row, true);
}

enum problem publish_write_row(struct rest_call *c, struct store_txn *txn, json_t *row)
{
    struct change ch = {.res = &apis_resource, .txn = txn, .row = row, .action = "publish"};
    enum problem p = apis_resource.check(c, &ch);

    if (p == PROBLEM_OK) {
        p = publish_transition()->hook(c, &ch);
    }
    if (p == PROBLEM_OK) {
        json_object_set_new(row, "state", json_string("published"));
        p = change_store(c, txn, &apis_resource, NULL, row, "publish");
    }
    if (p == PROBLEM_OK && !row_writable(c, txn, &apis_resource, row_text(row, "id"))) {
        p = PROBLEM_NOT_PERMITTED;
    }
    return p;
}

static enum problem write_all(struct rest_call *c, struct store_txn *txn, json_t *row)
{
    json_t *dataset = NULL;
    enum problem p = row_load(c, txn, &datasets_resource, c->segment[1], true, &dataset);

    if (p == PROBLEM_OK && !dataset) {
        p = PROBLEM_NOT_FOUND;
    }
    if (p == PROBLEM_OK && !row_writable(c, txn, &datasets_resource, c->segment[1])) {
        p = PROBLEM_NOT_PERMITTED;
    }
    if (p == PROBLEM_OK) {
        p = change_precondition(c, dataset, false);
    }
    if (p == PROBLEM_OK) {
        p = publish_make_row(c, txn, dataset, row);
    }
    if (p == PROBLEM_OK) {
        p = publish_write_row(c, txn, row);
    }
    json_decref(dataset);
    return p;
}

/* What a one-step publication may say of the API. */
static const char *const members[] = {"name",
                                      "version",
                                      "path",
                                      "title",
                                      "description",
                                      "profile",
                                      "class",
                                      "access",
                                      "methods",
                                      "owner_scoped",
                                      "timeout_ms",
                                      "max_body_bytes",
                                      "operation",
                                      "cache_ms",
                                      "schemes",
                                      "signature_max_s",
                                      "user_factors",
                                      "sign_response",
                                      "seal_request",
                                      "seal_response",
                                      "mobile",
                                      "account_parameters",
                                      "user_confirmation",
                                      "provider_approval",
                                      "service_id",
                                      "paged",
                                      "type",
                                      "partners",
                                      "api_identifier",
                                      "category_id",
                                      "u_api_id",
                                      "batch",
                                      "purpose_required",
                                      "amount_path",
                                      "user_checks",
                                      NULL};

enum problem rest_dataset_publish(struct rest_call *c)
{
    struct store_txn *txn = NULL;
    json_t *row = json_object();
    struct uuid id;
    enum problem p =
        uuid_parse(&id, c->segment[1], strlen(c->segment[1])) ? PROBLEM_OK : PROBLEM_NOT_FOUND;

    if (p == PROBLEM_OK) {
        p = rest_body_members(c, members);
    }
    if (p == PROBLEM_OK) {
        p = reading_prepare(c, c->segment[1]);
    }
    if (p == PROBLEM_OK) {
        p = rest_begin(c, STORE_WRITE, &txn);
    }
    if (p == PROBLEM_OK) {
        p = rest_finish(c, &txn, write_all(c, txn, row));
    }
    if (p == PROBLEM_OK) {
        p = resource_answer(c, &apis_resource, row, 201);
    }
    json_decref(row);
    return p;
}
