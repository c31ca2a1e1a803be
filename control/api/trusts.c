/* SPDX-License-Identifier: Apache-2.0 */
/* The CAs whose client certificates count at the gateways (BK-9.2.1b1-2), each with its revocation
 * list or OCSP responder. */
#include <stdlib.h>

#include "api/apis.h"
#include "api/keys.h"
#include "base/clock.h"
#include "base/codec.h"

#define CRL_MAX (512u << 10) /* bytes of base64 */

static enum problem check_ocsp(struct rest_call *c, const char *where, const json_t *v)
{
    return targets_url_ok(json_string_value(v), "http://")
               ? PROBLEM_OK
               : rest_fail(c, PROBLEM_FIELD_INVALID, where,
                           "an address like http://ocsp.example/ is needed: OCSP answers are "
                           "signed, and asked for over plain HTTP");
}

static const struct attr attrs[] = {
    {"name", ATTR_TEXT, AF_REQUIRED | AF_FILTER | AF_SORT, 1, 200},
    {"certificate", ATTR_TEXT, AF_REQUIRED | AF_IMMUTABLE | AF_LINES, 1, CRYPTO_CERTIFICATE_MAX,
     .check = keys_refuse_private},
    {"crl", ATTR_TEXT, AF_LINES, 1, CRL_MAX},
    {"crl_required", ATTR_BOOL, 0, .fallback = "false"},
    {"ocsp", ATTR_TEXT, 0, 8, 1000, .check = check_ocsp},
    {"certificate_subject", ATTR_TEXT, AF_READ_ONLY},
    {"certificate_sm3", ATTR_TEXT, AF_READ_ONLY | AF_FILTER},
};

/* An anchor has to be a certificate of a CA, and not one that is over. */
static enum problem check_anchor(struct rest_call *c, struct crypto_trust *trust, json_t *row)
{
    struct slice pem = slice_str(row_text(row, "certificate"));
    struct crypto_certificate *crt = NULL;
    int64_t from_ms, to_ms;

    if (crypto_certificate_load(&crt, pem) != CRYPTO_OK ||
        crypto_trust_add_ca(trust, pem) != CRYPTO_OK) {
        crypto_certificate_free(&crt);
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/certificate",
                         "one PEM block with the certificate of a CA is needed");
    }
    keys_describe_certificate(crt, row);
    crypto_certificate_validity(crt, &from_ms, &to_ms);
    crypto_certificate_free(&crt);
    return to_ms > (int64_t)c->now_ms
               ? PROBLEM_OK
               : rest_fail(c, PROBLEM_FIELD_INVALID, "/certificate", "the certificate is over");
}

/* base64 DER, as nodes are told it. PEM is taken too. */
static enum problem check_crl(struct rest_call *c, struct crypto_trust *trust, json_t *row)
{
    const char *text = row_text(row, "crl");
    uint8_t *der = malloc(CRL_MAX);
    size_t n = 0;
    enum problem p = der ? PROBLEM_OK : PROBLEM_INTERNAL;

    if (p == PROBLEM_OK && !keys_pem_or_base64(text, der, CRL_MAX, &n)) {
        p = rest_fail(c, PROBLEM_FIELD_INVALID, "/crl",
                      "base64 of DER, or one PEM block, is needed");
    }
    if (p == PROBLEM_OK &&
        crypto_trust_add_crl(trust, slice_of((const char *)der, n)) != CRYPTO_OK) {
        p = rest_fail(c, PROBLEM_FIELD_INVALID, "/crl",
                      "a full revocation list signed by this CA is needed");
    }
    if (p == PROBLEM_OK) {
        json_object_set_new(row, "crl", keys_base64(der, n));
    }
    free(der);
    return p;
}

static enum problem check(struct rest_call *c, struct change *ch)
{
    if (ch->old && strcmp(row_text(ch->old, "state"), "removed") == 0) {
        return rest_fail(c, PROBLEM_STATE_CONFLICT, "", "it is removed; make another");
    }
    if (json_is_true(json_object_get(ch->row, "crl_required")) && !row_text(ch->row, "crl")[0]) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/crl",
                         "with crl_required a revocation list is needed");
    }
    struct crypto_trust *trust = crypto_trust_new(CRYPTO_CRL_WHERE_NAMED);
    enum problem p = check_anchor(c, trust, ch->row);
    if (p == PROBLEM_OK && row_text(ch->row, "crl")[0]) {
        p = check_crl(c, trust, ch->row);
    }
    crypto_trust_free(&trust);
    return p;
}

static enum problem feed(struct rest_call *c, struct store_txn *txn, const json_t *row,
                         json_t **data)
{
    static const char *const told[] = {"certificate", "crl", "ocsp"};

    (void)c;
    (void)txn;
    *data = NULL;
    if (strcmp(row_text(row, "state"), "active") != 0) {
        return PROBLEM_OK;
    }
    *data = json_pack("{s:b}", "crl_required", json_is_true(json_object_get(row, "crl_required")));
    for (size_t i = 0; i < COUNT(told); i++) {
        if (row_text(row, told[i])[0]) {
            json_object_set(*data, told[i], json_object_get(row, told[i]));
        }
    }
    return PROBLEM_OK;
}

static const struct transition transitions[] = {
    {"active", "disable", "inactive", ROLE_STAFF},
    {"inactive", "enable", "active", ROLE_STAFF},
    {"active|inactive", "remove", "removed", ROLE_STAFF},
};

const struct resource trusts_resource = {
    .plural = "trusts",
    .kind = "trust",
    .initial = "active",
    .attrs = attrs,
    .n_attrs = COUNT(attrs),
    .transitions = transitions,
    .n_transitions = COUNT(transitions),
    .read_roles = ROLE_STAFF | ROLE_AUDITOR,
    .create_roles = ROLE_STAFF,
    .patch_roles = ROLE_STAFF,
    .check = check,
    .feed = feed,
    .feed_kind = "trust",
};
