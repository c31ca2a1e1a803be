/* SPDX-License-Identifier: Apache-2.0 */
/* Kinds that stay JSON because their readers build something of their own from them. The feed's
 * words and shapes are checked here all the same, so that what is read later is known to be whole;
 * documents (schema, conversion, composition) are checked by the modules that compile them. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

#include "replica/record_source.h"
#include "sdk/sdk.h"

#define JSON_MAX        (4u << 20)
#define CERTIFICATE_MAX 65536
#define URL_MAX         RECORD_TEXT_MAX
#define AMOUNT_MAX      (1ull << 52)

bool record_pack_json(struct buf *out, uint64_t rev, const json_t *data)
{
    struct source s;
    record_begin(&s, out, rev, data);
    char *text = s.bad ? NULL : json_dumps(data, JSON_COMPACT);
    size_t n = text == NULL ? 0 : strlen(text);
    s.bad |= n == 0 || n > JSON_MAX;
    record_put_uint(out, s.bad ? 0 : n, 4);
    buf_add(out, text, s.bad ? 0 : n);
    free(text);
    return record_end(&s);
}

/* What a member may be. A member with words is one of them. */
enum shape { WORD, TEXT, ID, NUMBER, BOOLEAN, OBJECT };
struct shape_row {
    const char *key;
    bool required;
    enum shape shape;
    uint64_t min, max; /* of a number; of a text's length */
    const char *words; /* "|a|b|" */
};

static bool is_word(struct slice text, const char *words)
{
    char needle[32];
    if (text.n + 3 > sizeof needle || memchr(text.p, '|', text.n) != NULL) {
        return false;
    }
    int n = snprintf(needle, sizeof needle, "|%.*s|", SLICE_FMT(text));
    return n > 2 && strstr(words, needle) != NULL;
}

static bool shape_fits(const json_t *value, const struct shape_row *row)
{
    struct slice text;
    struct uuid id;
    json_int_t number = json_integer_value(value);
    switch (row->shape) {
    case WORD:
        return record_text_of(value, RECORD_TEXT_MAX, &text) && is_word(text, row->words);
    case TEXT:
        return record_text_of(value, row->max, &text) && text.n >= row->min;
    case ID:
        return json_is_string(value) &&
               uuid_parse(&id, json_string_value(value), json_string_length(value));
    case NUMBER:
        return json_is_integer(value) && number >= 0 && (uint64_t)number >= row->min &&
               (uint64_t)number <= row->max;
    case BOOLEAN:
        return json_is_boolean(value);
    case OBJECT:
        return json_is_object(value);
    }
    return false;
}

static bool shapes_fit(const json_t *data, const struct shape_row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const json_t *value = json_object_get(data, rows[i].key);
        bool absent = value == NULL || json_is_null(value);
        if (absent ? rows[i].required : !shape_fits(value, &rows[i])) {
            return false;
        }
    }
    return true;
}

#define FITS(data, rows) shapes_fit(data, rows, sizeof(rows) / sizeof *(rows))

static bool is(const json_t *data, const char *key, const char *word)
{
    const char *text = json_string_value(json_object_get(data, key));
    return text != NULL && strcmp(text, word) == 0;
}

static bool has(const json_t *data, const char *key)
{
    const json_t *value = json_object_get(data, key);
    return value != NULL && !json_is_null(value);
}

bool record_pack_limit(struct buf *out, uint64_t rev, const json_t *data)
{
    static const struct shape_row rows[] = {
        {"state", true, WORD, .words = "|active|inactive|"},
        {"per", true, WORD, .words = "|all|app|api|app-api|user|address|"},
        {"measure", true, WORD, .words = "|rate|concurrency|calls|rows|bytes|refused|"},
        {"action", true, WORD, .words = "|alert|suspend|reject|"},
        {"amount", true, NUMBER, 0, AMOUNT_MAX, NULL},
        {"app_id", false, ID},
        {"api_id", false, ID},
        {"window_ms", false, NUMBER, 1, UINT32_MAX, NULL},
        {"suspend_s", false, NUMBER, 1, UINT32_MAX, NULL},
        {"released_at", false, NUMBER, 0, RECORD_TIME_MAX, NULL},
        {"not_before", false, NUMBER, 0, RECORD_TIME_MAX, NULL},
        {"expires_at", false, NUMBER, 0, RECORD_TIME_MAX, NULL},
    };
    bool windowed = is(data, "measure", "rate") || is(data, "measure", "refused");
    return FITS(data, rows) && (!windowed || has(data, "window_ms")) &&
           (!is(data, "action", "suspend") || has(data, "suspend_s")) &&
           record_pack_json(out, rev, data);
}

/* "10.0.0.0/8", "2001:db8::/32" or one address. */
static bool is_cidr(const char *text)
{
    char host[INET6_ADDRSTRLEN];
    uint8_t address[sizeof(struct in6_addr)];
    size_t n = strcspn(text, "/");
    if (n >= sizeof host) {
        return false;
    }
    memcpy(host, text, n);
    host[n] = '\0';
    bool v6 = strchr(host, ':') != NULL;
    if (inet_pton(v6 ? AF_INET6 : AF_INET, host, address) != 1) {
        return false;
    }
    if (text[n] == '\0') {
        return true;
    }
    const char *digits = text + n + 1;
    size_t len = strlen(digits);
    return len >= 1 && len <= 3 && strspn(digits, "0123456789") == len &&
           atoi(digits) <= (v6 ? 128 : 32);
}

static bool list_value_fits(const json_t *data)
{
    static const struct shape_row id = {"value", true, ID};
    const json_t *value = json_object_get(data, "value");
    if (is(data, "subject", "app") || is(data, "subject", "organisation")) {
        return shape_fits(value, &id);
    }
    return is(data, "subject", "user") || is_cidr(json_string_value(value));
}

bool record_pack_list(struct buf *out, uint64_t rev, const json_t *data)
{
    static const struct shape_row rows[] = {
        {"list", true, WORD, .words = "|block|allow|"},
        {"subject", true, WORD, .words = "|app|organisation|address|user|"},
        {"value", true, TEXT, 1, RECORD_OWNER_MAX, NULL},
        {"app_id", false, ID},
        {"api_id", false, ID},
        {"not_before", false, NUMBER, 0, RECORD_TIME_MAX, NULL},
        {"expires_at", false, NUMBER, 0, RECORD_TIME_MAX, NULL},
    };
    return FITS(data, rows) && list_value_fits(data) && record_pack_json(out, rev, data);
}

bool record_pack_trust(struct buf *out, uint64_t rev, const json_t *data)
{
    static const struct shape_row rows[] = {
        {"certificate", true, TEXT, 1, CERTIFICATE_MAX, NULL},
        {"crl", false, TEXT, 1, JSON_MAX, NULL},
        {"crl_required", true, BOOLEAN},
        {"ocsp", false, TEXT, 1, URL_MAX, NULL},
    };
    return FITS(data, rows) && record_pack_json(out, rev, data);
}

bool record_pack_algorithm(struct buf *out, uint64_t rev, const json_t *data)
{
    static const struct shape_row rows[] = {
        {"name", true, TEXT, 1, 64, NULL},
        {"status", true, WORD, .words = "|enabled|deprecated|disabled|"},
        {"sunset_at", false, NUMBER, 0, RECORD_TIME_MAX, NULL},
    };
    return FITS(data, rows) && record_pack_json(out, rev, data);
}

bool record_pack_token_key(struct buf *out, uint64_t rev, const json_t *data)
{
    static const struct shape_row rows[] = {
        {"key_id", true, NUMBER, 0, UINT32_MAX, NULL},
        {"key_sealed", true, TEXT, 1, 200, NULL},
        {"state", true, WORD, .words = "|next|current|old|"},
        {"not_before", false, NUMBER, 0, RECORD_TIME_MAX, NULL},
        {"expires_at", false, NUMBER, 0, RECORD_TIME_MAX, NULL},
    };
    return FITS(data, rows) && record_pack_json(out, rev, data);
}

bool record_pack_sdk_release(struct buf *out, uint64_t rev, const json_t *data)
{
    static const struct shape_row rows[] = {
        {"name", true, TEXT, 1, SDK_NAME_MAX, NULL},
        {"version", true, TEXT, 1, SDK_VERSION_MAX, NULL},
        {"digest_sm3", true, TEXT, 2 * SDK_DIGEST_LEN, 2 * SDK_DIGEST_LEN, NULL},
        {"state", true, WORD, .words = "|current|outdated|withdrawn|"},
        {"refused_from", false, NUMBER, 0, RECORD_TIME_MAX, NULL},
    };
    struct sdk_release release;
    return FITS(data, rows) && sdk_release_read(&release, data) && record_pack_json(out, rev, data);
}

bool record_pack_schema(struct buf *out, uint64_t rev, const json_t *data)
{
    static const struct shape_row rows[] = {{"openapi", true, OBJECT}};
    return FITS(data, rows) && record_pack_json(out, rev, data);
}

bool record_pack_conversion(struct buf *out, uint64_t rev, const json_t *data)
{
    static const struct shape_row rows[] = {{"definition", true, OBJECT}};
    return FITS(data, rows) && record_pack_json(out, rev, data);
}

bool record_pack_topic(struct buf *out, uint64_t rev, const json_t *data)
{
    static const struct shape_row rows[] = {
        {"api_id", true, ID},
        {"state", true, WORD, .words = "|active|paused|"},
        {"source", true, WORD, .words = "|app|dataset|"},
        {"dataset_id", false, ID},
        {"poll_ms", false, NUMBER, 0, RECORD_TIME_MAX, NULL},
        {"change_column", false, TEXT, 1, 128, NULL},
        {"sweep_ms", false, NUMBER, 0, RECORD_TIME_MAX, NULL},
        {"retention_ms", true, NUMBER, 1, RECORD_TIME_MAX, NULL},
        {"retention_bytes", true, NUMBER, 1, RECORD_TIME_MAX, NULL},
        {"guarded", false, OBJECT},
    };
    return FITS(data, rows) && json_is_array(json_object_get(data, "publishers")) &&
           json_is_array(json_object_get(data, "attributes")) && record_pack_json(out, rev, data);
}

bool record_pack_event_subscription(struct buf *out, uint64_t rev, const json_t *data)
{
    static const struct shape_row rows[] = {
        {"app_id", true, ID},
        {"api_id", true, ID},
        {"name", true, TEXT, 1, 64, NULL},
        {"state", true, WORD, .words = "|active|paused|"},
        {"mode", true, WORD, .words = "|webhook|pull|"},
        {"url", false, TEXT, 0, URL_MAX, NULL},
        {"secret_sealed", false, TEXT, 0, 400, NULL},
        {"start", true, WORD, .words = "|new|all|"},
        {"batch", true, NUMBER, 1, 100, NULL},
        {"attempts", true, NUMBER, 1, 50, NULL},
        {"backoff_ms", true, NUMBER, 10, 3600000, NULL},
        {"timeout_ms", true, NUMBER, 100, 60000, NULL},
    };
    return FITS(data, rows) && json_is_array(json_object_get(data, "types")) &&
           record_pack_json(out, rev, data);
}

bool record_pack_composition(struct buf *out, uint64_t rev, const json_t *data)
{
    static const struct shape_row rows[] = {{"graph", true, OBJECT}};
    return FITS(data, rows) && record_pack_json(out, rev, data);
}
