/* SPDX-License-Identifier: Apache-2.0 */
/* The client's certificate (BK-7.2.1a1-2, BK-9.2.1b1-2). nginx asks for one and knows no CA: a
 * certificate is believed because a credential pins it, or because a CA of the `trust` set signed
 * it and a credential names its subject. What it says is read once a TLS connection; whether it is
 * believed is asked again when the trust set has changed and every CHECK_MS, so a new CRL or the
 * end of anything bites on open connections; whose it is, when the replica has changed. */
#include "sluice.h"

#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "caller/trust.h"
#include "crypto/certificate.h"

#define CHECK_MS 10000

/* One TLS connection's; dies with it. */
struct client {
    struct crypto_certificate *crt; /* NULL: cannot be read */
    struct crypto_certificate *chain[CRYPTO_CHAIN_MAX];
    size_t chain_n;
    uint8_t sm3[CRYPTO_HASH_LEN], subject_sm3[CRYPTO_HASH_LEN];
    int64_t from_ms, to_ms;

    uint64_t trust_round; /* of the three below; 0: never judged */
    int64_t judged_ms;
    enum crypto_trust_result result;

    uint64_t version; /* of the replica, at which the rest was found */
    bool looked_up, found;
    enum crypto_trust_result found_by;
    struct policy_credential credential; /* the newest one it is registered for */
};

static int ex_index = -1;

static void client_free(struct client *client)
{
    crypto_certificate_free(&client->crt);
    while (client->chain_n) {
        crypto_certificate_free(&client->chain[--client->chain_n]);
    }
    free(client);
}

static void on_ssl_free(void *parent, void *data, CRYPTO_EX_DATA *all, int index, long n, void *arg)
{
    (void)parent;
    (void)all;
    (void)index;
    (void)n;
    (void)arg;
    if (data) {
        client_free(data);
    }
}

ngx_int_t sluice_certificate_init(void)
{
    ex_index = ex_index >= 0 ? ex_index : SSL_get_ex_new_index(0, NULL, NULL, NULL, on_ssl_free);
    return ex_index >= 0 ? NGX_OK : NGX_ERROR;
}

static struct crypto_certificate *load(X509 *x509)
{
    struct crypto_certificate *crt = NULL;
    unsigned char *der = NULL;
    int n = i2d_X509(x509, &der);
    if (n > 0 &&
        crypto_certificate_load(&crt, slice_of((const char *)der, (size_t)n)) != CRYPTO_OK) {
        crt = NULL;
    }
    OPENSSL_free(der);
    return crt;
}

/* What the peer sent above its own; of a resumed session OpenSSL no longer knows it. */
static void load_chain(struct client *client, SSL *ssl)
{
    STACK_OF(X509) *sent = SSL_get_peer_cert_chain(ssl);
    for (int i = 1; sent && i < sk_X509_num(sent) && client->chain_n < CRYPTO_CHAIN_MAX; i++) {
        struct crypto_certificate *crt = load(sk_X509_value(sent, i));
        if (crt) { /* one that cannot be read is no material for a path, and that is all it is */
            client->chain[client->chain_n++] = crt;
        }
    }
}

static struct client *client_new(SSL *ssl, X509 *peer)
{
    struct client *client = calloc(1, sizeof *client);
    if (!client) {
        return NULL;
    }
    client->crt = load(peer);
    if (client->crt) {
        const char *subject = crypto_certificate_subject(client->crt);
        crypto_hash(CRYPTO_SM3, subject, strlen(subject), client->subject_sm3);
        crypto_certificate_fingerprint(client->crt, CRYPTO_SM3, client->sm3);
        crypto_certificate_validity(client->crt, &client->from_ms, &client->to_ms);
        load_chain(client, ssl);
    }
    if (!SSL_set_ex_data(ssl, ex_index, client)) {
        client_free(client);
        return NULL;
    }
    return client;
}

/* NULL with *none false: there is one, and no memory for it. */
static struct client *client_of(ngx_http_request_t *r, bool *none)
{
    SSL *ssl = r->connection->ssl ? r->connection->ssl->connection : NULL;
    X509 *peer = ssl ? SSL_get0_peer_certificate(ssl) : NULL;
    *none = !peer;
    if (!peer) {
        return NULL;
    }
    struct client *client = SSL_get_ex_data(ssl, ex_index);
    return client ? client : client_new(ssl, peer);
}

static void judge(struct client *client, int64_t now_ms)
{
    uint64_t round = sluice_trust_round();
    if (client->trust_round == round && now_ms - client->judged_ms < CHECK_MS &&
        now_ms >= client->judged_ms) {
        return;
    }
    client->result = sluice_trust_verify(client->crt, client->chain, client->chain_n, now_ms);
    client->trust_round = round;
    client->judged_ms = now_ms;
}

/* Why a certificate that is registered as `mode` is not to be believed; NULL: it is. Also of a
 * pinned one a CRL counts, where its CA is among ours. */
static const char *fault_of(const struct client *client, uint8_t mode, int64_t now_ms)
{
    if (now_ms < client->from_ms || now_ms >= client->to_ms) {
        return crypto_trust_strerror(now_ms < client->from_ms ? CRYPTO_UNTRUSTED_EARLY
                                                              : CRYPTO_UNTRUSTED_EXPIRED);
    }
    bool bad = mode == REPLICA_CA ? client->result != CRYPTO_TRUSTED
                                  : client->result == CRYPTO_UNTRUSTED_REVOKED;
    return bad ? crypto_trust_strerror(client->result) : NULL;
}

/* Which credential it is registered for: by itself, else, when a CA stands for it, by its subject.
 */
static void look_up(struct client *client)
{
    struct replica_credential found;
    struct replica_reader *reader;
    if (client->looked_up && client->version == sluice_worker.version &&
        client->found_by == client->result) {
        return;
    }
    client->looked_up = client->found = false;
    reader = sluice_reader();
    if (!reader) {
        return;
    }
    client->found = replica_find_certificate(reader, client->sm3, &found) == REPLICA_OK;
    if (!client->found && client->result == CRYPTO_TRUSTED) {
        struct slice subject = slice_str(crypto_certificate_subject(client->crt));
        client->found = replica_find_subject(reader, subject, &found) == REPLICA_OK;
    }
    if (client->found) {
        client->credential = found.policy;
    }
    client->looked_up = true;
    client->found_by = client->result;
    client->version = sluice_worker.version;
}

static bool in_time(const struct policy_credential *c, uint64_t now_ms)
{
    return now_ms >= c->not_before_ms && (c->expires_ms == 0 || now_ms < c->expires_ms);
}

static ngx_int_t refuse(sluice_ctx_t *ctx, const char *why)
{
    return sluice_refuse(ctx, PROBLEM_CERTIFICATE_INVALID, slice_str(why),
                         SLICE("client certificate"));
}

static ngx_int_t refuse_foreign(ngx_http_request_t *r, sluice_ctx_t *ctx)
{
    sluice_impersonation(r, ctx, "certificate of another app");
    return refuse(ctx, "not this app's");
}

static bool foreign(const struct client *client, const sluice_ctx_t *ctx)
{
    return client->found && !uuid_eq(&client->credential.app, &ctx->caller->credential.app);
}

/* The caller's key is a certificate's: this must be it. */
static ngx_int_t check_bound(ngx_http_request_t *r, sluice_ctx_t *ctx,
                             const sluice_caller_t *signer, const struct client *client)
{
    int64_t now_ms = (int64_t)(ctx->began_us / 1000);
    uint8_t mode = signer->certificate_mode;
    const uint8_t *shown = mode == REPLICA_CA ? client->subject_sm3 : client->sm3;
    const char *fault = fault_of(client, mode, now_ms);
    if (memcmp(shown, signer->certificate_id, CRYPTO_HASH_LEN) != 0) {
        return foreign(client, ctx) ? refuse_foreign(r, ctx)
                                    : refuse(ctx, "not the one this key is registered with");
    }
    if (fault) {
        return refuse(ctx, fault);
    }
    ctx->proofs |= POLICY_PROOF_CERTIFICATE;
    return NGX_OK;
}

/* The caller is known by something else, and the certificate is a further proof or none at all. */
static ngx_int_t check_beside(ngx_http_request_t *r, sluice_ctx_t *ctx, const struct client *client)
{
    int64_t now_ms = (int64_t)(ctx->began_us / 1000);
    if (foreign(client, ctx)) {
        return refuse_foreign(r, ctx);
    }
    ctx->unproven = "not registered for this app";
    if (client->found) {
        bool pinned = client->result != CRYPTO_TRUSTED;
        ctx->unproven = fault_of(client, pinned ? REPLICA_PINNED : REPLICA_CA, now_ms);
    } else if (client->result != CRYPTO_TRUSTED && client->result != CRYPTO_UNTRUSTED_ISSUER) {
        ctx->unproven = crypto_trust_strerror(client->result);
    }
    if (!ctx->unproven && !in_time(&client->credential, (uint64_t)now_ms)) {
        ctx->unproven = "its registration is not valid now";
    }
    ctx->proofs |= ctx->unproven ? 0 : POLICY_PROOF_CERTIFICATE;
    return NGX_OK;
}

ngx_int_t sluice_certificate(ngx_http_request_t *r, sluice_ctx_t *ctx,
                             const sluice_caller_t *signer)
{
    bool none, bound = signer->certificate_mode != 0;
    struct client *client = client_of(r, &none);
    if (none) {
        return bound ? sluice_refuse(ctx, PROBLEM_CERTIFICATE_MISSING, SLICE(""),
                                     SLICE("client certificate"))
                     : NGX_OK;
    }
    if (!client || !client->crt) {
        return refuse(ctx, "cannot be read");
    }
    judge(client, (int64_t)(ctx->began_us / 1000));
    look_up(client);
    return bound ? check_bound(r, ctx, signer, client) : check_beside(r, ctx, client);
}

/* nginx bears a certificate of an unknown CA and answers 400 to one that is wrong in itself, before
 * any module is asked; see ngx_ssl_verify_error_optional(). */
bool sluice_certificate_refused(ngx_http_request_t *r)
{
    SSL *ssl = r->connection->ssl ? r->connection->ssl->connection : NULL;
    if (!ssl || !SSL_get0_peer_certificate(ssl)) {
        return false;
    }
    long result = SSL_get_verify_result(ssl);
    return result != X509_V_OK && !ngx_ssl_verify_error_optional(result);
}

bool sluice_certificate_sha256(ngx_http_request_t *r, uint8_t out[static CRYPTO_HASH_LEN])
{
    SSL *ssl = r->connection->ssl ? r->connection->ssl->connection : NULL;
    X509 *peer = ssl ? SSL_get0_peer_certificate(ssl) : NULL;
    unsigned n = 0;
    return peer && X509_digest(peer, EVP_sha256(), out, &n) && n == CRYPTO_HASH_LEN;
}
