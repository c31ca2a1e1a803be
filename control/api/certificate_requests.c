/* SPDX-License-Identifier: Apache-2.0 */
/* An app's request for a certificate of the platform's own CA. What the certificate says is the
 * platform's to decide: of the request only the key is taken, and only when it signed the request.
 */
#include <stdlib.h>

#include "api/credentials.h"
#include "api/keys.h"
#include "ca/ca.h"
#include "notices/notices.h"

#define DAY_MS  (86400ll * 1000)
#define SKEW_MS (300ll * 1000) /* a node's clock may be a little behind */

static const char *const classes[] = {"A1", "A2", NULL};

static const struct attr attrs[] = {
    {"app_id", ATTR_REF, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, .ref = "apps"},
    {"csr", ATTR_TEXT, AF_REQUIRED | AF_IMMUTABLE | AF_LINES, 1, CRYPTO_REQUEST_MAX,
     .check = keys_refuse_private},
    {"class", ATTR_TEXT, AF_IMMUTABLE | AF_FILTER, 1, 2, .values = classes},
    {"label", ATTR_TEXT, AF_IMMUTABLE, 1, 100},
    {"algorithm", ATTR_TEXT, AF_READ_ONLY},
    {"key_id", ATTR_TEXT, AF_READ_ONLY | AF_FILTER},
    {"requested_by", ATTR_TEXT, AF_READ_ONLY},
    {"decided_by", ATTR_TEXT, AF_READ_ONLY},
    {"reason", ATTR_TEXT, AF_READ_ONLY},
    {"credential_id", ATTR_TEXT, AF_READ_ONLY | AF_FILTER},
};

static const char *const algorithms[] = {
    [CRYPTO_KEY_SM2] = "sm2-sm3",
    [CRYPTO_KEY_P256] = "ecdsa-p256-sha256",
    [CRYPTO_KEY_RSA] = "rsa-pss-sha512",
};

static enum problem read_request(struct rest_call *c, const json_t *row,
                                 struct crypto_request **req)
{
    enum crypto_err err = crypto_request_load(req, slice_str(row_text(row, "csr")));

    if (err == CRYPTO_EVERIFY) {
        return rest_fail(c, PROBLEM_CERTIFICATE_REQUEST_INVALID, "/csr",
                         "it is not signed by the key it is for");
    }
    if (err != CRYPTO_OK) {
        return rest_fail(c, PROBLEM_CERTIFICATE_REQUEST_INVALID, "/csr",
                         "one PEM block CERTIFICATE REQUEST (PKCS #10) is needed");
    }
    if (!crypto_request_key(*req)) {
        crypto_request_free(req);
        return rest_fail(c, PROBLEM_CERTIFICATE_REQUEST_INVALID, "/csr",
                         "its key is none of SM2, P-256, RSA of 2048 to 8192 bits");
    }
    return PROBLEM_OK;
}

static enum problem prepare(struct rest_call *c, struct change *ch)
{
    struct crypto_request *req = NULL;
    enum problem p = read_request(c, ch->row, &req);

    if (p != PROBLEM_OK) {
        return p;
    }
    const struct crypto_key *key = crypto_request_key(req);
    json_object_set_new(ch->row, "algorithm", json_string(algorithms[crypto_key_kind(key)]));
    json_object_set_new(ch->row, "key_id", json_string(crypto_key_id(key)));
    json_object_set_new(ch->row, "requested_by", json_string(c->user.login));
    crypto_request_free(&req);
    return PROBLEM_OK;
}

static enum problem check(struct rest_call *c, struct change *ch)
{
    const struct notice n = {.kind = "certificate-requested",
                             .object_kind = "certificate_request",
                             .object_id = row_text(ch->row, "id")};
    const char *class = NULL;
    json_t *app = NULL;
    enum problem p = api_load(c, ch->txn, &apps_resource, row_text(ch->row, "app_id"), &app);

    if (p == PROBLEM_OK && !api_app_calls(app)) {
        p = rest_fail(c, PROBLEM_STATE_CONFLICT, "/app_id",
                      "the app is %s; only an app that is admitted or tested has credentials",
                      row_text(app, "state"));
    }
    if (p == PROBLEM_OK) {
        p = credential_class(c, ch->txn, row_text(ch->row, "app_id"), row_text(ch->row, "class"),
                             &class);
    }
    json_decref(app);
    return p == PROBLEM_OK ? notice_put(c, ch->txn, &n) : p;
}

/* The certificate's names: the App_ID and who it belongs to. */
static enum problem sign(struct rest_call *c, struct change *ch, const char *credential_id,
                         char **pem, char serial[static CRYPTO_SERIAL_LEN + 1])
{
    struct crypto_request *req = NULL;
    struct credential_policy policy;
    json_t *app = NULL, *org = NULL;
    const char *class = NULL, *app_id = row_text(ch->row, "app_id");
    enum problem p = read_request(c, ch->row, &req);

    if (p == PROBLEM_OK) {
        p = credential_class(c, ch->txn, app_id, row_text(ch->row, "class"), &class);
    }
    if (p == PROBLEM_OK) {
        p = credential_policy_load(c, ch->txn, class, &policy);
    }
    if (p == PROBLEM_OK) {
        p = api_load(c, ch->txn, &apps_resource, app_id, &app);
    }
    if (p == PROBLEM_OK) {
        p = api_load(c, ch->txn, &organisations_resource, row_text(app, "organisation_id"), &org);
    }
    if (p == PROBLEM_OK) {
        int64_t now = (int64_t)c->now_ms;
        const struct crypto_order order = {.common_name = app_id,
                                           .organisation = row_text(org, "name"),
                                           .from_ms = now - SKEW_MS,
                                           .until_ms = now + policy.default_days * DAY_MS};
        json_object_set_new(ch->row, "class", json_string(class));
        p = ca_issue(c, ch->txn, req, &order, credential_id, pem, serial);
    }
    crypto_request_free(&req);
    json_decref(app);
    json_decref(org);
    return p;
}

static enum problem register_credential(struct rest_call *c, struct change *ch, const char *id,
                                        const char *pem, const char *serial)
{
    json_t *row = NULL;
    json_t *body = json_pack("{s:O, s:O, s:O, s:s}", "app_id", json_object_get(ch->row, "app_id"),
                             "algorithm", json_object_get(ch->row, "algorithm"), "class",
                             json_object_get(ch->row, "class"), "certificate", pem);

    if (row_text(ch->row, "label")[0]) {
        json_object_set(body, "label", json_object_get(ch->row, "label"));
    }
    enum problem p = credential_make(c, ch->txn, body, id, &row);
    if (p == PROBLEM_OK) {
        json_object_set_new(row, "serial", json_string(serial));
        p = change_store(c, ch->txn, &credentials_resource, NULL, row, "create");
    }
    json_decref(body);
    json_decref(row);
    return p;
}

static enum problem issue(struct rest_call *c, struct change *ch)
{
    char id[UUID_TEXT_LEN + 1], serial[CRYPTO_SERIAL_LEN + 1], *pem = NULL;
    struct uuid u;

    if (strcmp(row_text(ch->row, "requested_by"), c->user.login) == 0) {
        return PROBLEM_SELF_APPROVAL;
    }
    uuid_new(&u);
    uuid_format(&u, id);
    enum problem p = sign(c, ch, id, &pem, serial);
    if (p == PROBLEM_OK) {
        p = register_credential(c, ch, id, pem, serial);
    }
    free(pem);
    if (p != PROBLEM_OK) {
        return p;
    }
    json_object_set_new(ch->row, "decided_by", json_string(c->user.login));
    json_object_set_new(ch->row, "credential_id", json_string(id));
    return credential_tell(c, ch->txn, "certificate-issued", "certificate_request", ch->row);
}

static enum problem refuse(struct rest_call *c, struct change *ch)
{
    json_object_set_new(ch->row, "decided_by", json_string(c->user.login));
    return credential_tell(c, ch->txn, "certificate-refused", "certificate_request", ch->row);
}

#define HOLDER (ROLE_STAFF | ROLE_DEVELOPER)
static const struct transition transitions[] = {
    {"applied", "issue", "issued", ROLE_STAFF, .hook = issue},
    {"applied", "refuse", "refused", ROLE_STAFF, .body_text = "reason", .hook = refuse},
};

#define OWN_APP "t.app_id IN (SELECT id FROM apps WHERE organisation_id = ?)"
static const struct scope scopes[] = {
    {ROLE_DEVELOPER, BIND_ORGANISATION, OWN_APP, OWN_APP},
};

const struct resource certificate_requests_resource = {
    .plural = "certificate_requests",
    .kind = "certificate_request",
    .initial = "applied",
    .attrs = attrs,
    .n_attrs = COUNT(attrs),
    .transitions = transitions,
    .n_transitions = COUNT(transitions),
    .scopes = scopes,
    .n_scopes = COUNT(scopes),
    .read_roles = HOLDER | ROLE_AUDITOR,
    .create_roles = HOLDER,
    .prepare = prepare,
    .check = check,
};
