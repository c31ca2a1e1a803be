/* SPDX-License-Identifier: Apache-2.0 */
/* Who is kept out, and who alone is let in (BK-10.1.2a4). Every change says why and who made it. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/api.h"
#include "base/clock.h"

static const char *const lists[] = {"block", "allow", NULL};
static const char *const subjects[] = {"app", "organisation", "address", "user", NULL};

static const struct attr attrs[] = {
    {"list", ATTR_TEXT, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, 1, 10, .values = lists},
    {"subject", ATTR_TEXT, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, 1, 20, .values = subjects},
    {"value", ATTR_TEXT, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, 1, 128},
    {"app_id", ATTR_REF, AF_IMMUTABLE | AF_FILTER, .ref = "apps"},
    {"api_id", ATTR_REF, AF_IMMUTABLE | AF_FILTER, .ref = "apis"},
    {"not_before", ATTR_TIME, AF_SORT},
    {"expires_at", ATTR_TIME, AF_SORT},
    {"reason", ATTR_TEXT, AF_REQUIRED | AF_LINES, 1, 1000},
    {"added_by", ATTR_TEXT, AF_READ_ONLY},
    {"lifted_by", ATTR_TEXT, AF_READ_ONLY},
    {"lifted_at", ATTR_TIME, AF_READ_ONLY | AF_SORT},
    {"comment", ATTR_TEXT, AF_READ_ONLY},
};

/* The network of an address or CIDR, host bits cleared, so that one network has one text. */
static bool network_text(const char *text, char out[static INET6_ADDRSTRLEN + 4])
{
    char address[INET6_ADDRSTRLEN] = "", *end = NULL;
    unsigned char bytes[16];
    size_t n = strcspn(text, "/");
    int family = memchr(text, ':', n) ? AF_INET6 : AF_INET;
    long bits = family == AF_INET6 ? 128 : 32, prefix = bits;

    if (n >= sizeof address) {
        return false;
    }
    memcpy(address, text, n);
    if (inet_pton(family, address, bytes) != 1) {
        return false;
    }
    if (text[n] == '/') {
        prefix = text[n + 1] >= '0' && text[n + 1] <= '9' ? strtol(text + n + 1, &end, 10) : -1;
        if (prefix < 0 || prefix > bits || *end) {
            return false;
        }
    }
    for (long bit = prefix; bit < bits; bit++) {
        bytes[bit / 8] &= (unsigned char)~(0x80u >> (bit % 8));
    }
    inet_ntop(family, bytes, out, INET6_ADDRSTRLEN);
    if (prefix < bits) {
        n = strlen(out);
        snprintf(out + n, INET6_ADDRSTRLEN + 4 - n, "/%ld", prefix);
    }
    return true;
}

static enum problem check_address(struct rest_call *c, json_t *row)
{
    char network[INET6_ADDRSTRLEN + 4];

    if (!network_text(row_text(row, "value"), network)) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/value",
                         "an address or network like 192.0.2.0/24 or 2001:db8::/32 is needed");
    }
    json_object_set_new(row, "value", json_string(network));
    return PROBLEM_OK;
}

static enum problem check_named(struct rest_call *c, struct change *ch, const struct resource *res)
{
    json_t *row = NULL;
    struct uuid id;
    char text[UUID_TEXT_LEN + 1];
    const char *value = row_text(ch->row, "value");

    if (!uuid_parse(&id, value, strlen(value))) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/value", "the id of one of the %s is needed",
                         res->plural);
    }
    uuid_format(&id, text);
    enum problem p = row_load(c, ch->txn, res, text, false, &row);
    if (p == PROBLEM_OK && !row) {
        p = rest_fail(c, PROBLEM_FIELD_INVALID, "/value", "there is no such one among the %s",
                      res->plural);
    }
    json_object_set_new(ch->row, "value", json_string(text));
    json_decref(row);
    return p;
}

static enum problem check_value(struct rest_call *c, struct change *ch)
{
    const char *subject = row_text(ch->row, "subject");

    if (strcmp(subject, "address") == 0) {
        return check_address(c, ch->row);
    }
    if (strcmp(subject, "app") == 0) {
        return check_named(c, ch, &apps_resource);
    }
    return strcmp(subject, "organisation") == 0 ? check_named(c, ch, &organisations_resource)
                                                : PROBLEM_OK;
}

static enum problem check(struct rest_call *c, struct change *ch)
{
    enum problem p = api_check_validity(c, ch->row);

    if (p == PROBLEM_OK && ch->old && strcmp(row_text(ch->old, "state"), "lifted") == 0) {
        p = rest_fail(c, PROBLEM_STATE_CONFLICT, "", "it is lifted; make another");
    }
    if (p == PROBLEM_OK && ch->old && !json_object_get(c->body, "reason")) {
        p = rest_fail(c, PROBLEM_FIELD_INVALID, "/reason", "each change says why");
    }
    if (p != PROBLEM_OK || ch->old) {
        return p;
    }
    json_object_set_new(ch->row, "added_by", json_string(c->user.login));
    return check_value(c, ch);
}

static enum problem lift(struct rest_call *c, struct change *ch)
{
    char now[CLOCK_RFC3339_LEN + 1];

    clock_format_ms(c->now_ms, now);
    json_object_set_new(ch->row, "lifted_at", json_string(now));
    json_object_set_new(ch->row, "lifted_by", json_string(c->user.login));
    return PROBLEM_OK;
}

static enum problem feed(struct rest_call *c, struct store_txn *txn, const json_t *row,
                         json_t **data)
{
    static const char *const told[] = {"list", "subject", "value", "app_id", "api_id"};
    static const char *const times[] = {"not_before", "expires_at"};

    (void)c;
    (void)txn;
    *data = NULL;
    if (strcmp(row_text(row, "state"), "active") != 0) {
        return PROBLEM_OK;
    }
    *data = json_object();
    for (size_t i = 0; i < COUNT(told); i++) {
        if (row_text(row, told[i])[0]) {
            json_object_set(*data, told[i], json_object_get(row, told[i]));
        }
    }
    for (size_t i = 0; i < COUNT(times); i++) {
        if (api_ms(row, times[i])) {
            json_object_set_new(*data, times[i], api_feed_ms(row, times[i]));
        }
    }
    return PROBLEM_OK;
}

static const struct transition transitions[] = {
    {"active", "lift", "lifted", ROLE_STAFF, .body_text = "comment", .hook = lift},
};

const struct resource lists_resource = {
    .plural = "lists",
    .kind = "list",
    .initial = "active",
    .attrs = attrs,
    .n_attrs = COUNT(attrs),
    .transitions = transitions,
    .n_transitions = COUNT(transitions),
    .read_roles = ROLE_STAFF | ROLE_AUDITOR,
    .create_roles = ROLE_STAFF,
    .patch_roles = ROLE_STAFF,
    .check = check,
    .feed = feed,
    .feed_kind = "list",
};
