/* SPDX-License-Identifier: Apache-2.0 */
/* Why a call would be allowed, refused, masked: the decision the gateway takes, from the store. */
#include "policy/policy.h"

#include <stdlib.h>

#include "api/apis.h"
#include "policy/purpose.h"
#include "sdks/sdks.h"

#define AUDIENCE_MAX 100

struct facts {
    json_t *api, *app, *credential, *subscription, *grant; /* subscription: as nodes are told it */
    json_t *grant_fed;                                     /* the grant as they are */
    struct uuid audience[AUDIENCE_MAX];
    size_t n_audience;
    struct uuid granted_for[PURPOSES_MAX], subscribed_for[PURPOSES_MAX];
    struct uuid purpose; /* of the call */
    struct policy_api p_api;
    struct policy_app p_app;
    struct policy_credential p_credential;
    struct policy_subscription p_subscription;
    struct policy_grant p_grant;
    struct policy_field fields[POLICY_FIELDS_MAX];
    uint8_t proofs; /* what the app's credentials, or the one asked for, can prove */
    uint8_t app_state;
    enum policy_sdk sdk;
    bool has_subject;
};

struct word {
    const char *text;
    uint8_t value;
};
static const struct word words[] = {
    {"published", POLICY_API_PUBLISHED},
    {"deprecated", POLICY_API_DEPRECATED},
    {"offline", POLICY_API_OFFLINE},
    {"test", POLICY_API_PUBLISHED},
    {"stopped", POLICY_API_OFFLINE},
    {"suspended", POLICY_API_OFFLINE},
    {"baffled", POLICY_API_OFFLINE},
    {"dataset", POLICY_DATASET},
    {"http", POLICY_HTTP},
    {"composed", POLICY_COMPOSED},
    {"topic", POLICY_TOPIC},
    {"A1", POLICY_A1},
    {"A2", POLICY_A2},
    {"subscription", POLICY_SUBSCRIPTION},
    {"registered", POLICY_REGISTERED},
    {"general", POLICY_GENERAL},
    {"monitored", POLICY_MONITORED},
    {"controlled", POLICY_CONTROLLED},
    {"hmac-sm3", POLICY_HMAC_SM3},
    {"hmac-sha256", POLICY_HMAC_SHA256},
    {"sm2-sm3", POLICY_SM2_SM3},
    {"ecdsa-p256-sha256", POLICY_ECDSA_P256_SHA256},
    {"rsa-pss-sha512", POLICY_RSA_PSS_SHA512},
    {"SM2", POLICY_SM2},
    {"ECDH-ES", POLICY_ECDH_ES},
    {"signing", POLICY_SIGNING},
    {"encryption", POLICY_ENCRYPTION},
    {"server", POLICY_SERVER},
    {"mobile", POLICY_MOBILE},
    {"once", POLICY_ONCE},
    {"period", POLICY_PERIOD},
    {"agreement", POLICY_AGREEMENT},
    {"active", POLICY_ACTIVE},
    {"revoked", POLICY_REVOKED},
    {"approved", POLICY_ACTIVE},
};
static const struct word methods[] = {
    {"GET", POLICY_GET}, {"HEAD", POLICY_HEAD},   {"POST", POLICY_POST},
    {"PUT", POLICY_PUT}, {"PATCH", POLICY_PATCH}, {"DELETE", POLICY_DELETE},
};

static const struct word ways[] = {{"call", POLICY_WAY_CALL},
                                   {"export", POLICY_WAY_EXPORT},
                                   {"event", POLICY_WAY_EVENT},
                                   {"aggregate", POLICY_WAY_AGGREGATE},
                                   {"sdk", POLICY_WAY_SDK}};
static const struct word proofs[] = {
    {"secret", POLICY_PROOF_SECRET},
    {"key", POLICY_PROOF_KEY},
    {"certificate", POLICY_PROOF_CERTIFICATE},
};

static uint8_t lookup(const struct word *list, size_t n, const char *text)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(list[i].text, text) == 0) {
            return list[i].value;
        }
    }
    return 0;
}

static uint8_t word(const json_t *row, const char *member)
{
    return lookup(words, COUNT(words), row_text(row, member));
}

static struct uuid uuid_of(const json_t *row, const char *member)
{
    struct uuid id = {{0}};
    const char *text = row_text(row, member);

    if (!uuid_parse(&id, text, strlen(text))) {
        return (struct uuid){{0}}; /* nil: no id */
    }
    return id;
}

/* One row by SQL that starts at " WHERE"; NULL *row: none. */
static enum problem find_row(struct rest_call *c, struct store_txn *txn, const struct resource *res,
                             const char *where, const struct store_value *v, size_t n, json_t **row)
{
    struct store_rows *rows = NULL;
    struct buf sql;

    buf_init(&sql);
    buf_adds(&sql, "SELECT ");
    row_columns(res, &sql);
    buf_addf(&sql, " FROM %s%s LIMIT 1", res->plural, where);
    buf_addc(&sql, '\0');
    enum store_err err = sql.failed ? STORE_EIO : store_query(txn, sql.p, v, n, &rows);
    if (err == STORE_OK && store_next(rows)) {
        *row = row_read(res, rows);
    }
    if (err == STORE_OK) {
        err = store_rows_end(&rows);
    }
    buf_fini(&sql);
    return rest_store_problem(c, err);
}

static enum problem named(struct rest_call *c, struct store_txn *txn, const struct resource *res,
                          const char *parameter, json_t **row)
{
    char where[40] = "/";
    const char *id = rest_query(c, parameter);

    strncat(where, parameter, sizeof where - 2);
    if (!id) {
        return rest_fail(c, PROBLEM_PARAMETER_MISSING, where, "the id of one of the %s is needed",
                         res->plural);
    }
    enum problem p = row_load(c, txn, res, id, true, row);
    return p == PROBLEM_OK && !*row
               ? rest_fail(c, PROBLEM_NOT_FOUND, where, "no such one among the %s", res->plural)
               : p;
}

static uint8_t proofs_of(const json_t *credential)
{
    bool secret = strncmp(row_text(credential, "algorithm"), "hmac-", 5) == 0,
         certified = row_text(credential, "certificate_mode")[0];

    if (strcmp(row_text(credential, "use"), "signing") != 0) {
        return 0;
    }
    return (uint8_t)((secret ? POLICY_PROOF_SECRET : POLICY_PROOF_KEY) |
                     (certified ? POLICY_PROOF_CERTIFICATE : 0));
}

static enum problem add_proofs(struct rest_call *c, struct change *ch)
{
    struct facts *f = ch->arg;
    uint64_t from_ms = api_ms(ch->row, "not_before");

    if (strcmp(row_text(ch->row, "state"), "active") == 0 && from_ms <= c->now_ms &&
        api_ms(ch->row, "expires_at") > c->now_ms) {
        f->proofs |= proofs_of(ch->row);
    }
    return PROBLEM_OK;
}

/* The credential asked for; or the strongest there is, of a call that proves all the app can. */
static enum problem load_credential(struct rest_call *c, struct store_txn *txn, struct facts *f)
{
    static const char best[] = " WHERE app_id = ? ORDER BY state = 'active' DESC, \"use\" = "
                               "'signing' DESC, algorithm NOT LIKE 'hmac-%' DESC, expires_at DESC";
    const struct store_value v = store_text(row_text(f->app, "id"));
    const char *id = rest_query(c, "credential");

    if (!id) {
        enum problem p = find_row(c, txn, &credentials_resource, best, &v, 1, &f->credential);
        return p == PROBLEM_OK
                   ? row_each(c, txn, &credentials_resource, "app_id", v.s.p, add_proofs, f)
                   : p;
    }
    enum problem p = row_load(c, txn, &credentials_resource, id, true, &f->credential);
    if (p == PROBLEM_OK && !f->credential) {
        p = rest_fail(c, PROBLEM_NOT_FOUND, "/credential", "no such one among the credentials");
    }
    f->proofs = proofs_of(f->credential);
    return p;
}

/* What the nodes are told, so that what bounds a subscription bounds the answer here too. */
static enum problem load_subscription(struct rest_call *c, struct store_txn *txn,
                                      const struct store_value *v, struct facts *f)
{
    json_t *row = NULL;
    enum problem p =
        find_row(c, txn, &subscriptions_resource,
                 " WHERE app_id = ? AND api_id = ? AND state <> 'cancelled'", v, 2, &row);

    if (p == PROBLEM_OK && row) {
        p = subscriptions_resource.feed(c, txn, row, &f->subscription);
    }
    json_decref(row);
    return p;
}

static uint64_t told_ms(const json_t *entry, const char *name)
{
    return (uint64_t)json_integer_value(json_object_get(entry, name));
}

static enum problem load(struct rest_call *c, struct store_txn *txn, struct facts *f)
{
    const char *grant = rest_query(c, "grant"), *owner = rest_query(c, "owner");
    enum problem p = named(c, txn, &apps_resource, "app", &f->app);

    if (p == PROBLEM_OK) {
        p = named(c, txn, &apis_resource, "api", &f->api);
    }
    if (p != PROBLEM_OK) {
        return p;
    }
    const struct store_value v[] = {store_text(row_text(f->app, "id")),
                                    store_text(row_text(f->api, "id")), store_text(owner)};
    p = load_credential(c, txn, f);
    if (p == PROBLEM_OK) {
        p = load_subscription(c, txn, v, f);
    }
    if (p == PROBLEM_OK && grant) {
        p = row_load(c, txn, &grants_resource, grant, true, &f->grant);
    } else if (p == PROBLEM_OK && owner) {
        p = find_row(c, txn, &grants_resource,
                     " WHERE app_id = ? AND api_id = ? AND owner = ? ORDER BY state = 'active' "
                     "DESC, expires_at DESC",
                     v, 3, &f->grant);
    }
    return p;
}

static enum problem load_org(struct rest_call *c, struct store_txn *txn, struct facts *f)
{
    json_t *org = NULL;
    enum problem p =
        api_load(c, txn, &organisations_resource, row_text(f->app, "organisation_id"), &org);

    bool calls =
        p == PROBLEM_OK && strcmp(row_text(org, "state"), "active") == 0 && api_app_calls(f->app);
    bool tested = strcmp(row_text(f->app, "state"), "testing") == 0;
    f->app_state = !calls ? POLICY_INACTIVE : tested ? POLICY_TESTING : POLICY_ACTIVE;
    f->has_subject = row_text(org, "subject")[0] != '\0';
    json_decref(org);
    return p;
}

/* What a row says is not all that counts: the nodes' view of it is what they decide by. */
static enum problem load_fed(struct rest_call *c, struct store_txn *txn, struct facts *f)
{
    json_t *item;
    size_t i;
    enum problem p = f->grant ? grants_resource.feed(c, txn, f->grant, &f->grant_fed) : PROBLEM_OK;

    json_array_foreach(json_object_get(f->grant_fed, "audience"), i, item)
    {
        const char *text = json_string_value(item);
        if (f->n_audience < AUDIENCE_MAX &&
            uuid_parse(&f->audience[f->n_audience], text, strlen(text))) {
            f->n_audience++;
        }
    }
    return p;
}

/* The bits of a list of words; an absent list is 0, the decision's default. */
static uint8_t proof_bits(const json_t *list)
{
    json_t *item;
    uint8_t bits = 0;
    size_t i;

    json_array_foreach(list, i, item)
    {
        bits |= lookup(proofs, COUNT(proofs), json_string_value(item));
    }
    return bits;
}

static uint8_t way_bits(const json_t *list)
{
    json_t *item;
    uint8_t bits = 0;
    size_t i;

    json_array_foreach(list, i, item)
    {
        bits |= lookup(ways, COUNT(ways), json_string_value(item));
    }
    return bits;
}

static json_t *proof_names(uint8_t bits)
{
    json_t *out = json_array();

    for (size_t i = 0; i < COUNT(proofs); i++) {
        if (bits & proofs[i].value) {
            json_array_append_new(out, json_string(proofs[i].text));
        }
    }
    return out;
}

static void fill_api(struct facts *f)
{
    json_t *field, *method;
    size_t i, n = 0;

    json_array_foreach(json_object_get(f->api, "fields"), i, field)
    {
        if (n == POLICY_FIELDS_MAX) {
            break;
        }
        struct policy_field *to = &f->fields[n++];
        *to = (struct policy_field){
            .path = slice_str(row_text(field, "path")),
            .level = (uint8_t)json_integer_value(json_object_get(field, "level"))};
        const char *mask = row_text(field, "mask");
        if (mask[0] && mask_parse(&to->mask, slice_str(mask)) != MASK_OK) {
            to->mask = (struct mask_spec){0}; /* no rule: dropped */
        }
    }
    f->p_api = (struct policy_api){
        .id = uuid_of(f->api, "id"),
        .state = word(f->api, "state"),
        .kind = word(f->api, "kind"),
        .class_ = word(f->api, "class"),
        .access = word(f->api, "access"),
        .owner_scoped = json_is_true(json_object_get(f->api, "owner_scoped")),
        .schemes = proof_bits(json_object_get(f->api, "schemes")),
        .mobile = json_is_true(json_object_get(f->api, "mobile")),
        .mobile_only = json_is_true(json_object_get(f->api, "mobile_only")),
        .sdk_required = protection_sdk_required(f->api),
        .posts_rows = strcmp(row_text(f->api, "profile"), "rest") == 0 &&
                      strcmp(row_text(f->api, "kind"), "dataset") == 0,
        .collects = json_is_true(json_object_get(f->api, "collects_user_data")),
        .purpose_needed = json_is_true(json_object_get(f->api, "purpose_required")),
        .user_factors = (uint8_t)protection_user_factors(f->api),
        .sunset_ms = api_ms(f->api, "sunset_at"),
        .deprecated_ms = api_ms(f->api, "deprecated_at"),
        .n_fields = (uint32_t)n,
        .fields = f->fields};
    json_array_foreach(json_object_get(f->api, "methods"), i, method)
    {
        f->p_api.methods |= lookup(methods, COUNT(methods), json_string_value(method));
    }
}

/* true: all fields. */
static bool fill_allowed(const struct facts *f, const json_t *row,
                         uint64_t allowed[static POLICY_FIELD_WORDS])
{
    json_t *named_fields = json_object_get(row, "fields"), *path;
    size_t i;

    if (!json_is_array(named_fields)) {
        return true;
    }
    json_array_foreach(named_fields, i, path)
    {
        for (uint32_t k = 0; k < f->p_api.n_fields; k++) {
            if (slice_eq(f->fields[k].path, slice_str(json_string_value(path)))) {
                allowed[k / 64] |= 1ull << (k % 64);
            }
        }
    }
    return false;
}

static struct slice fill_purposes(const json_t *fed, struct uuid ids[static PURPOSES_MAX])
{
    size_t i, n = 0;
    json_t *item;

    json_array_foreach(json_object_get(fed, "purposes"), i, item)
    {
        if (n < PURPOSES_MAX && purpose_id(slice_str(json_string_value(item)), &ids[n])) {
            n++;
        }
    }
    return slice_of((const char *)ids, n * UUID_LEN);
}

static void fill_rest(struct facts *f)
{
    f->p_app = (struct policy_app){.id = uuid_of(f->app, "id"),
                                   .state = f->app_state,
                                   .environment = word(f->app, "environment"),
                                   .factors = proof_bits(json_object_get(f->app, "factors")),
                                   .channel = word(f->app, "channel"),
                                   .has_subject = f->has_subject};
    if (f->credential) {
        f->p_credential =
            (struct policy_credential){.id = uuid_of(f->credential, "id"),
                                       .app = uuid_of(f->credential, "app_id"),
                                       .state = word(f->credential, "state"),
                                       .alg = word(f->credential, "algorithm"),
                                       .use = word(f->credential, "use"),
                                       .not_before_ms = api_ms(f->credential, "not_before"),
                                       .expires_ms = api_ms(f->credential, "expires_at")};
    }
    if (f->subscription) {
        f->p_subscription.state = word(f->subscription, "state");
        f->p_subscription.max_level =
            (uint8_t)json_integer_value(json_object_get(f->subscription, "max_level"));
        f->p_subscription.not_before_ms = told_ms(f->subscription, "not_before");
        f->p_subscription.expires_ms = told_ms(f->subscription, "expires_at");
        f->p_subscription.ways = way_bits(json_object_get(f->subscription, "ways"));
        f->p_subscription.direct_until_ms = told_ms(f->subscription, "direct_until");
        f->p_subscription.agreed = json_is_true(json_object_get(f->subscription, "agreed"));
        f->p_subscription.rows = slice_str(row_text(f->subscription, "rows"));
        f->p_subscription.purposes = fill_purposes(f->subscription, f->subscribed_for);
        f->p_subscription.all_fields = fill_allowed(f, f->subscription, f->p_subscription.allowed);
    }
    if (f->grant) {
        f->p_grant = (struct policy_grant){
            .id = uuid_of(f->grant, "id"),
            .app = uuid_of(f->grant, "app_id"),
            .api = uuid_of(f->grant, "api_id"),
            .owner = slice_str(row_text(f->grant, "owner")),
            .state = word(f->grant_fed, "state"),
            .restricted = json_object_get(f->grant_fed, "audience") != NULL,
            .audience = slice_of((const char *)f->audience, f->n_audience * UUID_LEN),
            .purposes = fill_purposes(f->grant_fed, f->granted_for),
            .rows = slice_str(row_text(f->grant_fed, "rows")),
            .term = word(f->grant, "term"),
            .not_before_ms = api_ms(f->grant, "not_before"),
            .expires_ms = api_ms(f->grant, "expires_at")};
        f->p_grant.all_fields = fill_allowed(f, f->grant, f->p_grant.allowed);
    }
}

/* Which rows alone, and who says so. */
static json_t *row_filters(const struct policy_verdict *v)
{
    const struct {
        const char *of;
        struct slice filter;
    } said[] = {{"subscription", v->rows_subscription}, {"grant", v->rows_grant}};
    json_t *list = json_array();

    for (size_t i = 0; i < COUNT(said); i++) {
        if (said[i].filter.n > 0) {
            json_array_append_new(list, json_pack("{s:s, s:s%}", "of", said[i].of, "filter",
                                                  said[i].filter.p, said[i].filter.n));
        }
    }
    return list;
}

static json_t *render(const struct rest_call *c, const struct facts *f,
                      const struct policy_verdict *v)
{
    static const char *const outcomes[] = {"drop", "keep", "mask"};
    const struct problem_row *reason = problem_row(v->reason);
    json_t *fields = json_array();

    for (uint32_t i = 0; i < v->n_fields && i < f->p_api.n_fields; i++) {
        char mask[MASK_SPEC_TEXT_MAX] = "";
        if (f->fields[i].mask.rule != MASK_NONE) {
            mask_format(&f->fields[i].mask, mask);
        }
        json_array_append_new(fields,
                              json_pack("{s:s, s:i, s:s, s:s, s:s, s:s}", "path",
                                        f->fields[i].path.p, "level", (int)f->fields[i].level,
                                        "outcome", outcomes[v->outcome[i] % COUNT(outcomes)],
                                        "mask", mask, "why", policy_why_text(v->why[i], c->zh),
                                        "clauses", policy_why_clauses(v->why[i])));
    }
    return json_pack("{s:o, s:b, s:o, s:b, s:s, s:s, s:s, s:o}", "row_filters", row_filters(v),
                     "own", v->own, "needs", proof_names(v->needs), "allowed",
                     v->reason == PROBLEM_OK, "code", reason->code, "title",
                     c->zh ? reason->title_zh : reason->title_en, "clauses", reason->clauses,
                     "fields", fields);
}

static enum problem decide(struct rest_call *c, struct facts *f)
{
    const char *method = rest_query(c, "method"), *factors = rest_query(c, "user_factors"),
               *user = rest_query(c, "user");
    struct policy_verdict *v = malloc(sizeof *v);
    struct uuid who = {{0}};

    if (!v) {
        return PROBLEM_INTERNAL;
    }
    if (user && !uuid_parse(&who, user, strlen(user))) {
        who = (struct uuid){{0}}; /* nobody */
    }
    fill_api(f);
    fill_rest(f);
    bool unpublished = f->p_api.state == 0; /* the gateway has no such API */
    const struct policy_call call = {.api = unpublished ? NULL : &f->p_api,
                                     .app = &f->p_app,
                                     .credential = f->credential ? &f->p_credential : NULL,
                                     .subscription = f->subscription ? &f->p_subscription : NULL,
                                     .grant = f->grant ? &f->p_grant : NULL,
                                     .grant_named = rest_query(c, "grant") != NULL,
                                     .method =
                                         lookup(methods, COUNT(methods), method ? method : "GET"),
                                     .proofs = f->proofs,
                                     .user_factors = factors ? (uint8_t)(factors[0] - '0') : 0,
                                     .user = who,
                                     .purpose = f->purpose,
                                     .sdk = (uint8_t)f->sdk,
                                     .now_ms = c->now_ms};
    policy_decide(&call, v);
    enum problem p = rest_answer(c, 200, render(c, f, v));
    free(v);
    return p;
}

static enum problem check_parameters(struct rest_call *c, struct facts *f)
{
    static const char *const known[] = {"app",        "api",          "owner", "grant",   "method",
                                        "credential", "user_factors", "user",  "purpose", "sdk"};
    const char *factors = rest_query(c, "user_factors"), *purpose = rest_query(c, "purpose");

    if (factors && (factors[0] < '0' || factors[0] > '3' || factors[1])) {
        return rest_fail(c, PROBLEM_QUERY_MALFORMED, "/user_factors", "0 to 3");
    }
    if (purpose && !purpose_id(slice_str(purpose), &f->purpose)) {
        return rest_fail(c, PROBLEM_QUERY_MALFORMED, "/purpose",
                         "one line of at most %d characters", PURPOSE_MAX);
    }
    return rest_query_known(c, known, COUNT(known),
                            "app, api, owner, grant, method, credential, user_factors, user, "
                            "purpose and sdk are understood");
}

enum problem rest_explain(struct rest_call *c)
{
    struct store_txn *txn = NULL;
    struct facts *f = calloc(1, sizeof *f);
    enum problem p = f ? check_parameters(c, f) : PROBLEM_INTERNAL;

    if (p == PROBLEM_OK) {
        p = rest_begin(c, STORE_READ, &txn);
    }
    if (p == PROBLEM_OK) {
        p = load(c, txn, f);
    }
    if (p == PROBLEM_OK) {
        p = load_org(c, txn, f);
    }
    if (p == PROBLEM_OK) {
        p = load_fed(c, txn, f);
    }
    if (p == PROBLEM_OK && rest_query(c, "sdk")) {
        p = sdk_standing_of(c, txn, rest_query(c, "sdk"), &f->sdk);
    }
    store_rollback(&txn);
    if (p == PROBLEM_OK) {
        p = decide(c, f);
    }
    if (f) {
        json_decref(f->api);
        json_decref(f->app);
        json_decref(f->credential);
        json_decref(f->subscription);
        json_decref(f->grant);
        json_decref(f->grant_fed);
    }
    free(f);
    return p;
}
