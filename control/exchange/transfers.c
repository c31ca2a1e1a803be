/* SPDX-License-Identifier: Apache-2.0 */
/* A dataset's rows into a zone store: pushed there to be exchanged or opened, or handed from one
 * registered party to another. What goes to a more open zone is checked field by field: level 4
 * stays, level 3 is masked, without a rule or a level nothing goes. */
#include <stdio.h>

#include "api/api.h"
#include "catalog/catalog.h"
#include "classify/classify.h"
#include "exchange/exchange.h"
#include "lifecycle/lifecycle.h"
#include "notices/notices.h"

#define KEEPER (ROLE_STAFF | ROLE_PROVIDER)

static const struct attr attrs[] = {
    {"dataset_id", ATTR_REF, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, .ref = "datasets"},
    {"target_id", ATTR_REF, AF_IMMUTABLE | AF_FILTER | AF_REF_ANY, .ref = "sources"},
    {"target_table", ATTR_TEXT, AF_IMMUTABLE, 1, 128},
    {"node_id", ATTR_REF, AF_IMMUTABLE | AF_FILTER | AF_REF_ANY, .ref = "exchange_nodes"},
    {"path", ATTR_TEXT, AF_IMMUTABLE, 1, 1000},
    {"seal", ATTR_BOOL, AF_IMMUTABLE},
    {"reason", ATTR_TEXT, AF_REQUIRED | AF_IMMUTABLE | AF_LINES, 1, 1000},
    {"where", ATTR_TEXT, AF_IMMUTABLE, 1, 2000},
    {"sender_id", ATTR_REF, AF_IMMUTABLE | AF_FILTER | AF_REF_ANY, .ref = "exchange_nodes"},
    {"receiver_id", ATTR_REF, AF_IMMUTABLE | AF_FILTER | AF_REF_ANY, .ref = "exchange_nodes"},
    {"organisation_id", ATTR_TEXT, AF_READ_ONLY | AF_FILTER},
    {"receiver_organisation_id", ATTR_TEXT, AF_READ_ONLY | AF_FILTER},
    {"operator", ATTR_TEXT, AF_READ_ONLY | AF_FILTER},
    {"from_zone", ATTR_TEXT, AF_READ_ONLY | AF_FILTER},
    {"to_zone", ATTR_TEXT, AF_READ_ONLY | AF_FILTER},
    {"columns", ATTR_JSON, AF_READ_ONLY},
    {"started_at", ATTR_TIME, AF_READ_ONLY},
    {"ended_at", ATTR_TIME, AF_READ_ONLY | AF_SORT},
    EXCHANGE_REPORT,
};

static int rank(const char *zone)
{
    static const char *const ranks[] = {"", "landing", "exchange", "open"};

    for (int i = 0; i < (int)COUNT(ranks); i++) {
        if (strcmp(ranks[i], zone) == 0) {
            return i;
        }
    }
    return 0;
}

/* The columns that go, each with the mask it goes under. */
static json_t *chosen(const json_t *fields, bool opens, json_int_t most)
{
    json_t *out = json_array(), *f;
    size_t i;

    json_array_foreach(fields, i, f)
    {
        json_int_t level = json_integer_value(json_object_get(f, "level"));
        const char *mask = row_text(f, "mask");
        if (opens && (level < 1 || level > most)) {
            continue;
        }
        bool masked = opens && mask[0] && strcmp(mask, "none") != 0;
        json_array_append_new(out, json_pack("{s:s, s:s, s:s, s:b, s:s}", "name",
                                             row_text(f, "name"), "column", row_text(f, "column"),
                                             "type", masked ? "string" : row_text(f, "type"), "key",
                                             json_is_true(json_object_get(f, "key")) && !masked,
                                             "mask", masked ? mask : ""));
    }
    return out;
}

/* What may go to a more open zone, field by field, and has passed its security review. */
static enum problem may_open(struct rest_call *c, struct store_txn *txn, const json_t *dataset)
{
    json_t *fields = json_object_get(dataset, "fields");
    enum problem p = fields_check_publication(c, fields);

    return p == PROBLEM_OK ? security_review_covers(c, txn, &datasets_resource, dataset, fields)
                           : p;
}

/* The exchange zone and an enterprise's exchange space hold nothing sensitive (SW-9.7-0b): asked of
 * the fields that would go. */
static enum problem check_exchange(struct rest_call *c, struct change *ch, const json_t *dataset,
                                   const json_t *to, json_int_t most)
{
    json_t *going, *fields, *f;
    bool space = false;
    size_t i;
    enum problem p = space_uses(c, ch->txn, row_text(to, "id"), &space);

    if (p != PROBLEM_OK || (!space && strcmp(row_text(to, "zone"), "exchange") != 0)) {
        return p;
    }
    fields = json_array();
    json_array_foreach(json_object_get(dataset, "fields"), i, f)
    {
        if (json_integer_value(json_object_get(f, "level")) <= most) {
            json_array_append(fields, f);
        }
    }
    going = json_pack("{s:O, s:o}", "id", json_object_get(dataset, "id"), "fields", fields);
    p = classify_zone_check(c, ch->txn, going, CLASSIFY_EXCHANGE);
    json_decref(going);
    return p;
}

/* The one place that says what may go to a more open zone. */
static enum problem check_zones(struct rest_call *c, struct change *ch, const json_t *dataset,
                                const json_t *from, const json_t *to)
{
    json_t *fields = json_object_get(dataset, "fields");
    bool opens = rank(row_text(to, "zone")) > rank(row_text(from, "zone"));
    json_int_t most = 3;
    enum problem p = opens ? may_open(c, ch->txn, dataset) : PROBLEM_OK;

    json_object_set(ch->row, "from_zone", json_object_get(from, "zone"));
    json_object_set(ch->row, "to_zone", json_object_get(to, "zone"));
    if (p == PROBLEM_OK) {
        p = space_max_level(c, ch->txn, row_text(to, "id"), &most);
    }
    if (p == PROBLEM_OK) {
        p = check_exchange(c, ch, dataset, to, opens ? most : 4);
    }
    if (p == PROBLEM_OK) {
        json_object_set_new(ch->row, "columns", chosen(fields, opens, most));
        if (json_array_size(json_object_get(ch->row, "columns")) == 0) {
            p = rest_fail(c, PROBLEM_LEVEL_FORBIDDEN, "/target_id", "nothing of it may go there");
        }
    }
    return p;
}

static enum problem check_party(struct rest_call *c, struct change *ch, const char *member,
                                const char *organisation)
{
    json_t *node = NULL;
    const char *id = row_text(ch->row, member);
    char where[40];

    snprintf(where, sizeof where, "/%s", member);
    if (!id[0]) {
        return PROBLEM_OK;
    }
    enum problem p = api_load(c, ch->txn, &exchange_nodes_resource, id, &node);
    if (p == PROBLEM_OK && strcmp(row_text(node, "state"), "active") != 0) {
        p = rest_fail(c, PROBLEM_FIELD_INVALID, where, "the node is disabled");
    }
    if (p == PROBLEM_OK && strcmp(row_text(node, "organisation_id"), organisation) != 0) {
        p = rest_fail(c, PROBLEM_FIELD_INVALID, where,
                      "the node is not of the organisation whose data or store it is");
    }
    json_decref(node);
    return p;
}

/* Out of the platform: nothing is more open than that. */
static enum problem check_node(struct rest_call *c, struct change *ch, const json_t *dataset)
{
    json_t *node = NULL;
    enum problem p =
        api_load(c, ch->txn, &exchange_nodes_resource, row_text(ch->row, "node_id"), &node);

    if (p == PROBLEM_OK &&
        (strcmp(row_text(node, "state"), "active") != 0 || !row_text(node, "address")[0] ||
         strcmp(row_text(node, "organisation_id"), row_text(dataset, "organisation_id")) != 0)) {
        p = rest_fail(c, PROBLEM_FIELD_INVALID, "/node_id",
                      "an active node of the dataset's organisation, with an address, is needed");
    }
    if (p == PROBLEM_OK &&
        (row_text(ch->row, "target_id")[0] || row_text(ch->row, "sender_id")[0] ||
         row_text(ch->row, "receiver_id")[0])) {
        p = rest_fail(c, PROBLEM_FIELD_INVALID, "/target_id", "it goes to a node or to a store");
    }
    if (p == PROBLEM_OK) {
        p = may_open(c, ch->txn, dataset);
    }
    if (p == PROBLEM_OK) {
        json_object_set_new(ch->row, "columns",
                            chosen(json_object_get(dataset, "fields"), true, 3));
        json_object_set_new(ch->row, "to_zone", json_string("outside"));
        json_object_set(ch->row, "organisation_id", json_object_get(dataset, "organisation_id"));
        json_object_set(ch->row, "receiver_organisation_id",
                        json_object_get(node, "organisation_id"));
    }
    json_decref(node);
    return p;
}

static enum problem check_target(struct rest_call *c, const json_t *to)
{
    return strcmp(row_text(to, "kind"), "managed") == 0 &&
                   strcmp(row_text(to, "state"), "ready") == 0
               ? PROBLEM_OK
               : rest_fail(c, PROBLEM_FIELD_INVALID, "/target_id",
                           "a managed source that is ready is needed");
}

/* A provider pushes into its own stores; into another's only where both are registered nodes. */
static enum problem check_parties(struct rest_call *c, struct change *ch, const json_t *dataset,
                                  const json_t *to)
{
    const char *ours = row_text(dataset, "organisation_id"),
               *theirs = row_text(to, "organisation_id");
    bool both = row_text(ch->row, "sender_id")[0] && row_text(ch->row, "receiver_id")[0];

    json_object_set_new(ch->row, "organisation_id", json_string(ours));
    json_object_set_new(ch->row, "receiver_organisation_id", json_string(theirs));
    if (strcmp(ours, theirs) != 0 && !both) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/receiver_id",
                         "between two parties both are registered nodes");
    }
    enum problem p = check_party(c, ch, "sender_id", ours);
    return p == PROBLEM_OK ? check_party(c, ch, "receiver_id", theirs) : p;
}

static enum problem check(struct rest_call *c, struct change *ch)
{
    json_t *dataset = NULL, *from = NULL, *to = NULL;
    enum problem p =
        api_load(c, ch->txn, &datasets_resource, row_text(ch->row, "dataset_id"), &dataset);

    if (p == PROBLEM_OK) {
        p = api_load(c, ch->txn, &sources_resource, row_text(dataset, "source_id"), &from);
    }
    json_object_set_new(ch->row, "operator", json_string(c->user.login));
    if (p == PROBLEM_OK && row_text(ch->row, "node_id")[0]) {
        p = check_node(c, ch, dataset);
        json_decref(dataset);
        json_decref(from);
        return p;
    }
    if (p == PROBLEM_OK &&
        (!row_text(ch->row, "target_id")[0] || !row_text(ch->row, "target_table")[0])) {
        p = rest_fail(c, PROBLEM_FIELD_INVALID, "/target_id",
                      "a store and a table, or a node, is needed");
    }
    if (p == PROBLEM_OK) {
        p = api_load(c, ch->txn, &sources_resource, row_text(ch->row, "target_id"), &to);
    }
    if (p == PROBLEM_OK) {
        p = check_target(c, to);
    }
    if (p == PROBLEM_OK) {
        p = life_may_come_to(c, ch->txn, row_text(ch->row, "target_id"),
                             row_text(ch->row, "target_table"), "transfer");
    }
    if (p == PROBLEM_OK) {
        p = check_parties(c, ch, dataset, to);
    }
    if (p == PROBLEM_OK) {
        p = check_zones(c, ch, dataset, from, to);
    }
    json_decref(dataset);
    json_decref(from);
    json_decref(to);
    return p;
}

#define OWN  "t.organisation_id = ?"
#define SEEN "(t.organisation_id = ? OR t.receiver_organisation_id = ?)"
static const struct scope scopes[] = {
    {ROLE_PROVIDER, BIND_ORGANISATION, SEEN, OWN},
    {ROLE_DEVELOPER, BIND_ORGANISATION, "t.receiver_organisation_id = ?", "1 = 0"},
};

const struct resource transfers_resource = {
    .plural = "transfers",
    .kind = "transfer",
    .initial = "queued",
    .attrs = attrs,
    .n_attrs = COUNT(attrs),
    .scopes = scopes,
    .n_scopes = COUNT(scopes),
    .read_roles = KEEPER | ROLE_AUDITOR | ROLE_DEVELOPER,
    .create_roles = KEEPER,
    .check = check,
};

enum problem transfer_work(struct rest_call *c, struct store_txn *txn, const json_t *transfer,
                           json_t **job, char why[static 200])
{
    json_t *dataset = NULL, *source = NULL, *input, *sender = NULL, *from;
    enum problem p =
        api_load(c, txn, &datasets_resource, row_text(transfer, "dataset_id"), &dataset);

    if (p == PROBLEM_OK) {
        p = api_load(c, txn, &sources_resource, row_text(dataset, "source_id"), &source);
    }
    if (p == PROBLEM_OK && row_text(transfer, "sender_id")[0]) {
        p = api_load(c, txn, &exchange_nodes_resource, row_text(transfer, "sender_id"), &sender);
    }
    if (p == PROBLEM_OK && strcmp(row_text(source, "state"), "ready") != 0) {
        snprintf(why, 200, "the dataset's source is not ready");
    } else if (p == PROBLEM_OK) {
        from = exchange_source(c, source);
        input = json_pack("{s:s, s:s, s:o, s:s, s:s, s:O, s:s}", "kind", "source", "sender",
                          sender ? row_text(sender, "code") : row_text(source, "name"), "source",
                          from ? from : json_null(), "schema", row_text(dataset, "schema"), "table",
                          row_text(dataset, "table"), "columns", json_object_get(dataset, "fields"),
                          "where", row_text(transfer, "where"));
        /* Only what goes is read: what stays is in the process of no one who does not need it. */
        json_object_set_new(input, "columns", chosen(json_object_get(dataset, "fields"), false, 4));
        *job =
            json_pack("{s:s, s:s, s:s, s:s, s:O, s:[o]}", "run", row_text(transfer, "id"), "target",
                      row_text(transfer, "target_id")[0] ? row_text(transfer, "target_id")
                                                         : row_text(transfer, "id"),
                      "table", row_text(transfer, "target_table"), "mode", "replace", "columns",
                      json_object_get(transfer, "columns"), "inputs", input);
    }
    if (p == PROBLEM_OK && *job && row_text(transfer, "node_id")[0]) {
        p = exchange_outward(c, txn, transfer, *job, why);
    }
    json_decref(sender);
    json_decref(source);
    json_decref(dataset);
    return p;
}

enum problem transfer_follow(struct rest_call *c, struct store_txn *txn, const json_t *row,
                             const json_t *report)
{
    json_t *receiver = NULL, *to;
    enum problem p = PROBLEM_OK;

    if (row_text(row, "receiver_id")[0]) {
        p = api_load(c, txn, &exchange_nodes_resource, row_text(row, "receiver_id"), &receiver);
    }
    if (p == PROBLEM_OK && row_text(row, "node_id")[0]) {
        p = api_load(c, txn, &exchange_nodes_resource, row_text(row, "node_id"), &receiver);
    }
    to = json_pack("[s]", receiver ? row_text(receiver, "code") : row_text(row, "target_id"));
    if (p == PROBLEM_OK) {
        p = exchange_note(c, txn, "transfer", row, row_text(row, "organisation_id"), to, report);
    }
    const struct notice n = {.kind = "transfer-ended",
                             .organisation_id = row_text(row, "receiver_organisation_id"),
                             .object_kind = "transfer",
                             .object_id = row_text(row, "id"),
                             .object_name = row_text(row, "target_table"),
                             .detail = row_text(row, "state")};
    if (p == PROBLEM_OK) {
        p = notice_put(c, txn, &n);
    }
    if (p == PROBLEM_OK && strcmp(row_text(row, "to_zone"), "open") == 0 &&
        strcmp(row_text(row, "state"), "succeeded") == 0) {
        p = entry_of_transfer(c, txn, row);
    }
    json_decref(receiver);
    json_decref(to);
    return p;
}
