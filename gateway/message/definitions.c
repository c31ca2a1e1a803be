/* SPDX-License-Identifier: Apache-2.0 */
/* What an API's calls are held against and turned into: its `schema` and its `conversion`, compiled
 * once a revision. The table is by API and not by path, for an API's paths are many: sets of a few
 * places, the one used last first, so that two busy APIs of one set do not chase each other out. */
#include "sluice.h"

#include <xxhash.h>

#include "convert/convert.h"
#include "schema/schema.h"

#define SETS 256
#define WAYS 4

static sluice_definition_t *tables[2][SETS][WAYS];
static const char *const kinds[] = {[SLUICE_SCHEMA] = "schema", [SLUICE_CONVERSION] = "conversion"};

void sluice_definition_drop(sluice_definition_t *definition)
{
    if (definition && --definition->refs == 0) {
        schema_free(&definition->schema);
        convert_free(&definition->convert);
        free(definition);
    }
}

static void complain(const sluice_definition_t *d, const char *where, const char *what)
{
    char id[UUID_TEXT_LEN + 1];
    uuid_format(&d->api, id);
    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0, "sluice: %s of API %s cannot be used: %s (%s)",
                  kinds[d->kind], id, what, where);
}

/* One that cannot be used is remembered too: it is not compiled again for each call. */
static void compile(sluice_definition_t *d, struct slice json)
{
    json_t *record = json_loadb(json.p, json.n, 0, NULL);
    if (d->kind == SLUICE_SCHEMA) {
        struct schema_error error;
        const json_t *openapi = json_object_get(record, "openapi");
        if (!openapi) {
            complain(d, "", "it has no openapi");
        } else if (schema_compile(openapi, &d->schema, &error) != SCHEMA_OK) {
            complain(d, error.where, error.detail);
        }
    } else {
        struct convert_error error;
        const json_t *definition = json_object_get(record, "definition");
        if (!definition) {
            complain(d, "", "it has no definition");
        } else if (convert_compile(definition, &d->convert, &error) != CONVERT_OK) {
            complain(d, error.where, error.text);
        }
    }
    json_decref(record);
}

static sluice_definition_t *make(enum sluice_kind kind, const struct uuid *api, uint64_t rev,
                                 struct slice json)
{
    sluice_definition_t *d = calloc(1, sizeof *d);
    if (d) {
        d->refs = 1;
        d->kind = kind;
        d->api = *api;
        d->rev = rev;
        compile(d, json);
    }
    return d;
}

/* Moves what is at `way` to the front. */
static void to_front(sluice_definition_t **set, size_t way)
{
    sluice_definition_t *d = set[way];
    for (; way > 0; way--) {
        set[way] = set[way - 1];
    }
    set[0] = d;
}

sluice_definition_t *sluice_definition_find(enum sluice_kind kind, const struct uuid *api)
{
    sluice_definition_t **set = tables[kind][XXH3_64bits(api->b, UUID_LEN) % SETS];
    struct slice json;
    uint64_t rev;
    size_t way = 0;
    while (way < WAYS - 1 && set[way] && !uuid_eq(&set[way]->api, api)) {
        way++;
    }
    to_front(set, way);
    bool same = set[0] && uuid_eq(&set[0]->api, api);
    if (!same || set[0]->version != sluice_worker.version) {
        struct replica_reader *reader = sluice_reader();
        if (!reader || replica_get_json(reader, kinds[kind], api, &rev, &json) != REPLICA_OK) {
            return NULL;
        }
        if (!same || set[0]->rev != rev) {
            sluice_definition_t *fresh = make(kind, api, rev, json);
            if (!fresh) {
                return NULL;
            }
            sluice_definition_drop(set[0]);
            set[0] = fresh;
        }
        set[0]->version = sluice_worker.version;
    }
    if (!set[0]->schema && !set[0]->convert) {
        return NULL;
    }
    set[0]->refs++;
    return set[0];
}

void sluice_definitions_clear(void)
{
    for (size_t i = 0; i < sizeof tables / sizeof(sluice_definition_t *); i++) {
        sluice_definition_drop((&tables[0][0][0])[i]);
    }
    ngx_memzero(tables, sizeof tables);
}
