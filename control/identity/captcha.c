/* SPDX-License-Identifier: Apache-2.0 */
/* Captchas (SW-9.5-1d): a picture, good once and for two minutes; the store knows the digest of
 * what it shows. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/codec.h"
#include "identity/inner.h"

#define CAPTCHA_LIFE_MS 120000u
#define CAPTCHA_OPEN    20000 /* at the same time; more is a flood */
#define DATA_URI        "data:image/png;base64,"

/* Without letters and digits that look alike. */
static const char alphabet[] = "ACDEFHJKLMNPQRTUVWXY34679";

static void digest_of(const char *id, const char *answer, uint8_t out[static CRYPTO_HASH_LEN])
{
    char text[UUID_TEXT_LEN + 2 + CAPTCHA_CHARS];
    size_t n = (size_t)snprintf(text, sizeof text, "%s ", id);

    for (size_t i = 0; i < CAPTCHA_CHARS; i++) {
        text[n++] = (char)toupper((unsigned char)answer[i]);
    }
    crypto_hash(CRYPTO_SM3, text, n, out);
}

static void choose(char out[static CAPTCHA_CHARS + 1])
{
    const unsigned letters = sizeof alphabet - 1;
    uint8_t b;

    for (size_t i = 0; i < CAPTCHA_CHARS;) {
        crypto_random(&b, 1);
        if (b < 256 / letters * letters) { /* each letter as likely as another */
            out[i++] = alphabet[b % letters];
        }
    }
    out[CAPTCHA_CHARS] = '\0';
}

static enum problem flooded(struct rest_call *c, struct store_txn *txn, bool *full)
{
    struct store_rows *rows = NULL;
    enum store_err err = store_query(txn, "SELECT count(*) FROM captchas", NULL, 0, &rows);

    *full = err == STORE_OK && store_next(rows) && store_get_int(rows, 0) >= CAPTCHA_OPEN;
    return rest_store_problem(c, err == STORE_OK ? store_rows_end(&rows) : err);
}

static enum problem keep(struct rest_call *c, const char *id, const char *answer)
{
    uint8_t digest[CRYPTO_HASH_LEN];
    struct store_txn *txn = NULL;
    bool full = false;

    digest_of(id, answer, digest);
    const struct store_value now = store_int((int64_t)c->now_ms);
    const struct store_value v[] = {store_text(id), store_blob(digest, sizeof digest),
                                    store_int((int64_t)(c->now_ms + CAPTCHA_LIFE_MS))};
    enum problem p = rest_begin(c, STORE_WRITE, &txn);
    if (p != PROBLEM_OK) {
        return p;
    }
    p = rest_store_problem(
        c, store_exec(txn, "DELETE FROM captchas WHERE expires_at < ?", &now, 1, NULL));
    if (p == PROBLEM_OK) {
        p = flooded(c, txn, &full);
    }
    if (p == PROBLEM_OK && full) {
        c->resp->retry_after_s = CAPTCHA_LIFE_MS / 1000;
        p = PROBLEM_TOO_MANY_ATTEMPTS;
    }
    if (p == PROBLEM_OK) {
        p = rest_store_problem(
            c, store_exec(txn, "INSERT INTO captchas (id, answer_sm3, expires_at) VALUES (?, ?, ?)",
                          v, 3, NULL));
    }
    return rest_finish(c, &txn, p);
}

static enum problem picture(struct rest_call *c, const char *id, const char *text, json_t **out)
{
    char until[CLOCK_RFC3339_LEN + 1];
    int n = 0;
    void *png = captcha_image(text, &n);
    size_t room = sizeof DATA_URI + CODEC_BASE64_LEN((size_t)n);
    char *uri = png ? malloc(room) : NULL;
    enum problem p = PROBLEM_INTERNAL;

    if (uri) {
        memcpy(uri, DATA_URI, sizeof DATA_URI - 1);
        size_t end = sizeof DATA_URI - 1;
        end += codec_base64(uri + end, png, (size_t)n);
        clock_format_ms(c->now_ms + CAPTCHA_LIFE_MS, until);
        *out = json_pack("{s:s, s:o, s:s}", "id", id, "image", json_stringn(uri, end), "expires_at",
                         until);
        p = *out ? PROBLEM_OK : PROBLEM_INTERNAL;
    }
    free(uri);
    captcha_image_free(png);
    return p;
}

enum problem identity_captcha(struct rest_call *c, json_t **captcha)
{
    char id[UUID_TEXT_LEN + 1], text[CAPTCHA_CHARS + 1];

    uuid_new_text(id);
    choose(text);
    enum problem p = keep(c, id, text);
    if (p == PROBLEM_OK) {
        p = picture(c, id, text, captcha);
    }
    crypto_wipe(text, sizeof text);
    return p;
}

enum problem rest_captcha_create(struct rest_call *c)
{
    json_t *captcha = NULL;
    enum problem p = identity_captcha(c, &captcha);

    return p == PROBLEM_OK ? rest_answer(c, 201, captcha) : p;
}

/* Whatever the answer, the captcha is spent. */
enum problem captcha_take(struct rest_call *c, const char *id, const char *answer, bool *ok)
{
    uint8_t want[CRYPTO_HASH_LEN] = {0}, got[CRYPTO_HASH_LEN];
    const struct store_value v = store_text(id);
    struct store_txn *txn = NULL;
    struct store_rows *rows = NULL;
    bool live = false;
    struct uuid u;

    *ok = false;
    if (!id || !answer || !uuid_parse(&u, id, strlen(id)) || strlen(answer) != CAPTCHA_CHARS) {
        return PROBLEM_OK;
    }
    enum problem p = rest_begin(c, STORE_WRITE, &txn);
    if (p != PROBLEM_OK) {
        return p;
    }
    enum store_err err =
        store_query(txn, "SELECT answer_sm3, expires_at FROM captchas WHERE id = ?", &v, 1, &rows);
    if (err == STORE_OK && store_next(rows) && store_get_blob(rows, 0).n == sizeof want) {
        memcpy(want, store_get_blob(rows, 0).p, sizeof want);
        live = c->now_ms < (uint64_t)store_get_int(rows, 1);
    }
    if (err == STORE_OK) {
        err = store_rows_end(&rows);
    }
    if (err == STORE_OK) {
        err = store_exec(txn, "DELETE FROM captchas WHERE id = ?", &v, 1, NULL);
    }
    p = rest_finish(c, &txn, rest_store_problem(c, err));
    digest_of(id, answer, got);
    *ok = p == PROBLEM_OK && live && crypto_equal(want, got, sizeof got);
    return p;
}
