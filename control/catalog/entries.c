/* SPDX-License-Identifier: Apache-2.0 */
/* An entry of the directory: what a resource is, whose, where, and whether it is open. Drafted,
 * reviewed by another, published; each change of what is published is a version. */
#include <stdio.h>

#include "api/api.h"
#include "catalog/catalog.h"
#include "catalog/opening.h"
#include "sandbox/stage.h"

#define LABELS_MAX 50

static const char *const frequencies[] = {"real-time", "hourly", "daily",  "weekly",    "monthly",
                                          "quarterly", "yearly", "static", "irregular", NULL};
static const char *const volatilities[] = {"none", "low", "medium", "high", NULL};
static const char *const openings[] = {"unconditional", "conditional", NULL};
static const char *const decisions[] = {"undecided", "open", "closed", NULL};

static enum problem check_labels(struct rest_call *c, const char *where, const json_t *v)
{
    json_t *item;
    size_t i;

    if (!json_is_array(v) || json_array_size(v) > LABELS_MAX) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, where, "an array of at most %d texts is needed",
                         LABELS_MAX);
    }
    json_array_foreach(v, i, item)
    {
        enum problem p = attr_text_check(c, where, item, 1, 100, false);
        if (p != PROBLEM_OK) {
            return p;
        }
    }
    return PROBLEM_OK;
}

static enum problem check_field(struct rest_call *c, const char *where, const json_t *f)
{
    static const char *const members[] = {"name",   "title",   "type",        "length",
                                          "format", "open",    "description", "key",
                                          "gone",   "element", NULL};
    static const char *const texts[] = {"name",   "title",   "type",
                                        "format", "element", "description"};
    json_t *length = json_object_get(f, "length");
    enum problem p = api_only_members(f, members) && row_text(f, "name")[0] &&
                             (!length || api_int_within(length, 0, INT64_MAX))
                         ? PROBLEM_OK
                         : rest_fail(c, PROBLEM_FIELD_INVALID, where,
                                     "fields are {name, title, type, length, format, description, "
                                     "key, open, element}");

    for (size_t i = 0; i < COUNT(texts) && p == PROBLEM_OK; i++) {
        json_t *v = json_object_get(f, texts[i]);
        p = v ? attr_text_check(c, where, v, 0, i == 5 ? 1000 : 255, i == 5) : PROBLEM_OK;
    }
    return p;
}

static enum problem check_fields(struct rest_call *c, const char *where, const json_t *v)
{
    json_t *f;
    size_t i;
    enum problem p = json_is_array(v) && json_array_size(v) <= ENTRY_FIELDS_MAX
                         ? PROBLEM_OK
                         : rest_fail(c, PROBLEM_FIELD_INVALID, where,
                                     "at most %d fields are needed", ENTRY_FIELDS_MAX);

    json_array_foreach(v, i, f)
    {
        char at[96];
        snprintf(at, sizeof at, "%.60s/%zu", where, i);
        p = p == PROBLEM_OK ? check_field(c, at, f) : p;
    }
    return p;
}

static enum problem check_nodes(struct rest_call *c, const char *where, const json_t *v)
{
    return json_array_size(v) == 0 && json_is_array(v) ? PROBLEM_OK
                                                       : api_check_words(c, where, v, NULL, 20);
}

static const struct attr attrs[] = {
    {"identifier", ATTR_TEXT, AF_READ_ONLY | AF_FILTER},
    {"name", ATTR_TEXT, AF_REQUIRED | AF_FILTER | AF_SORT, 1, 200},
    {"summary", ATTR_TEXT, AF_LINES, 0, REST_TEXT_MAX},
    {"organisation_id", ATTR_REF, AF_IMMUTABLE | AF_FILTER, .ref = "organisations"},
    {"department", ATTR_TEXT, AF_FILTER | AF_SORT, 0, 200},
    {"theme_id", ATTR_REF, AF_FILTER, .ref = "catalog_nodes"},
    {"category_id", ATTR_REF, AF_FILTER, .ref = "catalog_nodes"},
    {"application_id", ATTR_REF, AF_FILTER, .ref = "catalog_nodes"},
    {"domain_id", ATTR_REF, AF_FILTER, .ref = "service_domains"},
    {"node_ids", ATTR_JSON, 0, .check = check_nodes},
    {"tags", ATTR_JSON, 0, .check = check_labels, .fallback = "[]"},
    {"keywords", ATTR_JSON, 0, .check = check_labels, .fallback = "[]"},
    {"update_frequency", ATTR_TEXT, AF_FILTER, 1, 20, .values = frequencies},
    {"volatility", ATTR_TEXT, AF_FILTER, 1, 20, .values = volatilities},
    {"opening", ATTR_TEXT, AF_FILTER, 1, 20, .values = openings},
    {"access_conditions", ATTR_TEXT, AF_LINES, 0, REST_TEXT_MAX},
    {"decision", ATTR_TEXT, AF_FILTER, 1, 20, .values = decisions, .fallback = "\"undecided\""},
    {"volume", ATTR_INT, AF_SORT, 0, INT64_MAX},
    {"storage", ATTR_TEXT, 0, 0, 1000},
    {"fields", ATTR_JSON, 0, .check = check_fields, .fallback = "[]"},
    {"dataset_id", ATTR_REF, AF_FILTER, .ref = "datasets"},
    {"source_id", ATTR_REF, AF_FILTER, .ref = "sources"},
    {"schema", ATTR_TEXT, 0, 0, 128},
    {"table", ATTR_TEXT, 0, 0, 128},
    {"version", ATTR_INT, AF_READ_ONLY, .fallback = "0"},
    {"published_at", ATTR_TIME, AF_READ_ONLY | AF_SORT},
    {"last_update", ATTR_TIME, AF_SORT},
    {"submitted_by", ATTR_TEXT, AF_READ_ONLY},
    {"reviewed_by", ATTR_TEXT, AF_READ_ONLY},
    {"reviewed_at", ATTR_TIME, AF_READ_ONLY},
    {"comment", ATTR_TEXT, AF_READ_ONLY},
    {"merged_into", ATTR_TEXT, AF_READ_ONLY},
    {"profile", ATTR_JSON, AF_READ_ONLY},
    {"volumes", ATTR_JSON, AF_READ_ONLY},
    {"bytes", ATTR_INT, AF_READ_ONLY},
    {"media_type", ATTR_TEXT, AF_READ_ONLY | AF_FILTER},
    {"content_sm3", ATTR_TEXT, AF_READ_ONLY},
    {"harvested_at", ATTR_TIME, AF_READ_ONLY | AF_SORT},
    {"gone_at", ATTR_TIME, AF_READ_ONLY},
    {"digest", ATTR_TEXT, AF_HIDDEN},
    {"data_digest", ATTR_TEXT, AF_HIDDEN},
};

bool entry_keeper(const struct rest_call *c, const json_t *entry)
{
    return (c->user.role & (ROLE_STAFF | ROLE_AUDITOR)) ||
           (c->user.role == ROLE_PROVIDER && c->user.organisation[0] &&
            strcmp(row_text(entry, "organisation_id"), c->user.organisation) == 0);
}

bool entry_listed(const json_t *entry)
{
    const char *state = row_text(entry, "state");

    return strcmp(row_text(entry, "decision"), "open") == 0 &&
           (strcmp(state, "published") == 0 || strcmp(state, "deprecated") == 0);
}

/* Where data lies is its keeper's to know; a field that is not open is nobody else's. */
static void show(const struct rest_call *c, json_t *shown)
{
    static const char *const kept[] = {"storage",      "source_id",   "schema",
                                       "table",        "profile",     "bytes",
                                       "submitted_by", "reviewed_by", "comment"};
    json_t *fields = json_array(), *f;
    size_t i;

    if (!entry_keeper(c, shown)) {
        for (i = 0; i < COUNT(kept); i++) {
            json_object_del(shown, kept[i]);
        }
        json_array_foreach(json_object_get(shown, "fields"), i, f)
        {
            if (!json_is_false(json_object_get(f, "open"))) {
                json_array_append(fields, f);
            }
        }
        json_object_set(shown, "fields", fields);
    }
    json_decref(fields);
}

static enum problem check_node(struct rest_call *c, struct store_txn *txn, const char *where,
                               const char *id, const char *scheme)
{
    json_t *node = NULL;
    enum problem p = row_load(c, txn, &catalog_nodes_resource, id, false, &node);

    if (p == PROBLEM_OK && (!node || strcmp(row_text(node, "state"), "active") != 0 ||
                            (scheme && strcmp(row_text(node, "scheme"), scheme) != 0))) {
        p = rest_fail(c, PROBLEM_FIELD_INVALID, where, "an active node%s%s is needed",
                      scheme ? " of the scheme " : "", scheme ? scheme : "");
    }
    json_decref(node);
    return p;
}

static enum problem check_tree(struct rest_call *c, struct change *ch)
{
    static const char *const named[][3] = {{"theme_id", "theme", "/theme_id"},
                                           {"category_id", "category", "/category_id"},
                                           {"application_id", "application", "/application_id"}};
    enum problem p = PROBLEM_OK;
    json_t *v;
    size_t i;

    for (i = 0; i < COUNT(named) && p == PROBLEM_OK; i++) {
        const char *id = row_text(ch->row, named[i][0]);
        bool turned = !ch->old || api_changed(ch->old, ch->row, named[i][0]);
        p = id[0] && turned ? check_node(c, ch->txn, named[i][2], id, named[i][1]) : PROBLEM_OK;
    }
    bool turned = !ch->old || api_changed(ch->old, ch->row, "node_ids");
    json_array_foreach(json_object_get(ch->row, "node_ids"), i, v)
    {
        p = p == PROBLEM_OK && turned
                ? check_node(c, ch->txn, "/node_ids", json_string_value(v), NULL)
                : p;
    }
    return p;
}

/* What an entry is about lies with the entry's own organisation. */
static enum problem check_owner(struct rest_call *c, struct change *ch, const char *member,
                                const struct resource *res, const char *where)
{
    json_t *row = NULL;
    const char *id = row_text(ch->row, member);
    enum problem p = id[0] ? api_load(c, ch->txn, res, id, &row) : PROBLEM_OK;

    if (p == PROBLEM_OK && row && !row_text(ch->row, "organisation_id")[0]) {
        json_object_set(ch->row, "organisation_id", json_object_get(row, "organisation_id"));
    }
    if (p == PROBLEM_OK && row &&
        strcmp(row_text(row, "organisation_id"), row_text(ch->row, "organisation_id")) != 0) {
        p = rest_fail(c, PROBLEM_FIELD_INVALID, where, "it is another organisation's");
    }
    json_decref(row);
    return p;
}

static bool versioned(const json_t *old, const json_t *row)
{
    static const char *const told[] = {"name",       "summary",     "department",
                                       "theme_id",   "category_id", "application_id",
                                       "tags",       "keywords",    "update_frequency",
                                       "volatility", "opening",     "access_conditions",
                                       "decision",   "fields",      "node_ids",
                                       "domain_id"};

    for (size_t i = 0; i < COUNT(told); i++) {
        if (api_changed(old, row, told[i])) {
            return true;
        }
    }
    return false;
}

static void next_version(json_t *row)
{
    json_int_t version = json_integer_value(json_object_get(row, "version"));

    json_object_set_new(row, "version", json_integer(version + 1));
}

static enum problem check(struct rest_call *c, struct change *ch)
{
    bool decides = ch->old ? api_changed(ch->old, ch->row, "decision")
                           : strcmp(row_text(ch->row, "decision"), "undecided") != 0;
    char identifier[64];

    if (ch->old && strcmp(row_text(ch->old, "state"), "withdrawn") == 0) {
        return rest_fail(c, PROBLEM_STATE_CONFLICT, "", "the entry is withdrawn");
    }
    if (decides && !(c->user.role & ROLE_STAFF)) {
        return rest_fail(c, PROBLEM_NOT_PERMITTED, "/decision",
                         "what is open is the operator's to say");
    }
    if (!ch->old) {
        snprintf(identifier, sizeof identifier, "urn:uuid:%s", row_text(ch->row, "id"));
        json_object_set_new(ch->row, "identifier", json_string(identifier));
        if (c->user.role == ROLE_PROVIDER && !row_text(ch->row, "organisation_id")[0]) {
            json_object_set_new(ch->row, "organisation_id", json_string(c->user.organisation));
        }
    }
    enum problem p = check_owner(c, ch, "source_id", &sources_resource, "/source_id");
    if (p == PROBLEM_OK) {
        p = check_owner(c, ch, "dataset_id", &datasets_resource, "/dataset_id");
    }
    if (p == PROBLEM_OK && !row_text(ch->row, "organisation_id")[0]) {
        p = rest_fail(c, PROBLEM_FIELD_INVALID, "/organisation_id", "an entry has an owner");
    }
    if (p == PROBLEM_OK) {
        p = check_tree(c, ch);
    }
    if (p == PROBLEM_OK && ch->old && strcmp(row_text(ch->row, "state"), "published") == 0 &&
        versioned(ch->old, ch->row)) {
        next_version(ch->row);
    }
    return p;
}

static enum problem submit(struct rest_call *c, struct change *ch)
{
    if (!row_text(ch->row, "summary")[0] || !row_text(ch->row, "department")[0]) {
        return rest_fail(
            c, PROBLEM_STATE_CONFLICT, row_text(ch->row, "summary")[0] ? "/department" : "/summary",
            "an entry that is reviewed says what it is and which department it is from");
    }
    json_object_set_new(ch->row, "submitted_by", json_string(c->user.login));
    return PROBLEM_OK;
}

static enum problem publish(struct rest_call *c, struct change *ch)
{
    if (strcmp(row_text(ch->row, "submitted_by"), c->user.login) == 0) {
        return PROBLEM_SELF_APPROVAL;
    }
    if (strcmp(row_text(ch->row, "decision"), "undecided") == 0) {
        return rest_fail(c, PROBLEM_STATE_CONFLICT, "/decision",
                         "open or closed is to be decided first");
    }
    stage_sign(c, ch->row, "reviewed");
    json_object_set_new(ch->row, "published_at", stage_time(c->now_ms));
    if (!api_ms(ch->row, "last_update")) {
        json_object_set_new(ch->row, "last_update", stage_time(c->now_ms));
    }
    next_version(ch->row);
    return PROBLEM_OK;
}

static void unite(json_t *to, const json_t *from, const char *member)
{
    json_t *list = json_deep_copy(json_object_get(to, member)), *v, *w;
    size_t i, k;

    list = json_is_array(list) ? list : json_array();
    json_array_foreach(json_object_get(from, member), i, v)
    {
        bool there = false;
        json_array_foreach(list, k, w)
        {
            there = there || json_equal(v, w);
        }
        if (!there && json_array_size(list) < LABELS_MAX) {
            json_array_append(list, v);
        }
    }
    json_object_set_new(to, member, list);
}

/* Labels go over; who had the identifier finds the other by merged_into. */
static enum problem merge(struct rest_call *c, struct change *ch)
{
    struct uuid id;
    json_t *to = NULL, *old;
    const char *text = row_text(ch->row, "merged_into");
    enum problem p = uuid_parse(&id, text, strlen(text))
                         ? row_load(c, ch->txn, ch->res, text, true, &to)
                         : PROBLEM_OK;

    if (p == PROBLEM_OK &&
        (!to || strcmp(text, row_text(ch->row, "id")) == 0 ||
         strcmp(row_text(to, "state"), "withdrawn") == 0 ||
         strcmp(row_text(to, "organisation_id"), row_text(ch->row, "organisation_id")) != 0)) {
        p = rest_fail(c, PROBLEM_FIELD_INVALID, "/merged_into",
                      "another entry of the same organisation, not withdrawn, is needed");
    }
    if (p == PROBLEM_OK) {
        old = json_deep_copy(to);
        unite(to, ch->row, "tags");
        unite(to, ch->row, "keywords");
        if (strcmp(row_text(to, "state"), "published") == 0 && versioned(old, to)) {
            next_version(to);
        }
        p = change_store(c, ch->txn, ch->res, old, to, "update");
        json_decref(old);
    }
    json_decref(to);
    return p;
}

static enum problem keep_version(struct rest_call *c, struct change *ch)
{
    char id[UUID_TEXT_LEN + 1];
    struct uuid u;
    json_t *shown = row_public(ch->res, ch->row);

    uuid_new(&u);
    uuid_format(&u, id);
    json_object_del(shown, "profile");
    json_t *row = json_pack(
        "{s:s, s:s, s:i, s:o, s:o, s:O, s:O, s:O, s:s, s:o}", "id", id, "state", "kept", "revision",
        1, "created_at", stage_time(c->now_ms), "updated_at", stage_time(c->now_ms), "entry_id",
        json_object_get(ch->row, "id"), "organisation_id",
        json_object_get(ch->row, "organisation_id"), "version", json_object_get(ch->row, "version"),
        "made_by", c->user.login[0] ? c->user.login : "platform", "snapshot", shown);
    enum problem p = row_insert(c, ch->txn, &entry_versions_resource, row);
    json_decref(row);
    return p;
}

static enum problem after(struct rest_call *c, struct change *ch)
{
    bool opened = entry_listed(ch->row) && !(ch->old && entry_listed(ch->old));
    enum problem p = opened ? scope_check_listing(c, ch->txn, ch->row) : PROBLEM_OK;

    if (p == PROBLEM_OK && opened) {
        p = plan_entry_opened(c, ch->txn, ch->row);
    }
    p = p == PROBLEM_OK ? index_entry(c, ch->txn, ch->row) : p;
    bool kept = !ch->old || json_integer_value(json_object_get(ch->old, "version")) ==
                                json_integer_value(json_object_get(ch->row, "version"));

    return p == PROBLEM_OK && !kept ? keep_version(c, ch) : p;
}

#define KEEPER (ROLE_STAFF | ROLE_PROVIDER)
static const struct transition transitions[] = {
    {"draft", "submit", "review", KEEPER, .hook = submit},
    {"review", "publish", "published", ROLE_STAFF, .hook = publish},
    {"review", "return", "draft", ROLE_STAFF, .body_text = "comment"},
    {"published|deprecated", "revise", "draft", KEEPER},
    {"published", "deprecate", "deprecated", KEEPER, .body_text = "comment"},
    {"draft|review|published|deprecated", "withdraw", "withdrawn", KEEPER, .body_text = "comment"},
    {"draft|review|published|deprecated", "merge", "withdrawn", KEEPER, .body_text = "merged_into",
     .hook = merge},
};

static const struct scope scopes[] = {
    {ROLE_PROVIDER, BIND_ORGANISATION,
     "(" ENTRY_LISTED ") OR t.organisation_id = ? OR " SHARED_WITH, "t.organisation_id = ?"},
    {ROLE_DEVELOPER | ROLE_OWNER, BIND_ORGANISATION, "(" ENTRY_LISTED ") OR " SHARED_WITH, "1 = 0"},
};

const struct resource entries_resource = {
    .plural = "entries",
    .kind = "entry",
    .initial = "draft",
    .attrs = attrs,
    .n_attrs = COUNT(attrs),
    .transitions = transitions,
    .n_transitions = COUNT(transitions),
    .scopes = scopes,
    .n_scopes = COUNT(scopes),
    .read_roles = ROLE_ALL,
    .create_roles = KEEPER,
    .patch_roles = KEEPER,
    .check = check,
    .after = after,
    .show = show,
};

static const struct attr version_attrs[] = {
    {"entry_id", ATTR_REF, AF_READ_ONLY | AF_FILTER, .ref = "entries"},
    {"organisation_id", ATTR_REF, AF_READ_ONLY | AF_FILTER, .ref = "organisations"},
    {"version", ATTR_INT, AF_READ_ONLY | AF_FILTER | AF_SORT},
    {"made_by", ATTR_TEXT, AF_READ_ONLY},
    {"snapshot", ATTR_JSON, AF_READ_ONLY},
};

static const struct scope version_scopes[] = {
    {ROLE_PROVIDER, BIND_ORGANISATION, "t.organisation_id = ?", "1 = 0"},
};

const struct resource entry_versions_resource = {
    .plural = "entry_versions",
    .kind = "entry-version",
    .initial = "kept",
    .attrs = version_attrs,
    .n_attrs = COUNT(version_attrs),
    .scopes = version_scopes,
    .n_scopes = COUNT(version_scopes),
    .read_roles = KEEPER | ROLE_AUDITOR,
};
