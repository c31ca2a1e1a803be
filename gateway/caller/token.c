/* SPDX-License-Identifier: Apache-2.0 */
/* The stage that opens an access token (RFC 6750, RFC 8705, RFC 9449): sealed by the control plane,
 * opened here with keys from the feed, so nobody is asked. What it is bound to must be shown with
 * it; that it has not been revoked, the replica knows. Who calls, and may he, is for the next
 * stages. A token anywhere but in the header counts for nothing. */
#include "sluice.h"

#include "base/codec.h"
#include "jwt/dpop.h"

#define KEYS_MAX  16
#define PROOF_MAX 4096 /* bytes of a DPoP proof */

static struct {
    sluice_set_t set;
    struct token_key keys[KEYS_MAX];
    size_t n;
} now;

/* Keys -------------------------------------------------------------------------------------------
 */
static bool open_key(const struct uuid *id, const json_t *row, struct token_key *key)
{
    struct slice sealed = sluice_member(row, "key_sealed");
    uint8_t bytes[CRYPTO_KEY_LEN + CRYPTO_SEAL_EXTRA];
    char text[UUID_TEXT_LEN + 1];
    size_t n = 0;
    uuid_format(id, text);
    key->id = (uint32_t)json_integer_value(json_object_get(row, "key_id"));
    return codec_unbase64url(bytes, sizeof bytes, &n, sealed.p, sealed.n) && n == sizeof bytes &&
           link_ring_open(NULL, slice_of(text, UUID_TEXT_LEN), bytes, n, key->key) == CRYPTO_OK;
}

static bool visit(void *ctx, const struct uuid *id, uint64_t rev, struct slice json)
{
    json_t *row = json_loadb(json.p, json.n, 0, NULL);
    (void)ctx;
    (void)rev;
    if (now.n < KEYS_MAX && open_key(id, row, &now.keys[now.n])) {
        now.n++;
    } else {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0, "sluice: a key of tokens cannot be used");
    }
    json_decref(row);
    return true;
}

void sluice_token_clear(void)
{
    crypto_wipe(now.keys, sizeof now.keys);
    now.n = 0;
}

static void read_keys(void)
{
    struct replica_reader *reader = sluice_reader();
    sluice_token_clear();
    if (!reader || replica_set_each(reader, REPLICA_TOKEN_KEYS, visit, NULL) != REPLICA_OK) {
        ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, 0, "sluice: keys of tokens cannot be read");
    }
}

/* In a query -------------------------------------------------------------------------------------
 */
static bool same_letter(char c, char letter)
{
    return c == letter || (letter >= 'a' && letter <= 'z' && c == letter - 'a' + 'A');
}

static unsigned hex_of(char c)
{
    return c >= '0' && c <= '9'   ? (unsigned)(c - '0')
           : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10)
           : c >= 'A' && c <= 'F' ? (unsigned)(c - 'A' + 10)
                                  : 16;
}

/* The name may be written with escapes; an upstream would read it all the same. */
static bool named_access_token(const char *p, const char *end)
{
    static const char name[] = "access_token";
    for (const char *want = name; *want; want++) {
        if (p == end) {
            return false;
        }
        char c = *p++;
        if (c == '%' && end - p >= 2 && hex_of(p[0]) < 16 && hex_of(p[1]) < 16) {
            c = (char)(hex_of(p[0]) << 4 | hex_of(p[1]));
            p += 2;
        }
        if (!same_letter(c, *want)) {
            return false;
        }
    }
    return p < end && *p == '=';
}

bool sluice_token_in_query(struct slice query)
{
    const char *end = query.p + query.n;
    for (const char *p = query.p; p && p < end;) {
        if (named_access_token(p, end)) {
            return true;
        }
        const char *next = memchr(p, '&', (size_t)(end - p));
        p = next ? next + 1 : end;
    }
    return false;
}

struct slice sluice_token_hidden(struct slice target)
{
    const char *query = target.n ? memchr(target.p, '?', target.n) : NULL;
    size_t path_n = query ? (size_t)(query - target.p) : target.n;
    if (query && sluice_token_in_query(slice_of(query + 1, target.n - path_n - 1))) {
        target.n = path_n;
    }
    return target;
}

const struct token_key *sluice_token_keys(size_t *n)
{
    if (sluice_set_changed(&now.set, REPLICA_TOKEN_KEYS)) {
        read_keys();
    }
    *n = now.n;
    return now.keys;
}

/* The token -------------------------------------------------------------------------------------
 */
/* "Bearer x" or "DPoP x"; false: something else, which is none of ours. */
static bool shown(ngx_http_request_t *r, bool *dpop, struct slice *text)
{
    ngx_table_elt_t *header = r->headers_in.authorization;
    static const char bearer[] = "bearer ", with_proof[] = "dpop ";
    if (!header) {
        return false;
    }
    struct slice value = sluice_slice(header->value);
    *dpop = value.n >= sizeof with_proof - 1 &&
            ngx_strncasecmp((u_char *)value.p, (u_char *)with_proof, sizeof with_proof - 1) == 0;
    size_t skip = *dpop ? sizeof with_proof - 1 : sizeof bearer - 1;
    if (!*dpop && (value.n < skip || ngx_strncasecmp((u_char *)value.p, (u_char *)bearer, skip))) {
        return false;
    }
    *text = slice_of(value.p + skip, value.n - skip);
    return true;
}

static ngx_int_t refuse(sluice_ctx_t *ctx, enum problem problem, const char *detail)
{
    return sluice_refuse(ctx, problem, slice_str(detail), SLICE("authorization"));
}

static bool revoked(const struct token *t, enum replica_revoked subject, const void *value,
                    size_t n)
{
    struct replica_reader *reader = sluice_reader();
    uint64_t before_ms = 0;
    enum replica_err err =
        reader ? replica_revoked_before(reader, subject, slice_of(value, n), &before_ms)
               : REPLICA_EIO;
    return err != REPLICA_ENOTFOUND && (err != REPLICA_OK || t->issued_ms <= before_ms);
}

bool sluice_user_revoked(const struct uuid *app, const struct uuid *user, uint64_t issued_ms)
{
    const struct token t = {.issued_ms = issued_ms};
    struct uuid pair[2] = {*app, *user};
    return revoked(&t, REPLICA_REVOKED_APP_USER, pair, sizeof pair);
}

static ngx_int_t check_revoked(sluice_ctx_t *ctx, const struct token *t)
{
    struct uuid pair[2] = {t->app, t->user};
    bool gone =
        revoked(t, REPLICA_REVOKED_TOKEN, &t->id, UUID_LEN) ||
        (!uuid_is_nil(&t->session) && revoked(t, REPLICA_REVOKED_SESSION, &t->session, UUID_LEN)) ||
        (!uuid_is_nil(&t->family) && revoked(t, REPLICA_REVOKED_FAMILY, &t->family, UUID_LEN)) ||
        revoked(t, REPLICA_REVOKED_APP_USER, pair, sizeof pair);
    return gone ? refuse(ctx, PROBLEM_TOKEN_REVOKED, "") : NGX_OK;
}

/* What the user's account may reach (SW-3.7a, CI-6.2.2c): an interface that was taken away is
 * refused at once, whatever the token said when it was issued. */
ngx_int_t sluice_user_may(sluice_ctx_t *ctx, const struct uuid *user)
{
    struct replica_reader *reader = sluice_reader();
    bool may = false;
    if (uuid_is_nil(user)) {
        return NGX_OK;
    }
    enum replica_err err =
        reader ? replica_user_may(reader, user, &ctx->api->record.policy.id, &may) : REPLICA_EIO;
    return err == REPLICA_OK && may ? NGX_OK : refuse(ctx, PROBLEM_INTERFACE_NOT_GRANTED, "");
}

static ngx_int_t check_scope(sluice_ctx_t *ctx, const struct token *t)
{
    for (size_t i = 0; i < t->n_apis; i++) {
        if (uuid_eq(&t->apis[i], &ctx->api->record.policy.id)) {
            return NGX_OK;
        }
    }
    return refuse(ctx, PROBLEM_TOKEN_SCOPE, "");
}

/* The address as RFC 9449 wants it in htu. */
static struct slice address(ngx_http_request_t *r)
{
    struct slice scheme = r->connection->ssl ? SLICE("https://") : SLICE("http://");
    struct slice host = r->headers_in.host ? sluice_slice(r->headers_in.host->value) : SLICE("");
    struct slice path = sluice_slice(r->unparsed_uri);
    const char *query = memchr(path.p, '?', path.n);
    path.n = query ? (size_t)(query - path.p) : path.n;
    u_char *all = ngx_pnalloc(r->pool, scheme.n + host.n + path.n);
    if (!all) {
        return SLICE("");
    }
    u_char *end = ngx_cpymem(all, scheme.p, scheme.n);
    end = ngx_cpymem(end, host.p, host.n);
    end = ngx_cpymem(end, path.p, path.n);
    return slice_of((const char *)all, (size_t)(end - all));
}

static ngx_int_t check_proof(ngx_http_request_t *r, sluice_ctx_t *ctx, const struct token *t,
                             struct slice text)
{
    struct dpop_call call = {.method = sluice_slice(r->method_name),
                             .url = address(r),
                             .access_token = text,
                             .now_s = ctx->began_us / 1000000};
    char thumb[CODEC_BASE64URL_LEN(CRYPTO_HASH_LEN)];
    struct dpop proof;
    if (!ctx->proof.p || ctx->duplicate_header || ctx->proof.n > PROOF_MAX) {
        return refuse(ctx, PROBLEM_TOKEN_BINDING, "one header DPoP with a proof goes with it");
    }
    enum dpop_err err = dpop_judge(&proof, ctx->proof, &call);
    if (err != DPOP_OK) {
        return refuse(ctx, PROBLEM_TOKEN_BINDING, dpop_strerror(err));
    }
    if (!crypto_equal(proof.thumb, t->thumb, CRYPTO_HASH_LEN)) {
        return refuse(ctx, PROBLEM_TOKEN_BINDING, "the proof is by another key");
    }
    codec_base64url(thumb, proof.thumb, CRYPTO_HASH_LEN);
    enum replay_err once = replay_use(sluice_worker.replay, slice_of(thumb, sizeof thumb),
                                      slice_str(proof.jti), call.now_s, proof.spent_until_s);
    if (once == REPLAY_OK) {
        return NGX_OK;
    }
    return refuse(ctx, once == REPLAY_EUSED ? PROBLEM_PROOF_REPLAYED : PROBLEM_REPLAY_STORE_FULL,
                  "");
}

static ngx_int_t check_certificate(ngx_http_request_t *r, sluice_ctx_t *ctx, const struct token *t)
{
    uint8_t thumb[CRYPTO_HASH_LEN];
    bool same =
        sluice_certificate_sha256(r, thumb) && crypto_equal(thumb, t->thumb, CRYPTO_HASH_LEN);
    return same ? NGX_OK
                : refuse(ctx, PROBLEM_TOKEN_BINDING,
                         "the connection does not show the certificate it is bound to");
}

static ngx_int_t check_binding(ngx_http_request_t *r, sluice_ctx_t *ctx, const struct token *t,
                               struct slice text, bool dpop)
{
    if (dpop != (t->binding == TOKEN_DPOP)) {
        return refuse(ctx, PROBLEM_TOKEN_BINDING,
                      dpop ? "the token is bound to no DPoP key" : "the scheme DPoP goes with it");
    }
    if (t->binding == TOKEN_CERTIFICATE) {
        return check_certificate(r, ctx, t);
    }
    return dpop ? check_proof(r, ctx, t, text) : NGX_OK;
}

ngx_int_t sluice_token(ngx_http_request_t *r, sluice_ctx_t *ctx)
{
    struct slice text;
    bool dpop;
    if (ctx->inner) {
        return NGX_OK;
    }
    if (sluice_token_in_query(sluice_slice(r->args))) {
        return refuse(ctx, PROBLEM_TOKEN_IN_QUERY, "");
    }
    if (!shown(r, &dpop, &text)) {
        return NGX_OK;
    }
    size_t n_keys;
    const struct token_key *keys = sluice_token_keys(&n_keys);
    struct token *t = ngx_palloc(r->pool, sizeof *t);
    if (!t) {
        return sluice_refuse(ctx, PROBLEM_INTERNAL, SLICE(""), SLICE(""));
    }
    enum token_err err = token_open(t, keys, n_keys, text);
    if (err != TOKEN_OK) {
        return refuse(ctx, PROBLEM_TOKEN_INVALID, token_strerror(err));
    }
    if (ctx->began_us / 1000 >= t->expires_ms) {
        return refuse(ctx, PROBLEM_TOKEN_EXPIRED, "");
    }
    if (check_revoked(ctx, t) != NGX_OK || check_binding(r, ctx, t, text, dpop) != NGX_OK ||
        check_scope(ctx, t) != NGX_OK || sluice_user_may(ctx, &t->user) != NGX_OK) {
        return NGX_DECLINED;
    }
    ctx->token = t;
    return NGX_OK;
}

const struct uuid *sluice_token_grant(const sluice_ctx_t *ctx)
{
    struct replica_reader *reader = sluice_reader();
    const struct policy_api *api = &ctx->api->record.policy;
    struct policy_grant grant;
    for (size_t i = 0; reader && i < ctx->token->n_grants; i++) {
        const struct uuid *id = &ctx->token->grants[i];
        if (replica_get_grant(reader, id, api, &grant) == REPLICA_OK &&
            uuid_eq(&grant.api, &api->id)) {
            return id;
        }
    }
    return NULL;
}

static const struct {
    enum problem problem;
    const char *challenge;
} challenges[] = {
    {PROBLEM_TOKEN_INVALID, "error=\"invalid_token\""},
    {PROBLEM_TOKEN_EXPIRED, "error=\"invalid_token\""},
    {PROBLEM_TOKEN_REVOKED, "error=\"invalid_token\""},
    {PROBLEM_TOKEN_BINDING, "error=\"invalid_token\""},
    {PROBLEM_PROOF_REPLAYED, "error=\"invalid_dpop_proof\""},
    {PROBLEM_TOKEN_MISMATCH, "error=\"invalid_token\""},
    {PROBLEM_TOKEN_SCOPE, "error=\"insufficient_scope\""},
    {PROBLEM_TOKEN_IN_QUERY, "error=\"invalid_request\""},
    {PROBLEM_INTERFACE_NOT_GRANTED, "error=\"insufficient_scope\""},
    {PROBLEM_STEP_UP_REQUIRED, "error=\"insufficient_user_authentication\""},
};

ngx_int_t sluice_token_challenge(ngx_http_request_t *r, const sluice_ctx_t *ctx)
{
    for (size_t i = 0; i < sizeof challenges / sizeof *challenges; i++) {
        if (challenges[i].problem != ctx->problem) {
            continue;
        }
        /* RFC 9449 has a word of its own for a proof that does not do. */
        bool proof = ctx->problem == PROBLEM_TOKEN_BINDING && ctx->proof.p;
        const char *challenge = proof ? "error=\"invalid_dpop_proof\"" : challenges[i].challenge;
        /* RFC 9470: which acr the client has to ask for. */
        bool step_up = ctx->problem == PROBLEM_STEP_UP_REQUIRED;
        const char *acr = !step_up                                    ? ""
                          : ctx->api->record.policy.user_factors >= 2 ? ", acr_values=\"2\""
                                                                      : ", acr_values=\"1\"";
        size_t room = 96 + strlen(challenge);
        char *text = ngx_pnalloc(r->pool, room);
        if (!text) {
            return NGX_ERROR;
        }
        int n = snprintf(text, room, "%s %s%s", ctx->proof.p ? "DPoP" : "Bearer", challenge, acr);
        return sluice_add_header(r, "WWW-Authenticate", slice_of(text, (size_t)n));
    }
    return NGX_OK;
}
