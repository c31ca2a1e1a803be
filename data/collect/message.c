/* SPDX-License-Identifier: Apache-2.0 */
/* What a provider's answer holds: opened with the key its sender has, its digest compared
 * (CI-6.2.1), held against the agreement, then the records in it. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/codec.h"
#include "data/collect/inner.h"
#include "jwe/jwe.h"

#define DEPTH_MAX 32

/* A member in the way, "~1" and "~0" of RFC 6901 read. */
static json_t *step(const json_t *at, const char *name, size_t n)
{
    char text[256];
    size_t out = 0;
    for (size_t i = 0; i < n && out < sizeof text - 1; i++) {
        bool escape = name[i] == '~' && i + 1 < n;
        text[out++] = !escape ? name[i] : name[++i] == '1' ? '/' : '~';
    }
    text[out] = '\0';
    if (json_is_array(at)) {
        char *end;
        unsigned long i = strtoul(text, &end, 10);
        return *end || !text[0] ? NULL : json_array_get(at, i);
    }
    return json_object_get(at, text);
}

json_t *collect_at(const json_t *root, const char *pointer)
{
    json_t *at = (json_t *)(uintptr_t)root;
    if (!pointer || pointer[0] != '/')
        return pointer && pointer[0] ? json_object_get(root, pointer) : at;
    while (at && *pointer == '/') {
        size_t n = strcspn(++pointer, "/");
        at = step(at, pointer, n);
        pointer += n;
    }
    return at;
}

static struct jwe_key *load_key(struct collect *c, const json_t *input)
{
    struct crypto_key *key = NULL;
    struct buf pem;
    buf_init(&pem);
    if (collect_unseal(c, collect_text(input, "node_id"), collect_text(input, "key_sealed"),
                       &pem) &&
        crypto_key_load_pem(&key, CRYPTO_KEY_PAIR, buf_slice(&pem)) != CRYPTO_OK)
        key = NULL;
    buf_wipe(&pem);
    return key ? jwe_key_take(&key, slice_str(collect_text(input, "node_id"))) : NULL;
}

static bool open_jwe(struct collect *c, const json_t *input, struct slice sealed, struct buf *plain)
{
    struct crypto_policy policy;
    char cty[JWE_CTY_MAX + 1];
    struct jwe_key *key = load_key(c, input);
    if (!key)
        return c->code ? false
                       : collect_fail(c, "failed", "definition-invalid", "/encryption", "no key");
    crypto_policy_init(&policy);
    enum jwe_err err = jwe_open(&key, 1, &policy, (int64_t)clock_wall_ms(), sealed, plain, cty);
    jwe_key_free(&key);
    return err == JWE_OK ||
           collect_fail(c, "refused", err == JWE_EDIGEST ? "digest-mismatch" : "not-opened", "",
                        jwe_strerror(err));
}

/* base64 of nonce (12 bytes), cipher text and tag (16): SM4-GCM under a key both have. */
static bool open_sm4(struct collect *c, const json_t *input, struct slice sealed, struct buf *plain)
{
    uint8_t key[CRYPTO_KEY_LEN] = {0}, *bytes = malloc(sealed.n + 1);
    struct buf hex;
    size_t n = 0, key_n = 0;
    buf_init(&hex);
    bool ok = bytes &&
              collect_unseal(c, collect_text(input, "node_id"), collect_text(input, "key_sealed"),
                             &hex) &&
              codec_unhex(key, 16, &key_n, hex.p, hex.n) && key_n == 16 &&
              codec_unbase64(bytes, sealed.n, &n, sealed.p, sealed.n) && n > CRYPTO_SEAL_EXTRA &&
              buf_reserve(plain, n) &&
              crypto_open(key, SLICE(""), bytes, n, (uint8_t *)plain->p) == CRYPTO_OK;
    if (ok)
        plain->n = n - CRYPTO_SEAL_EXTRA;
    crypto_wipe(key, sizeof key);
    buf_wipe(&hex);
    free(bytes);
    return ok || c->code || collect_fail(c, "refused", "not-opened", "", "it cannot be opened");
}

static bool open_with(struct collect *c, const json_t *input, struct slice sealed,
                      struct buf *plain)
{
    const char *kind = collect_text(json_object_get(input, "encryption"), "kind");
    bool ok = strcmp(kind, "sm4-gcm") == 0 ? open_sm4(c, input, sealed, plain)
                                           : open_jwe(c, input, sealed, plain);
    return ok && !c->code;
}

bool collect_seal(struct collect *c, const json_t *input, struct slice plain, struct buf *out)
{
    struct crypto_key *key = NULL;
    const char *to = collect_text(input, "seal_to");
    if (!to[0]) {
        buf_add(out, plain.p, plain.n);
        return !out->failed;
    }
    if (crypto_key_load_pem(&key, CRYPTO_KEY_PUBLIC, slice_str(to)) != CRYPTO_OK)
        return collect_fail(c, "failed", "definition-invalid", "/public_key", "no key");
    struct jwe_key *jwe = jwe_key_take(&key, slice_str(collect_text(input, "sender")));
    enum jwe_err err = jwe ? jwe_seal(jwe, SLICE("application/json"), plain, out) : JWE_EMEMORY;
    jwe_key_free(&jwe);
    return err == JWE_OK ||
           collect_fail(c, "failed", "definition-invalid", "/public_key", jwe_strerror(err));
}

/* The text at `of` has the digest that stands at `at`. */
static bool compare_member(struct collect *c, const json_t *input, const json_t *message)
{
    const json_t *digest = json_object_get(input, "digest");
    const char *at = collect_text(digest, "at");
    bool sha = strcmp(collect_text(digest, "algorithm"), "sha-256") == 0;
    uint8_t hash[CRYPTO_HASH_LEN];
    char hex[CODEC_HEX_LEN(CRYPTO_HASH_LEN) + 1], b64[CODEC_BASE64_LEN(CRYPTO_HASH_LEN) + 1];
    if (!at[0])
        return true;
    const json_t *of = collect_at(message, collect_text(digest, "of"));
    const char *said = json_string_value(collect_at(message, at));
    char *text = json_is_string(of) ? strdup(json_string_value(of))
                                    : json_dumps(of, JSON_COMPACT | JSON_SORT_KEYS);
    crypto_hash(sha ? CRYPTO_SHA256 : CRYPTO_SM3, text ? text : "", text ? strlen(text) : 0, hash);
    hex[codec_hex(hex, hash, sizeof hash)] = '\0';
    b64[codec_base64(b64, hash, sizeof hash)] = '\0';
    bool same = text && said && (strcasecmp(said, hex) == 0 || strcmp(said, b64) == 0);
    free(text);
    return same || collect_fail(c, "refused", "digest-mismatch", at,
                                "the message is not what its digest says");
}

/* What was agreed on the reply as a whole: a departure names its member. */
static bool as_agreed(struct collect *c, const json_t *input, const json_t *message)
{
    json_t *reply = json_object_get(input, "reply");
    struct schema *schema = NULL;
    struct schema_error err = {.where = "", .detail = ""};
    if (!json_is_object(reply))
        return true;
    json_t *api = json_pack(
        "{s:s, s:{s:s, s:s}, s:{s:{s:{s:{s:b, s:{s:{s:O}}}, s:{s:{s:s}}}}}}", "openapi", "3.1.0",
        "info", "title", "reply", "version", "1", "paths", "/", "post", "requestBody", "required",
        1, "content", "application/json", "schema", reply, "responses", "200", "description", "ok");
    char *text = json_dumps(message, JSON_COMPACT | JSON_ENCODE_ANY);
    if (!api || !text || schema_compile(api, &schema, &err) != SCHEMA_OK) {
        json_decref(api);
        free(text);
        return collect_fail(c, "failed", "definition-invalid", "/reply", "it cannot be enforced");
    }
    const struct schema_request rq = {.method = SLICE("POST"),
                                      .path = SLICE("/"),
                                      .content_type = SLICE("application/json"),
                                      .body = slice_str(text),
                                      .members_max = 4000000};
    bool ok = schema_check_request(schema, &rq, &err) == SCHEMA_OK;
    schema_free(&schema);
    json_decref(api);
    free(text);
    return ok || collect_fail(c, "refused", "reply-departs", err.where, err.detail);
}

static json_t *read_json(struct collect *c, struct slice text)
{
    json_error_t err;
    json_t *v =
        json_loadb(text.p ? text.p : "", text.n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &err);
    if (!v)
        collect_fail(c, "refused", "reply-unreadable", "", "the answer is not JSON");
    return v;
}

/* The sealed part takes its place in the message, opened. */
static json_t *open_part(struct collect *c, const json_t *input, json_t *message)
{
    const char *at = collect_text(json_object_get(input, "encryption"), "at");
    const json_t *sealed = collect_at(message, at);
    struct buf plain;
    json_t *opened = NULL;
    if (!json_is_string(sealed)) {
        collect_fail(c, "refused", "reply-departs", at, "a sealed text is needed here");
        json_decref(message);
        return NULL;
    }
    buf_init(&plain);
    if (open_with(c, input, slice_of(json_string_value(sealed), json_string_length(sealed)),
                  &plain))
        opened = read_json(c, buf_slice(&plain));
    buf_wipe(&plain);
    json_decref(message);
    return opened;
}

static json_t *opened_message(struct collect *c, const json_t *input, struct slice answer)
{
    const json_t *encryption = json_object_get(input, "encryption");
    struct buf plain;
    json_t *message = NULL;
    if (!json_is_object(encryption) || collect_text(encryption, "at")[0]) {
        message = read_json(c, answer);
        if (message && !compare_member(c, input, message)) {
            json_decref(message);
            return NULL;
        }
        return message && json_is_object(encryption) ? open_part(c, input, message) : message;
    }
    buf_init(&plain);
    if (open_with(c, input, answer, &plain))
        message = read_json(c, buf_slice(&plain));
    buf_wipe(&plain);
    return message;
}

json_t *collect_open(struct collect *c, const json_t *input, struct slice answer)
{
    const char *at = collect_text(input, "records");
    json_t *message = opened_message(c, input, answer), *records = NULL;
    if (message && as_agreed(c, input, message)) {
        records = collect_at(message, at);
        if (json_is_array(records))
            json_incref(records);
        else if (json_is_object(records))
            records = json_pack("[O]", records);
        else
            records = NULL;
        if (!records)
            collect_fail(c, "refused", "reply-departs", at, "the records are not where agreed");
    }
    json_decref(message);
    return records;
}
