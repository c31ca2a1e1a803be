/* SPDX-License-Identifier: Apache-2.0 */
#include "replica/record_source.h"

const struct word record_state_words[] = {{"active", POLICY_ACTIVE},
                                          {"inactive", POLICY_INACTIVE},
                                          {"revoked", POLICY_REVOKED},
                                          {NULL, 0}};
const struct word record_proof_words[] = {{"secret", POLICY_PROOF_SECRET},
                                          {"key", POLICY_PROOF_KEY},
                                          {"certificate", POLICY_PROOF_CERTIFICATE},
                                          {NULL, 0}};

void record_put_uint(struct buf *out, uint64_t value, int n_bytes)
{
    for (int i = 0; i < n_bytes; i++) {
        buf_addc(out, (char)(value >> (8 * i)));
    }
}

void record_put_text(struct buf *out, struct slice text)
{
    record_put_uint(out, text.n, 2);
    buf_add(out, text.p, text.n);
}

bool record_text_of(const json_t *value, size_t max, struct slice *text)
{
    if (!json_is_string(value) || json_string_length(value) > max) {
        return false;
    }
    *text = slice_of(json_string_value(value), json_string_length(value));
    return memchr(text->p, '\0', text->n) == NULL;
}

const json_t *record_member(const struct source *s, const char *key)
{
    const json_t *value = json_object_get(s->data, key);
    return json_is_null(value) ? NULL : value;
}

const struct word *record_find_word(const json_t *value, const struct word *words)
{
    struct slice text;
    if (!record_text_of(value, RECORD_TEXT_MAX, &text)) {
        return NULL;
    }
    for (; words->text != NULL; words++) {
        if (slice_eq(text, slice_str(words->text))) {
            return words;
        }
    }
    return NULL;
}

uint8_t record_word(struct source *s, const char *key, const struct word *words)
{
    const struct word *w = record_find_word(json_object_get(s->data, key), words);
    s->bad |= w == NULL;
    uint8_t number = w == NULL ? 0 : w->number;
    record_put_uint(s->out, number, 1);
    return number;
}

void record_uuid(struct source *s, const char *key, bool required)
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
void record_uint(struct source *s, const char *key, uint64_t max, int n_bytes)
{
    const json_t *value = json_object_get(s->data, key);
    json_int_t number = json_integer_value(value);
    if (value != NULL && !json_is_null(value) &&
        (!json_is_integer(value) || number < 0 || (uint64_t)number > max)) {
        s->bad = true;
        number = 0;
    }
    record_put_uint(s->out, (uint64_t)number, n_bytes);
}

void record_time(struct source *s, const char *key)
{
    record_uint(s, key, RECORD_TIME_MAX, 8);
}

const char *const replica_claim_names[REPLICA_CLAIMS] = {"real_name", "id_number", "phone", "email",
                                                         "birth_date"};

void record_text(struct source *s, const char *key, size_t max, bool required)
{
    const json_t *value = json_object_get(s->data, key);
    struct slice text = SLICE("");
    if (value == NULL || json_is_null(value)) {
        s->bad |= required;
    } else if (!record_text_of(value, max, &text)) {
        s->bad = true;
    }
    record_put_text(s->out, text);
}

void record_begin(struct source *s, struct buf *out, uint64_t rev, const json_t *data)
{
    *s = (struct source){.data = data, .out = out, .bad = !json_is_object(data)};
    record_put_uint(out, RECORD_VERSION, 1);
    record_put_uint(out, rev, 8);
}

bool record_end(const struct source *s)
{
    return !s->bad && !s->out->failed;
}

uint8_t record_word_or(struct source *s, const char *key, const struct word *words,
                       uint8_t otherwise)
{
    if (record_member(s, key) != NULL) {
        return record_word(s, key, words);
    }
    record_put_uint(s->out, otherwise, 1);
    return otherwise;
}

uint8_t record_bits_of(struct source *s, const json_t *list, const struct word *words)
{
    uint8_t bits = 0;
    s->bad |= !json_is_array(list);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const struct word *w = record_find_word(json_array_get(list, i), words);
        s->bad |= w == NULL;
        bits |= w == NULL ? 0 : w->number;
    }
    return bits;
}

uint64_t record_uint_or(struct source *s, const char *key, uint64_t min, uint64_t max,
                        uint64_t otherwise, int n_bytes)
{
    const json_t *value = record_member(s, key);
    uint64_t number = otherwise;
    if (value != NULL) {
        json_int_t given = json_integer_value(value);
        bool ok = json_is_integer(value) && given >= 0 && (uint64_t)given >= min &&
                  (uint64_t)given <= max;
        s->bad |= !ok;
        number = ok ? (uint64_t)given : otherwise;
    }
    record_put_uint(s->out, number, n_bytes);
    return number;
}

bool record_bool_or(struct source *s, const char *key, bool otherwise)
{
    const json_t *value = record_member(s, key);
    s->bad |= value != NULL && !json_is_boolean(value);
    return value == NULL ? otherwise : json_is_true(value);
}
