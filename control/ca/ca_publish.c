/* SPDX-License-Identifier: Apache-2.0 */
/* What anybody may ask of the CAs: their certificates, what they revoked. A list is made when it is
 * asked for and the stored one was overtaken by a revocation, and by the job before it ends, so the
 * answer is never older than the last revocation. */
#include <stdio.h>
#include <stdlib.h>

#include "api/api.h"
#include "base/codec.h"
#include "ca/ca_inner.h"

#define CRL_LIFE_MS    (24ll * 3600 * 1000)
#define CRL_RENEW_MS   (6ll * 3600 * 1000) /* before its end */
#define OCSP_LIFE_MS   (300ll * 1000)
#define OCSP_BYTES_MAX 4096

static enum problem send(struct rest_call *c, const char *type, struct slice bytes)
{
    c->resp->status = 200;
    c->resp->content_type = type;
    buf_add(&c->resp->body, bytes.p, bytes.n);
    return c->resp->body.failed ? PROBLEM_INTERNAL : PROBLEM_OK;
}

static enum problem certificate(struct rest_call *c, const char *name)
{
    const struct store_value v = store_text(name);
    struct store_txn *txn = NULL;
    struct store_rows *rows = NULL;
    enum problem p = rest_begin(c, STORE_READ, &txn), sent = PROBLEM_NOT_FOUND;

    if (p != PROBLEM_OK) {
        return p;
    }
    enum store_err err =
        store_query(txn, "SELECT certificate FROM authorities WHERE name = ?", &v, 1, &rows);
    if (err == STORE_OK && store_next(rows)) {
        sent = send(c, "application/x-pem-file", slice_str(store_get_text(rows, 0)));
    }
    p = rest_store_problem(c, err == STORE_OK ? store_rows_end(&rows) : err);
    store_rollback(&txn);
    return p == PROBLEM_OK ? sent : p;
}

enum problem ca_certificate(struct rest_call *c)
{
    return certificate(c, "apps");
}

enum problem ca_certificate_sm2(struct rest_call *c)
{
    return certificate(c, "apps-sm2");
}

/* Revocation lists ---------------------------------------------------------------------------- */
static enum problem read_revoked(struct rest_call *c, struct store_txn *txn, const char *name,
                                 struct buf *list)
{
    static const char sql[] =
        "SELECT serial, revoked_at, reason FROM certificates WHERE authority = ? AND revoked_at IS "
        "NOT NULL AND not_after > ? ORDER BY revoked_at";
    const struct store_value v[] = {store_text(name), store_int((int64_t)c->now_ms)};
    struct store_rows *rows = NULL;
    enum store_err err = store_query(txn, sql, v, COUNT(v), &rows);

    while (err == STORE_OK && store_next(rows)) {
        struct crypto_revoked row = {.at_ms = store_get_int(rows, 1),
                                     .reason = (int)store_get_int(rows, 2)};
        snprintf(row.serial, sizeof row.serial, "%s", store_get_text(rows, 0));
        buf_add(list, (const char *)&row, sizeof row);
    }
    enum problem p = rest_store_problem(c, err == STORE_OK ? store_rows_end(&rows) : err);
    return p == PROBLEM_OK && list->failed ? PROBLEM_INTERNAL : p;
}

static enum problem make_crl(struct rest_call *c, struct store_txn *txn, const char *name,
                             uint8_t **der, size_t *n)
{
    static const char sql[] =
        "UPDATE authorities SET crl = ?, crl_number = crl_number + 1, crl_until = ? WHERE name = ?";
    int64_t now = (int64_t)c->now_ms, until = now + CRL_LIFE_MS;
    struct crypto_authority *ca = NULL;
    struct buf list;
    enum problem p = ca_open(c, txn, name, &ca);

    if (p != PROBLEM_OK) {
        return p;
    }
    buf_init(&list);
    p = read_revoked(c, txn, name, &list);
    if (p ==
        PROBLEM_OK) { /* the clock as its number: it only grows, and restores do not repeat it */
        crypto_authority_crl(ca, (const struct crypto_revoked *)(const void *)list.p,
                             list.n / sizeof(struct crypto_revoked), now, now, until, der, n);
        const struct store_value v[] = {store_blob(*der, *n), store_int(until), store_text(name)};
        p = rest_store_problem(c, store_exec(txn, sql, v, COUNT(v), NULL));
    }
    buf_fini(&list);
    crypto_authority_free(&ca);
    return p;
}

/* *there: the stored list is good and was sent (c->resp) or, with answer false, left alone. */
static enum problem stored_crl(struct rest_call *c, struct store_txn *txn, const char *name,
                               bool answer, bool *there)
{
    static const char sql[] =
        "SELECT crl FROM authorities WHERE name = ? AND crl IS NOT NULL AND crl_until > ?";
    const struct store_value v[] = {store_text(name), store_int((int64_t)c->now_ms + CRL_RENEW_MS)};
    struct store_rows *rows = NULL;
    enum store_err err = store_query(txn, sql, v, COUNT(v), &rows);
    enum problem sent = PROBLEM_OK;

    *there = err == STORE_OK && store_next(rows);
    if (*there && answer) {
        sent = send(c, "application/pkix-crl", store_get_blob(rows, 0));
    }
    enum problem p = rest_store_problem(c, err == STORE_OK ? store_rows_end(&rows) : err);
    return p == PROBLEM_OK ? sent : p;
}

static enum problem crl(struct rest_call *c, const char *name, bool answer)
{
    struct store_txn *txn = NULL;
    uint8_t *der = NULL;
    size_t n = 0;
    bool there = false;
    enum problem p = rest_begin(c, STORE_READ, &txn);

    if (p == PROBLEM_OK) {
        p = stored_crl(c, txn, name, answer, &there);
        store_rollback(&txn);
    }
    if (p != PROBLEM_OK || there) {
        return p;
    }
    p = rest_begin(c, STORE_WRITE, &txn);
    if (p == PROBLEM_OK) {
        p = rest_finish(c, &txn, make_crl(c, txn, name, &der, &n));
    }
    if (p == PROBLEM_OK && answer) {
        p = send(c, "application/pkix-crl", slice_of((const char *)der, n));
    }
    free(der);
    return p;
}

enum problem ca_crl(struct rest_call *c)
{
    return crl(c, "apps", true);
}

enum problem ca_crl_sm2(struct rest_call *c)
{
    return crl(c, "apps-sm2", true);
}

enum problem ca_refresh(struct rest_call *c)
{
    enum problem p = crl(c, "apps", false);

    return p == PROBLEM_OK ? crl(c, "apps-sm2", false) : p;
}

/* OCSP ---------------------------------------------------------------------------------------- */
struct asked {
    struct store_txn *txn;
    const char *authority;
    enum store_err err;
    bool known;
};

static enum crypto_issued lookup(void *ctx, const char *serial, struct crypto_revoked *revoked)
{
    static const char sql[] =
        "SELECT revoked_at, reason FROM certificates WHERE serial = ? AND authority = ?";
    struct asked *a = ctx;
    const struct store_value v[] = {store_text(serial), store_text(a->authority)};
    struct store_rows *rows = NULL;
    enum crypto_issued issued = CRYPTO_ISSUED_UNKNOWN;
    enum store_err err = store_query(a->txn, sql, v, COUNT(v), &rows);

    if (err == STORE_OK && store_next(rows)) {
        a->known = true;
        issued = store_is_null(rows, 0) ? CRYPTO_ISSUED_GOOD : CRYPTO_ISSUED_REVOKED;
        *revoked = (struct crypto_revoked){.at_ms = store_get_int(rows, 0),
                                           .reason = (int)store_get_int(rows, 1)};
    }
    err = err == STORE_OK ? store_rows_end(&rows) : err;
    a->err = err == STORE_OK ? a->err : err;
    return err == STORE_OK ? issued : CRYPTO_ISSUED_UNKNOWN;
}

/* One address for both CAs: the SM2 CA answers when it knows the certificate, else the other. */
static enum problem answer_by(struct rest_call *c, struct store_txn *txn, const char *name,
                              struct slice request, bool must, bool *done)
{
    int64_t now = (int64_t)c->now_ms;
    struct asked a = {.txn = txn, .authority = name};
    struct crypto_authority *ca = NULL;
    uint8_t *der = NULL;
    size_t n = 0;
    enum problem p = ca_open(c, txn, name, &ca);

    if (p != PROBLEM_OK) {
        return p;
    }
    crypto_authority_ocsp(ca, request, lookup, &a, now, now + OCSP_LIFE_MS, &der, &n);
    crypto_authority_free(&ca);
    p = rest_store_problem(c, a.err);
    *done = must || a.known;
    if (p == PROBLEM_OK && *done) {
        p = send(c, "application/ocsp-response", slice_of((const char *)der, n));
    }
    free(der);
    return p;
}

static enum problem ocsp(struct rest_call *c, struct slice request)
{
    struct store_txn *txn = NULL;
    bool done = false;
    enum problem p = rest_begin(c, STORE_READ, &txn);

    if (p != PROBLEM_OK) {
        return p;
    }
    p = answer_by(c, txn, "apps-sm2", request, false, &done);
    if (p == PROBLEM_OK && !done) {
        p = answer_by(c, txn, "apps", request, true, &done);
    }
    store_rollback(&txn);
    return p;
}

enum problem ca_ocsp_post(struct rest_call *c)
{
    return ocsp(c, c->req->body);
}

enum problem ca_ocsp_get(struct rest_call *c)
{
    uint8_t der[OCSP_BYTES_MAX];
    const char *text = c->segment[2];
    size_t n = 0;

    if (!codec_unbase64(der, sizeof der, &n, text, strlen(text))) {
        return rest_fail(c, PROBLEM_BODY_MALFORMED, "", "an OCSP request in base64 is needed");
    }
    return ocsp(c, slice_of((const char *)der, n));
}
