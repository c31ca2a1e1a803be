/* SPDX-License-Identifier: Apache-2.0 */
/* A user's certificate (SW-4b, SW-5-access-e): the connection proved the key, here the certificate
 * is judged: by the one trust that is registered with the user, at this time, by its subject, and
 * by the trust's list or its responder. Who cannot be asked has not said yes. */
#include <stdlib.h>

#include "api/api.h"
#include "base/codec.h"
#include "crypto/certificate.h"
#include "identity/inner.h"
#include "outbound.h"

#define OCSP_MAX (64u << 10) /* bytes of an answer */
#define OCSP_MS  3000L

static bool add_crl(struct crypto_trust *trust, const char *text)
{
    size_t text_n = strlen(text), n = 0;
    uint8_t *der = malloc(text_n + 1);
    bool ok = der && codec_unbase64(der, text_n, &n, text, text_n) &&
              crypto_trust_add_crl(trust, slice_of((const char *)der, n)) == CRYPTO_OK;

    free(der);
    return ok;
}

/* Asked at each sign-in: an answer that is kept would let in who was revoked meanwhile. */
static bool responder_says_good(const struct rest_call *c, const json_t *row,
                                const struct crypto_certificate *crt)
{
    struct crypto_certificate *issuer = NULL;
    struct crypto_ocsp_answer said = {.status = CRYPTO_OCSP_UNKNOWN};
    struct buf answer;
    uint8_t *request = NULL;
    size_t n = 0;

    if (crypto_certificate_load(&issuer, slice_str(row_text(row, "certificate"))) != CRYPTO_OK) {
        return false;
    }
    crypto_ocsp_request(crt, issuer, &request, &n);
    buf_init(&answer);
    const struct outbound o = {.url = row_text(row, "ocsp"),
                               .content_type = "application/ocsp-request",
                               .body = slice_of((const char *)request, n),
                               .administrators = true,
                               .timeout_ms = OCSP_MS,
                               .answer_max = OCSP_MAX,
                               .answer = &answer};
    bool good = outbound_exchange(c->ctl->cfg, &o) == 200 &&
                crypto_ocsp_read(crt, issuer, o.body, buf_slice(&answer), (int64_t)c->now_ms,
                                 &said) == CRYPTO_OK &&
                said.status == CRYPTO_OCSP_GOOD;
    buf_fini(&answer);
    free(request);
    crypto_certificate_free(&issuer);
    return good;
}

static bool trusted(const struct rest_call *c, const json_t *row,
                    const struct crypto_certificate *crt)
{
    bool always = json_is_true(json_object_get(row, "crl_required"));
    const char *crl = row_text(row, "crl");
    bool ask = row_text(row, "ocsp")[0] && !crl[0] && !always;
    struct crypto_trust *trust = crypto_trust_new(always ? CRYPTO_CRL_ALWAYS
                                                  : ask  ? CRYPTO_CRL_NEVER
                                                         : CRYPTO_CRL_WHERE_NAMED);
    bool ok = crypto_trust_add_ca(trust, slice_str(row_text(row, "certificate"))) == CRYPTO_OK &&
              (!crl[0] || add_crl(trust, crl)) &&
              crypto_trust_verify(trust, crt, NULL, 0, (int64_t)c->now_ms) == CRYPTO_TRUSTED;

    crypto_trust_free(&trust);
    ok = ok && (!ask || responder_says_good(c, row, crt));
    return ok;
}

static enum problem load_trust(struct rest_call *c, const char *id, json_t **row)
{
    struct store_txn *txn = NULL;
    enum problem p = rest_begin(c, STORE_READ, &txn);

    if (p != PROBLEM_OK) {
        return p;
    }
    p = row_load(c, txn, &trusts_resource, id, false, row);
    store_rollback(&txn);
    return p;
}

enum problem certificate_matches(struct rest_call *c, const json_t *user, bool *ok)
{
    struct crypto_certificate *crt = NULL;
    json_t *trust = NULL;
    enum problem p = PROBLEM_OK;
    const char *subject = row_text(user, "certificate_subject");

    *ok = false;
    if (!user || !subject[0] || c->req->peer_certificate.n == 0 ||
        crypto_certificate_load(&crt, c->req->peer_certificate) != CRYPTO_OK) {
        return PROBLEM_OK;
    }
    if (strcmp(crypto_certificate_subject(crt), subject) == 0) {
        p = load_trust(c, row_text(user, "certificate_trust_id"), &trust);
    }
    *ok = p == PROBLEM_OK && trust && strcmp(row_text(trust, "state"), "active") == 0 &&
          trusted(c, trust, crt);
    json_decref(trust);
    crypto_certificate_free(&crt);
    return p;
}
