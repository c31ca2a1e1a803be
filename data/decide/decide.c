/* SPDX-License-Identifier: Apache-2.0 */
#include "data/decide/inner.h"

#include <stdlib.h>
#include <xxhash.h>

#include "base/clock.h"
#include "data/row_filter.h"
#include "lists/lists.h"

#define SLOTS 1024 /* decisions kept; two in one take turns */

struct kept {
    struct decision answer;
    struct decide_question asked;
    uint64_t version;
    enum problem decided; /* before the lists, which move by the clock too */
    struct uuid org;
    struct policy_verdict verdict;
    struct policy_api api;
    struct plan *plan;
    struct row_filter *rows;
    char owner[DECIDE_OWNER_MAX];
    char *paths; /* what the fields' paths point at */
    struct policy_field *fields;
};

struct decide {
    struct replica_reader *reader;
    struct mask_key *mask;
    struct lists *lists;
    uint64_t lists_rev;
    bool lists_read;
    struct plan_stream *stream;
    struct plan_field plan_fields[POLICY_FIELDS_MAX];
    struct policy_field fields[POLICY_FIELDS_MAX];
    uint64_t seen[POLICY_FIELD_WORDS], rows;
    struct kept *slots[SLOTS], *retired; /* retired: what was last put out of its slot */
};

static void kept_free(struct kept **k)
{
    if (!*k)
        return;
    plan_free(&(*k)->plan);
    row_filter_free(&(*k)->rows);
    free((*k)->paths);
    free((*k)->fields);
    free(*k);
    *k = NULL;
}

struct decide *decide_new(struct replica *replica, const uint8_t link_key[static CRYPTO_KEY_LEN])
{
    uint8_t key[CRYPTO_KEY_LEN];
    struct decide *d = calloc(1, sizeof *d);
    if (!d)
        return NULL;
    crypto_derive(link_key, "mask.pseudonym", key);
    d->mask = mask_key_new(key);
    crypto_wipe(key, sizeof key);
    if (!d->mask || replica_reader_new(&d->reader, replica) != REPLICA_OK)
        decide_free(&d);
    return d;
}

void decide_free(struct decide **slot)
{
    struct decide *d = *slot;
    if (!d)
        return;
    for (size_t i = 0; i < SLOTS; i++)
        kept_free(&d->slots[i]);
    kept_free(&d->retired);
    if (d->stream)
        plan_stream_free(&d->stream);
    lists_free(&d->lists);
    mask_key_free(&d->mask);
    if (d->reader)
        replica_reader_free(&d->reader);
    free(d);
    *slot = NULL;
}

/* What an app is given without asking is as if it had proved itself by all it could; APIs whose
 * callers must sign each call (A2) have no pushed deliveries (control/events). */
#define ALL_PROOFS (POLICY_PROOF_SECRET | POLICY_PROOF_KEY | POLICY_PROOF_CERTIFICATE)

static bool copy_fields(struct kept *k, const struct policy_api *from)
{
    size_t bytes = 1;
    for (uint32_t i = 0; i < from->n_fields; i++)
        bytes += from->fields[i].path.n;
    k->paths = malloc(bytes);
    k->fields = calloc(from->n_fields + 1, sizeof *k->fields);
    if (!k->paths || !k->fields)
        return false;
    char *at = k->paths;
    for (uint32_t i = 0; i < from->n_fields; i++) {
        k->fields[i] = from->fields[i];
        memcpy(at, from->fields[i].path.p, from->fields[i].path.n);
        k->fields[i].path.p = at;
        at += from->fields[i].path.n;
    }
    k->api = *from;
    k->api.fields = k->fields;
    return true;
}

static bool make_plan(struct decide *d, struct kept *k)
{
    uint32_t n = k->verdict.n_fields;
    for (uint32_t i = 0; i < n; i++)
        d->plan_fields[i] = (struct plan_field){.path = k->fields[i].path,
                                                .outcome = k->verdict.outcome[i],
                                                .type = k->fields[i].type,
                                                .mask = k->fields[i].mask};
    k->plan = plan_new(d->plan_fields, n);
    XXH64_hash_t seed = XXH3_64bits(k->api.id.b, UUID_LEN) ^ k->api.rev;
    k->answer.plan_key = XXH3_64bits_withSeed(k->verdict.outcome, n, seed);
    k->answer.plan = k->plan;
    return k->plan != NULL;
}

static bool add_entry(void *ctx, const struct uuid *id, uint64_t rev, struct slice json)
{
    (void)id, (void)rev;
    return lists_add(ctx, json, clock_wall_ms());
}

/* Inside a snapshot. False: the lists cannot be read, so nobody is let past them. */
static bool current_lists(struct decide *d)
{
    uint64_t rev = 0;
    if (replica_set_rev(d->reader, REPLICA_LISTS, &rev) != REPLICA_OK)
        return false;
    if (d->lists_read && rev == d->lists_rev)
        return true;
    struct lists *fresh = lists_new();
    d->lists_read = fresh &&
                    replica_set_each(d->reader, REPLICA_LISTS, add_entry, fresh) == REPLICA_OK &&
                    lists_seal(fresh);
    lists_free(&d->lists);
    d->lists = fresh;
    d->lists_rev = rev;
    return d->lists_read;
}

static enum problem ask_lists(struct decide *d, const struct kept *k, uint64_t now_ms)
{
    const struct lists_call call = {.app = &k->answer.app, .api = &k->api.id, .now_ms = now_ms};
    const struct {
        enum lists_subject subject;
        struct slice value;
    } names[] = {{LISTS_APP, {(const char *)k->answer.app.b, UUID_LEN}},
                 {LISTS_ORGANISATION, {(const char *)k->org.b, UUID_LEN}},
                 {LISTS_USER, k->answer.owner}};
    if (!current_lists(d))
        return PROBLEM_LIMITS_UNAVAILABLE;
    for (size_t i = 0; i < sizeof names / sizeof *names && !lists_empty(d->lists); i++)
        if (lists_judge(d->lists, &call, names[i].subject, names[i].value) != LISTS_PASS)
            return PROBLEM_CALLER_BLOCKED;
    return PROBLEM_OK;
}

/* The owner's grant; of its own rows an app needs none, and names none. */
static void find_grant(struct decide *d, struct kept *k, const struct replica_app *app,
                       struct policy_call *call, struct policy_grant *grant)
{
    struct slice owner = k->answer.owner;
    if (!k->api.owner_scoped || call->stream == POLICY_STREAM_OPEN ||
        call->stream == POLICY_STREAM_PUBLISH)
        return;
    if (app->policy.has_subject && owner.n && slice_eq(app->subject, owner))
        return;
    call->grant_named = true;
    if (owner.n &&
        replica_find_grant(d->reader, &k->answer.app, &k->api, owner, grant) == REPLICA_OK) {
        call->grant = grant;
        k->answer.grant = grant->id;
    }
}

/* Which of the rows; the text is the snapshot's. What cannot be applied opens none. */
static enum problem keep_rows(struct kept *k)
{
    char text[POLICY_ROWS_BOTH];
    size_t n = 0;
    bool ok = policy_rows(&k->verdict, text, &n);
    k->verdict.rows_subscription = k->verdict.rows_grant = SLICE("");
    if (ok && n == 0)
        return PROBLEM_OK;
    k->rows = ok ? row_filter_new(&k->api, slice_of(text, n)) : NULL;
    k->answer.rows = k->rows;
    return k->rows ? PROBLEM_OK : PROBLEM_ROW_FILTER_UNUSABLE;
}

/* Inside a snapshot. */
static enum problem decide_now(struct decide *d, struct kept *k)
{
    struct replica_api api;
    struct replica_app app;
    struct policy_subscription subscription;
    struct policy_grant grant;
    const struct policy_credential stands = {.id = k->asked.app,
                                             .app = k->asked.app,
                                             .state = POLICY_ACTIVE,
                                             .alg = POLICY_TOKEN,
                                             .use = POLICY_SIGNING};
    struct policy_call call = {.credential = &stands,
                               .method = k->asked.method,
                               .proofs = ALL_PROOFS,
                               .stream = k->asked.stream,
                               .sdk = POLICY_SDK_CURRENT, /* the gateway saw to it */
                               .now_ms = clock_wall_ms()};
    if (replica_get_api(d->reader, &k->asked.api, &api, d->fields) != REPLICA_OK)
        return PROBLEM_ROUTE_UNKNOWN;
    if (!copy_fields(k, &api.policy))
        return PROBLEM_INTERNAL;
    call.api = &k->api;
    bool known = replica_get_app(d->reader, &k->asked.app, &app) == REPLICA_OK;
    if (!known)
        return PROBLEM_APP_INACTIVE;
    if (app.policy.state == POLICY_TESTING)
        return PROBLEM_SANDBOX_UNAVAILABLE;
    app.policy.has_subject = app.policy.has_subject && app.subject.n <= DECIDE_OWNER_MAX;
    call.app = &app.policy;
    k->org = app.org;
    if (replica_get_subscription(d->reader, &k->asked.app, &k->api, &subscription) == REPLICA_OK)
        call.subscription = &subscription;
    find_grant(d, k, &app, &call, &grant);
    policy_decide(&call, &k->verdict);
    enum problem rows = keep_rows(k);
    return k->verdict.reason ? k->verdict.reason : rows;
}

static bool same(const struct decide_question *a, const struct decide_question *b)
{
    return uuid_eq(&a->api, &b->api) && uuid_eq(&a->app, &b->app) && a->method == b->method &&
           a->stream == b->stream && slice_eq(a->owner, b->owner);
}

static struct kept *fill(struct decide *d, const struct decide_question *q, uint64_t version)
{
    struct kept *k = calloc(1, sizeof *k);
    if (!k)
        return NULL;
    memcpy(k->owner, q->owner.p ? q->owner.p : "", q->owner.n);
    k->asked = *q;
    k->asked.owner = slice_of(k->owner, q->owner.n);
    k->version = version;
    k->answer.app = q->app;
    k->answer.owner = k->asked.owner;
    k->answer.verdict = &k->verdict;
    k->answer.api = &k->api;
    k->decided = decide_now(d, k);
    if (k->decided == PROBLEM_OK && !make_plan(d, k))
        kept_free(&k);
    return k;
}

const struct decision *decide_ask(struct decide *d, const struct decide_question *q)
{
    uint64_t version = 0, synced = 0, now_ms = clock_wall_ms();
    if (q->owner.n > DECIDE_OWNER_MAX ||
        replica_read_begin(d->reader, &version, &synced) != REPLICA_OK)
        return NULL;
    XXH64_hash_t h = XXH3_64bits_withSeed(q->owner.p, q->owner.n, q->stream);
    h ^= XXH3_64bits_withSeed(q->app.b, UUID_LEN, q->method) ^ XXH3_64bits(q->api.b, UUID_LEN);
    struct kept **slot = &d->slots[h % SLOTS], *k = *slot;
    uint64_t until = k ? k->verdict.valid_until_ms : 0;

    if (!k || k->version != version || !same(&k->asked, q) || (until && now_ms >= until)) {
        k = fill(d, q, version);
        kept_free(&d->retired);
        d->retired = *slot;
        *slot = k;
    }
    if (k)
        k->answer.reason = k->decided ? k->decided : ask_lists(d, k, now_ms);
    replica_read_end(d->reader);
    return k ? &k->answer : NULL;
}

bool decide_admits(const struct decision *decision, struct slice json)
{
    return decision->reason == PROBLEM_OK &&
           (!decision->rows || row_filter_admits(decision->rows, json));
}

void decide_begin(struct decide *d)
{
    memset(d->seen, 0, sizeof d->seen);
    d->rows = 0;
}

struct room {
    struct plan_out out;
    struct buf *buf;
};

static bool more_room(struct plan_out *out, size_t need)
{
    struct room *room = (struct room *)out;
    if (out->pos)
        room->buf->n = (size_t)(out->pos - room->buf->p);
    if (!buf_reserve(room->buf, need + 512))
        return false;
    out->pos = room->buf->p + room->buf->n;
    out->end = room->buf->p + room->buf->cap;
    return true;
}

bool decide_mask(struct decide *d, const struct decision *decision, struct slice json,
                 struct buf *out)
{
    struct room room = {.out = {.more = more_room}, .buf = out};
    if (decision->reason || !decision->plan)
        return false;
    if (d->stream)
        plan_stream_reset(d->stream, decision->plan, d->mask);
    else
        d->stream = plan_stream_new(decision->plan, d->mask);
    if (!d->stream || !more_room(&room.out, 1) ||
        plan_stream_feed(d->stream, json, &room.out) != PLAN_OK ||
        plan_stream_end(d->stream, &room.out) != PLAN_OK)
        return false;
    out->n = (size_t)(room.out.pos - out->p);
    const uint64_t *seen = plan_stream_seen(d->stream);
    for (size_t i = 0; i < POLICY_FIELD_WORDS; i++)
        d->seen[i] |= seen[i];
    d->rows += plan_stream_rows(d->stream);
    return true;
}

const uint64_t *decide_seen(const struct decide *d)
{
    return d->seen;
}
