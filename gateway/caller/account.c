/* SPDX-License-Identifier: Apache-2.0 */
/* The stage for APIs whose contract has a name and a password in each call: accessid, username and
 * pwd among the members of the body (CI-7.2c). A call that shows neither signature nor token is
 * looked at for them; when they are right it goes on as if the account had shown a token for its
 * app, so that whatever bounds the account and the app bounds it too. `licenseID` names the grant.
 *
 * A signed call of such a profile may bring the same members: `licenseID` then names its grant
 * where no header does, and an account that is named has to be right and of the app that signed.
 *
 * Here alone a body is read before it is known who calls, so what is read is little. */
#include "sluice.h"

#include <jansson.h>

#include "base/clock.h"
#include "base/codec.h"
#include "crypto/verifier.h"
#include "token/token.h"

#define BODY_MAX     16384 /* bytes */
#define VALUE_MAX    1024  /* bytes of one member, decoded */
#define TRIES        10 /* wrong ones of one address for one account, in a WINDOW_MS and worker */
#define WINDOW_MS    900000
#define PLACES       4096 /* a power of two */
#define ACCESSID_LEN 32

enum member { ACCESSID, USERNAME, PWD, LICENCE, MEMBERS };
static const char *const names[MEMBERS] = {"accessid", "username", "pwd", "licenseID"};

struct parameters {
    char text[MEMBERS][VALUE_MAX + 1];
    size_t n[MEMBERS];
    bool there[MEMBERS];
};

/* Wrong ones ------------------------------------------------------------------------------------
 * Counted by account and address; two that share a place share a count, which lets nobody try more.
 */
static struct {
    uint32_t count[PLACES];
    uint64_t since_ms[PLACES];
} wrong;

static size_t place_of(ngx_http_request_t *r, const struct uuid *id)
{
    uint64_t hash = sluice_worker.limit_seed;
    const u_char *address = r->connection->addr_text.data;
    for (size_t i = 0; i < UUID_LEN; i++) {
        hash = (hash ^ id->b[i]) * 0x100000001b3ull;
    }
    for (size_t i = 0; i < r->connection->addr_text.len; i++) {
        hash = (hash ^ address[i]) * 0x100000001b3ull;
    }
    return (hash ^ hash >> 32) & (PLACES - 1);
}

static bool tried_too_often(size_t place, uint64_t now_ms)
{
    if (now_ms - wrong.since_ms[place] >= WINDOW_MS) {
        wrong.count[place] = 0;
        wrong.since_ms[place] = now_ms;
    }
    return wrong.count[place] >= TRIES;
}

/* Members ---------------------------------------------------------------------------------------
 */
static void put(struct parameters *p, enum member m, const char *text, size_t n)
{
    p->there[m] = n > 0 && n <= VALUE_MAX && memchr(text, '\0', n) == NULL;
    p->n[m] = p->there[m] ? n : 0;
    memcpy(p->text[m], text, p->n[m]);
    p->text[m][p->n[m]] = '\0';
}

static void wipe_json(json_t *root)
{
    json_t *pwd = json_object_get(root, names[PWD]);
    if (json_is_string(pwd)) {
        crypto_wipe((char *)(uintptr_t)json_string_value(pwd), json_string_length(pwd));
    }
    json_decref(root);
}

static void read_json(struct parameters *p, struct slice body)
{
    json_t *root = json_loadb(body.p, body.n, JSON_REJECT_DUPLICATES, NULL);
    for (size_t m = 0; m < MEMBERS; m++) {
        const json_t *v = json_object_get(root, names[m]);
        if (json_is_string(v)) {
            put(p, m, json_string_value(v), json_string_length(v));
        }
    }
    wipe_json(root);
}

/* nginx's own reader of name=value pairs, held to the body. */
static void read_form(ngx_http_request_t *r, struct parameters *p, struct slice body)
{
    ngx_str_t query = r->args, value;
    static char decoded[BODY_MAX];
    r->args = (ngx_str_t){body.n, (u_char *)body.p};
    for (size_t m = 0; m < MEMBERS; m++) {
        u_char *to = (u_char *)decoded, *from = to;
        if (ngx_http_arg(r, (u_char *)names[m], strlen(names[m]), &value) != NGX_OK) {
            continue;
        }
        for (size_t i = 0; i < value.len; i++) {
            decoded[i] = value.data[i] == '+' ? ' ' : (char)value.data[i];
        }
        ngx_unescape_uri(&to, &from, value.len, 0);
        put(p, m, decoded, (size_t)(to - (u_char *)decoded));
    }
    crypto_wipe(decoded, sizeof decoded);
    r->args = query;
}

static void read_parameters(ngx_http_request_t *r, sluice_ctx_t *ctx, struct parameters *p)
{
    static const char form[] = "application/x-www-form-urlencoded";
    const ngx_table_elt_t *type = r->headers_in.content_type;
    bool is_form = type && type->value.len >= sizeof form - 1 &&
                   ngx_strncasecmp(type->value.data, (u_char *)form, sizeof form - 1) == 0;
    *p = (struct parameters){0};
    if (is_form) {
        read_form(r, p, sluice_slice(ctx->body));
    } else {
        read_json(p, sluice_slice(ctx->body));
    }
}

/* The account -----------------------------------------------------------------------------------
 */
/* As feed entries of accounts are named. */
static bool entry_of(const struct parameters *p, struct uuid *id)
{
    char text[ACCESSID_LEN + 1 + VALUE_MAX];
    uint8_t digest[CRYPTO_HASH_LEN];
    if (p->n[ACCESSID] != ACCESSID_LEN) {
        return false;
    }
    memcpy(text, p->text[ACCESSID], ACCESSID_LEN + 1);
    memcpy(text + ACCESSID_LEN + 1, p->text[USERNAME], p->n[USERNAME]);
    crypto_hash(CRYPTO_SM3, text, ACCESSID_LEN + 1 + p->n[USERNAME], digest);
    memcpy(id->b, digest, UUID_LEN);
    return true;
}

/* What the verifier is over: the account's own accessid, in hexadecimal. */
static bool proves(const struct parameters *p, const struct replica_account *account)
{
    uint8_t verifier[CRYPTO_HASH_LEN];
    char own[ACCESSID_LEN];
    struct slice accessid = slice_of(own, codec_hex(own, account->accessid.b, UUID_LEN));
    crypto_verifier(sluice_worker.verifier_key, accessid, slice_str(p->text[USERNAME]),
                    slice_str(p->text[PWD]), verifier);
    bool right = crypto_equal(verifier, account->verifier, sizeof verifier);
    crypto_wipe(verifier, sizeof verifier);
    return right;
}

static ngx_int_t failed(sluice_ctx_t *ctx)
{
    return sluice_refuse(ctx, PROBLEM_SIGN_IN_FAILED, SLICE(""), SLICE("pwd"));
}

/* CI-7.2c3: the password may be sealed to the platform's published key, as a JWE in compact form.
 * What cannot be opened is a wrong password like any other: a password too may have dots. */
static void open_password(struct parameters *p, uint64_t now_ms)
{
    char plain[VALUE_MAX];
    size_t dots = 0;
    for (size_t i = 0; i < p->n[PWD]; i++) {
        dots += p->text[PWD][i] == '.';
    }
    size_t n = dots == 4
                   ? sluice_unseal(slice_of(p->text[PWD], p->n[PWD]), now_ms, plain, sizeof plain)
                   : 0;
    if (n > 0) {
        put(p, PWD, plain, n);
    }
    crypto_wipe(plain, sizeof plain);
}

/* An unknown account costs what a known one does. CI-7.2c1: an accessid is that of one app for one
 * interface, and opens no other. */
static ngx_int_t find(ngx_http_request_t *r, sluice_ctx_t *ctx, const struct parameters *p,
                      struct replica_account *account)
{
    struct replica_reader *reader = sluice_reader();
    struct uuid id = {{0}};
    bool known =
        entry_of(p, &id) && reader && replica_get_account(reader, &id, account) == REPLICA_OK;
    size_t place = place_of(r, &id);
    if (tried_too_often(place, ctx->began_us / 1000)) {
        return sluice_refuse(ctx, PROBLEM_TOO_MANY_ATTEMPTS, SLICE(""), SLICE("pwd"));
    }
    bool right = proves(p, account);
    if (!right || !known || !uuid_eq(&account->api, &ctx->api->record.policy.id)) {
        wrong.count[place] += known; /* what there is not, nobody guesses */
        return failed(ctx);
    }
    return NGX_OK;
}

static ngx_int_t go_on(ngx_http_request_t *r, sluice_ctx_t *ctx, const struct parameters *p,
                       const struct replica_account *account)
{
    struct token *t = ngx_pcalloc(r->pool, sizeof *t);
    if (!t) {
        return sluice_refuse(ctx, PROBLEM_INTERNAL, SLICE(""), SLICE(""));
    }
    t->app = account->app;
    t->user = account->user;
    t->factors = TOKEN_PASSWORD;
    t->n_grants = uuid_parse(&t->grants[0], p->text[LICENCE], p->n[LICENCE]) ? 1 : 0;
    if (sluice_user_may(ctx, &t->user) != NGX_OK) {
        return NGX_DECLINED;
    }
    ctx->token = t;
    ctx->account = true;
    return NGX_OK;
}

/* Whose the account is, for sluice_account_app() to compare once it is known who signed. */
static ngx_int_t name_account(ngx_http_request_t *r, sluice_ctx_t *ctx, const struct parameters *p)
{
    struct replica_account account = {0};
    ngx_int_t rc = find(r, ctx, p, &account);
    if (rc == NGX_OK) {
        ctx->account_named = true;
        ctx->account_app = account.app;
    }
    return rc;
}

static ngx_int_t take_said(ngx_http_request_t *r, sluice_ctx_t *ctx)
{
    static struct parameters p;
    ngx_int_t rc = NGX_OK;
    read_parameters(r, ctx, &p);
    open_password(&p, ctx->began_us / 1000);
    ctx->licence_named = uuid_parse(&ctx->licence, p.text[LICENCE], p.n[LICENCE]);
    if (p.there[ACCESSID] || p.there[USERNAME] || p.there[PWD]) {
        rc = name_account(r, ctx, &p);
    }
    crypto_wipe(&p, sizeof p);
    return rc;
}

bool sluice_account_app(const sluice_ctx_t *ctx)
{
    return !ctx->account_named || uuid_eq(&ctx->account_app, &ctx->caller->credential.app);
}

static ngx_int_t prove(ngx_http_request_t *r, sluice_ctx_t *ctx)
{
    static struct parameters p; /* 4 KiB, and one call at a time */
    struct replica_account account = {0};
    read_parameters(r, ctx, &p);
    open_password(&p, ctx->began_us / 1000);
    if (!p.there[ACCESSID] && !p.there[USERNAME] && !p.there[PWD]) {
        return NGX_OK; /* the next stage says that it proves nothing */
    }
    ngx_int_t rc = NGX_OK;
    for (size_t m = ACCESSID; m <= PWD && rc == NGX_OK; m++) {
        if (!p.there[m]) {
            rc = sluice_refuse(ctx, PROBLEM_PARAMETER_MISSING, SLICE("a text is needed"),
                               slice_str(names[m]));
        }
    }
    if (rc == NGX_OK) {
        rc = find(r, ctx, &p, &account);
    }
    if (rc == NGX_OK) {
        rc = go_on(r, ctx, &p, &account);
    }
    crypto_wipe(&p, sizeof p);
    return rc;
}

/* The profiles of the credit platform, whose contract has these members. */
static bool said_in_body(const sluice_ctx_t *ctx)
{
    static const char start[] = "get";
    struct slice profile = ctx->api->record.profile;
    return profile.n > sizeof start - 1 && memcmp(profile.p, start, sizeof start - 1) == 0;
}

ngx_int_t sluice_account(ngx_http_request_t *r, sluice_ctx_t *ctx)
{
    off_t length = r->headers_in.content_length_n;
    bool is_signed = ctx->signature_input.p || ctx->signature.p;
    bool asked = is_signed ? said_in_body(ctx) : ctx->api->record.account_parameters && !ctx->token;
    if (ctx->inner || !asked || (length <= 0 && !r->headers_in.chunked)) {
        return NGX_OK;
    }
    if (length > BODY_MAX) {
        return sluice_refuse(ctx, PROBLEM_BODY_TOO_LARGE, SLICE(""), SLICE("body"));
    }
    if (!ctx->body_read) {
        return sluice_body_read(r, ctx);
    }
    ngx_int_t rc = sluice_body_gather(r, ctx, BODY_MAX);
    if (rc != NGX_OK) {
        return rc;
    }
    return is_signed ? take_said(r, ctx) : prove(r, ctx);
}
