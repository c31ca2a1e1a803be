/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "api/api.h"
#include "base/clock.h"
#include "base/codec.h"
#include "link/ring.h"
#include "policy/purpose.h"

enum problem api_load(struct rest_call *c, struct store_txn *txn, const struct resource *res,
                      const char *id, json_t **row)
{
    enum problem p = row_load(c, txn, res, id, false, row);
    return p == PROBLEM_OK && !*row ? PROBLEM_NOT_FOUND : p;
}

bool api_app_calls(const json_t *app)
{
    const char *state = row_text(app, "state");

    return strcmp(state, "admitted") == 0 || strcmp(state, "testing") == 0;
}

uint64_t api_ms(const json_t *row, const char *name)
{
    const json_t *v = json_object_get(row, name);
    uint64_t ms = 0;

    return json_is_string(v) && clock_parse_ms(json_string_value(v), json_string_length(v), &ms)
               ? ms
               : 0;
}

json_t *api_feed_ms(const json_t *row, const char *name)
{
    return json_integer((json_int_t)api_ms(row, name));
}

json_t *api_purposes(const char *lines)
{
    json_t *out = json_array();
    struct slice left = slice_str(lines), one;
    struct uuid id;

    while (json_array_size(out) < PURPOSES_MAX && purpose_next(&left, &one)) {
        if (purpose_id(one, &id)) {
            json_array_append_new(out, json_stringn(one.p, one.n));
        }
    }
    return out;
}

enum problem api_check_validity(struct rest_call *c, const json_t *row)
{
    uint64_t from = api_ms(row, "not_before"), to = api_ms(row, "expires_at");

    if (from && to && from >= to) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/expires_at",
                         "it has to be later than not_before");
    }
    return PROBLEM_OK;
}

enum problem api_check_paths(struct rest_call *c, const char *where, const json_t *v)
{
    json_t *seen = json_object(), *item;
    enum problem p = PROBLEM_OK;
    size_t i;

    if (!json_is_array(v) || json_array_size(v) == 0 || json_array_size(v) > 512) {
        p = rest_fail(c, PROBLEM_FIELD_INVALID, where,
                      "1 to 512 field paths, or null for all, are needed");
    }
    json_array_foreach(v, i, item)
    {
        if (p == PROBLEM_OK) {
            p = attr_text_check(c, where, item, 1, 255, false);
        }
        if (p == PROBLEM_OK && json_object_get(seen, json_string_value(item))) {
            p = rest_fail(c, PROBLEM_FIELD_INVALID, where, "%.100s is there twice",
                          json_string_value(item));
        }
        if (p == PROBLEM_OK) {
            json_object_set(seen, json_string_value(item), item);
        }
    }
    json_decref(seen);
    return p;
}

static bool has_path(const json_t *fields, const char *path)
{
    json_t *f;
    size_t i;

    json_array_foreach(fields, i, f)
    {
        if (strcmp(row_text(f, "path"), path) == 0) {
            return true;
        }
    }
    return false;
}

enum problem api_check_named_fields(struct rest_call *c, struct store_txn *txn, const json_t *row)
{
    json_t *api = NULL, *named = json_object_get(row, "fields"), *item;
    size_t i;

    if (!json_is_array(named)) {
        return PROBLEM_OK;
    }
    enum problem p = api_load(c, txn, &apis_resource, row_text(row, "api_id"), &api);
    json_array_foreach(named, i, item)
    {
        if (p == PROBLEM_OK && !has_path(json_object_get(api, "fields"), json_string_value(item))) {
            p = rest_fail(c, PROBLEM_FIELD_INVALID, "/fields", "the API has no field %.100s",
                          json_string_value(item));
        }
    }
    json_decref(api);
    return p;
}

static json_t *text_of(const uint8_t *sealed, size_t n)
{
    char *text = malloc(CODEC_BASE64URL_LEN(n));
    json_t *out = text ? json_stringn(text, codec_base64url(text, sealed, n)) : NULL;

    free(text);
    return out;
}

json_t *api_seal(const uint8_t key[static CRYPTO_KEY_LEN], const char *id, struct slice secret)
{
    size_t n = secret.n + CRYPTO_SEAL_EXTRA;
    uint8_t *sealed = malloc(n);
    json_t *out = NULL;

    if (sealed) {
        crypto_seal(key, slice_str(id), secret.p, secret.n, sealed);
        out = text_of(sealed, n);
    }
    free(sealed);
    return out;
}

json_t *api_seal_kept(const struct control *ctl, const char *id, struct slice secret)
{
    size_t n = secret.n + CRYPTO_SEAL_EXTRA;
    uint8_t *sealed = malloc(n);
    json_t *out = NULL;

    if (sealed) {
        keyring_seal(ctl, slice_str(id), secret.p, secret.n, sealed);
        out = text_of(sealed, n);
    }
    free(sealed);
    return out;
}

static json_t *seal_for_nodes(const char *id, struct slice secret)
{
    uint8_t key[CRYPTO_KEY_LEN];
    json_t *out = link_ring_signing("feed.secret", key) ? api_seal(key, id, secret) : NULL;

    crypto_wipe(key, sizeof key);
    return out;
}

json_t *api_reseal(const struct control *ctl, const char *id, const char *sealed)
{
    size_t text_n = strlen(sealed), n = 0;
    uint8_t *bytes = malloc(text_n + 1), *plain = malloc(text_n + 1);
    json_t *out = NULL;

    if (bytes && plain && codec_unbase64url(bytes, text_n, &n, sealed, text_n) &&
        n >= CRYPTO_SEAL_EXTRA && keyring_open(ctl, slice_str(id), bytes, n, plain) == CRYPTO_OK) {
        out = seal_for_nodes(id, slice_of((const char *)plain, n - CRYPTO_SEAL_EXTRA));
    }
    if (plain) {
        crypto_wipe(plain, text_n + 1);
    }
    free(bytes);
    free(plain);
    return out;
}

bool api_changed(const json_t *old, const json_t *row, const char *name)
{
    return old && !json_equal(json_object_get(old, name), json_object_get(row, name));
}

bool api_int_within(const json_t *v, json_int_t min, json_int_t max)
{
    return json_is_integer(v) && json_integer_value(v) >= min && json_integer_value(v) <= max;
}

static bool listed(const char *const *words, const char *word)
{
    for (size_t i = 0; words[i]; i++) {
        if (strcmp(words[i], word) == 0) {
            return true;
        }
    }
    return false;
}

bool api_only_members(const json_t *object, const char *const *members)
{
    const char *key;
    json_t *v;

    json_object_foreach((json_t *)object, key, v)
    {
        if (!listed(members, key)) {
            return false;
        }
    }
    return true;
}

enum problem api_check_words(struct rest_call *c, const char *where, const json_t *v,
                             const char *const *words, size_t max)
{
    json_t *seen = json_object(), *item;
    size_t i, n = json_array_size(v);
    enum problem p = PROBLEM_OK;

    if (!json_is_array(v) || n == 0 || n > max) {
        p = rest_fail(c, PROBLEM_FIELD_INVALID, where, "an array of 1 to %zu texts is needed", max);
    }
    json_array_foreach(v, i, item)
    {
        const char *word = json_is_string(item) ? json_string_value(item) : "";
        if (p == PROBLEM_OK &&
            (!word[0] || json_object_get(seen, word) || (words && !listed(words, word)))) {
            p = rest_fail(c, PROBLEM_FIELD_INVALID, where, "%.60s is not one of them, or twice",
                          word[0] ? word : "an empty text");
        }
        json_object_set_new(seen, word, json_true());
    }
    json_decref(seen);
    return p;
}

void api_decided(struct rest_call *c, json_t *row)
{
    char now[CLOCK_RFC3339_LEN + 1];

    clock_format_ms(c->now_ms, now);
    json_object_set_new(row, "decided_by", json_string(c->user.login));
    json_object_set_new(row, "decided_at", json_string(now));
}
