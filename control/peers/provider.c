/* SPDX-License-Identifier: Apache-2.0 */
/* A peer as an OpenID provider that we ask: its metadata, its keys, what it signed. All addresses
 * have to be the issuer's own: metadata that led elsewhere could mix two providers up (RFC 9700
 * 4.4). */
#include <stdio.h>
#include <stdlib.h>

#include "base/codec.h"
#include "oauth/oauth.h"
#include "outbound.h"
#include "peers/inner.h"
#include "web/web.h"

#define KEPT_MS        (3600ull * 1000)
#define AGAIN_MS       (5ull * 1000) /* between two fetches that an unknown key asks for */
#define CLOCK_SKEW_S   60
#define ASSERTION_S    60
#define ASSERTION_TYPE "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
#define FORM_TYPE      "application/x-www-form-urlencoded"

/* Exchanges ---------------------------------------------------------------------------------------
 */
static enum problem unavailable(struct rest_call *c, const json_t *peer, const char *what)
{
    return rest_fail(c, PROBLEM_PEER_UNAVAILABLE, "", "%s: %s", row_text(peer, "name"), what);
}

/* *json NULL: the answer is none. */
static long exchange(struct rest_call *c, const json_t *peer, struct outbound *o, json_t **json)
{
    const char *ca = row_text(peer, "ca");
    struct buf answer;

    buf_init(&answer);
    o->ca = ca[0] ? ca : NULL;
    o->administrators = true;
    o->answer_max = PEERS_ANSWER_MAX;
    o->answer = &answer;
    long status = outbound_exchange(c->ctl->cfg, o);
    *json = status ? json_loadb(answer.p ? answer.p : "", answer.n, JSON_REJECT_DUPLICATES, NULL)
                   : NULL;
    if (!json_is_object(*json) || rest_too_deep(*json, REST_DEPTH_MAX)) {
        json_decref(*json);
        *json = NULL;
    }
    o->answer = NULL;
    buf_wipe(&answer);
    return status;
}

static json_t *get(struct rest_call *c, const json_t *peer, const char *url)
{
    struct outbound o = {.url = url};
    json_t *json = NULL;
    long status = exchange(c, peer, &o, &json);

    if (status != 200) {
        json_decref(json);
        return NULL;
    }
    return json;
}

/* Metadata and keys -------------------------------------------------------------------------------
 */
const char *provider_address(const struct provider *p, const char *name)
{
    const char *issuer = row_text(p->peer, "issuer"), *url = row_text(p->metadata, name);
    size_t n = strlen(issuer);

    return strncmp(url, issuer, n) == 0 && url[n] == '/' ? url : NULL;
}

static enum problem keep(struct rest_call *c, const struct provider *p)
{
    char *metadata = json_dumps(p->metadata, JSON_COMPACT),
         *jwks = json_dumps(p->jwks, JSON_COMPACT);
    struct store_txn *txn = NULL;
    enum problem done = metadata && jwks ? rest_begin(c, STORE_WRITE, &txn) : PROBLEM_INTERNAL;
    const struct store_value v[] = {store_text(metadata), store_text(jwks),
                                    store_int((int64_t)c->now_ms),
                                    store_text(row_text(p->peer, "id"))};

    if (done == PROBLEM_OK) {
        enum store_err err =
            store_exec(txn, "UPDATE peers SET metadata = ?, jwks = ?, fetched_at = ? WHERE id = ?",
                       v, 4, NULL);
        done = rest_finish(c, &txn, rest_store_problem(c, err));
    }
    free(metadata);
    free(jwks);
    return done;
}

/* Noted before it is asked, so that a peer that hangs holds up one caller and not all of them. */
static enum problem note_asked(struct rest_call *c, const struct provider *p)
{
    const struct store_value v[] = {store_int((int64_t)c->now_ms),
                                    store_text(row_text(p->peer, "id"))};
    struct store_txn *txn = NULL;
    enum problem done = rest_begin(c, STORE_WRITE, &txn);

    if (done != PROBLEM_OK) {
        return done;
    }
    enum store_err err = store_exec(txn, "UPDATE peers SET asked_at = ? WHERE id = ?", v, 2, NULL);
    return rest_finish(c, &txn, rest_store_problem(c, err));
}

/* On failure what was kept stays. */
static enum problem fetch(struct rest_call *c, struct provider *p)
{
    const char *issuer = row_text(p->peer, "issuer");
    struct provider got = {.peer = p->peer};
    char url[260];
    enum problem done = note_asked(c, p);

    if (done != PROBLEM_OK) {
        return done;
    }
    snprintf(url, sizeof url, "%s/.well-known/openid-configuration", issuer);
    p->fresh = true;
    got.metadata = get(c, p->peer, url);
    const char *keys = provider_address(&got, "jwks_uri");
    if (!got.metadata) {
        done = unavailable(c, p->peer, "its metadata cannot be read");
    } else if (strcmp(row_text(got.metadata, "issuer"), issuer) != 0) {
        done = unavailable(c, p->peer, "its metadata is of another issuer");
    } else {
        got.jwks = keys ? get(c, p->peer, keys) : NULL;
        done = json_is_array(json_object_get(got.jwks, "keys"))
                   ? keep(c, &got)
                   : unavailable(c, p->peer, "its keys cannot be read");
    }
    if (done != PROBLEM_OK) {
        json_decref(got.metadata);
        json_decref(got.jwks);
        return done;
    }
    json_decref(p->metadata);
    json_decref(p->jwks);
    p->metadata = got.metadata;
    p->jwks = got.jwks;
    return PROBLEM_OK;
}

static enum problem load_kept(struct rest_call *c, struct provider *p, uint64_t *at_ms,
                              uint64_t *asked_ms)
{
    const struct store_value v = store_text(row_text(p->peer, "id"));
    struct store_txn *txn = NULL;
    struct store_rows *rows = NULL;
    enum problem done = rest_begin(c, STORE_READ, &txn);

    if (done != PROBLEM_OK) {
        return done;
    }
    enum store_err err = store_query(
        txn, "SELECT metadata, jwks, fetched_at, asked_at FROM peers WHERE id = ?", &v, 1, &rows);
    bool there = err == STORE_OK && store_next(rows);
    if (there) {
        *asked_ms = (uint64_t)store_get_int(rows, 3);
    }
    if (there && store_get_int(rows, 2) > 0) {
        p->metadata = json_loads(store_get_text(rows, 0), 0, NULL);
        p->jwks = json_loads(store_get_text(rows, 1), 0, NULL);
        *at_ms = (uint64_t)store_get_int(rows, 2);
    }
    done = rest_store_problem(c, err == STORE_OK ? store_rows_end(&rows) : err);
    store_rollback(&txn);
    return done;
}

enum problem provider_open(struct rest_call *c, const json_t *peer, struct provider *p)
{
    uint64_t at_ms = 0, asked_ms = 0;

    *p = (struct provider){.peer = json_incref((json_t *)peer)};
    enum problem done = load_kept(c, p, &at_ms, &asked_ms);
    bool kept = p->metadata && p->jwks;
    p->fresh = asked_ms + AGAIN_MS > c->now_ms && asked_ms <= c->now_ms;
    if (done != PROBLEM_OK || (kept && at_ms + KEPT_MS > c->now_ms && at_ms <= c->now_ms)) {
        return done;
    }
    if (p->fresh) { /* somebody is asking, or has asked in vain: what is old serves a while longer
                     */
        return kept ? PROBLEM_OK : unavailable(c, peer, "it did not answer a moment ago");
    }
    done = fetch(c, p);
    return done == PROBLEM_PEER_UNAVAILABLE && kept ? PROBLEM_OK : done;
}

void provider_fini(struct provider *p)
{
    json_decref(p->peer);
    json_decref(p->metadata);
    json_decref(p->jwks);
    *p = (struct provider){0};
}

/* What it signed ----------------------------------------------------------------------------------
 */
static bool verify_by(const struct jwt *j, const json_t *jwk)
{
    const char *kid = json_string_value(json_object_get(j->header, "kid"));
    char *text = json_dumps(jwk, JSON_COMPACT);
    struct crypto_key *key = NULL;
    bool ok = text && kid && strcmp(row_text(jwk, "kid"), kid) == 0 &&
              crypto_key_load_jwk(&key, CRYPTO_KEY_PUBLIC, slice_str(text)) == CRYPTO_OK &&
              jwt_verify(j, key) == JWT_OK;

    crypto_key_free(&key);
    free(text);
    return ok;
}

static bool verify(const struct provider *p, const struct jwt *j)
{
    json_t *jwk;
    size_t i;

    json_array_foreach(json_object_get(p->jwks, "keys"), i, jwk)
    {
        if (verify_by(j, jwk)) {
            return true;
        }
    }
    return false;
}

/* For us and for nobody else: a list that names another would let that one use it here. */
static bool audience_is(const json_t *claims, const char *audience)
{
    const json_t *aud = json_object_get(claims, "aud"),
                 *one =
                     json_is_array(aud) && json_array_size(aud) == 1 ? json_array_get(aud, 0) : aud;
    const char *azp = row_text(claims, "azp");

    return json_is_string(one) && strcmp(json_string_value(one), audience) == 0 &&
           (!azp[0] || strcmp(azp, audience) == 0);
}

static bool times_fit(const struct jwt *j, uint64_t now_s)
{
    uint64_t iat = 0, exp = 0;

    return jwt_seconds(j, "iat", &iat) && jwt_seconds(j, "exp", &exp) &&
           iat <= now_s + CLOCK_SKEW_S && exp + CLOCK_SKEW_S > now_s && exp > iat;
}

static json_t *wrong(struct rest_call *c, const struct provider *p, const char *what)
{
    rest_fail(c, PROBLEM_PEER_REFUSED, "", "%s: %s", row_text(p->peer, "name"), what);
    return NULL;
}

static json_t *judge(struct rest_call *c, struct provider *p, const struct jwt *j,
                     const char *audience)
{
    bool verified = verify(p, j);

    if (!verified && !p->fresh) { /* its keys may have turned */
        verified = fetch(c, p) == PROBLEM_OK && verify(p, j);
    }
    if (!verified) {
        return wrong(c, p, "the signature is not one of its keys'");
    }
    if (strcmp(jwt_text(j, "iss"), row_text(p->peer, "issuer")) != 0) {
        return wrong(c, p, "it is of another issuer");
    }
    if (!audience_is(j->claims, audience)) {
        return wrong(c, p, "it is for somebody else");
    }
    if (!times_fit(j, c->now_ms / 1000)) {
        return wrong(c, p, "it is over, or from the future");
    }
    return json_incref(j->claims);
}

json_t *provider_claims(struct rest_call *c, struct provider *p, const char *text,
                        const char *audience)
{
    struct jwt j = {0};

    if (jwt_read(&j, slice_str(text)) != JWT_OK) {
        return wrong(c, p, "it is no signed token");
    }
    json_t *claims = judge(c, p, &j, audience);
    jwt_fini(&j);
    return claims;
}

/* Asking as its client ----------------------------------------------------------------------------
 */
static struct crypto_key *open_key(const struct rest_call *c, const json_t *peer)
{
    const char *text = row_text(peer, "key_sealed");
    uint8_t sealed[2048], pem[2048];
    struct crypto_key *key = NULL;
    size_t n = 0;

    if (codec_unbase64url(sealed, sizeof sealed, &n, text, strlen(text)) && n > CRYPTO_SEAL_EXTRA &&
        keyring_open(c->ctl, slice_str(row_text(peer, "id")), sealed, n, pem) == CRYPTO_OK &&
        crypto_key_load_pem(&key, CRYPTO_KEY_PAIR,
                            slice_of((const char *)pem, n - CRYPTO_SEAL_EXTRA)) != CRYPTO_OK) {
        key = NULL;
    }
    crypto_wipe(pem, sizeof pem);
    return key;
}

/* RFC 7523; for the issuer alone, so that no other server can use it. NULL: the key is not there.
 */
static char *assertion(const struct rest_call *c, const json_t *peer)
{
    struct crypto_key *key = open_key(c, peer);
    const char *id = row_text(peer, "client_id");
    json_int_t now_s = (json_int_t)(c->now_ms / 1000);
    char jti[UUID_TEXT_LEN + 1], kid[44];
    uint8_t thumb[CRYPTO_HASH_LEN];

    if (!key) {
        return NULL;
    }
    uuid_new_text(jti);
    crypto_key_thumbprint(key, thumb);
    kid[codec_base64url(kid, thumb, sizeof thumb)] = '\0';
    json_t *claims =
        json_pack("{s:s, s:s, s:s, s:s, s:I, s:I}", "iss", id, "sub", id, "aud",
                  row_text(peer, "issuer"), "jti", jti, "iat", now_s, "exp", now_s + ASSERTION_S);
    char *text = claims ? jwt_write(key, kid, "JWT", claims) : NULL;
    json_decref(claims);
    crypto_key_free(&key);
    return text;
}

static void form_member(struct buf *form, const char *name, const char *value)
{
    struct buf part;

    buf_init(&part);
    url_parameter(&part, name, value); /* begins with '?' */
    if (form->n) {
        buf_addc(form, '&');
    }
    if (part.n > 1) {
        buf_add(form, part.p + 1, part.n - 1);
    }
    form->failed = form->failed || part.failed;
    buf_wipe(&part);
}

enum problem provider_ask(struct rest_call *c, struct provider *p, const char *address,
                          const char *const *members, json_t **answer)
{
    char *jwt = assertion(c, p->peer);
    struct buf form;

    *answer = NULL;
    if (!jwt) {
        return rest_fail(c, PROBLEM_KEY_STORE_LOCKED, "", "our key at %s cannot be opened",
                         row_text(p->peer, "name"));
    }
    buf_init(&form);
    form_member(&form, "client_assertion_type", ASSERTION_TYPE);
    form_member(&form, "client_assertion", jwt);
    form_member(&form, "client_id", row_text(p->peer, "client_id"));
    for (size_t i = 0; members[i]; i += 2) {
        form_member(&form, members[i], members[i + 1]);
    }
    struct outbound o = {.url = address, .content_type = FORM_TYPE, .body = buf_slice(&form)};
    long status = form.failed ? 0 : exchange(c, p->peer, &o, answer);
    buf_wipe(&form);
    free(jwt);
    if (status == 200 && *answer) {
        return PROBLEM_OK;
    }
    const char *why = row_text(*answer, "error_description")[0]
                          ? row_text(*answer, "error_description")
                          : row_text(*answer, "code");
    enum problem done =
        status == 0 || status >= 500
            ? unavailable(c, p->peer, "it does not answer")
            : rest_fail(c, PROBLEM_PEER_REFUSED, "", "%s: %.120s", row_text(p->peer, "name"), why);
    json_decref(*answer);
    *answer = NULL;
    return done;
}

enum problem provider_get(struct rest_call *c, struct provider *p, const char *address,
                          const char *token, json_t **answer)
{
    struct outbound o = {.url = address};
    struct buf header;

    buf_init(&header);
    buf_addf(&header, "Bearer %s", token);
    buf_addc(&header, '\0');
    o.authorization = header.p;
    long status = header.failed ? 0 : exchange(c, p->peer, &o, answer);
    buf_wipe(&header);
    if (status == 200 && *answer) {
        return PROBLEM_OK;
    }
    json_decref(*answer);
    *answer = NULL;
    return status == 0 || status >= 500
               ? unavailable(c, p->peer, "it does not answer")
               : rest_fail(c, PROBLEM_PEER_REFUSED, "", "%s: it does not tell about the user",
                           row_text(p->peer, "name"));
}
