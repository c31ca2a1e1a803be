/* SPDX-License-Identifier: Apache-2.0 */
/* Content against its form, one function a type. */
#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "admission/forms.h"
#include "admission/inner.h"
#include "base/clock.h"
#include "id/idnum.h"

#define WHERE_MAX 176

static enum problem bad(struct rest_call *c, const char *where, const char *what)
{
    return rest_fail(c, PROBLEM_FIELD_INVALID, where, "%s is needed", what);
}

static bool address_ok(const char *text)
{
    unsigned char bytes[16];
    char address[INET6_ADDRSTRLEN] = "", *end = NULL;
    size_t n = strcspn(text, "/");
    int family = memchr(text, ':', n) ? AF_INET6 : AF_INET;

    if (n == 0 || n >= sizeof address) {
        return false;
    }
    memcpy(address, text, n);
    if (inet_pton(family, address, bytes) != 1) {
        return false;
    }
    if (!text[n]) {
        return true;
    }
    long prefix = isdigit((unsigned char)text[n + 1]) ? strtol(text + n + 1, &end, 10) : -1;
    /* A network so wide that it would let anybody in is no list of one's own addresses. */
    return prefix >= 8 && prefix <= (family == AF_INET6 ? 128 : 32) && *end == '\0';
}

static bool domain_ok(const char *text)
{
    size_t n = strlen(text), label = 0;

    if (n < 3 || n > 253 || !strchr(text, '.')) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        bool dot = text[i] == '.';
        if (!(isalnum((unsigned char)text[i]) || text[i] == '-' || dot) || (dot && label == 0) ||
            (text[i] == '-' && label == 0)) {
            return false;
        }
        label = dot ? 0 : label + 1;
        if (label > 63) {
            return false;
        }
    }
    return label > 0;
}

static enum problem check_person(struct rest_call *c, const char *where, const json_t *v)
{
    static const char *const members[] = {"name", "id_number", NULL};
    char at[WHERE_MAX];

    if (!json_is_object(v) || !api_only_members(v, members)) {
        return bad(c, where, "an object with name and id_number");
    }
    snprintf(at, sizeof at, "%.140s/name", where);
    enum problem p = attr_text_check(c, at, json_object_get(v, "name"), 1, 200, false);
    snprintf(at, sizeof at, "%.140s/id_number", where);
    const char *number = row_text(v, "id_number");
    /* What was sealed before comes back masked; forms_seal() sees that it is the same. */
    if (p == PROBLEM_OK && !strchr(number, '*') && !idnum_is_id_card(slice_str(number))) {
        p = bad(c, at, "a number of an identity card, with the right check character,");
    }
    return p;
}

static bool is_among(const char *const *values, const char *text)
{
    for (size_t i = 0; values[i]; i++) {
        if (strcmp(values[i], text) == 0) {
            return true;
        }
    }
    return false;
}

static enum problem check_interface(struct rest_call *c, struct store_txn *txn,
                                    const struct form_member *m, const char *where, const json_t *v)
{
    static const char *const members[] = {"api_id", "per_day", "content", NULL};
    const char *id = row_text(v, "api_id");
    const json_t *content = json_object_get(v, "content");
    json_t *api = NULL;
    struct uuid u;

    if (!json_is_object(v) || !api_only_members(v, members) || !uuid_parse(&u, id, strlen(id)) ||
        !api_int_within(json_object_get(v, "per_day"), 1, 1000000000)) {
        return bad(c, where, "an object with api_id and per_day, the calls expected in a day,");
    }
    if (content && (!m->values || !is_among(m->values, row_text(v, "content")))) {
        return bad(c, where, "a content that the form knows");
    }
    enum problem p = row_load(c, txn, &apis_resource, id, true, &api);
    if (p == PROBLEM_OK && !api) {
        p = rest_fail(c, PROBLEM_FIELD_INVALID, where, "there is no such API");
    }
    json_decref(api);
    return p;
}

static enum problem check_plan(struct rest_call *c, const struct form_member *m, const char *where,
                               const json_t *v)
{
    static const char *const members[] = {"content", "plan", NULL};
    char at[WHERE_MAX];

    if (!json_is_object(v) || !api_only_members(v, members) ||
        !is_among(m->values, row_text(v, "content"))) {
        return bad(c, where, "an object with content, one of those there are, and plan");
    }
    snprintf(at, sizeof at, "%.140s/plan", where);
    return attr_text_check(c, at, json_object_get(v, "plan"), 1, 4000, true);
}

/* GS-6.1a: different contents, different plans. */
static enum problem check_planned(struct rest_call *c, const json_t *content)
{
    const json_t *plans = json_object_get(content, "plans");
    json_t *chosen, *plan;
    size_t i, k;

    json_array_foreach(json_object_get(content, "contents"), i, chosen)
    {
        bool there = false;
        json_array_foreach(plans, k, plan)
        {
            there = there || json_equal(json_object_get(plan, "content"), chosen);
        }
        if (plans && !there) {
            return rest_fail(c, PROBLEM_FIELD_INVALID, "/content/plans", "%s has no plan",
                             json_string_value(chosen));
        }
    }
    return PROBLEM_OK;
}

static enum problem check_item(struct rest_call *c, struct store_txn *txn,
                               const struct form_member *m, const char *where, const json_t *v)
{
    const char *text = json_is_string(v) ? json_string_value(v) : "";

    switch (m->type) {
    case FORM_PEOPLE:
        return check_person(c, where, v);
    case FORM_INTERFACES:
        return check_interface(c, txn, m, where, v);
    case FORM_PLANS:
        return check_plan(c, m, where, v);
    case FORM_ADDRESSES:
        return address_ok(text) ? PROBLEM_OK
                                : bad(c, where, "an address or a network like 192.0.2.0/24");
    case FORM_DOMAINS:
        return domain_ok(text) ? PROBLEM_OK : bad(c, where, "a domain name");
    case FORM_LEVELS:
        return api_int_within(v, 1, 3)
                   ? PROBLEM_OK
                   : bad(c, where, "a level from 1 to 3 (level 4 is not opened to anybody)");
    default:
        return attr_text_check(c, where, v, 1, 500, false);
    }
}

static enum problem check_array(struct rest_call *c, struct store_txn *txn,
                                const struct form_member *m, const char *where, const json_t *v)
{
    enum problem p = PROBLEM_OK;
    char at[WHERE_MAX];
    json_t *item;
    size_t i, n = json_array_size(v);

    if (!json_is_array(v) || n == 0 || n > (size_t)m->max) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, where, "an array of 1 to %lld is needed",
                         (long long)m->max);
    }
    if (m->type == FORM_WORDS || m->type == FORM_ALL) {
        enum problem words = api_check_words(c, where, v, m->values, (size_t)m->max);
        return words == PROBLEM_OK && m->type == FORM_ALL && n < (size_t)m->max
                   ? rest_fail(c, PROBLEM_FIELD_INVALID, where,
                               "each of the %lld has to be accepted", (long long)m->max)
                   : words;
    }
    json_array_foreach(v, i, item)
    {
        snprintf(at, sizeof at, "%.140s/%zu", where, i);
        p = p == PROBLEM_OK ? check_item(c, txn, m, at, item) : p;
    }
    return p;
}

static enum problem check_member(struct rest_call *c, struct store_txn *txn,
                                 const struct form_member *m, const char *where, const json_t *v)
{
    const char *text = json_is_string(v) ? json_string_value(v) : "";
    uint64_t ms;

    switch (m->type) {
    case FORM_TEXT:
        return attr_text_check(c, where, v, m->min, m->max, true);
    case FORM_NUMBER:
        return api_int_within(v, m->min, m->max)
                   ? PROBLEM_OK
                   : rest_fail(c, PROBLEM_FIELD_INVALID, where,
                               "a whole number from %lld to %lld is needed", (long long)m->min,
                               (long long)m->max);
    case FORM_USCC:
        return idnum_is_uscc(slice_str(text)) ? PROBLEM_OK
                                              : bad(c, where, "a unified social credit code");
    case FORM_PERSON:
        return check_person(c, where, v);
    case FORM_TIME:
        return clock_parse_ms(text, strlen(text), &ms)
                   ? PROBLEM_OK
                   : bad(c, where, "a time like 2026-01-02T03:04:05.678Z");
    default:
        return check_array(c, txn, m, where, v);
    }
}

static enum problem check_known(struct rest_call *c, const struct form *form, const json_t *content)
{
    char where[WHERE_MAX];
    const char *key;
    json_t *v;

    json_object_foreach((json_t *)content, key, v)
    {
        bool known = false;
        for (size_t i = 0; i < form->n_members && !known; i++) {
            known = strcmp(form->members[i].name, key) == 0;
        }
        if (!known) {
            snprintf(where, sizeof where, "/content/%.100s", key);
            return rest_fail(c, PROBLEM_FIELD_INVALID, where, "the form %s has no such member",
                             form->name);
        }
    }
    return PROBLEM_OK;
}

enum problem forms_check(struct rest_call *c, struct store_txn *txn, const struct form *form,
                         const json_t *content, bool whole)
{
    char where[WHERE_MAX];

    if (!json_is_object(content)) {
        return bad(c, "/content", "an object with the members of the form");
    }
    enum problem p = check_known(c, form, content);
    for (size_t i = 0; i < form->n_members && p == PROBLEM_OK; i++) {
        const struct form_member *m = &form->members[i];
        const json_t *v = json_object_get(content, m->name);
        snprintf(where, sizeof where, "/content/%s", m->name);
        if (v && !json_is_null(v)) {
            p = check_member(c, txn, m, where, v);
        } else if (whole && m->required) {
            p = rest_fail(c, PROBLEM_FIELD_INVALID, where, "%s: this member is required",
                          c->zh ? m->title_zh : m->title_en);
        }
    }
    return p == PROBLEM_OK && whole ? check_planned(c, content) : p;
}
