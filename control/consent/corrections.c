/* SPDX-License-Identifier: Apache-2.0 */
/* What the platform holds of a person is corrected at that person's word, once somebody else has
 * looked at it (SW-9.1-7b). */
#include "api/api.h"
#include "base/clock.h"
#include "consent/consent.h"

static const char *const corrected[] = {"display_name", "email", NULL};

static const struct attr attrs[] = {
    {"user_id", ATTR_REF, AF_READ_ONLY | AF_FILTER, .ref = "users"},
    {"attribute", ATTR_TEXT, AF_REQUIRED | AF_IMMUTABLE, 1, 40, .values = corrected},
    {"value", ATTR_TEXT, AF_REQUIRED | AF_IMMUTABLE, 1, 254},
    {"reason", ATTR_TEXT, AF_IMMUTABLE | AF_LINES, 1, 1000},
    {"requested_by", ATTR_TEXT, AF_READ_ONLY},
    {"comment", ATTR_TEXT, AF_READ_ONLY},
    {"reviewed_by", ATTR_TEXT, AF_READ_ONLY},
    {"reviewed_at", ATTR_TIME, AF_READ_ONLY},
};

static enum problem prepare(struct rest_call *c, struct change *ch)
{
    const char *attribute = row_text(ch->row, "attribute");

    json_object_set_new(ch->row, "user_id", json_string(c->user.id));
    json_object_set_new(ch->row, "requested_by", json_string(c->user.login));
    for (size_t i = 0; i < users_resource.n_attrs; i++) {
        const struct attr *a = &users_resource.attrs[i];
        if (strcmp(a->name, attribute) == 0 && a->check) {
            return a->check(c, "/value", json_object_get(ch->row, "value"));
        }
    }
    return PROBLEM_OK;
}

static enum problem reviewed(struct rest_call *c, struct change *ch)
{
    char now[CLOCK_RFC3339_LEN + 1];

    clock_format_ms(c->now_ms, now);
    json_object_set_new(ch->row, "reviewed_by", json_string(c->user.login));
    json_object_set_new(ch->row, "reviewed_at", json_string(now));
    return strcmp(row_text(ch->row, "requested_by"), c->user.login) == 0 ? PROBLEM_SELF_APPROVAL
                                                                         : PROBLEM_OK;
}

static enum problem approve(struct rest_call *c, struct change *ch)
{
    json_t *old = NULL, *row = NULL;
    enum problem p = reviewed(c, ch);

    if (p == PROBLEM_OK) {
        p = api_load(c, ch->txn, &users_resource, row_text(ch->row, "user_id"), &old);
    }
    if (p == PROBLEM_OK && strcmp(row_text(old, "state"), "active") != 0) {
        p = rest_fail(c, PROBLEM_STATE_CONFLICT, "", "the account is %s", row_text(old, "state"));
    }
    if (p == PROBLEM_OK) {
        row = json_deep_copy(old);
        json_object_set(row, row_text(ch->row, "attribute"), json_object_get(ch->row, "value"));
        p = change_store(c, ch->txn, &users_resource, old, row, "correct");
    }
    json_decref(old);
    json_decref(row);
    return p;
}

#define ANYBODY (ROLE_ALL & ~(unsigned)ROLE_AUDITOR)
static const struct transition transitions[] = {
    {"requested", "approve", "approved", ROLE_STAFF, .hook = approve},
    {"requested", "refuse", "refused", ROLE_STAFF, .body_text = "comment", .hook = reviewed},
    {"requested", "withdraw", "withdrawn", ANYBODY},
};

static const struct scope scopes[] = {
    {ROLE_PROVIDER | ROLE_DEVELOPER | ROLE_OWNER, BIND_USER, "t.user_id = ?", "t.user_id = ?"},
};

const struct resource corrections_resource = {
    .plural = "corrections",
    .kind = "correction",
    .initial = "requested",
    .attrs = attrs,
    .n_attrs = COUNT(attrs),
    .transitions = transitions,
    .n_transitions = COUNT(transitions),
    .scopes = scopes,
    .n_scopes = COUNT(scopes),
    .read_roles = ROLE_ALL,
    .create_roles = ANYBODY,
    .prepare = prepare,
};
