/* SPDX-License-Identifier: Apache-2.0 */
#include "limit/amount.h"

#include <math.h>

#include "base/json_at.h"

#define REAL_MAX 9e10 /* text and whole numbers carry larger ones exactly */
#define FINER    1e-3 /* of a hundredth: what a double up to that is off by, at most */

const char *amount_strerror(enum amount_err err)
{
    static const char *const texts[] = {
        [AMOUNT_OK] = "an amount",
        [AMOUNT_EJSON] = "the body is no JSON object",
        [AMOUNT_EMISSING] = "the body does not say how much",
        [AMOUNT_EVALUE] = ("an amount is not negative, below 90 trillion and has at most two "
                           "digits behind the point"),
    };
    return (unsigned)err < sizeof texts / sizeof *texts ? texts[err] : "unknown";
}

static bool of_real(double value, uint64_t *hundredths)
{
    double whole = nearbyint(value * 100), off = fabs(value * 100 - whole);
    if (!(value >= 0) || value > REAL_MAX || off > FINER) {
        return false;
    }
    *hundredths = (uint64_t)whole;
    return true;
}

static bool of_integer(json_int_t value, uint64_t *hundredths)
{
    if (value < 0 || (uint64_t)value > AMOUNT_MAX / 100) {
        return false;
    }
    *hundredths = (uint64_t)value * 100;
    return true;
}

/* 12, 12.3, 12.34 */
static bool of_text(const char *p, size_t n, uint64_t *hundredths)
{
    uint64_t value = 0;
    size_t i = 0, point = n;
    for (; i < n; i++) {
        if (p[i] == '.' && point == n && i > 0) {
            point = i;
        } else if (p[i] < '0' || p[i] > '9' || value > AMOUNT_MAX / 10) {
            return false;
        } else {
            value = value * 10 + (uint64_t)(p[i] - '0');
        }
    }
    size_t behind = point == n ? 0 : n - point - 1;
    if (n == 0 || behind > 2 || (point != n && behind == 0)) {
        return false;
    }
    for (; behind < 2; behind++) {
        value *= 10;
    }
    if (value > AMOUNT_MAX) {
        return false;
    }
    *hundredths = value;
    return true;
}

enum amount_err amount_of(struct slice body, struct slice path, uint64_t *hundredths)
{
    json_t *root = body.n > 0 ? json_loadb(body.p, body.n, JSON_REJECT_DUPLICATES, NULL) : NULL;
    const json_t *v = json_at(root, path);
    enum amount_err err = AMOUNT_OK;
    if (!json_is_object(root)) {
        err = AMOUNT_EJSON;
    } else if (v == NULL || json_is_null(v)) {
        err = AMOUNT_EMISSING;
    } else {
        bool good = json_is_integer(v) ? of_integer(json_integer_value(v), hundredths)
                    : json_is_real(v)  ? of_real(json_real_value(v), hundredths)
                    : json_is_string(v)
                        ? of_text(json_string_value(v), json_string_length(v), hundredths)
                        : false;
        err = good ? AMOUNT_OK : AMOUNT_EVALUE;
    }
    json_decref(root);
    return err;
}
