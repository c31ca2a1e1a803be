/* SPDX-License-Identifier: Apache-2.0 */
/* Databases that datasets are read from. The connection string may hold a password: sealed, never
 * shown. */
#include "api/api.h"
#include "data_client.h"

static const char *const kinds[] = {"odbc", NULL};

static const struct attr attrs[] = {
    {"name", ATTR_TEXT, AF_REQUIRED | AF_FILTER | AF_SORT, 1, 200},
    {"organisation_id", ATTR_REF, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, .ref = "organisations"},
    {"kind", ATTR_TEXT, AF_REQUIRED | AF_IMMUTABLE, 1, 20, .values = kinds},
    {"connection", ATTR_TEXT, AF_REQUIRED | AF_WRITE_ONLY, 1, REST_TEXT_MAX},
    {"connection_sealed", ATTR_TEXT, AF_HIDDEN},
    {"max_connections", ATTR_INT, AF_SORT, 1, 64, .fallback = "8"},
};

static enum problem seal_connection(struct rest_call *c, json_t *row)
{
    const char *text = json_string_value(json_object_get(c->body, "connection"));
    json_t *sealed = api_seal(c->ctl->store_secret, row_text(row, "id"), slice_str(text));

    json_object_set_new(row, "connection_sealed", sealed);
    return sealed ? PROBLEM_OK : PROBLEM_INTERNAL;
}

static enum problem prepare(struct rest_call *c, struct change *ch)
{
    return seal_connection(c, ch->row);
}

/* A new connection has to be checked again. */
static enum problem check(struct rest_call *c, struct change *ch)
{
    if (!ch->old || !json_object_get(c->body, "connection")) {
        return PROBLEM_OK;
    }
    if (strcmp(row_text(ch->row, "state"), "ready") == 0) {
        json_object_set_new(ch->row, "state", json_string("draft"));
    }
    return seal_connection(c, ch->row);
}

static enum problem open_source(struct rest_call *c, struct change *ch)
{
    json_t *answer = NULL;
    enum problem p = data_client_call(c, "check", ch->row, NULL, NULL, &answer);

    json_decref(answer);
    return p;
}

static enum problem feed(struct rest_call *c, struct store_txn *txn, const json_t *row,
                         json_t **data)
{
    json_t *sealed = api_reseal(c->ctl, row_text(row, "id"), row_text(row, "connection_sealed"));

    (void)txn;
    if (!sealed) {
        return rest_fail(
            c, PROBLEM_INTERNAL, "",
            "the source's connection cannot be opened: is keys/master.key the store's?");
    }
    *data = json_pack("{s:s, s:o, s:O, s:s}", "kind", row_text(row, "kind"), "connection_sealed",
                      sealed, "max_connections", json_object_get(row, "max_connections"), "state",
                      row_text(row, "state"));
    return *data ? PROBLEM_OK : PROBLEM_INTERNAL;
}

#define KEEPER (ROLE_STAFF | ROLE_PROVIDER)
static const struct transition transitions[] = {
    {"draft|ready", "check", "ready", KEEPER, .prepare = open_source},
    {"draft|ready", "disable", "disabled", KEEPER},
    {"disabled", "enable", "ready", KEEPER},
};

static const struct scope scopes[] = {
    {ROLE_PROVIDER, BIND_ORGANISATION, "t.organisation_id = ?", "t.organisation_id = ?"},
};

const struct resource sources_resource = {
    .plural = "sources",
    .kind = "source",
    .initial = "draft",
    .attrs = attrs,
    .n_attrs = COUNT(attrs),
    .transitions = transitions,
    .n_transitions = COUNT(transitions),
    .scopes = scopes,
    .n_scopes = COUNT(scopes),
    .read_roles = KEEPER | ROLE_AUDITOR,
    .create_roles = KEEPER,
    .patch_roles = KEEPER,
    .prepare = prepare,
    .check = check,
    .feed = feed,
    .feed_kind = "source",
};
