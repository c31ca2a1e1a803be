/* SPDX-License-Identifier: Apache-2.0 */
/* The table of rules, their text form, and the one door to them. */
#include "mask/mask.h"

#include <stdio.h>

#include "mask/mask_rules.h"
#include "mask/mask_utf8.h"

enum argument { NO_ARGUMENT, COUNTS, DOMAIN, DAYS_DOMAIN };

static const struct {
    const char *name;
    enum argument argument;
    size_t (*apply)(const struct mask_input *in, char *out);
} rules[MASK_RULES] = {
    [MASK_NONE] = {"none", NO_ARGUMENT, NULL},
    [MASK_NAME] = {"name", NO_ARGUMENT, mask_rule_name},
    [MASK_PHONE] = {"phone", NO_ARGUMENT, mask_rule_phone},
    [MASK_EMAIL] = {"email", NO_ARGUMENT, mask_rule_email},
    [MASK_ADDRESS] = {"address", NO_ARGUMENT, mask_rule_address},
    [MASK_ID_CARD] = {"id_card", NO_ARGUMENT, mask_rule_id_card},
    [MASK_BANK_CARD] = {"bank_card", NO_ARGUMENT, mask_rule_bank_card},
    [MASK_USCC] = {"uscc", NO_ARGUMENT, mask_rule_uscc},
    [MASK_KEEP] = {"keep", COUNTS, mask_rule_keep},
    [MASK_YEAR] = {"year", NO_ARGUMENT, mask_rule_year},
    [MASK_NULL] = {"null", NO_ARGUMENT, NULL},
    [MASK_PSEUDONYM] = {"pseudonym", DOMAIN, mask_rule_pseudonym},
    [MASK_FAKE_NAME] = {"fake_name", DOMAIN, mask_rule_fake_name},
    [MASK_DATE_SHIFT] = {"date_shift", DAYS_DOMAIN, mask_rule_date_shift},
    [MASK_SCALE] = {"scale", DOMAIN, mask_rule_scale},
};

const char *mask_strerror(enum mask_err err)
{
    switch (err) {
    case MASK_OK:
        return "no error";
    case MASK_ERULE:
        return "there is no such mask rule";
    case MASK_EARGUMENT:
        return "the argument is not one this mask rule takes";
    }
    return "unknown mask error";
}

/* 1 to 3 digits, at most 255. */
static bool read_count(struct slice text, uint8_t *count)
{
    unsigned value = 0;
    if (text.n < 1 || text.n > 3) {
        return false;
    }
    for (size_t i = 0; i < text.n; i++) {
        if (!mask_is_digit(text.p[i])) {
            return false;
        }
        value = value * 10 + (unsigned)(text.p[i] - '0');
    }
    *count = (uint8_t)value;
    return value <= UINT8_MAX;
}

static bool read_counts(struct mask_spec *spec, struct slice text)
{
    const char *colon = text.n > 0 ? memchr(text.p, ':', text.n) : NULL;
    if (colon == NULL) {
        return false;
    }
    size_t first = (size_t)(colon - text.p);
    return read_count(slice_of(text.p, first), &spec->first) &&
           read_count(slice_of(colon + 1, text.n - first - 1), &spec->last);
}

/* A domain is a name of letters, digits, '.', '_' and '-', so that it prints anywhere. */
static bool read_domain(struct mask_spec *spec, struct slice text)
{
    if (text.n < 1 || text.n > MASK_DOMAIN_MAX) {
        return false;
    }
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (!mask_is_digit(c) && !mask_is_alpha(c) && c != '.' && c != '_' && c != '-') {
            return false;
        }
    }
    memcpy(spec->domain, text.p, text.n);
    return true;
}

/* "30" or "30:domain" */
static bool read_days(struct mask_spec *spec, struct slice text)
{
    const char *colon = text.n > 0 ? memchr(text.p, ':', text.n) : NULL;
    size_t n = colon != NULL ? (size_t)(colon - text.p) : text.n;
    unsigned days = 0;
    for (size_t i = 0; i < n && n <= 4; i++) {
        if (!mask_is_digit(text.p[i])) {
            return false;
        }
        days = days * 10 + (unsigned)(text.p[i] - '0');
    }
    spec->days = (uint16_t)days;
    return n <= 4 && days >= 1 && days <= MASK_DAYS_MAX &&
           (colon == NULL || read_domain(spec, slice_of(colon + 1, text.n - n - 1)));
}

bool mask_rule_keyed(uint8_t rule)
{
    return rule < MASK_RULES && rules[rule].argument >= DOMAIN;
}

enum mask_err mask_parse(struct mask_spec *spec, struct slice text)
{
    const char *colon = text.n > 0 ? memchr(text.p, ':', text.n) : NULL;
    struct slice name = slice_of(text.p, colon != NULL ? (size_t)(colon - text.p) : text.n);
    struct slice argument = colon != NULL ? slice_of(colon + 1, text.n - name.n - 1) : SLICE("");
    struct mask_spec read = {.rule = MASK_NONE};
    while (read.rule < MASK_RULES && !slice_eq(name, slice_str(rules[read.rule].name))) {
        read.rule++;
    }
    if (read.rule == MASK_RULES) {
        return MASK_ERULE;
    }
    bool good = colon == NULL;
    if (rules[read.rule].argument == COUNTS) {
        good = read_counts(&read, argument);
    } else if (rules[read.rule].argument == DOMAIN && colon != NULL) {
        good = read_domain(&read, argument);
    } else if (rules[read.rule].argument == DAYS_DOMAIN) {
        good = read_days(&read, argument);
    }
    if (!good) {
        return MASK_EARGUMENT;
    }
    *spec = read;
    return MASK_OK;
}

size_t mask_format(const struct mask_spec *spec, char out[static MASK_SPEC_TEXT_MAX])
{
    const char *name = spec->rule < MASK_RULES ? rules[spec->rule].name : "unknown";
    int n;
    if (spec->rule == MASK_KEEP) {
        n = snprintf(out, MASK_SPEC_TEXT_MAX, "%s:%u:%u", name, spec->first, spec->last);
    } else if (spec->rule == MASK_DATE_SHIFT) {
        n = snprintf(out, MASK_SPEC_TEXT_MAX, "%s:%u%s%.*s", name, spec->days,
                     spec->domain[0] != '\0' ? ":" : "", MASK_DOMAIN_MAX, spec->domain);
    } else if (mask_rule_keyed(spec->rule) && spec->domain[0] != '\0') {
        n = snprintf(out, MASK_SPEC_TEXT_MAX, "%s:%.*s", name, MASK_DOMAIN_MAX, spec->domain);
    } else {
        n = snprintf(out, MASK_SPEC_TEXT_MAX, "%s", name);
    }
    return (size_t)n;
}

static size_t cover(char *out)
{
    memcpy(out, MASK_COVER, sizeof MASK_COVER - 1);
    return sizeof MASK_COVER - 1;
}

size_t mask_apply(const struct mask_spec *spec, struct mask_key *key, struct slice in, char *out)
{
    struct mask_input input = {.text = in, .spec = spec, .key = key};
    if (spec->rule == MASK_NULL || in.n == 0) {
        return 0;
    }
    /* "none" on a field that is to be masked is an operator's slip: nothing says how, so all of
     * it is hidden. So is a rule from a newer control plane. */
    if (spec->rule >= MASK_RULES || rules[spec->rule].apply == NULL || in.n > MASK_INPUT_MAX ||
        !utf8_count(in, &input.chars)) {
        return cover(out);
    }
    size_t n = rules[spec->rule].apply(&input, out);
    return n == MASK_UNRECOGNISED ? cover(out) : n;
}
