/* SPDX-License-Identifier: Apache-2.0 */
#include "ca/ca.h"

#include <stdio.h>
#include <stdlib.h>

#include "api/api.h"
#include "base/codec.h"
#include "ca/ca_inner.h"

#define DAY_MS  (86400ll * 1000)
#define CA_DAYS 3650
#define SKEW_MS (300ll * 1000)

static const struct {
    const char *name, *common_name;
    enum crypto_key_kind kind;
} authorities[] = {
    {"apps", "Sluice apps CA", CRYPTO_KEY_P256},
    {"apps-sm2", "Sluice apps CA SM2", CRYPTO_KEY_SM2},
};

static enum problem insert(struct rest_call *c, struct store_txn *txn, size_t i)
{
    static const char sql[] = "INSERT INTO authorities (name, certificate, key_sealed, crl_number, "
                              "crl_until) VALUES (?, ?, ?, 0, 0)";
    int64_t now = (int64_t)c->now_ms;
    struct crypto_authority *ca = crypto_authority_new(
        authorities[i].kind, authorities[i].common_name, now - SKEW_MS, now + CA_DAYS * DAY_MS);
    char *crt = crypto_authority_certificate(ca), *key = crypto_authority_key(ca);
    json_t *sealed = api_seal_kept(c->ctl, authorities[i].name, slice_str(key));
    const struct store_value v[] = {store_text(authorities[i].name), store_text(crt),
                                    store_text(json_string_value(sealed))};
    enum problem p =
        sealed ? rest_store_problem(c, store_exec(txn, sql, v, COUNT(v), NULL)) : PROBLEM_INTERNAL;

    crypto_wipe(key, strlen(key));
    free(key);
    free(crt);
    json_decref(sealed);
    crypto_authority_free(&ca);
    if (p != PROBLEM_OK) {
        return p;
    }
    const struct operation op = {.at_ms = c->now_ms,
                                 .actor = "platform",
                                 .action = "create",
                                 .kind = "authority",
                                 .id = authorities[i].name,
                                 .after = "{}"};
    return rest_store_problem(c, log_operation(txn, &op));
}

static enum problem seed_one(struct rest_call *c, struct store_txn *txn, size_t i)
{
    const struct store_value v = store_text(authorities[i].name);
    struct store_rows *rows = NULL;
    enum store_err err = store_query(txn, "SELECT 1 FROM authorities WHERE name = ?", &v, 1, &rows);
    bool there = err == STORE_OK && store_next(rows);
    enum problem p = rest_store_problem(c, err == STORE_OK ? store_rows_end(&rows) : err);

    return p == PROBLEM_OK && !there ? insert(c, txn, i) : p;
}

enum problem ca_seed(struct rest_call *c)
{
    struct store_txn *txn = NULL;
    enum problem p = rest_begin(c, STORE_WRITE, &txn);

    if (p != PROBLEM_OK) {
        return p;
    }
    for (size_t i = 0; i < COUNT(authorities) && p == PROBLEM_OK; i++) {
        p = seed_one(c, txn, i);
    }
    return rest_finish(c, &txn, p);
}

static bool unseal(const struct control *ctl, const char *name, const char *certificate,
                   const char *sealed, struct crypto_authority **ca)
{
    size_t text_n = strlen(sealed), n = 0;
    uint8_t *bytes = malloc(text_n + 1), *plain = malloc(text_n + 1);
    bool ok = bytes && plain && codec_unbase64url(bytes, text_n, &n, sealed, text_n) &&
              n >= CRYPTO_SEAL_EXTRA &&
              keyring_open(ctl, slice_str(name), bytes, n, plain) == CRYPTO_OK;

    if (ok) {
        ok = crypto_authority_load(ca, slice_str(certificate),
                                   slice_of((const char *)plain, n - CRYPTO_SEAL_EXTRA)) ==
             CRYPTO_OK;
    }
    if (plain) {
        crypto_wipe(plain, text_n + 1);
    }
    free(plain);
    free(bytes);
    return ok;
}

enum problem ca_open(struct rest_call *c, struct store_txn *txn, const char *name,
                     struct crypto_authority **ca)
{
    const struct store_value v = store_text(name);
    struct store_rows *rows = NULL;
    enum store_err err = store_query(
        txn, "SELECT certificate, key_sealed FROM authorities WHERE name = ?", &v, 1, &rows);
    bool ok = err == STORE_OK && store_next(rows) &&
              unseal(c->ctl, name, store_get_text(rows, 0), store_get_text(rows, 1), ca);
    enum problem p = rest_store_problem(c, err == STORE_OK ? store_rows_end(&rows) : err);

    if (p != PROBLEM_OK) {
        crypto_authority_free(ca);
        return p;
    }
    return ok ? PROBLEM_OK
              : rest_fail(c, PROBLEM_KEY_STORE_LOCKED, "",
                          "the key of the CA %s cannot be opened: is keys/master.key the store's?",
                          name);
}

enum problem ca_issue(struct rest_call *c, struct store_txn *txn, const struct crypto_request *req,
                      const struct crypto_order *order, const char *credential_id, char **pem,
                      char serial[static CRYPTO_SERIAL_LEN + 1])
{
    static const char sql[] = "INSERT INTO certificates (serial, authority, credential_id, "
                              "not_after, reason) VALUES (?, ?, ?, ?, 0)";
    bool sm2 = crypto_key_kind(crypto_request_key(req)) == CRYPTO_KEY_SM2;
    const char *name = authorities[sm2].name;
    struct crypto_authority *ca = NULL;
    enum problem p = ca_open(c, txn, name, &ca);

    if (p != PROBLEM_OK) {
        return p;
    }
    struct crypto_order all = *order;
    char crl[300], crt[300], ocsp[300];
    if (c->ctl->cfg->public_url) { /* else nobody outside knows an address of ours */
        const char *at = c->ctl->cfg->public_url;
        snprintf(crl, sizeof crl, "%s/pki/%s.crl", at, name);
        snprintf(crt, sizeof crt, "%s/pki/%s.crt", at, name);
        snprintf(ocsp, sizeof ocsp, "%s/pki/ocsp", at);
        all.crl_url = crl;
        all.ca_url = crt;
        all.ocsp_url = ocsp;
    }
    *pem = crypto_authority_issue(ca, req, &all, serial);
    crypto_authority_free(&ca);
    if (!*pem) {
        return rest_fail(c, PROBLEM_CERTIFICATE_REQUEST_INVALID, "",
                         "the organisation's name cannot stand in a certificate");
    }
    const struct store_value v[] = {store_text(serial), store_text(name), store_text(credential_id),
                                    store_int(order->until_ms)};
    p = rest_store_problem(c, store_exec(txn, sql, v, COUNT(v), NULL));
    if (p != PROBLEM_OK) {
        free(*pem);
        *pem = NULL;
    }
    return p;
}

enum problem ca_revoke(struct rest_call *c, struct store_txn *txn, const char *credential_id,
                       uint64_t at_ms, int reason)
{
    static const char set[] = "UPDATE certificates SET revoked_at = ?, reason = ? WHERE "
                              "credential_id = ? AND reason IN (0, 6)";
    static const char stale[] = "UPDATE authorities SET crl = NULL WHERE name IN (SELECT authority "
                                "FROM certificates WHERE credential_id = ?)";
    const struct store_value v[] = {at_ms ? store_int((int64_t)at_ms)
                                          : (struct store_value){.type = STORE_NULL},
                                    store_int(reason), store_text(credential_id)};
    int64_t changed = 0;
    enum problem p = rest_store_problem(c, store_exec(txn, set, v, COUNT(v), &changed));

    return p == PROBLEM_OK && changed
               ? rest_store_problem(c, store_exec(txn, stale, &v[2], 1, NULL))
               : p;
}
