/* SPDX-License-Identifier: Apache-2.0 */
/* The SM2 key under which a browser seals a password before it leaves (CI-5.3a, CI-7.2c3). A new
 * pair takes over by itself after KEY_LIFE_MS; the one before it opens what is under way. */
#include <stdio.h>
#include <stdlib.h>

#include "base/codec.h"
#include "crypto/key.h"
#include "identity/inner.h"

#define KEY_LIFE_MS    (90ull * 24 * 3600 * 1000)
#define KEY_OVERLAP_MS (24ull * 3600 * 1000)
#define PEM_MAX        1024

struct login_key {
    char kid[CRYPTO_KEY_ID_LEN + 1];
    json_t *row; /* {id, private_sealed}, as secret_open() wants it */
    uint64_t created_ms;
};

/* kid NULL: the newest. *row NULL: none. */
static enum problem load(struct rest_call *c, struct store_txn *txn, const char *kid,
                         struct login_key *k)
{
    static const char newest[] =
        "SELECT kid, private_sealed, created_at FROM login_keys ORDER BY created_at DESC LIMIT 1";
    static const char named[] =
        "SELECT kid, private_sealed, created_at FROM login_keys WHERE kid = ?";
    const struct store_value v = store_text(kid);
    struct store_rows *rows = NULL;
    enum store_err err = store_query(txn, kid ? named : newest, &v, kid ? 1 : 0, &rows);

    *k = (struct login_key){0};
    if (err == STORE_OK && store_next(rows)) {
        snprintf(k->kid, sizeof k->kid, "%s", store_get_text(rows, 0));
        k->row = json_pack("{s:s, s:s}", "id", k->kid, "private_sealed", store_get_text(rows, 1));
        k->created_ms = (uint64_t)store_get_int(rows, 2);
    }
    if (err == STORE_OK) {
        err = store_rows_end(&rows);
    }
    return rest_store_problem(c, err);
}

static struct crypto_key *open_key(struct rest_call *c, const struct login_key *k)
{
    struct crypto_key *key = NULL;
    char pem[PEM_MAX];
    size_t n = 0;

    if (!k->row || !secret_open(c, k->row, "private_sealed", pem, sizeof pem, &n) ||
        crypto_key_load_pem(&key, CRYPTO_KEY_PAIR, slice_of(pem, n)) != CRYPTO_OK) {
        key = NULL;
    }
    crypto_wipe(pem, sizeof pem);
    return key;
}

static enum problem make(struct rest_call *c, struct store_txn *txn)
{
    struct crypto_key *key = crypto_key_new(CRYPTO_KEY_SM2);
    char *pem = crypto_key_private_pem(key);
    const char *kid = crypto_key_id(key);
    json_t *sealed = secret_seal(c, kid, "private_sealed", slice_str(pem));
    const struct store_value v[] = {store_text(kid), store_text(json_string_value(sealed)),
                                    store_int((int64_t)c->now_ms)};
    const struct store_value old = store_int((int64_t)(c->now_ms - KEY_LIFE_MS - KEY_OVERLAP_MS));
    const struct operation op = {.at_ms = c->now_ms,
                                 .actor = "platform",
                                 .action = "create",
                                 .kind = "login-key",
                                 .id = kid};
    enum store_err err =
        store_exec(txn, "INSERT INTO login_keys (kid, private_sealed, created_at) VALUES (?, ?, ?)",
                   v, 3, NULL);

    if (err == STORE_OK) {
        err = store_exec(txn, "DELETE FROM login_keys WHERE created_at < ?", &old, 1, NULL);
    }
    if (err == STORE_OK) {
        err = log_operation(txn, &op);
    }
    crypto_wipe(pem, strlen(pem));
    free(pem);
    json_decref(sealed);
    crypto_key_free(&key);
    return rest_store_problem(c, err);
}

static bool fresh(const struct rest_call *c, const struct login_key *k)
{
    return k->row && c->now_ms < k->created_ms + KEY_LIFE_MS;
}

static enum problem newest(struct rest_call *c, struct login_key *k)
{
    struct store_txn *txn = NULL;
    enum problem p = rest_begin(c, STORE_READ, &txn);

    if (p != PROBLEM_OK) {
        return p;
    }
    p = load(c, txn, NULL, k);
    store_rollback(&txn);
    if (p != PROBLEM_OK || fresh(c, k)) {
        return p;
    }
    json_decref(k->row);
    k->row = NULL;
    p = rest_begin(c, STORE_WRITE, &txn);
    if (p != PROBLEM_OK) {
        return p;
    }
    p = load(c, txn, NULL, k); /* somebody else may have made it meanwhile */
    if (p == PROBLEM_OK && !fresh(c, k)) {
        json_decref(k->row);
        k->row = NULL;
        p = make(c, txn);
        if (p == PROBLEM_OK) {
            p = load(c, txn, NULL, k);
        }
    }
    return rest_finish(c, &txn, p);
}

enum problem login_key_current(struct rest_call *c, json_t **answer)
{
    struct login_key k = {0};
    enum problem p = newest(c, &k);
    struct crypto_key *key = p == PROBLEM_OK ? open_key(c, &k) : NULL;

    *answer = NULL;
    if (p == PROBLEM_OK && !key) {
        p = rest_fail(c, PROBLEM_KEY_STORE_LOCKED, "", "the login key cannot be opened");
    }
    if (p == PROBLEM_OK) {
        char *jwk = crypto_key_jwk(key);
        *answer = json_pack("{s:s, s:o, s:s}", "kid", k.kid, "key", json_loads(jwk, 0, NULL), "alg",
                            "sm2");
        free(jwk);
        p = *answer ? PROBLEM_OK : PROBLEM_INTERNAL;
    }
    crypto_key_free(&key);
    json_decref(k.row);
    return p;
}

enum problem rest_login_key(struct rest_call *c)
{
    json_t *answer = NULL;
    enum problem p = login_key_current(c, &answer);

    return p == PROBLEM_OK ? rest_answer(c, 200, answer) : p;
}

/* Opening --------------------------------------------------------------------------------------
 */
static bool decrypt(const struct crypto_key *key, const char *text,
                    char plain[static CRYPTO_SM2_PLAIN_MAX + 1], size_t *plain_n)
{
    uint8_t cipher[SEALED_TEXT_MAX];
    size_t n = 0;

    return codec_unbase64url(cipher, sizeof cipher, &n, text, strlen(text)) &&
           crypto_sm2_decrypt(key, cipher, n, (uint8_t *)plain, CRYPTO_SM2_PLAIN_MAX, plain_n) ==
               CRYPTO_OK;
}

static bool timely(const struct rest_call *c, uint64_t at_ms)
{
    return at_ms <= c->now_ms + SEALED_LIFE_MS && at_ms + SEALED_LIFE_MS >= c->now_ms;
}

/* The first to note the digest has used it. */
static enum problem use_once(struct rest_call *c, struct slice plain, uint64_t at_ms, bool *ok)
{
    uint8_t digest[CRYPTO_HASH_LEN];
    struct store_txn *txn = NULL;
    int64_t changed = 0;

    crypto_hash(CRYPTO_SM3, plain.p, plain.n, digest);
    const struct store_value v[] = {store_blob(digest, sizeof digest),
                                    store_int((int64_t)(at_ms + SEALED_LIFE_MS))};
    enum problem p = rest_begin(c, STORE_WRITE, &txn);
    if (p != PROBLEM_OK) {
        return p;
    }
    enum store_err err = store_exec(txn,
                                    "INSERT INTO sealed_used (digest_sm3, expires_at) VALUES (?, "
                                    "?) ON CONFLICT (digest_sm3) DO NOTHING",
                                    v, 2, &changed);
    *ok = changed == 1;
    return rest_finish(c, &txn, rest_store_problem(c, err));
}

enum problem sealed_open(struct rest_call *c, const char *kid, const char *text,
                         char password[static SEALED_TEXT_MAX], bool *ok)
{
    char plain[CRYPTO_SM2_PLAIN_MAX + 1] = "";
    struct login_key k = {0};
    struct sealed_text s;
    struct store_txn *txn = NULL;
    size_t n = 0;
    enum problem p = rest_begin(c, STORE_READ, &txn);

    *ok = false;
    password[0] = '\0';
    if (p != PROBLEM_OK) {
        return p;
    }
    p = load(c, txn, kid, &k);
    store_rollback(&txn);
    struct crypto_key *key = p == PROBLEM_OK ? open_key(c, &k) : NULL;
    if (key && decrypt(key, text, plain, &n) && sealed_parse(&s, slice_of(plain, n)) &&
        timely(c, s.at_ms)) {
        /* Without the password: what is kept for two minutes must not help to guess it. */
        p = use_once(c, slice_of(plain, (size_t)(s.password.p - plain)), s.at_ms, ok);
        memcpy(password, s.password.p, s.password.n);
        password[s.password.n] = '\0';
    }
    crypto_wipe(plain, sizeof plain);
    crypto_key_free(&key);
    json_decref(k.row);
    return p;
}
