/* SPDX-License-Identifier: Apache-2.0 */
/* What the control plane asks of exports: which have changed (it keeps their history), one for an
 * operator, the end of one, pieces of a file, the key that signs. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/codec.h"
#include "crypto/key.h"
#include "data/batch/batch.h"
#include "plan/plan.h"

#define CHANGES_MAX 200
#define PIECE_MAX   (4u << 20)

struct internal {
    struct worker *w;
    const struct service_request *rq;
    const json_t *body;
    json_t *answer;
    const char *detail;
    struct slice where;
};

static const char *text_of(const json_t *json, const char *name)
{
    const char *text = json_string_value(json_object_get(json, name));
    return text ? text : "";
}

static bool read_id(const json_t *json, const char *name, struct uuid *id)
{
    const char *text = text_of(json, name);
    return uuid_parse(id, text, strlen(text));
}

static json_t *told(const struct job *job)
{
    char id[UUID_TEXT_LEN + 1];
    json_t *out = job_public(job, NULL);
    const struct {
        const char *name;
        const struct uuid *id;
    } ids[] = {{"api_id", &job->api}, {"app_id", &job->app}, {"grant_id", &job->grant}};
    for (size_t i = 0; out && i < sizeof ids / sizeof *ids; i++) {
        uuid_format(ids[i].id, id);
        json_object_set_new(out, ids[i].name,
                            uuid_is_nil(ids[i].id) ? json_null() : json_string(id));
    }
    if (out) {
        json_object_set_new(out, "owner", json_string(job->owner));
        json_object_set_new(out, "changed_ms", json_integer((json_int_t)job->changed_ms));
        json_object_set(out, "fields", job->fields);
        char hex[CODEC_HEX_LEN(CRYPTO_HASH_LEN)];
        json_object_set_new(out, "sm3",
                            json_stringn(hex, codec_hex(hex, job->sm3, sizeof job->sm3)));
    }
    return out;
}

/* Oldest change first, so that whoever follows them loses none. */
static enum problem changes(struct internal *c)
{
    struct batch *b = c->w->batch;
    json_int_t after = json_integer_value(json_object_get(c->body, "after_ms"));
    json_t *items = json_array();
    uint64_t from = after > 0 ? (uint64_t)after : 0;
    pthread_mutex_lock(&b->lock);
    while (json_array_size(items) < CHANGES_MAX) {
        const struct job *next = NULL;
        uint64_t at = UINT64_MAX;
        for (const struct job *job = b->jobs; job; job = job->next)
            if (job->changed_ms > from && job->changed_ms < at)
                at = job->changed_ms, next = job;
        if (!next)
            break;
        for (const struct job *job = b->jobs; job; job = job->next)
            if (job->changed_ms == at)
                json_array_append_new(items, told(job));
        from = at;
    }
    pthread_mutex_unlock(&b->lock);
    c->answer = json_pack("{s:o, s:I}", "items", items, "after_ms", (json_int_t)from);
    return PROBLEM_OK;
}

/* For an operator the rules are those of any third party: what is masked is masked. */
static void decide(struct worker *w, const struct catalog_api *api)
{
    for (size_t i = 0; i < api->table.n_columns; i++) {
        uint8_t level = api->rules[i].level;
        w->call.outcome[i] = level == POLICY_L1 || level == POLICY_L2 ? PLAN_KEEP
                             : level == POLICY_L3                     ? PLAN_MASK
                                                                      : PLAN_DROP;
    }
    w->call.n_fields = (uint32_t)api->table.n_columns;
}

static enum problem create(struct internal *c)
{
    struct worker *w = c->w;
    const struct catalog_api *api = NULL;
    struct uuid id;
    struct job *job = NULL;
    const char *owner = text_of(c->body, "owner"), *query = text_of(c->body, "query");
    const json_t *ask = json_object_get(c->body, "ask");
    bool whole = json_is_true(json_object_get(c->body, "whole"));
    if (!read_id(c->body, "api_id", &id) || strlen(owner) > LINK_OWNER_MAX || !json_is_object(ask))
        return PROBLEM_BODY_MALFORMED;
    enum problem p = catalog_api_now(&w->catalog, &id, &api);
    if (p)
        return p;
    if (!api->batch || api->unit || api->graph || api->profile != CATALOG_REST)
        return PROBLEM_ROUTE_UNKNOWN;
    if (api->owner_scoped && !owner[0] && !whole)
        return PROBLEM_GRANT_MISSING;
    decide(w, api);
    w->call.owner = slice_str(owner);
    p = batch_make(w, api, c->rq, ask, slice_str(query), &job, &c->detail, &c->where);
    if (p)
        return p;
    const char *table = text_of(c->body, "table");
    job->whole = whole;
    bool zone = json_object_get(c->body, "zone") != NULL;
    snprintf(job->table, sizeof job->table, "%s", table);
    if (!read_id(c->body, "id", &job->id) || strlen(table) > JOB_COLUMN_MAX ||
        zone != (table[0] != '\0') || (zone && !read_id(c->body, "zone", &job->zone)) ||
        (whole && !zone)) {
        job_free(&job);
        return PROBLEM_BODY_MALFORMED;
    }
    pthread_mutex_lock(&w->batch->lock);
    struct job *there = batch_find(w->batch, &job->id);
    c->answer = there ? told(there) : NULL; /* asked again: the same one */
    pthread_mutex_unlock(&w->batch->lock);
    if (c->answer) {
        job_free(&job);
        return PROBLEM_OK;
    }
    c->answer = told(job);
    p = batch_add(w->batch, job);
    if (p)
        job_free(&job);
    return p;
}

/* The job of the body's id, under the lock; false: there is none, and nothing is locked. */
static struct job *locked(struct internal *c)
{
    struct uuid id;
    struct batch *b = c->w->batch;
    if (!read_id(c->body, "id", &id))
        return NULL;
    pthread_mutex_lock(&b->lock);
    struct job *job = batch_find(b, &id);
    if (!job)
        pthread_mutex_unlock(&b->lock);
    return job;
}

static enum problem erase(struct internal *c)
{
    struct job *job = locked(c);
    if (!job)
        return PROBLEM_NOT_FOUND;
    enum problem p = batch_erase(c->w->batch, job);
    c->answer = told(job);
    pthread_mutex_unlock(&c->w->batch->lock);
    return p;
}

static json_t *base64(const uint8_t *bytes, size_t n)
{
    char *text = malloc(CODEC_BASE64_LEN(n) + 1);
    json_t *out = text ? json_stringn_nocheck(text, codec_base64(text, bytes, n)) : NULL;
    free(text);
    return out;
}

static enum problem read_piece(struct internal *c, const char *path, uint64_t at, size_t n)
{
    uint8_t *bytes = malloc(n + 1);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = bytes && fd >= 0 ? pread(fd, bytes, n, (off_t)at) : -1;
    if (fd >= 0)
        close(fd);
    if (got >= 0)
        c->answer = json_pack("{s:o}", "data", base64(bytes, (size_t)got));
    free(bytes);
    return got < 0 ? PROBLEM_NOT_FOUND : c->answer ? PROBLEM_OK : PROBLEM_INTERNAL;
}

static enum problem piece(struct internal *c)
{
    char dir[JOB_DIR_MAX], path[JOB_DIR_MAX + 16];
    json_int_t at = json_integer_value(json_object_get(c->body, "offset"));
    json_int_t n = json_integer_value(json_object_get(c->body, "bytes"));
    struct job *job = at >= 0 && n > 0 && n <= PIECE_MAX ? locked(c) : NULL;
    if (!job)
        return PROBLEM_NOT_FOUND;
    bool ready = job->state == JOB_READY && uuid_is_nil(&job->zone);
    job_dir(c->w->batch->root, &job->id, dir);
    pthread_mutex_unlock(&c->w->batch->lock);
    bool packaged = strcmp(text_of(c->body, "of"), "package") == 0;
    snprintf(path, sizeof path, "%s/%s", dir, packaged ? "package" : "data");
    return ready ? read_piece(c, path, (uint64_t)at, (size_t)n) : PROBLEM_STATE_CONFLICT;
}

static enum problem manifest(struct internal *c)
{
    struct job *job = locked(c);
    struct buf text, jws;
    if (!job)
        return PROBLEM_NOT_FOUND;
    buf_init(&text);
    buf_init(&jws);
    bool ready = job->state == JOB_READY && uuid_is_nil(&job->zone);
    bool ok =
        ready && manifest_write(c->w->batch, job, &text) && manifest_sign(c->w->batch, job, &jws);
    pthread_mutex_unlock(&c->w->batch->lock);
    if (ok)
        c->answer = json_pack("{s:s%, s:s%}", "manifest", text.p, text.n, "jws", jws.p, jws.n);
    buf_fini(&text);
    buf_fini(&jws);
    return !ready ? PROBLEM_STATE_CONFLICT : c->answer ? PROBLEM_OK : PROBLEM_INTERNAL;
}

/* {id, public_key: base64url of the SPKI, kid}: whom it is sealed to, the control plane has looked
 * up. */
static enum problem package(struct internal *c)
{
    const char *text = text_of(c->body, "public_key");
    uint8_t der[1024], sm3[CRYPTO_HASH_LEN];
    char hex[CODEC_HEX_LEN(CRYPTO_HASH_LEN)];
    struct crypto_key *public_key = NULL;
    size_t n = 0;
    uint64_t bytes = 0;
    if (!codec_unbase64url(der, sizeof der, &n, text, strlen(text)) ||
        crypto_key_load_spki(&public_key, slice_of((const char *)der, n)) != CRYPTO_OK)
        return PROBLEM_BODY_MALFORMED;
    struct jwe_key *to = jwe_key_take(&public_key, slice_str(text_of(c->body, "kid")));
    struct job *job = to ? locked(c) : NULL;
    enum problem p = !to                                                   ? PROBLEM_BODY_MALFORMED
                     : !job                                                ? PROBLEM_NOT_FOUND
                     : job->state != JOB_READY || !uuid_is_nil(&job->zone) ? PROBLEM_STATE_CONFLICT
                                                                           : PROBLEM_OK;
    bool mine = !p && !job->taken;
    if (mine)
        job->taken = true; /* nobody erases it under the pen */
    if (job)
        pthread_mutex_unlock(&c->w->batch->lock);
    if (!p)
        p = mine ? batch_package(c->w->batch, job, to, &bytes, sm3) : PROBLEM_STATE_CONFLICT;
    jwe_key_free(&to);
    if (mine) {
        pthread_mutex_lock(&c->w->batch->lock);
        job->taken = false;
        if (job->state > JOB_READY)
            job_erase(c->w->batch->root, job, false);
        pthread_mutex_unlock(&c->w->batch->lock);
    }
    if (!p)
        c->answer = json_pack("{s:I, s:s%}", "bytes", (json_int_t)bytes, "sm3", hex,
                              codec_hex(hex, sm3, sizeof sm3));
    return p;
}

static enum problem key(struct internal *c)
{
    char *jwk = crypto_key_jwk(c->w->batch->signer);
    json_t *json = jwk ? json_loads(jwk, 0, NULL) : NULL;
    free(jwk);
    if (json) {
        json_object_set_new(json, "kid", json_string(crypto_key_id(c->w->batch->signer)));
        json_object_set_new(json, "use", json_string("sig"));
    }
    c->answer = json_pack("{s:o}", "key", json);
    return c->answer ? PROBLEM_OK : PROBLEM_INTERNAL;
}

static const struct {
    struct slice path;
    enum problem (*run)(struct internal *c);
} routes[] = {
    {{"/internal/v1/exports/changes", 28}, changes},
    {{"/internal/v1/exports/create", 27}, create},
    {{"/internal/v1/exports/erase", 26}, erase},
    {{"/internal/v1/exports/piece", 26}, piece},
    {{"/internal/v1/exports/manifest", 29}, manifest},
    {{"/internal/v1/exports/key", 24}, key},
    {{"/internal/v1/exports/package", 28}, package},
};

bool batch_internal(struct worker *w, const struct service_request *rq, struct service_reply *rp)
{
    struct internal c = {.w = w, .rq = rq, .where = SLICE("")};
    size_t i = 0;
    while (i < sizeof routes / sizeof *routes && !slice_eq(rq->target, routes[i].path))
        i++;
    if (!w->batch || i == sizeof routes / sizeof *routes)
        return false;
    json_t *body = json_loadb(rq->body.p, rq->body.n, JSON_REJECT_DUPLICATES, NULL);
    c.body = body;
    enum problem p = !slice_eq(rq->method, SLICE("POST")) ? PROBLEM_METHOD_NOT_ALLOWED
                     : !json_is_object(body)              ? PROBLEM_BODY_MALFORMED
                                                          : routes[i].run(&c);
    char *text = p ? NULL : json_dumps(c.answer, JSON_COMPACT);
    if (text)
        buf_adds(&w->body, text);
    if (!text)
        service_problem(w, rq, rp, p ? p : PROBLEM_INTERNAL, c.detail, c.where);
    free(text);
    json_decref(c.answer);
    json_decref(body);
    return true;
}
