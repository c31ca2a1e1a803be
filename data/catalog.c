/* SPDX-License-Identifier: Apache-2.0 */
#include "data/catalog_inner.h"

#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/codec.h"
#include "data/personal.h"
#include "data/sandbox.h"
#include "data/sources/connection.h"
#include "data/sources/pool.h"
#include "link/ring.h"
#include "plan/plan.h"

static const struct {
    struct slice name;
    uint8_t profile;
} profiles[] = {
    {{"rest", 4}, CATALOG_REST},
    {{"", 0}, CATALOG_REST},
    {{"getEnterpriseGrade", 18}, CATALOG_GRADE},
    {{"getEnterpriseGrades", 19}, CATALOG_GRADES},
    {{"getPublicResourcesTrading", 25}, CATALOG_TRADING},
    {{"submission", 10}, CATALOG_SUBMISSION},
};

static void api_free(struct catalog_api **api)
{
    if (!*api)
        return;
    graph_free(&(*api)->graph);
    arena_fini(&(*api)->arena);
    free(*api);
    *api = NULL;
}

bool catalog_init(struct catalog *c, struct replica *replica, const char *data_dir,
                  const uint8_t secret_key[static CRYPTO_KEY_LEN])
{
    memset(c, 0, sizeof *c);
    c->data_dir = data_dir;
    memcpy(c->secret_key, secret_key, CRYPTO_KEY_LEN);
    return replica_reader_new(&c->reader, replica) == REPLICA_OK;
}

void catalog_fini(struct catalog *c)
{
    for (size_t i = 0; i < CATALOG_APIS; i++)
        api_free(&c->apis[i]);
    catalog_release(c);
    if (c->reader)
        replica_reader_free(&c->reader);
    crypto_wipe(c->secret_key, sizeof c->secret_key);
}

struct slice catalog_text(const json_t *object, const char *member)
{
    const json_t *v = json_object_get(object, member);
    return json_is_string(v) ? slice_of(json_string_value(v), json_string_length(v)) : SLICE("");
}

static bool parse_id(const json_t *object, const char *member, struct uuid *id)
{
    struct slice text = catalog_text(object, member);
    return uuid_parse(id, text.p, text.n);
}

/* The dataset's name of an API field: the path itself, or what stands in the rows of a profile's
 * answer: "data.companyList.uniscId" is uniscId. Members of the envelope have none. */
static struct slice field_name(uint8_t profile, struct slice path)
{
    static const struct slice prefixes[] = {
        [CATALOG_REST] = {"", 0},
        [CATALOG_GRADE] = {"data.", 5},
        [CATALOG_GRADES] = {"data.companyList.", 17},
        [CATALOG_TRADING] = {"data.", 5},
        [CATALOG_SUBMISSION] = {"records.", 8},
    };
    struct slice prefix = prefixes[profile];
    if (path.n <= prefix.n || (prefix.n && memcmp(path.p, prefix.p, prefix.n) != 0))
        return SLICE("");
    return slice_of(path.p + prefix.n, path.n - prefix.n);
}

static const json_t *find_column(const json_t *columns, struct slice name, const char *member)
{
    size_t i;
    const json_t *column;
    json_array_foreach(columns, i, column)
    {
        if (name.n && slice_eq(catalog_text(column, member), name))
            return column;
    }
    return NULL;
}

bool catalog_member(struct arena *arena, struct slice name, struct slice *out)
{
    struct buf member;
    buf_init(&member);
    buf_add_json(&member, name);
    buf_addc(&member, ':');
    *out = arena_copy(arena, buf_slice(&member));
    bool ok = !member.failed && out->p;
    buf_fini(&member);
    return ok;
}

static bool fill_column(struct catalog_api *api, size_t i, struct slice name, const json_t *column)
{
    struct query_column *c = &api->columns[i];
    c->name = arena_copy(&api->arena, name);
    c->column = arena_copy(&api->arena, column ? catalog_text(column, "column") : SLICE(""));
    c->type = (uint8_t)query_type_by_name(catalog_text(column, "type"));
    return catalog_member(&api->arena, name, &api->members[i]) && c->name.p && c->column.p;
}

static bool make_columns(struct catalog_api *api, size_t n)
{
    api->columns = arena_get(&api->arena, sizeof *api->columns, n + 1);
    api->members = arena_get(&api->arena, sizeof *api->members, n + 1);
    api->stands_for = arena_get(&api->arena, sizeof *api->stands_for, n + 1);
    api->rules = arena_get(&api->arena, sizeof *api->rules, n + 1);
    api->writable = arena_get(&api->arena, sizeof *api->writable, n + 1);
    api->guarded = arena_get(&api->arena, sizeof *api->guarded, n + 1);
    api->table.columns = api->columns;
    api->table.n_columns = n;
    return api->columns && api->members && api->stands_for && api->rules && api->writable &&
           api->guarded;
}

static bool fill_keys(struct catalog_api *api, const json_t *columns)
{
    size_t i;
    const json_t *column;
    struct slice *keys = arena_get(&api->arena, sizeof *keys, json_array_size(columns) + 1);
    uint8_t *types = arena_get(&api->arena, 1, json_array_size(columns) + 1);
    if (!keys || !types)
        return false;
    json_array_foreach(columns, i, column)
    {
        if (!json_is_true(json_object_get(column, "key")))
            continue;
        types[api->table.n_keys] = (uint8_t)query_type_by_name(catalog_text(column, "type"));
        keys[api->table.n_keys] = arena_copy(&api->arena, catalog_text(column, "column"));
        if (!keys[api->table.n_keys++].p)
            return false;
    }
    api->table.keys = keys;
    api->table.key_types = types;
    return true;
}

/* The owner column may be given as the table's column or as the field's public name. */
static bool fill_owner(struct catalog_api *api, const json_t *dataset, const json_t *columns)
{
    struct slice name = catalog_text(dataset, "owner_column");
    const json_t *column = find_column(columns, name, "column");
    if (!column)
        column = find_column(columns, name, "name");
    if (column) {
        name = catalog_text(column, "column");
        api->table.owner_type = (uint8_t)query_type_by_name(catalog_text(column, "type"));
    }
    api->table.owner_column = arena_copy(&api->arena, name);
    return api->table.owner_column.p != NULL;
}

static uint8_t write_bits(const json_t *operations)
{
    static const struct {
        const char *name;
        uint8_t bit;
    } rows[] = {{"insert", CATALOG_INSERT}, {"update", CATALOG_UPDATE}, {"delete", CATALOG_DELETE}};
    uint8_t bits = 0;
    size_t i;
    const json_t *v;
    json_array_foreach(operations, i, v)
    {
        for (size_t k = 0; k < sizeof rows / sizeof *rows; k++)
            if (json_is_string(v) && strcmp(json_string_value(v), rows[k].name) == 0)
                bits |= rows[k].bit;
    }
    return bits;
}

/* What is not named is not written. */
static void fill_writes(struct catalog_api *api, const struct policy_api *policy,
                        const json_t *dataset)
{
    const json_t *writable = json_object_get(dataset, "writable"),
                 *names = json_object_get(writable, "fields"), *name;
    size_t k;
    for (size_t i = 0; i < policy->n_fields; i++) {
        json_array_foreach(names, k, name)
        {
            if (json_is_string(name) && api->columns[i].column.n &&
                slice_eq(slice_str(json_string_value(name)), api->columns[i].name))
                api->writable[i] = true;
        }
    }
    const json_t *guarded = json_object_get(dataset, "guarded");
    api->guard = personal_guard_of(guarded);
    for (size_t i = 0; i < policy->n_fields; i++)
        api->guarded[i] = personal_guards(guarded, api->columns[i].column);
    api->delivers = json_is_true(json_object_get(dataset, "delivers"));
    if (api->profile == CATALOG_REST && api->table.n_keys)
        api->writes = write_bits(json_object_get(writable, "operations"));
}

static bool fill_table(struct catalog_api *api, const struct policy_api *policy,
                       const json_t *dataset)
{
    const json_t *columns = json_object_get(dataset, "columns");
    if (!json_is_array(columns) || !make_columns(api, policy->n_fields) ||
        !parse_id(dataset, "source_id", &api->source))
        return false;
    for (size_t i = 0; i < policy->n_fields; i++) {
        struct slice name = field_name(api->profile, policy->fields[i].path);
        if (!fill_column(api, i, name, find_column(columns, name, "name")))
            return false;
        api->stands_for[i] = (uint8_t)sandbox_kind_of(name, &policy->fields[i].mask);
        api->rules[i] = (struct catalog_rule){.level = policy->fields[i].level,
                                              .type = policy->fields[i].type,
                                              .mask = policy->fields[i].mask};
    }
    api->table.schema = arena_copy(&api->arena, catalog_text(dataset, "schema"));
    api->table.table = arena_copy(&api->arena, catalog_text(dataset, "table"));
    bool ok = api->table.schema.p && api->table.table.p && fill_keys(api, columns) &&
              fill_owner(api, dataset, columns) && catalog_more(api, dataset);
    if (ok)
        fill_writes(api, policy, dataset);
    return ok;
}

static size_t room_of(const struct policy_api *policy)
{
    size_t room = 8192 + policy->n_fields * (sizeof(struct query_column) + sizeof(struct slice) +
                                             sizeof(struct catalog_rule) + 2);
    for (size_t i = 0; i < policy->n_fields; i++)
        room += policy->fields[i].path.n * 8;
    return room;
}

static struct catalog_api *api_new(const struct replica_api *from, uint64_t dataset_rev,
                                   struct slice json)
{
    size_t profile = 0;
    while (profile < sizeof profiles / sizeof *profiles &&
           !slice_eq(profiles[profile].name, from->profile))
        profile++;
    if (profile == sizeof profiles / sizeof *profiles)
        return NULL;
    struct catalog_api *api = calloc(1, sizeof *api);
    json_t *dataset = json_loadb(json.p, json.n, 0, NULL);
    size_t room = room_of(&from->policy) + json.n * 2 + from->path.n;
    room += json_array_size(json_object_get(dataset, "columns")) * (sizeof(struct slice) + 1);
    room += catalog_more_room(dataset, json.n);
    if (api && dataset && arena_init(&api->arena, room)) {
        api->id = from->policy.id;
        api->dataset = from->dataset;
        api->rev = from->policy.rev;
        api->dataset_rev = dataset_rev;
        api->state = from->policy.state;
        api->profile = profiles[profile].profile;
        api->owner_scoped = from->policy.owner_scoped;
        api->path = arena_copy(&api->arena, from->path).p;
        api->batch = from->batch;
        api->documents = from->documents;
        if (!api->path || !fill_table(api, &from->policy, dataset))
            api_free(&api);
    } else {
        api_free(&api);
    }
    json_decref(dataset);
    return api;
}

/* A composed API reads nothing itself: in place of a table it has its graph. */
static struct catalog_api *composed_new(const struct replica_api *from, uint64_t graph_rev,
                                        struct slice json)
{
    struct graph_error error;
    struct catalog_api *api = calloc(1, sizeof *api);
    json_t *data = json_loadb(json.p, json.n, 0, NULL);
    if (api && data && arena_init(&api->arena, from->path.n + 64)) {
        char *path = arena_get(&api->arena, 1, from->path.n + 1);
        if (path)
            memcpy(path, from->path.p, from->path.n);
        api->path = path;
        api->id = from->policy.id;
        api->rev = from->policy.rev;
        api->dataset_rev = graph_rev;
        api->state = from->policy.state;
        api->timeout_ms = from->timeout_ms;
        api->table.n_columns = from->policy.n_fields;
        api->graph = graph_new(json_object_get(data, "graph"), &error);
    }
    json_decref(data);
    if (api && (!api->graph || !api->path))
        api_free(&api);
    return api;
}

/* Of a business unit's own API the fields alone are known: enough for an answer of the test stage.
 */
static struct catalog_api *unit_new(const struct replica_api *from)
{
    const struct policy_api *policy = &from->policy;
    struct catalog_api *api = calloc(1, sizeof *api);
    bool ok =
        api && arena_init(&api->arena, room_of(policy)) && make_columns(api, policy->n_fields);
    for (size_t i = 0; ok && i < policy->n_fields; i++) {
        ok = fill_column(api, i, policy->fields[i].path, NULL);
        api->columns[i].type =
            policy->fields[i].type == PLAN_JSON ? QUERY_JSON : (uint8_t)QUERY_STRING;
        api->stands_for[i] =
            (uint8_t)sandbox_kind_of(policy->fields[i].path, &policy->fields[i].mask);
    }
    if (!ok) {
        api_free(&api);
        return NULL;
    }
    api->unit = true;
    api->id = policy->id;
    api->rev = policy->rev;
    api->state = policy->state;
    return api;
}

/* Of a dataset, whose rows are looked at for changes, or of an app's own fields. */
static struct catalog_api *topic_new(const struct replica_api *from, uint64_t rev,
                                     struct slice json)
{
    struct catalog_api *api =
        uuid_is_nil(&from->dataset) ? unit_new(from) : api_new(from, rev, json);
    if (!api)
        return NULL;
    api->topic = true;
    api->owner_scoped = from->policy.owner_scoped;
    api->path = arena_copy(&api->arena, from->path).p;
    if (!api->path)
        api_free(&api);
    return api;
}

static struct catalog_api *make(const struct replica_api *from, uint64_t rev, struct slice json)
{
    return from->policy.kind == POLICY_HTTP       ? unit_new(from)
           : from->policy.kind == POLICY_TOPIC    ? topic_new(from, rev, json)
           : from->policy.kind == POLICY_COMPOSED ? composed_new(from, rev, json)
                                                  : api_new(from, rev, json);
}

/* Inside a snapshot: brings the slot up to the snapshot's version. PROBLEM_NOT_FOUND: the replica
 * has no such API, or not yet its dataset. */
static enum problem refresh(struct catalog *c, struct catalog_api **slot, const struct uuid *id,
                            uint64_t version)
{
    struct replica_api from;
    uint64_t dataset_rev = 0;
    struct slice json = SLICE("");
    if (*slot && (*slot)->version == version && uuid_eq(&(*slot)->id, id))
        return PROBLEM_OK;
    if (replica_get_api(c->reader, id, &from, c->fields) != REPLICA_OK)
        return PROBLEM_NOT_FOUND;
    bool composed = from.policy.kind == POLICY_COMPOSED;
    bool plain = from.policy.kind == POLICY_HTTP ||
                 (from.policy.kind == POLICY_TOPIC && uuid_is_nil(&from.dataset));
    if (!plain && replica_get_json(c->reader, composed ? "composition" : "dataset",
                                   composed ? &from.policy.id : &from.dataset, &dataset_rev,
                                   &json) != REPLICA_OK)
        return PROBLEM_NOT_FOUND;
    struct catalog_api *old = *slot;
    if (!old || !uuid_eq(&old->id, id) || old->rev != from.policy.rev ||
        old->dataset_rev != dataset_rev) {
        struct catalog_api *fresh = make(&from, dataset_rev, json);
        if (!fresh)
            return PROBLEM_INTERNAL;
        api_free(slot);
        *slot = fresh;
    }
    (*slot)->version = version;
    return PROBLEM_OK;
}

static size_t slot_of(const struct uuid *id)
{
    return ((size_t)id->b[13] << 16 ^ (size_t)id->b[14] << 8 ^ id->b[15]) % CATALOG_APIS;
}

enum problem catalog_api(struct catalog *c, const struct uuid *id, uint64_t rev,
                         const struct catalog_api **api)
{
    struct catalog_api **slot = &c->apis[slot_of(id)];
    uint64_t until_us = 0;
    for (;;) {
        uint64_t version, synced_ms;
        if (replica_read_begin(c->reader, &version, &synced_ms) != REPLICA_OK)
            return PROBLEM_INTERNAL;
        enum problem p = refresh(c, slot, id, version);
        replica_read_end(c->reader);
        if (p == PROBLEM_INTERNAL)
            return p;
        c->version = version;
        if (p == PROBLEM_OK && (*slot)->rev == rev) {
            *api = *slot;
            return PROBLEM_OK;
        }
        /* Ours is newer: fields may differ from those the gateway decided on. */
        if (p == PROBLEM_OK && (*slot)->rev > rev)
            return PROBLEM_PLAN_CHANGED;
        uint64_t now = clock_mono_us();
        if (until_us == 0)
            until_us = now + CATALOG_WAIT_MS * 1000;
        if (now >= until_us)
            return PROBLEM_PLAN_CHANGED;
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    }
}

enum problem catalog_api_now(struct catalog *c, const struct uuid *id,
                             const struct catalog_api **api)
{
    struct catalog_api **slot = &c->apis[slot_of(id)];
    uint64_t version, synced_ms;
    if (replica_read_begin(c->reader, &version, &synced_ms) != REPLICA_OK)
        return PROBLEM_INTERNAL;
    enum problem p = refresh(c, slot, id, version);
    replica_read_end(c->reader);
    *api = p ? NULL : *slot;
    return p;
}

bool catalog_way(struct catalog *c, const struct uuid *app, const struct uuid *id, uint8_t way)
{
    struct replica_api api;
    struct policy_subscription s = {0};
    uint64_t version, synced_ms;
    bool may = true; /* who has no subscription calls by another right, which bounds no way */
    if (replica_read_begin(c->reader, &version, &synced_ms) != REPLICA_OK)
        return false;
    if (replica_get_api(c->reader, id, &api, c->fields) == REPLICA_OK &&
        replica_get_subscription(c->reader, app, &api.policy, &s) == REPLICA_OK)
        may = s.ways == 0 || (s.ways & way) != 0;
    replica_read_end(c->reader);
    return may;
}

bool catalog_unseal(const uint8_t key[static CRYPTO_KEY_LEN], struct slice id, struct slice sealed,
                    struct buf *text)
{
    uint8_t bytes[CONNECTION_MAX + CRYPTO_SEAL_EXTRA];
    size_t n = 0;
    if (!codec_unbase64url(bytes, sizeof bytes, &n, sealed.p, sealed.n) || n <= CRYPTO_SEAL_EXTRA)
        return false;
    buf_clear(text);
    if (!buf_reserve(text, n))
        return false;
    if (link_ring_open(key, id, bytes, n, (uint8_t *)text->p) != CRYPTO_OK)
        return false;
    text->n = n - CRYPTO_SEAL_EXTRA;
    return true;
}

static struct source *open_sealed(struct catalog *c, const struct uuid *id, const json_t *data)
{
    char text[UUID_TEXT_LEN + 1];
    struct buf connection;
    struct source *s = NULL;
    struct slice state = catalog_text(data, "state");
    if (state.n && !slice_eq(state, SLICE("ready")) && !slice_eq(state, SLICE("active")))
        return NULL;
    json_int_t until = json_integer_value(json_object_get(data, "credential_expires_at"));
    if (until && (uint64_t)until <= clock_wall_ms())
        return NULL; /* its account was given us until then (EC-4.3.2c) */
    if (slice_eq(catalog_text(data, "kind"), SLICE("managed")) ||
        slice_eq(catalog_text(data, "kind"), SLICE("files")))
        return source_new_managed(id, c->data_dir);
    buf_init(&connection);
    uuid_format(id, text);
    if (catalog_unseal(c->secret_key, slice_str(text), catalog_text(data, "connection_sealed"),
                       &connection))
        s = source_new(buf_slice(&connection), c->data_dir);
    buf_wipe(&connection);
    if (s && !source_set_encoding(s, catalog_text(data, "encoding")))
        source_free(&s);
    return s;
}

static void give_back(struct catalog_source *held, bool write)
{
    if (held->source)
        pool_give(&held->id, held->rev, write, held->source);
    held->source = NULL;
}

void catalog_release(struct catalog *c)
{
    c->version = 0;
    give_back(&c->reader_of, false);
    give_back(&c->writer_of, true);
}

static uint64_t number_or(const json_t *data, const char *member, uint64_t fallback)
{
    const json_t *v = json_object_get(data, member);
    return json_is_integer(v) && json_integer_value(v) >= 0 ? (uint64_t)json_integer_value(v)
                                                            : fallback;
}

static void tell_pool(const struct uuid *id, uint64_t rev, const json_t *data)
{
    const struct pool_terms terms = {
        .rev = rev,
        .max = (unsigned)number_or(data, "max_connections", CATALOG_CONNECTIONS),
        .wait_ms = number_or(data, "connection_wait_ms", CATALOG_CONNECTION_WAIT_MS)};
    pool_set(id, &terms);
}

/* The replica is not held while a connection is waited for. */
static enum problem find_source(struct catalog *c, const struct uuid *id, uint64_t *rev,
                                json_t **data)
{
    uint64_t version, synced_ms;
    struct slice json;
    if (replica_read_begin(c->reader, &version, &synced_ms) != REPLICA_OK)
        return PROBLEM_INTERNAL;
    bool found = replica_get_json(c->reader, "source", id, rev, &json) == REPLICA_OK;
    if (found && data)
        *data = json_loadb(json.p, json.n, 0, NULL);
    replica_read_end(c->reader);
    return found && (!data || *data) ? PROBLEM_OK : PROBLEM_SOURCE_UNAVAILABLE;
}

/* A place of ours, a connection to go with it. */
static enum problem make_source(struct catalog *c, const struct uuid *id, uint64_t rev, bool write,
                                const json_t *data, struct source **source)
{
    bool files = slice_eq(catalog_text(data, "kind"), SLICE("files"));
    /* What is written to a folder's store would be gone with the next look at the folder. */
    *source = files && write ? NULL : open_sealed(c, id, data);
    if (*source && write)
        source_set_writable(*source);
    if (!*source)
        pool_give(id, rev, write, NULL);
    return *source ? PROBLEM_OK : PROBLEM_SOURCE_UNAVAILABLE;
}

static enum problem take_source(struct catalog *c, const struct uuid *id, uint64_t rev, bool write,
                                struct source **source)
{
    json_t *data = NULL;
    enum pool_err err = pool_take(id, rev, write, source);
    if (!err && *source)
        return PROBLEM_OK;
    enum problem p = find_source(c, id, &rev, &data);
    if (!p && err == POOL_EUNKNOWN) {
        tell_pool(id, rev, data);
        err = pool_take(id, rev, write, source);
    }
    if (!p && err)
        p = PROBLEM_SOURCE_BUSY;
    else if (!p && !*source)
        p = make_source(c, id, rev, write, data, source);
    else if (p && !err)
        pool_give(id, rev, write, NULL);
    json_decref(data);
    return p;
}

/* The source's revision as of when the call's API was looked up; the replica is only asked when it
 * has changed since it last was. */
static enum problem source_rev(struct catalog *c, const struct uuid *id, uint64_t *rev)
{
    *rev = c->source_seen.rev;
    if (c->version && c->source_seen.version == c->version && uuid_eq(&c->source_seen.id, id))
        return PROBLEM_OK;
    c->source_seen.version = 0;
    enum problem p = find_source(c, id, rev, NULL);
    if (!p) {
        c->source_seen.id = *id;
        c->source_seen.rev = *rev;
        c->source_seen.version = c->version;
    }
    return p;
}

static enum problem hold(struct catalog *c, struct catalog_source *held, const struct uuid *id,
                         bool write, struct source **source)
{
    uint64_t rev = 0;
    enum problem p = source_rev(c, id, &rev);
    if (p == PROBLEM_SOURCE_UNAVAILABLE) /* it is gone: nothing is kept open to it */
        pool_set(id, &(const struct pool_terms){.max = CATALOG_CONNECTIONS});
    if (p || !held->source || !uuid_eq(&held->id, id) || held->rev != rev)
        give_back(held, write);
    if (!p && !held->source) {
        p = take_source(c, id, rev, write, source);
        if (!p)
            *held = (struct catalog_source){*id, rev, *source};
    }
    *source = held->source;
    if (*source)
        source_set_timeout_ms(*source, SOURCE_TIMEOUT_S * 1000);
    return p;
}

enum problem catalog_source(struct catalog *c, const struct uuid *id, struct source **source)
{
    return hold(c, &c->reader_of, id, false, source);
}

enum problem catalog_writer(struct catalog *c, const struct uuid *id, struct source **source)
{
    return hold(c, &c->writer_of, id, true, source);
}

json_t *catalog_dataset(struct catalog *c, const struct uuid *id, uint64_t *rev)
{
    uint64_t version, synced_ms;
    struct slice json;
    json_t *dataset = NULL;
    if (replica_read_begin(c->reader, &version, &synced_ms) != REPLICA_OK)
        return NULL;
    if (replica_get_json(c->reader, "dataset", id, rev, &json) == REPLICA_OK)
        dataset = json_loadb(json.p, json.n, 0, NULL);
    replica_read_end(c->reader);
    return dataset;
}

bool catalog_check(const json_t *dataset)
{
    const json_t *columns = json_object_get(dataset, "columns"), *column;
    size_t n = json_array_size(columns), i, json_n = 65536;
    struct catalog_api *api = calloc(1, sizeof *api);
    bool ok =
        api &&
        arena_init(&api->arena, (n + 1) * 1024 + json_n + catalog_more_room(dataset, json_n)) &&
        make_columns(api, n);
    json_array_foreach(columns, i, column)
    {
        ok = ok && fill_column(api, i, catalog_text(column, "name"), column);
    }
    ok = ok && catalog_more(api, dataset);
    if (api)
        arena_fini(&api->arena);
    free(api);
    return ok;
}
