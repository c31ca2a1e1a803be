/* SPDX-License-Identifier: Apache-2.0 */
/* Which components there are (RFC 9421 section 2) and which of their parameters we do. */
#include "httpsig/inner.h"

#define NAME_MAX_LEN 64

static const struct slice derived[] = {
    [HTTPSIG_METHOD] = {"@method", 7},
    [HTTPSIG_AUTHORITY] = {"@authority", 10},
    [HTTPSIG_TARGET_URI] = {"@target-uri", 11},
    [HTTPSIG_REQUEST_TARGET] = {"@request-target", 15},
    [HTTPSIG_PATH] = {"@path", 5},
    [HTTPSIG_QUERY] = {"@query", 6},
    [HTTPSIG_SCHEME] = {"@scheme", 7},
    [HTTPSIG_STATUS] = {"@status", 7},
};

static bool is_field_name(struct slice name)
{
    if (name.n == 0 || name.n > NAME_MAX_LEN) {
        return false;
    }
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        bool good = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
        if (!good) {
            return false;
        }
    }
    return true;
}

/* Members are taken from the two fields whose canonical form this module reads, no others. */
bool httpsig_allowed(const struct httpsig_covered *one, bool response)
{
    if (!response) {
        return one->kind != HTTPSIG_STATUS && !one->req && one->key.n == 0;
    }
    if (one->kind == HTTPSIG_STATUS) {
        return !one->req && one->key.n == 0;
    }
    bool of_members =
        slice_eq(one->name, SLICE("signature")) || slice_eq(one->name, SLICE("signature-input"));
    return (one->req || one->kind == HTTPSIG_FIELD) &&
           (one->key.n == 0 || (one->req && of_members));
}

enum httpsig_err httpsig_add(struct httpsig *s, struct httpsig_covered one)
{
    if (s->n_components == HTTPSIG_COMPONENTS_MAX) {
        return HTTPSIG_ELIMIT;
    }
    one.kind = one.name.n > 0 && one.name.p[0] == '@' ? 0 : HTTPSIG_FIELD;
    while (one.kind < HTTPSIG_FIELD && !slice_eq(one.name, derived[one.kind])) {
        one.kind++;
    }
    if (one.kind == HTTPSIG_FIELD && !is_field_name(one.name)) {
        return HTTPSIG_ECOMPONENT;
    }
    for (size_t i = 0; i < s->n_components; i++) {
        const struct httpsig_covered *other = &s->components[i];
        if (slice_eq(other->name, one.name) && other->req == one.req &&
            slice_eq(other->key, one.key)) {
            return HTTPSIG_ECOMPONENT;
        }
    }
    s->components[s->n_components++] = one;
    return HTTPSIG_OK;
}

/* ;req and ;key="member". ;sf ;bs ;tr ;name are not done, so never guessed at. */
static bool read_parameter(struct sf *c, struct httpsig_covered *one, bool *good)
{
    struct slice key;
    struct sf_item item = {.kind = SF_OTHER};
    if (!sf_key(c, &key)) {
        return false;
    }
    bool has_value = sf_take(c, '=');
    if (has_value && !sf_item(c, &item)) {
        return false;
    }
    bool is_req = !has_value && slice_eq(key, SLICE("req")) && !one->req;
    bool is_key = item.kind == SF_STRING && slice_eq(key, SLICE("key")) && one->key.n == 0 &&
                  item.text.n > 0 && !item.escaped;
    *good = *good && (is_req || is_key);
    one->req = one->req || is_req;
    one->key = is_key ? item.text : one->key;
    return true;
}

bool httpsig_read_component(struct sf *c, struct httpsig *s, bool response, enum httpsig_err *err)
{
    struct sf_item item;
    if (!sf_string(c, &item)) {
        return false;
    }
    struct httpsig_covered one = {.name = item.text};
    const char *params = c->at;
    bool good = !item.escaped;
    while (sf_take(c, ';')) {
        if (!read_parameter(c, &one, &good)) {
            return false;
        }
    }
    one.params = slice_of(params, (size_t)(c->at - params));
    *err = good ? httpsig_add(s, one) : HTTPSIG_ECOMPONENT;
    if (*err == HTTPSIG_OK && !httpsig_allowed(&s->components[s->n_components - 1], response)) {
        *err = HTTPSIG_ECOMPONENT;
    }
    return true;
}
