/* SPDX-License-Identifier: Apache-2.0 */
/* A user's certificate (SW-4b, SW-5-access-e): the connection proved the key, here the certificate
 * is judged: by the one trust that is registered with the user, at this time, and by its subject.
 */
#include <stdlib.h>

#include "api/api.h"
#include "base/codec.h"
#include "crypto/certificate.h"
#include "identity/inner.h"

static bool add_crl(struct crypto_trust *trust, const char *text)
{
    size_t text_n = strlen(text), n = 0;
    uint8_t *der = malloc(text_n + 1);
    bool ok = der && codec_unbase64(der, text_n, &n, text, text_n) &&
              crypto_trust_add_crl(trust, slice_of((const char *)der, n)) == CRYPTO_OK;

    free(der);
    return ok;
}

/* Without a list and with a responder nobody asked here, a revoked certificate would pass. */
static bool unanswered(const json_t *row)
{
    return row_text(row, "ocsp")[0] && !row_text(row, "crl")[0];
}

static bool trusted(const struct rest_call *c, const json_t *row,
                    const struct crypto_certificate *crt)
{
    bool always = json_is_true(json_object_get(row, "crl_required"));
    const char *crl = row_text(row, "crl");
    struct crypto_trust *trust =
        crypto_trust_new(always ? CRYPTO_CRL_ALWAYS : CRYPTO_CRL_WHERE_NAMED);
    bool ok = !unanswered(row) &&
              crypto_trust_add_ca(trust, slice_str(row_text(row, "certificate"))) == CRYPTO_OK &&
              (!crl[0] || add_crl(trust, crl)) &&
              crypto_trust_verify(trust, crt, NULL, 0, (int64_t)c->now_ms) == CRYPTO_TRUSTED;

    crypto_trust_free(&trust);
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
