/* SPDX-License-Identifier: Apache-2.0 */
/* Databases that datasets are read from, and folders of files. The connection string may hold a
 * password: sealed, never shown. */
#include "api/api.h"
#include "data_client.h"

static const char *const kinds[] = {"odbc", "managed", "files", NULL};
/* As data/sources/encoding.c has them, those of UTF for files alone; none: UTF-8, or as a file
 * shows. */
static const char *const encodings[] = {"GB18030",  "GBK",      "BIG5", "UTF-8",
                                        "UTF-16LE", "UTF-16BE", NULL};
static const char *const zones[] = {"landing", "exchange", "open", NULL};

static const struct attr attrs[] = {
    {"name", ATTR_TEXT, AF_REQUIRED | AF_FILTER | AF_SORT, 1, 200},
    {"organisation_id", ATTR_REF, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, .ref = "organisations"},
    {"kind", ATTR_TEXT, AF_REQUIRED | AF_IMMUTABLE, 1, 20, .values = kinds},
    {"zone", ATTR_TEXT, AF_IMMUTABLE | AF_FILTER, 1, 20, .values = zones},
    {"connection", ATTR_TEXT, AF_WRITE_ONLY, 1, REST_TEXT_MAX},
    {"connection_sealed", ATTR_TEXT, AF_HIDDEN},
    {"folder", ATTR_TEXT, 0, 1, 512},
    {"max_connections", ATTR_INT, AF_SORT, 1, 64, .fallback = "8"},
    {"connection_wait_ms", ATTR_INT, 0, 0, 10000, .fallback = "1000"},
    {"encoding", ATTR_TEXT, 0, 1, 20, .values = encodings},
    {"credential_expires_at", ATTR_TIME, AF_SORT},
    {"for_writing", ATTR_BOOL, 0, .fallback = "false"},
};

static enum problem seal_connection(struct rest_call *c, json_t *row)
{
    const char *text = json_string_value(json_object_get(c->body, "connection"));
    json_t *sealed = api_seal_kept(c->ctl, row_text(row, "id"), slice_str(text));

    json_object_set_new(row, "connection_sealed", sealed);
    return sealed ? PROBLEM_OK : PROBLEM_INTERNAL;
}

static bool managed(const json_t *row)
{
    return strcmp(row_text(row, "kind"), "managed") == 0;
}

static bool files(const json_t *row)
{
    return strcmp(row_text(row, "kind"), "files") == 0;
}

/* Which folder of the data service's machine it is, is an operator's to say: what lies beside it is
 * another organisation's. Where the folder may lie at all its settings say (data.file_roots). */
static enum problem check_folder(struct rest_call *c, const struct change *ch)
{
    bool folder = row_text(ch->row, "folder")[0];
    bool set = folder && (!ch->old || api_changed(ch->old, ch->row, "folder"));

    if (!files(ch->row) && folder) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/folder", "only a source of files has this");
    }
    return set && !(c->user.role & ROLE_STAFF)
               ? rest_fail(c, PROBLEM_NOT_PERMITTED, "/folder",
                           "a folder is an operator's to name; without one files are handed in")
               : PROBLEM_OK;
}

/* A zone store is named by its id alone: no connection string leads into the platform's folder. */
static enum problem check_kind(struct rest_call *c, const json_t *row)
{
    bool zone = row_text(row, "zone")[0], connection = json_object_get(c->body, "connection");

    if (managed(row) != zone) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/zone",
                         "a managed source lies in a zone, and no other does");
    }
    if (managed(row) && connection) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/connection",
                         "a managed source has no connection string");
    }
    if (files(row) && connection) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/connection",
                         "a source of files has no connection string");
    }
    if (managed(row) && row_text(row, "encoding")[0]) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/encoding", "a managed source is in UTF-8");
    }
    if (!files(row) && strncmp(row_text(row, "encoding"), "UTF", 3) == 0) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/encoding", "this is for files alone");
    }
    return managed(row) || files(row) || connection
               ? PROBLEM_OK
               : rest_fail(c, PROBLEM_FIELD_INVALID, "/connection", "this attribute is required");
}

static enum problem prepare(struct rest_call *c, struct change *ch)
{
    enum problem p = check_kind(c, ch->row);

    p = p == PROBLEM_OK ? check_folder(c, ch) : p;
    if (p == PROBLEM_OK && (managed(ch->row) || files(ch->row))) {
        json_object_set_new(ch->row, "connection_sealed", json_string(""));
        return PROBLEM_OK;
    }
    return p == PROBLEM_OK ? seal_connection(c, ch->row) : p;
}

/* A new connection has to be checked again. */
static enum problem check(struct rest_call *c, struct change *ch)
{
    enum problem p = ch->old ? check_folder(c, ch) : PROBLEM_OK;
    bool moved = p == PROBLEM_OK && ch->old && api_changed(ch->old, ch->row, "folder");

    if (moved && strcmp(row_text(ch->row, "state"), "ready") == 0) {
        json_object_set_new(ch->row, "state", json_string("draft"));
    }
    if (p != PROBLEM_OK || !ch->old || !json_object_get(c->body, "connection")) {
        return p;
    }
    if (managed(ch->row) || files(ch->row)) {
        return check_kind(c, ch->row);
    }
    if (!json_is_string(json_object_get(c->body, "connection"))) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/connection", "this attribute is required");
    }
    if (strcmp(row_text(ch->row, "state"), "ready") == 0) {
        json_object_set_new(ch->row, "state", json_string("draft"));
    }
    return seal_connection(c, ch->row);
}

static enum problem open_source(struct rest_call *c, struct change *ch)
{
    json_t *answer = NULL;
    bool make = managed(ch->row) && strcmp(row_text(ch->row, "state"), "draft") == 0;
    enum problem p = data_client_call(c, make ? "make" : "check", ch->row, NULL, NULL, &answer);

    if (p == PROBLEM_OK) {
        p = source_account_keep(c, row_text(ch->row, "id"), answer);
    }
    json_decref(answer);
    return p;
}

/* Into use, or into use again. */
static enum problem may_be_read(struct rest_call *c, struct change *ch)
{
    return source_account_check(c, ch->txn, ch->row);
}

/* Nothing may read a store that goes. */
static enum problem check_unused(struct rest_call *c, struct store_txn *txn, const json_t *row)
{
    const struct store_value v = store_text(row_text(row, "id"));
    struct store_rows *rows = NULL;
    enum store_err err = store_query(
        txn, "SELECT 1 FROM datasets WHERE source_id = ? AND state <> 'retired'", &v, 1, &rows);
    bool used = err == STORE_OK && store_next(rows);
    enum problem p = rest_store_problem(c, err == STORE_OK ? store_rows_end(&rows) : err);

    return p == PROBLEM_OK && used ? rest_fail(c, PROBLEM_STATE_CONFLICT, "",
                                               "a dataset still reads it: retire that first")
                                   : p;
}

static enum problem prepare_drop(struct rest_call *c, struct change *ch)
{
    struct store_txn *txn = NULL;
    json_t *answer = NULL;

    if (!managed(ch->row) && !files(ch->row)) {
        return rest_fail(c, PROBLEM_STATE_CONFLICT, "", "only a managed source is the platform's");
    }
    enum problem p = rest_begin(c, STORE_READ, &txn);
    if (p == PROBLEM_OK) {
        p = check_unused(c, txn, ch->row);
        store_rollback(&txn);
    }
    if (p == PROBLEM_OK) {
        p = data_client_call(c, "drop", ch->row, NULL, NULL, &answer);
    }
    json_decref(answer);
    return p;
}

static enum problem feed(struct rest_call *c, struct store_txn *txn, const json_t *row,
                         json_t **data)
{
    (void)txn;
    if (managed(row)) {
        *data = json_pack(
            "{s:s, s:s, s:O, s:O, s:s}", "kind", "managed", "zone", row_text(row, "zone"),
            "max_connections", json_object_get(row, "max_connections"), "connection_wait_ms",
            json_object_get(row, "connection_wait_ms"), "state", row_text(row, "state"));
        return *data ? PROBLEM_OK : PROBLEM_INTERNAL;
    }
    if (files(row)) {
        *data = json_pack("{s:s, s:s, s:s, s:O, s:O, s:s}", "kind", "files", "folder",
                          row_text(row, "folder"), "encoding", row_text(row, "encoding"),
                          "max_connections", json_object_get(row, "max_connections"),
                          "connection_wait_ms", json_object_get(row, "connection_wait_ms"), "state",
                          row_text(row, "state"));
        return *data ? PROBLEM_OK : PROBLEM_INTERNAL;
    }
    json_t *sealed = api_reseal(c->ctl, row_text(row, "id"), row_text(row, "connection_sealed"));
    if (!sealed) {
        return rest_fail(
            c, PROBLEM_INTERNAL, "",
            "the source's connection cannot be opened: is keys/master.key the store's?");
    }
    *data = json_pack("{s:s, s:o, s:O, s:O, s:s, s:s}", "kind", row_text(row, "kind"),
                      "connection_sealed", sealed, "max_connections",
                      json_object_get(row, "max_connections"), "connection_wait_ms",
                      json_object_get(row, "connection_wait_ms"), "encoding",
                      row_text(row, "encoding"), "state", row_text(row, "state"));
    if (*data && row_text(row, "credential_expires_at")[0]) {
        json_object_set_new(*data, "credential_expires_at",
                            api_feed_ms(row, "credential_expires_at"));
    }
    return *data ? PROBLEM_OK : PROBLEM_INTERNAL;
}

#define KEEPER (ROLE_STAFF | ROLE_PROVIDER)
static const struct transition transitions[] = {
    {"draft|ready|disabled", "check", "ready", KEEPER, .prepare = open_source, .hook = may_be_read},
    {"draft|ready", "disable", "disabled", KEEPER},
    {"disabled", "enable", "ready", KEEPER, .hook = may_be_read},
    {"draft|disabled", "drop", "dropped", KEEPER, .prepare = prepare_drop},
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
