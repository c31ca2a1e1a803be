/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates and reports that a party has of others: filed with the document, confirmed by an
 * operator, over when their time is (GS-6.1b-4, GS-6.8d-2, GS-6.8e-2, BK-9.3.4a). */
#include <stdio.h>

#include "admission/inner.h"

#define LEVEL_MIN 2 /* BK-8g */

static const char *const kinds[] = {
    "mlps",             /* graded protection of networks, tested */
    "cryptography",     /* application of cryptography, assessed */
    "compliance",       /* conformity, by a body qualified for risk assessment */
    "business-licence", /* and what else says that a company may do what it does */
    "industry-licence",
    NULL};

static const struct attr attrs[] = {
    {"organisation_id", ATTR_REF, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, .ref = "organisations"},
    {"kind", ATTR_TEXT, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER | AF_SORT, 1, 30, .values = kinds},
    {"number", ATTR_TEXT, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, 1, 100},
    {"issuer", ATTR_TEXT, AF_REQUIRED | AF_IMMUTABLE, 1, 200},
    {"issuer_qualification", ATTR_TEXT, AF_IMMUTABLE, 1, 200},
    {"level", ATTR_INT, AF_IMMUTABLE, 1, 5},
    {"document_id", ATTR_REF, AF_REQUIRED | AF_IMMUTABLE, .ref = "documents"},
    {"issued_at", ATTR_TIME, AF_REQUIRED | AF_IMMUTABLE},
    {"valid_until", ATTR_TIME, AF_REQUIRED | AF_IMMUTABLE | AF_SORT},
    {"confirmed_by", ATTR_TEXT, AF_READ_ONLY},
    {"comment", ATTR_TEXT, AF_READ_ONLY},
    {"warned_at", ATTR_TIME, AF_READ_ONLY},
    {"enforced_at", ATTR_TIME, AF_READ_ONLY},
};

static enum problem check(struct rest_call *c, struct change *ch)
{
    const char *kind = row_text(ch->row, "kind");
    bool mlps = strcmp(kind, "mlps") == 0;
    json_int_t level = json_integer_value(json_object_get(ch->row, "level"));

    if (api_ms(ch->row, "valid_until") <= c->now_ms ||
        api_ms(ch->row, "issued_at") >= api_ms(ch->row, "valid_until")) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/valid_until",
                         "it is over, or earlier than issued_at");
    }
    if (mlps && level < LEVEL_MIN) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/level",
                         "graded protection of level %d or above is needed", LEVEL_MIN);
    }
    return strcmp(kind, "compliance") == 0 && !row_text(ch->row, "issuer_qualification")[0]
               ? rest_fail(c, PROBLEM_FIELD_INVALID, "/issuer_qualification",
                           "what qualifies the issuer to assess is needed")
               : PROBLEM_OK;
}

static enum problem confirm(struct rest_call *c, struct change *ch)
{
    if (api_ms(ch->row, "valid_until") <= c->now_ms) {
        return rest_fail(c, PROBLEM_STATE_CONFLICT, "", "the certificate is over");
    }
    json_object_set_new(ch->row, "confirmed_by", json_string(c->user.login));
    return PROBLEM_OK;
}

static const struct transition transitions[] = {
    {"filed", "confirm", "valid", ROLE_STAFF, .hook = confirm},
    {"filed", "refuse", "refused", ROLE_STAFF, .body_text = "comment"},
    {"valid", "revoke", "revoked", ROLE_STAFF, .body_text = "comment"},
};

#define OWN "t.organisation_id = ?"
static const struct scope scopes[] = {
    {ROLE_DEVELOPER | ROLE_PROVIDER, BIND_ORGANISATION, OWN, OWN},
};

const struct resource qualification_certificates_resource = {
    .plural = "qualification_certificates",
    .kind = "qualification-certificate",
    .initial = "filed",
    .attrs = attrs,
    .n_attrs = COUNT(attrs),
    .transitions = transitions,
    .n_transitions = COUNT(transitions),
    .scopes = scopes,
    .n_scopes = COUNT(scopes),
    .read_roles = ROLE_ALL & ~(unsigned)ROLE_OWNER,
    .create_roles = APPLICANT_ROLES,
    .check = check,
};

/* The next kind of a list with commas; false at its end. */
static bool next_kind(const char **at, char kind[static ADMISSION_VALUE])
{
    size_t n = strcspn(*at, ",");

    if (n == 0 || n >= ADMISSION_VALUE) {
        return false;
    }
    memcpy(kind, *at, n);
    kind[n] = '\0';
    *at += n + ((*at)[n] == ',');
    return true;
}

static bool kind_known(const char *name)
{
    for (size_t i = 0; kinds[i]; i++) {
        if (strcmp(kinds[i], name) == 0) {
            return true;
        }
    }
    return false;
}

bool certificates_list_ok(const char *text)
{
    char kind[ADMISSION_VALUE];
    const char *at = text;

    if (strcmp(text, "none") == 0) {
        return true;
    }
    while (next_kind(&at, kind)) {
        if (!kind_known(kind)) {
            return false;
        }
    }
    return *at == '\0' && text[0] && text[strlen(text) - 1] != ',';
}

enum problem certificates_lacking(struct rest_call *c, struct store_txn *txn,
                                  const char *organisation, char kind[static ADMISSION_VALUE])
{
    static const char sql[] =
        "SELECT 1 FROM qualification_certificates WHERE organisation_id = ? AND kind = ? AND state "
        "= 'valid' AND valid_until > ?";
    char list[ADMISSION_VALUE];
    const char *at = list;
    enum problem p = admission_setting(c, txn, "certificates-required", list);

    while (p == PROBLEM_OK && strcmp(list, "none") != 0 && next_kind(&at, kind)) {
        const struct store_value v[] = {store_text(organisation), store_text(kind),
                                        store_int((int64_t)c->now_ms)};
        bool there = false;
        p = admission_exists(c, txn, sql, v, COUNT(v), &there);
        if (p != PROBLEM_OK || !there) {
            return p;
        }
    }
    kind[0] = '\0';
    return p;
}
