/* SPDX-License-Identifier: Apache-2.0 */
/* What can be shown of a consent to somebody who judges it: the grant, what the person saw or
 * signed with its digest, and every act on it as the chained operations log has it; signed by the
 * platform, so that it can be checked with the platform's published keys and nothing else. */
#include <stdlib.h>

#include "api/api.h"
#include "base/clock.h"
#include "base/codec.h"
#include "consent/consent.h"
#include "oauth/oauth.h"

#define OPERATIONS_MAX 200
#define EVIDENCE_TYP   "consent-evidence+jwt"

static json_t *time_text(int64_t ms)
{
    char text[CLOCK_RFC3339_LEN + 1];

    clock_format_ms((uint64_t)ms, text);
    return json_string(text);
}

static json_t *snapshot(const char *text)
{
    json_t *v = text ? json_loads(text, JSON_DECODE_ANY, NULL) : NULL;

    return v ? v : json_null();
}

static json_t *operation_of(struct store_rows *rows)
{
    char hex[CODEC_HEX_LEN(CRYPTO_HASH_LEN) + 1] = "";
    struct slice chain = store_get_blob(rows, 5);

    if (chain.n == CRYPTO_HASH_LEN) {
        hex[codec_hex(hex, (const uint8_t *)chain.p, chain.n)] = '\0';
    }
    return json_pack("{s:I, s:o, s:s, s:s, s:o, s:s}", "seq", (json_int_t)store_get_int(rows, 0),
                     "at", time_text(store_get_int(rows, 1)), "actor", store_get_text(rows, 2),
                     "action", store_get_text(rows, 3), "after", snapshot(store_get_text(rows, 4)),
                     "chain", hex);
}

enum problem evidence_acts(struct rest_call *c, struct store_txn *txn, const char *id, json_t *acts)
{
    static const char sql[] = "SELECT seq, at_ms, actor, action, \"after\", chain FROM operations "
                              "WHERE resource_id = ? ORDER BY seq LIMIT ?";
    const struct store_value v[] = {store_text(id), store_int(OPERATIONS_MAX)};
    struct store_rows *rows = NULL;
    enum store_err err = store_query(txn, sql, v, 2, &rows);

    while (err == STORE_OK && store_next(rows)) {
        json_array_append_new(acts, operation_of(rows));
    }
    return rest_store_problem(c, err == STORE_OK ? store_rows_end(&rows) : err);
}

static bool digest_holds(const json_t *grant)
{
    const char *said = row_text(grant, "statement"), *kept = row_text(grant, "statement_sm3");
    uint8_t digest[CRYPTO_HASH_LEN];
    char hex[CODEC_HEX_LEN(CRYPTO_HASH_LEN) + 1];

    crypto_hash(CRYPTO_SM3, said, strlen(said), digest);
    hex[codec_hex(hex, digest, sizeof digest)] = '\0';
    return said[0] && strcmp(hex, kept) == 0;
}

static enum problem answer(struct rest_call *c, const json_t *grant, json_t *acts)
{
    json_t *claims = json_pack("{s:s, s:I, s:O, s:b, s:O}", "iss", oauth_issuer(c->ctl), "iat",
                               (json_int_t)(c->now_ms / 1000), "grant", grant, "statement_intact",
                               digest_holds(grant), "acts", acts);
    char *signed_text = claims ? oauth_jwt_sign(c, claims, EVIDENCE_TYP) : NULL;
    enum problem p = PROBLEM_INTERNAL;

    if (signed_text) {
        json_object_set_new(claims, "signed", json_string(signed_text));
        p = rest_answer(c, 200, json_incref(claims));
    }
    free(signed_text);
    json_decref(claims);
    return p;
}

enum problem rest_grant_evidence(struct rest_call *c)
{
    struct store_txn *txn = NULL;
    json_t *grant = NULL, *shown = NULL, *acts = json_array();
    struct uuid id;
    enum problem p = uuid_parse(&id, c->segment[1], strlen(c->segment[1]))
                         ? rest_begin(c, STORE_READ, &txn)
                         : PROBLEM_NOT_FOUND;

    if (p == PROBLEM_OK) {
        p = row_load(c, txn, &grants_resource, c->segment[1], true, &grant);
        p = p == PROBLEM_OK && !grant ? PROBLEM_NOT_FOUND : p;
        p = p == PROBLEM_OK ? evidence_acts(c, txn, c->segment[1], acts) : p;
        store_rollback(&txn);
    }
    if (p == PROBLEM_OK) {
        shown = row_public(&grants_resource, grant);
        p = answer(c, shown, acts);
    }
    json_decref(grant);
    json_decref(shown);
    json_decref(acts);
    return p;
}
