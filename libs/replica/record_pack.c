/* SPDX-License-Identifier: Apache-2.0 */
/* From the feed's JSON to bytes. A sticky `bad` in the source lets each packer read as the list of
 * the record's members. */
#include <stdlib.h>

#include "base/codec.h"
#include "plan/plan.h"
#include "replica/record.h"

#define NAME_MAX_BYTES 512
#define TEXT_MAX       1024
#define JSON_MAX       (4u << 20)
#define TIME_MAX_MS    (1ll << 52) /* past any date; what a double can hold exactly */

struct source {
    const json_t *data;
    struct buf *out;
    bool bad;
};

struct word {
    const char *text;
    uint8_t number;
};

static const struct word active_words[] = {{"active", POLICY_ACTIVE},
                                           {"inactive", POLICY_INACTIVE},
                                           {"revoked", POLICY_REVOKED},
                                           {NULL, 0}};
static const struct word environment_words[] = {{"general", POLICY_GENERAL},
                                                {"monitored", POLICY_MONITORED},
                                                {"controlled", POLICY_CONTROLLED},
                                                {NULL, 0}};
static const struct word alg_words[] = {
    {"hmac-sha256", POLICY_HMAC_SHA256}, {"hmac-sm3", POLICY_HMAC_SM3}, {NULL, 0}};
static const struct word api_state_words[] = {{"published", POLICY_API_PUBLISHED},
                                              {"deprecated", POLICY_API_DEPRECATED},
                                              {"offline", POLICY_API_OFFLINE},
                                              {NULL, 0}};
static const struct word class_words[] = {{"A1", POLICY_A1}, {"A2", POLICY_A2}, {NULL, 0}};
static const struct word access_words[] = {
    {"subscription", POLICY_SUBSCRIPTION}, {"registered", POLICY_REGISTERED}, {NULL, 0}};
static const struct word kind_words[] = {
    {"dataset", POLICY_DATASET}, {"http", POLICY_HTTP}, {NULL, 0}};
static const struct word method_words[] = {{"GET", POLICY_GET},
                                           {"HEAD", POLICY_HEAD},
                                           {"POST", POLICY_POST},
                                           {"PUT", POLICY_PUT},
                                           {"PATCH", POLICY_PATCH},
                                           {"DELETE", POLICY_DELETE},
                                           {NULL, 0}};
static const struct word term_words[] = {
    {"once", POLICY_ONCE}, {"period", POLICY_PERIOD}, {"agreement", POLICY_AGREEMENT}, {NULL, 0}};
static const struct word type_words[] = {{"scalar", PLAN_SCALAR}, {"json", PLAN_JSON}, {NULL, 0}};

static void put_uint(struct buf *out, uint64_t value, int n_bytes)
{
    for (int i = 0; i < n_bytes; i++) {
        buf_addc(out, (char)(value >> (8 * i)));
    }
}

static void put_text(struct buf *out, struct slice text)
{
    put_uint(out, text.n, 2);
    buf_add(out, text.p, text.n);
}

static bool text_of(const json_t *value, size_t max, struct slice *text)
{
    if (!json_is_string(value) || json_string_length(value) > max) {
        return false;
    }
    *text = slice_of(json_string_value(value), json_string_length(value));
    return memchr(text->p, '\0', text->n) == NULL;
}

static const struct word *find_word(const json_t *value, const struct word *words)
{
    struct slice text;
    if (!text_of(value, TEXT_MAX, &text)) {
        return NULL;
    }
    for (; words->text != NULL; words++) {
        if (slice_eq(text, slice_str(words->text))) {
            return words;
        }
    }
    return NULL;
}

static uint8_t word_member(struct source *s, const char *key, const struct word *words)
{
    const struct word *w = find_word(json_object_get(s->data, key), words);
    s->bad |= w == NULL;
    uint8_t number = w == NULL ? 0 : w->number;
    put_uint(s->out, number, 1);
    return number;
}

static void uuid_member(struct source *s, const char *key, bool required)
{
    const json_t *value = json_object_get(s->data, key);
    struct uuid id = {{0}};
    if (value == NULL || json_is_null(value)) {
        s->bad |= required;
    } else if (!json_is_string(value) ||
               !uuid_parse(&id, json_string_value(value), json_string_length(value))) {
        s->bad = true;
    }
    buf_add(s->out, id.b, sizeof id.b);
}

/* Absent and null are 0, the contract's "no bound". */
static void uint_member(struct source *s, const char *key, uint64_t max, int n_bytes)
{
    const json_t *value = json_object_get(s->data, key);
    json_int_t number = json_integer_value(value);
    if (value != NULL && !json_is_null(value) &&
        (!json_is_integer(value) || number < 0 || (uint64_t)number > max)) {
        s->bad = true;
        number = 0;
    }
    put_uint(s->out, (uint64_t)number, n_bytes);
}

static void time_member(struct source *s, const char *key)
{
    uint_member(s, key, TIME_MAX_MS, 8);
}

static void text_member(struct source *s, const char *key, size_t max, bool required)
{
    const json_t *value = json_object_get(s->data, key);
    struct slice text = SLICE("");
    if (value == NULL || json_is_null(value)) {
        s->bad |= required;
    } else if (!text_of(value, max, &text)) {
        s->bad = true;
    }
    put_text(s->out, text);
}

static void begin(struct source *s, struct buf *out, uint64_t rev, const json_t *data)
{
    *s = (struct source){.data = data, .out = out, .bad = !json_is_object(data)};
    put_uint(out, RECORD_VERSION, 1);
    put_uint(out, rev, 8);
}

static bool end(const struct source *s)
{
    return !s->bad && !s->out->failed;
}

bool record_pack_app(struct buf *out, uint64_t rev, const json_t *data)
{
    struct source s;
    begin(&s, out, rev, data);
    word_member(&s, "state", active_words);
    word_member(&s, "environment", environment_words);
    uuid_member(&s, "org_id", false);
    text_member(&s, "name", NAME_MAX_BYTES, false);
    return end(&s);
}

bool record_pack_credential(struct buf *out, uint64_t rev, const json_t *data)
{
    struct source s;
    begin(&s, out, rev, data);
    word_member(&s, "state", active_words);
    word_member(&s, "alg", alg_words);
    uuid_member(&s, "app_id", true);
    time_member(&s, "not_before");
    time_member(&s, "expires_at");
    const json_t *sealed = json_object_get(data, "secret_sealed");
    struct slice text = SLICE("");
    uint8_t bytes[TEXT_MAX];
    size_t n = 0;
    s.bad |= !text_of(sealed, TEXT_MAX, &text) ||
             !codec_unbase64url(bytes, sizeof bytes, &n, text.p, text.n) || n <= CRYPTO_SEAL_EXTRA;
    put_text(out, slice_of((const char *)bytes, s.bad ? 0 : n));
    return end(&s);
}

/* null is "all"; an absent list is an error, so that a forgotten member never opens everything. */
static void paths_member(struct source *s, const char *key)
{
    const json_t *list = json_object_get(s->data, key);
    put_uint(s->out, json_is_null(list), 1);
    if (json_is_null(list)) {
        return;
    }
    size_t n = json_array_size(list);
    if (!json_is_array(list) || n > POLICY_FIELDS_MAX) {
        s->bad = true;
        return;
    }
    put_uint(s->out, n, 2);
    for (size_t i = 0; i < n; i++) {
        struct slice path = SLICE("");
        s->bad |= !text_of(json_array_get(list, i), PLAN_PATH_MAX, &path);
        put_text(s->out, path);
    }
}

bool record_pack_subscription(struct buf *out, uint64_t rev, const json_t *data)
{
    struct source s;
    begin(&s, out, rev, data);
    word_member(&s, "state", active_words);
    uint_member(&s, "max_level", UINT8_MAX, 1);
    uuid_member(&s, "app_id", true);
    uuid_member(&s, "api_id", true);
    time_member(&s, "not_before");
    time_member(&s, "expires_at");
    paths_member(&s, "fields");
    return end(&s);
}

bool record_pack_grant(struct buf *out, uint64_t rev, const json_t *data)
{
    struct source s;
    begin(&s, out, rev, data);
    word_member(&s, "state", active_words);
    word_member(&s, "term", term_words);
    uuid_member(&s, "app_id", true);
    uuid_member(&s, "api_id", true);
    text_member(&s, "owner", RECORD_OWNER_MAX, true);
    time_member(&s, "not_before");
    time_member(&s, "expires_at");
    paths_member(&s, "fields");
    return end(&s);
}

bool record_pack_json(struct buf *out, uint64_t rev, const json_t *data)
{
    struct source s;
    begin(&s, out, rev, data);
    char *text = s.bad ? NULL : json_dumps(data, JSON_COMPACT);
    size_t n = text == NULL ? 0 : strlen(text);
    s.bad |= n == 0 || n > JSON_MAX;
    put_uint(out, s.bad ? 0 : n, 4);
    buf_add(out, text, s.bad ? 0 : n);
    free(text);
    return end(&s);
}

static void methods_member(struct source *s)
{
    const json_t *list = json_object_get(s->data, "methods");
    uint8_t bits = 0;
    s->bad |= !json_is_array(list);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const struct word *w = find_word(json_array_get(list, i), method_words);
        s->bad |= w == NULL;
        bits |= w == NULL ? 0 : w->number;
    }
    put_uint(s->out, bits, 1);
}

static void upstream_member(struct source *s, uint8_t kind)
{
    struct slice url = SLICE(""), host, base = SLICE("");
    uint16_t port;
    char address[RECORD_ADDRESS_MAX] = "";
    if (kind == POLICY_HTTP) {
        bool ok = text_of(json_object_get(s->data, "upstream"), TEXT_MAX, &url) &&
                  record_upstream_split(url, &host, &port, &base);
        s->bad |= !ok;
        if (!s->bad) { /* no DNS for a record that will be refused */
            record_upstream_resolve(host, port, address);
        }
    }
    put_text(s->out, slice_str(address));
    put_text(s->out, s->bad ? SLICE("") : base);
}

static bool path_repeats(const json_t *list, size_t n, const json_t *path)
{
    for (size_t i = 0; i < n; i++) {
        if (json_equal(json_object_get(json_array_get(list, i), "path"), path)) {
            return true;
        }
    }
    return false;
}

static void field_pack(struct source *s, const json_t *list, size_t i)
{
    struct source f = {.data = json_array_get(list, i), .out = s->out};
    const json_t *path = json_object_get(f.data, "path");
    struct mask_spec mask = {.rule = MASK_NONE};
    struct slice text = SLICE("");
    uint_member(&f, "level", POLICY_L4, 1);
    word_member(&f, "type", type_words);
    const json_t *rule = json_object_get(f.data, "mask");
    f.bad |= rule != NULL && !json_is_null(rule) && !text_of(rule, TEXT_MAX, &text);
    f.bad |= text.n > 0 && mask_parse(&mask, text) != MASK_OK;
    put_uint(s->out, mask.rule, 1);
    put_uint(s->out, mask.first, 1);
    put_uint(s->out, mask.last, 1);
    put_text(s->out, slice_str(mask.domain));
    text_member(&f, "path", PLAN_PATH_MAX, true);
    /* A path with two levels has none that can be trusted. */
    s->bad |= f.bad || json_string_length(path) == 0 || path_repeats(list, i, path);
}

static void fields_member(struct source *s)
{
    const json_t *list = json_object_get(s->data, "fields");
    size_t n = json_array_size(list);
    if (!json_is_array(list) || n > POLICY_FIELDS_MAX) {
        s->bad = true;
        return;
    }
    put_uint(s->out, n, 2);
    for (size_t i = 0; i < n && !s->bad; i++) {
        field_pack(s, list, i);
    }
}

bool record_pack_api(struct buf *out, uint64_t rev, const json_t *data)
{
    struct source s;
    struct slice path;
    begin(&s, out, rev, data);
    s.bad |=
        !text_of(json_object_get(data, "path"), REPLICA_PATH_MAX, &path) || !record_path_ok(path);
    word_member(&s, "state", api_state_words);
    text_member(&s, "path", REPLICA_PATH_MAX, true);
    uint8_t kind = word_member(&s, "kind", kind_words);
    word_member(&s, "class", class_words);
    word_member(&s, "access", access_words);
    methods_member(&s);
    const json_t *owned = json_object_get(data, "owner_scoped");
    s.bad |=
        !json_is_boolean(owned); /* no default: a missing false would open rows of all owners */
    put_uint(out, json_is_true(owned), 1);
    time_member(&s, "sunset_at");
    uint_member(&s, "timeout_ms", UINT32_MAX, 4);
    uint_member(&s, "max_body_bytes", UINT32_MAX, 4);
    uuid_member(&s, "dataset_id", kind == POLICY_DATASET);
    text_member(&s, "name", NAME_MAX_BYTES, false);
    text_member(&s, "profile", NAME_MAX_BYTES, kind == POLICY_DATASET);
    fields_member(&s);
    upstream_member(&s, kind);
    return end(&s);
}
