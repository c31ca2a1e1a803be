/* SPDX-License-Identifier: Apache-2.0 */
/* The supply interface: POST /supply/{dataset}/records, by a key of the dataset's own. It lies
 * beside the REST of people and apart from the gateway, where data is shared; no session, no app's
 * credential and no token opens it, and its keys open nothing else. */
#include <stdlib.h>

#include "api/api.h"
#include "base/clock.h"
#include "data_client.h"
#include "lifecycle/lifecycle.h"
#include "write/inner.h"

#define WORD_MAX  128
#define CLOCKS_MS 60000 /* how far apart a unit's clock may be */

static enum problem unknown_key(struct rest_call *c)
{
    return rest_fail(c, PROBLEM_CREDENTIAL_UNKNOWN, "",
                     "Authorization: Bearer and a supply key of "
                     "this dataset are needed");
}

/* "Bearer sup_<id>.<secret>" */
static bool split_key(const char *text, char id[static UUID_TEXT_LEN + 1], struct slice *secret)
{
    static const char start[] = "Bearer " SUPPLY_PREFIX;
    struct uuid uuid;

    if (!text || strncmp(text, start, sizeof start - 1) != 0 ||
        strlen(text) < sizeof start + UUID_TEXT_LEN) {
        return false;
    }
    text += sizeof start - 1;
    if (text[UUID_TEXT_LEN] != '.' || !uuid_parse(&uuid, text, UUID_TEXT_LEN)) {
        return false;
    }
    memcpy(id, text, UUID_TEXT_LEN);
    id[UUID_TEXT_LEN] = '\0';
    *secret = slice_str(text + UUID_TEXT_LEN + 1);
    return true;
}

static bool expired(const struct rest_call *c, const json_t *key)
{
    uint64_t at = api_ms(key, "expires_at");

    return at != 0 && at <= c->now_ms;
}

static enum problem check_key(struct rest_call *c, const char *dataset,
                              char id[static UUID_TEXT_LEN + 1], bool *user_entered)
{
    char verifier[SUPPLY_VERIFIER_MAX];
    struct store_txn *txn = NULL;
    struct slice secret;
    json_t *key = NULL;

    if (!split_key(c->req->authorization, id, &secret)) {
        return unknown_key(c);
    }
    enum problem p = rest_begin(c, STORE_READ, &txn);
    if (p != PROBLEM_OK) {
        return p;
    }
    p = row_load(c, txn, &supply_keys_resource, id, false, &key);
    enum problem way = life_may_come(c, txn, dataset, "supply");
    store_rollback(&txn);
    supply_verifier(c, id, secret, verifier);
    const char *kept = row_text(key, "verifier");
    bool same = strlen(kept) == sizeof verifier - 1 &&
                crypto_equal(kept, verifier, sizeof verifier - 1) &&
                strcmp(row_text(key, "dataset_id"), dataset) == 0;
    if (p == PROBLEM_OK && !same) {
        p = unknown_key(c);
    } else if (p == PROBLEM_OK &&
               (strcmp(row_text(key, "state"), "active") != 0 || expired(c, key))) {
        p = rest_fail(c, PROBLEM_CREDENTIAL_INACTIVE, "", "the supply key is revoked or expired");
    } else if (p == PROBLEM_OK) {
        p = way;
    }
    *user_entered = json_is_true(json_object_get(key, "user_entered"));
    json_decref(key);
    return p;
}

static enum problem put_word(struct rest_call *c, json_t *body, const char *header,
                             const char *member)
{
    const char *value = rest_request_header(c, header);

    if (!value || !*value) {
        return PROBLEM_OK;
    }
    for (const char *p = value; *p; p++) {
        if (*p < 0x21 || *p > 0x7e || p - value >= WORD_MAX) {
            return rest_fail(c, PROBLEM_PARAMETER_INVALID, header,
                             "printable ASCII without blanks, 128 bytes at most");
        }
    }
    json_object_set_new(body, member, json_string(value));
    return PROBLEM_OK;
}

static bool is_word(const json_t *value)
{
    size_t n = json_string_length(value);

    return json_is_string(value) && n > 0 && n <= WORD_MAX;
}

static bool is_consent(const struct rest_call *c, const json_t *consent)
{
    const json_t *given = json_object_get(consent, "given_at");
    uint64_t at = 0;

    return json_object_size(consent) == 3 && is_word(json_object_get(consent, "reference")) &&
           is_word(json_object_get(consent, "purpose")) && json_is_string(given) &&
           clock_parse_ms(json_string_value(given), json_string_length(given), &at) &&
           at <= c->now_ms + CLOCKS_MS;
}

/* EC-6.1.1.1a: what users entered is taken with what each of them agreed to, record by record. */
static enum problem check_consents(struct rest_call *c)
{
    const json_t *consents = json_object_get(c->body, "consents");
    size_t n = json_array_size(json_object_get(c->body, "records"));
    char at[40];

    for (size_t i = 0; i < n; i++) {
        if (!is_consent(c, json_array_get(consents, i))) {
            snprintf(at, sizeof at, "/consents/%zu", i);
            return rest_fail(c, PROBLEM_CONSENT_INCOMPLETE, at,
                             "users enter what this key supplies: each record needs its user's "
                             "consent: reference, purpose, given_at (not in the future)");
        }
    }
    return json_array_size(consents) == n
               ? PROBLEM_OK
               : rest_fail(c, PROBLEM_BODY_INVALID, "/consents", "one for each record");
}

enum problem supply_records(struct rest_call *c)
{
    char key[UUID_TEXT_LEN + 1];
    const char *dataset = c->segment[1];
    bool user_entered = false;
    json_t *answer = NULL;
    enum problem p = check_key(c, dataset, key, &user_entered);

    if (p == PROBLEM_OK && !json_is_array(json_object_get(c->body, "records"))) {
        p = rest_fail(c, PROBLEM_BODY_INVALID, "/records", "an array of records is needed");
    }
    if (p == PROBLEM_OK && user_entered) {
        p = check_consents(c);
    }
    if (p != PROBLEM_OK) {
        return p;
    }
    json_t *body =
        json_pack("{s:s, s:s, s:s, s:O}", "dataset", dataset, "actor", key, "transaction",
                  c->resp->transaction, "records", json_object_get(c->body, "records"));
    if (user_entered) {
        json_object_set(body, "consents", json_object_get(c->body, "consents"));
    }
    p = put_word(c, body, "Idempotency-Key", "idempotency_key");
    if (p == PROBLEM_OK) {
        p = put_word(c, body, "Batch-Id", "batch");
    }
    if (p == PROBLEM_OK) {
        p = data_client_post(c, "/internal/v1/writes/supply", body, &answer);
    }
    json_decref(body);
    return p == PROBLEM_OK ? rest_answer(c, 200, answer) : p;
}
