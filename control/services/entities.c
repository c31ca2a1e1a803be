/* SPDX-License-Identifier: Apache-2.0 */
/* A business data entity (SW-8.1-p8, SW-8.1-p9): entries of the directory under names of the
 * business, a head and what belongs to it. Its datasets are made with it, so that everything that
 * holds of datasets (levels, reviews, publication) holds of it; an API over the head answers the
 * whole as one. */
#include <stdio.h>

#include "api/api.h"
#include "catalog/catalog.h"
#include "services/entities.h"
#include "services/services.h"

#define PARTS_MAX 4 /* = QUERY_EMBEDS_MAX: what one answer can hold */

static enum problem refuse(struct rest_call *c, const char *where, const char *why)
{
    return rest_fail(c, PROBLEM_FIELD_INVALID, where, "%s", why);
}

static enum problem check_fields(struct rest_call *c, const char *where, const json_t *v)
{
    static const char *const members[] = {"column", "name", "title", NULL};
    json_t *f;
    size_t i;
    bool ok = json_is_array(v) && json_array_size(v) > 0 && json_array_size(v) <= ENTRY_FIELDS_MAX;

    json_array_foreach(v, i, f)
    {
        const json_t *title = json_object_get(f, "title");
        ok = ok && json_is_object(f) && api_only_members(f, members) && row_text(f, "column")[0] &&
             row_text(f, "name")[0] && (!title || json_is_null(title) || json_is_string(title));
    }
    return ok ? PROBLEM_OK : refuse(c, where, "1 to 512 fields {column, name, title} are needed");
}

static enum problem check_parts(struct rest_call *c, const char *where, const json_t *v)
{
    static const char *const members[] = {"name",    "title", "entry_id", "local",
                                          "foreign", "many",  "fields",   NULL};
    enum problem p = PROBLEM_OK;
    json_t *part;
    size_t i;

    if (!json_is_array(v) || json_array_size(v) > PARTS_MAX) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, where, "at most %d parts", PARTS_MAX);
    }
    json_array_foreach(v, i, part)
    {
        const char *id = row_text(part, "entry_id");
        char at[64];
        struct uuid u;
        snprintf(at, sizeof at, "%.40s/%zu", where, i);
        if (!json_is_object(part) || !api_only_members(part, members) ||
            !row_text(part, "name")[0] || !row_text(part, "local")[0] ||
            !row_text(part, "foreign")[0] || !uuid_parse(&u, id, strlen(id))) {
            return refuse(c, at, "a part is {name, title, entry_id, local, foreign, many, fields}");
        }
        p = p == PROBLEM_OK ? check_fields(c, at, json_object_get(part, "fields")) : p;
    }
    return p;
}

static const struct attr attrs[] = {
    {"name", ATTR_TEXT, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER | AF_SORT, 1, 100},
    {"title", ATTR_TEXT, AF_REQUIRED | AF_SORT, 1, 200},
    {"description", ATTR_TEXT, AF_LINES, 0, REST_TEXT_MAX},
    {"entry_id", ATTR_REF, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, .ref = "entries"},
    {"organisation_id", ATTR_REF, AF_READ_ONLY | AF_FILTER, .ref = "organisations"},
    {"fields", ATTR_JSON, AF_REQUIRED | AF_IMMUTABLE, .check = check_fields},
    {"parts", ATTR_JSON, AF_IMMUTABLE, .check = check_parts, .fallback = "[]"},
    {"owner_column", ATTR_TEXT, AF_IMMUTABLE, 0, 128},
    {"dataset_id", ATTR_REF, AF_READ_ONLY | AF_FILTER, .ref = "datasets"},
    {"part_dataset_ids", ATTR_JSON, AF_READ_ONLY},
};

static const json_t *named(const json_t *list, const char *member, const char *value)
{
    json_t *f;
    size_t i;

    json_array_foreach(list, i, f)
    {
        if (strcmp(row_text(f, member), value) == 0) {
            return f;
        }
    }
    return NULL;
}

/* A field of the entity: type and length are the entry's, what was said of its level is that of a
 * dataset over the same table, if there is one. */
static json_t *field_of(const json_t *mapped, const json_t *found, const json_t *classified)
{
    static const char *const said[] = {"level", "mask", "tags", "category", "sensitive"};
    json_t *out = json_pack("{s:s, s:s, s:s, s:s, s:I, s:b, s:i, s:s}", "column",
                            row_text(mapped, "column"), "name", row_text(mapped, "name"), "title",
                            row_text(mapped, "title"), "type", row_text(found, "type"), "length",
                            json_integer_value(json_object_get(found, "length")), "key",
                            json_is_true(json_object_get(found, "key")), "level", 0, "mask", "");

    for (size_t i = 0; classified && i < COUNT(said); i++) {
        json_t *v = json_object_get(classified, said[i]);
        if (v && !json_is_null(v)) {
            json_object_set(out, said[i], v);
        }
    }
    return out;
}

static enum problem fields_of(struct rest_call *c, const char *where, const json_t *mapped,
                              const json_t *entry, const json_t *dataset, json_t *out)
{
    json_t *m;
    size_t i;

    json_array_foreach(mapped, i, m)
    {
        const json_t *found =
            named(json_object_get(entry, "fields"), "name", row_text(m, "column"));
        if (!found) {
            return rest_fail(c, PROBLEM_FIELD_INVALID, where, "the entry has no field %.100s",
                             row_text(m, "column"));
        }
        json_array_append_new(out, field_of(m, found,
                                            named(json_object_get(dataset, "fields"), "column",
                                                  row_text(m, "column"))));
    }
    return PROBLEM_OK;
}

/* The entry of the head or of a part: the caller's to publish, and of a table. */
static enum problem load_entry(struct rest_call *c, struct store_txn *txn, const char *where,
                               const char *id, json_t **entry, json_t **dataset)
{
    enum problem p = row_load(c, txn, &entries_resource, id, true, entry);

    if (p == PROBLEM_OK && (!*entry || !row_writable(c, txn, &entries_resource, id))) {
        return refuse(c, where, "an entry of your own is needed");
    }
    if (p == PROBLEM_OK && (!row_text(*entry, "source_id")[0] || !row_text(*entry, "table")[0])) {
        return refuse(c, where, "the entry names no table of a source");
    }
    return p == PROBLEM_OK && row_text(*entry, "dataset_id")[0]
               ? row_load(c, txn, &datasets_resource, row_text(*entry, "dataset_id"), false,
                          dataset)
               : p;
}

/* what: the entity, or one of its parts. */
static enum problem make_row(struct rest_call *c, struct store_txn *txn, const char *where,
                             const json_t *what, const char *name, json_t *row)
{
    static const char *const copied[] = {"source_id", "schema", "table", "organisation_id"};
    json_t *entry = NULL, *dataset = NULL, *fields = json_array();
    enum problem p = load_entry(c, txn, where, row_text(what, "entry_id"), &entry, &dataset);

    if (p == PROBLEM_OK) {
        p = fields_of(c, where, json_object_get(what, "fields"), entry, dataset, fields);
    }
    for (size_t i = 0; i < COUNT(copied) && p == PROBLEM_OK; i++) {
        json_object_set(row, copied[i], json_object_get(entry, copied[i]));
    }
    json_object_set_new(row, "name", json_string(name));
    json_object_set(row, "title", json_object_get(what, "title"));
    json_object_set(row, "fields", fields);
    json_decref(fields);
    json_decref(entry);
    json_decref(dataset);
    return p;
}

static enum problem store_row(struct rest_call *c, struct store_txn *txn, json_t *row)
{
    struct change ch = {.res = &datasets_resource, .txn = txn, .row = row};
    enum problem p = fields_check_dataset(c, "/fields", json_object_get(row, "fields"));

    p = p == PROBLEM_OK ? datasets_resource.check(c, &ch) : p;
    return p == PROBLEM_OK ? change_store(c, txn, &datasets_resource, NULL, row, "create") : p;
}

static enum problem make_part(struct rest_call *c, struct change *ch, size_t i, json_t *relations,
                              json_t *ids)
{
    const json_t *part = json_array_get(json_object_get(ch->row, "parts"), i);
    json_t *row = resource_row(&datasets_resource);
    char where[40], name[260];

    snprintf(where, sizeof where, "/parts/%zu", i);
    snprintf(name, sizeof name, "%.100s.%.100s", row_text(ch->row, "name"), row_text(part, "name"));
    enum problem p = make_row(c, ch->txn, where, part, name, row);
    p = p == PROBLEM_OK ? store_row(c, ch->txn, row) : p;
    if (p == PROBLEM_OK) {
        json_array_append(ids, json_object_get(row, "id"));
        json_array_append_new(
            relations, json_pack("{s:s, s:O, s:s, s:s, s:b}", "name", row_text(part, "name"),
                                 "dataset_id", json_object_get(row, "id"), "local",
                                 row_text(part, "local"), "foreign", row_text(part, "foreign"),
                                 "many", !json_is_false(json_object_get(part, "many"))));
    }
    json_decref(row);
    return p;
}

static enum problem check(struct rest_call *c, struct change *ch)
{
    json_t *row, *relations, *ids;
    enum problem p = PROBLEM_OK;

    if (ch->old) {
        return strcmp(row_text(ch->old, "state"), "withdrawn") == 0
                   ? rest_fail(c, PROBLEM_STATE_CONFLICT, "", "the entity is withdrawn")
                   : PROBLEM_OK;
    }
    row = resource_row(&datasets_resource);
    relations = json_array();
    ids = json_array();
    p = make_row(c, ch->txn, "/fields", ch->row, row_text(ch->row, "name"), row);
    for (size_t i = 0; p == PROBLEM_OK && i < json_array_size(json_object_get(ch->row, "parts"));
         i++) {
        p = make_part(c, ch, i, relations, ids);
    }
    if (p == PROBLEM_OK) {
        json_object_set(row, "relations", relations);
        json_object_set_new(row, "whole", json_true());
        if (row_text(ch->row, "owner_column")[0]) {
            json_object_set(row, "owner_column", json_object_get(ch->row, "owner_column"));
        }
        p = store_row(c, ch->txn, row);
    }
    if (p == PROBLEM_OK) {
        json_object_set(ch->row, "dataset_id", json_object_get(row, "id"));
        json_object_set(ch->row, "organisation_id", json_object_get(row, "organisation_id"));
        json_object_set(ch->row, "part_dataset_ids", ids);
    }
    json_decref(row);
    json_decref(relations);
    json_decref(ids);
    return p;
}

static const struct transition transitions[] = {
    {"active", "withdraw", "withdrawn", ROLE_STAFF | ROLE_PROVIDER},
};

static const struct scope scopes[] = {
    {ROLE_PROVIDER, BIND_ORGANISATION, "t.organisation_id = ?", "t.organisation_id = ?"},
    {ROLE_DEVELOPER | ROLE_OWNER, BIND_ORGANISATION,
     "t.state = 'active' AND EXISTS (SELECT 1 FROM apis a WHERE a.dataset_id = t.dataset_id AND "
     "a.state IN ('published', 'deprecated'))",
     "1 = 0"},
};

/* Which columns stand behind the names is for those who keep them. */
static void show(const struct rest_call *c, json_t *shown)
{
    json_t *lists = json_array(), *list, *f, *part;
    size_t i, k;

    if (c->user.role & (ROLE_STAFF | ROLE_AUDITOR | ROLE_PROVIDER)) {
        json_decref(lists);
        return;
    }
    json_object_set_new(shown, "fields", json_deep_copy(json_object_get(shown, "fields")));
    json_object_set_new(shown, "parts", json_deep_copy(json_object_get(shown, "parts")));
    json_array_append(lists, json_object_get(shown, "fields"));
    json_array_foreach(json_object_get(shown, "parts"), i, part)
    {
        json_array_append(lists, json_object_get(part, "fields"));
        json_object_del(part, "local");
        json_object_del(part, "foreign");
    }
    json_array_foreach(lists, i, list)
    {
        json_array_foreach(list, k, f)
        {
            json_object_del(f, "column");
        }
    }
    json_object_del(shown, "owner_column");
    json_decref(lists);
}

const struct resource business_entities_resource = {
    .plural = "business_entities",
    .kind = "business-entity",
    .initial = "active",
    .attrs = attrs,
    .n_attrs = COUNT(attrs),
    .transitions = transitions,
    .n_transitions = COUNT(transitions),
    .scopes = scopes,
    .n_scopes = COUNT(scopes),
    .read_roles = ROLE_ALL,
    .create_roles = ROLE_STAFF | ROLE_PROVIDER,
    .patch_roles = ROLE_STAFF | ROLE_PROVIDER,
    .check = check,
    .show = show,
};
