/* SPDX-License-Identifier: Apache-2.0 */
/* One view of a JSON value and of a parameter's text, so that there is one engine. */
#include "schema_inner.h"

#include <float.h>
#include <math.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

_Static_assert(LDBL_MANT_DIG >= 64, "a long double must hold every int64_t and double");

struct value schema_value_of(const json_t *json)
{
    struct value v = {.tree = json};
    switch (json_typeof(json)) {
    case JSON_OBJECT:
        v.kind = KIND_OBJECT;
        v.n = json_object_size(json);
        break;
    case JSON_ARRAY:
        v.kind = KIND_ARRAY;
        v.n = json_array_size(json);
        break;
    case JSON_STRING:
        v.kind = KIND_STRING;
        v.text = slice_of(json_string_value(json), json_string_length(json));
        break;
    case JSON_INTEGER:
        v.kind = KIND_INTEGER;
        v.number = json_integer_value(json);
        break;
    case JSON_REAL: {
        double real = json_real_value(json);
        v.number = real;
        v.kind = real == floor(real) ? KIND_INTEGER : KIND_NUMBER;
        break;
    }
    case JSON_TRUE:
    case JSON_FALSE:
        v.kind = KIND_BOOLEAN;
        v.truth = json_is_true(json);
        break;
    case JSON_NULL:
        v.kind = KIND_NULL;
    }
    return v;
}

struct value schema_value_item(const struct value *array, size_t i)
{
    return array->items != NULL ? array->items[i] : schema_value_of(json_array_get(array->tree, i));
}

static bool arrays_equal(const struct value *a, const struct value *b)
{
    for (size_t i = 0; i < a->n; i++) {
        struct value left = schema_value_item(a, i), right = schema_value_item(b, i);
        if (!schema_value_equal(&left, &right)) {
            return false;
        }
    }
    return true;
}

static bool objects_equal(const struct value *a, const struct value *b)
{
    const char *key;
    json_t *member;
    json_object_foreach((json_t *)(uintptr_t)a->tree, key, member)
    {
        const json_t *other = json_object_get(b->tree, key);
        if (other == NULL) {
            return false;
        }
        struct value left = schema_value_of(member), right = schema_value_of(other);
        if (!schema_value_equal(&left, &right)) {
            return false;
        }
    }
    return true;
}

/* As JSON Schema has it: 1 and 1.0 are one number, the order of members means nothing. */
bool schema_value_equal(const struct value *a, const struct value *b)
{
    if (a->kind != b->kind || a->n != b->n) {
        return false;
    }
    switch (a->kind) {
    case KIND_BOOLEAN:
        return a->truth == b->truth;
    case KIND_INTEGER:
    case KIND_NUMBER:
        return a->number == b->number;
    case KIND_STRING:
        return slice_eq(a->text, b->text);
    case KIND_ARRAY:
        return arrays_equal(a, b);
    case KIND_OBJECT:
        return objects_equal(a, b);
    case KIND_NULL:
    case KIND_COUNT:
        break;
    }
    return true;
}

static uint64_t object_hash(const struct value *v, uint64_t seed)
{
    const char *key;
    json_t *member;
    uint64_t sum = 0; /* added, for members have no order */
    json_object_foreach((json_t *)(uintptr_t)v->tree, key, member)
    {
        struct value value = schema_value_of(member);
        uint64_t pair[2] = {XXH3_64bits_withSeed(key, strlen(key), seed),
                            schema_value_hash(&value, seed)};
        sum += XXH3_64bits_withSeed(pair, sizeof pair, seed);
    }
    return sum;
}

/* Equal values have equal hashes. */
uint64_t schema_value_hash(const struct value *v, uint64_t seed)
{
    double number = (double)v->number + 0.0; /* -0.0 becomes 0.0 */
    uint64_t hash = seed ^ (uint64_t)v->kind;
    switch (v->kind) {
    case KIND_BOOLEAN:
        return XXH3_64bits_withSeed(&v->truth, sizeof v->truth, hash);
    case KIND_INTEGER:
    case KIND_NUMBER:
        return XXH3_64bits_withSeed(&number, sizeof number, hash);
    case KIND_STRING:
        return XXH3_64bits_withSeed(v->text.p, v->text.n, hash);
    case KIND_ARRAY:
        for (size_t i = 0; i < v->n; i++) {
            struct value item = schema_value_item(v, i);
            uint64_t one = schema_value_hash(&item, seed);
            hash = XXH3_64bits_withSeed(&one, sizeof one, hash);
        }
        return hash;
    case KIND_OBJECT:
        return XXH3_64bits_withSeed(&(uint64_t){object_hash(v, seed)}, sizeof(uint64_t), hash);
    case KIND_NULL:
    case KIND_COUNT:
        break;
    }
    return hash;
}
