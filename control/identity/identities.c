/* SPDX-License-Identifier: Apache-2.0 */
/* Accounts by who they are: a keyed digest of the identity number, which without the store's secret
 * tells nothing. Known only of accounts proven since there is such a table. */
#include <ctype.h>
#include <stdio.h>

#include "api/api.h"
#include "identity/inner.h"

#define NUMBER_MAX 64
#define NAME_MAX   256

/* Letters of a number count without case: the last of an identity card may be written x. */
static void digest_of(const struct rest_call *c, const struct identity_claim *claim,
                      uint8_t out[static CRYPTO_HASH_LEN])
{
    char number[NUMBER_MAX];

    snprintf(number, sizeof number, "%s", claim->id_number);
    for (char *s = number; *s; s++) {
        *s = (char)toupper((unsigned char)*s);
    }
    struct crypto_hmac *h =
        crypto_hmac_new(CRYPTO_SM3, keyring_kept(c->ctl, KEYRING_NUMBERS), CRYPTO_KEY_LEN);
    crypto_hmac_begin(h);
    crypto_hmac_add(h, claim->kind, strlen(claim->kind) + 1);
    crypto_hmac_add(h, number, strlen(number));
    crypto_hmac_end(h, out);
    crypto_hmac_free(&h);
    crypto_wipe(number, sizeof number);
}

enum problem identity_note(struct rest_call *c, struct store_txn *txn, const char *user_id,
                           const struct identity_claim *claim)
{
    uint8_t digest[CRYPTO_HASH_LEN];

    digest_of(c, claim, digest);
    const struct store_value v[] = {store_blob(digest, sizeof digest), store_text(user_id)};
    enum store_err err =
        store_exec(txn, "DELETE FROM user_identities WHERE user_id = ?", &v[1], 1, NULL);
    if (err == STORE_OK) {
        err = store_exec(txn, "INSERT INTO user_identities (digest, user_id) VALUES (?, ?)", v, 2,
                         NULL);
    }
    return rest_store_problem(c, err);
}

static bool name_is(const struct rest_call *c, const json_t *user, const char *name)
{
    char stored[NAME_MAX];
    size_t n = 0;
    bool same = secret_open(c, user, "real_name_sealed", stored, sizeof stored, &n) &&
                n == strlen(name) && crypto_equal(stored, name, n);

    crypto_wipe(stored, sizeof stored);
    return same;
}

enum problem identity_find(struct rest_call *c, struct store_txn *txn,
                           const struct identity_claim *claim, char user[static UUID_TEXT_LEN + 1])
{
    uint8_t digest[CRYPTO_HASH_LEN];
    struct store_rows *rows = NULL;
    json_t *row = NULL;

    digest_of(c, claim, digest);
    const struct store_value v = store_blob(digest, sizeof digest);
    enum store_err err =
        store_query(txn,
                    "SELECT u.id FROM user_identities i JOIN users u ON u.id = i.user_id WHERE "
                    "i.digest = ? AND "
                    "u.role = 'owner' AND u.state = 'active' ORDER BY u.created_at LIMIT 1",
                    &v, 1, &rows);
    user[0] = '\0';
    if (err == STORE_OK && store_next(rows)) {
        snprintf(user, UUID_TEXT_LEN + 1, "%s", store_get_text(rows, 0));
    }
    enum problem p = rest_store_problem(c, err == STORE_OK ? store_rows_end(&rows) : err);
    if (p == PROBLEM_OK && user[0]) {
        p = api_load(c, txn, &users_resource, user, &row);
    }
    if (p == PROBLEM_OK && user[0] && !name_is(c, row, claim->name)) {
        user[0] = '\0';
    }
    json_decref(row);
    return p;
}
