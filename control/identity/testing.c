/* SPDX-License-Identifier: Apache-2.0 */
#include "identity/testing.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/codec.h"
#include "crypto/key.h"
#include "crypto/totp.h"

static const char *as_json(const void *ctx, const char *name)
{
    (void)ctx;
    return strcmp(name, "Content-Type") == 0 ? "application/json" : NULL;
}

struct reply testing_call(struct fixture *f, const char *method, const char *path, const char *body,
                          const struct extra *extra)
{
    static const struct extra none;
    const struct extra *e = extra ? extra : &none;
    struct rest_response resp;
    struct reply r = {0};
    struct rest_request req = {.method = method,
                               .path = path,
                               .header = as_json,
                               .if_match = e->if_match,
                               .authorization = e->token ? text("Bearer %s", e->token) : NULL,
                               .peer_certificate = e->certificate,
                               .peer_address = e->address};

    if (body) {
        req.body = slice_str(body);
    }
    rest_response_init(&resp);
    rest_dispatch(&f->ctl, &req, &resp);
    r.status = resp.status;
    r.json = json_loadb(resp.body.p ? resp.body.p : "", resp.body.n, 0, NULL);
    snprintf(r.code, sizeof r.code, "%s", row_text(r.json, "code"));
    rest_response_fini(&resp);
    return r;
}

const char *testing_sign_in(struct fixture *f, const char *body, const struct extra *extra,
                            const char *code, const char *member)
{
    struct reply r = testing_call(f, "POST", "/api/v1/sessions", body, extra);

    if (strcmp(r.code, code) != 0 || (!code[0] && r.status != 201)) {
        fail_msg("sign-in %s: '%s' wanted, got %u %s %s", body, code, r.status, r.code,
                 row_text(r.json, "detail"));
    }
    const char *out = text("%s", member ? row_text(r.json, member) : "");
    reply_free(&r);
    return out;
}

void testing_sql(struct fixture *f, const char *sql)
{
    struct store_txn *txn = NULL;

    assert_int_equal(store_begin(f->ctl.store, STORE_WRITE, &txn), STORE_OK);
    assert_int_equal(store_exec(txn, sql, NULL, 0, NULL), STORE_OK);
    assert_int_equal(store_commit(&txn), STORE_OK);
}

int64_t testing_count(struct fixture *f, const char *sql)
{
    struct store_txn *txn = NULL;
    struct store_rows *rows = NULL;

    assert_int_equal(store_begin(f->ctl.store, STORE_READ, &txn), STORE_OK);
    assert_int_equal(store_query(txn, sql, NULL, 0, &rows), STORE_OK);
    assert_true(store_next(rows));
    int64_t n = store_get_int(rows, 0);
    assert_int_equal(store_rows_end(&rows), STORE_OK);
    store_rollback(&txn);
    return n;
}

/* Only a person can read the picture: the test puts an answer of its own behind it. */
const char *testing_captcha(struct fixture *f)
{
    const char *id = fixture_ok(f, NOBODY, "POST", "captchas", NULL, "id");
    const char *shown = text("%s ACDEF", id);
    uint8_t digest[CRYPTO_HASH_LEN];
    char hex[CODEC_HEX_LEN(CRYPTO_HASH_LEN) + 1] = "";

    crypto_hash(CRYPTO_SM3, shown, strlen(shown), digest);
    codec_hex(hex, digest, sizeof digest);
    testing_sql(f, text("UPDATE captchas SET answer_sm3 = x'%s' WHERE id = '%s'", hex, id));
    return text("\"captcha_id\":\"%s\",\"captcha\":\"acdef\"", id);
}

static void from_base32(const char *in, uint8_t out[static 20])
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    uint64_t bits = 0;
    size_t n = 0;

    for (size_t i = 0; i < CRYPTO_TOTP_TEXT_LEN; i++) {
        bits = bits << 5 | (uint64_t)(strchr(alphabet, in[i]) - alphabet);
        if (i % 8 == 7) {
            for (int k = 4; k >= 0; k--) {
                out[n++] = (uint8_t)(bits >> (8 * k));
            }
            bits = 0;
        }
    }
}

const char *testing_otp(const uint8_t secret[static 20], int steps_from_now)
{
    char code[CRYPTO_TOTP_DIGITS + 1];

    crypto_totp(secret, crypto_totp_step(clock_wall_ms()) + (uint64_t)steps_from_now, code);
    return text("%s", code);
}

const char *testing_enrol(struct fixture *f, enum who who, uint8_t secret[static 20])
{
    const char *uri = fixture_ok(f, who, "POST", "users/me/totp", NULL, "uri");

    from_base32(strstr(uri, "secret=") + 7, secret);
    const char *code = testing_otp(secret, 0);
    fixture_ok(f, who, "POST", "users/me/totp/confirm", text("{\"otp\":\"%s\"}", code), NULL);
    return code;
}

const char *testing_setting(struct fixture *f, const char *name, const char *value)
{
    struct reply r = fixture_call(f, ADMIN, "GET", "identity_settings", NULL, NULL);
    json_t *item;
    size_t i;
    const char *id = "";

    json_array_foreach(json_object_get(r.json, "items"), i, item)
    {
        if (strcmp(row_text(item, "name"), name) == 0) {
            id = text("%s", row_text(item, "id"));
        }
    }
    reply_free(&r);
    return fixture_ok(f, ADMIN, "PATCH", text("identity_settings/%s", id),
                      text("{\"value\":\"%s\"}", value), "value");
}

const char *testing_sealed(struct fixture *f, const char *password, uint64_t ago_ms,
                           const char *nonce)
{
    struct reply r = fixture_call(f, NOBODY, "GET", "login-key", NULL, NULL);
    char *jwk = json_dumps(json_object_get(r.json, "key"), JSON_COMPACT);
    const char *plain =
        text("%llu.%s.%s", (unsigned long long)(clock_wall_ms() - ago_ms), nonce, password);
    struct crypto_key *key = NULL;
    uint8_t cipher[512];
    char out[700] = "";
    size_t n = 0;

    assert_int_equal(crypto_key_load_jwk(&key, CRYPTO_KEY_PUBLIC, slice_str(jwk)), CRYPTO_OK);
    assert_int_equal(crypto_sm2_encrypt(key, plain, strlen(plain), cipher, sizeof cipher, &n),
                     CRYPTO_OK);
    out[codec_base64url(out, cipher, n)] = '\0';
    crypto_key_free(&key);
    free(jwk);
    reply_free(&r);
    return text("%s", out);
}
