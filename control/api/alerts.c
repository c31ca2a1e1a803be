/* SPDX-License-Identifier: Apache-2.0 */
/* What nodes reported that someone should look at (contract/feed.md, reports). The nodes make the
 * rows; an operator acknowledges and closes them. */
#include "api/api.h"
#include "base/clock.h"

static const struct attr attrs[] = {
    {"kind", ATTR_TEXT, AF_READ_ONLY | AF_FILTER | AF_SORT},
    {"at", ATTR_TIME, AF_READ_ONLY | AF_SORT},
    {"node", ATTR_TEXT, AF_READ_ONLY | AF_FILTER},
    {"api_id", ATTR_TEXT, AF_READ_ONLY | AF_FILTER},
    {"app_id", ATTR_TEXT, AF_READ_ONLY | AF_FILTER},
    {"credential_id", ATTR_TEXT, AF_READ_ONLY | AF_FILTER},
    {"limit_id", ATTR_TEXT, AF_READ_ONLY | AF_FILTER},
    {"owner", ATTR_TEXT, AF_READ_ONLY},
    {"address", ATTR_TEXT, AF_READ_ONLY},
    {"target", ATTR_TEXT, AF_READ_ONLY},
    {"count", ATTR_INT, AF_READ_ONLY},
    {"reason", ATTR_TEXT, AF_READ_ONLY},
    {"comment", ATTR_TEXT, AF_READ_ONLY},
    {"handled_by", ATTR_TEXT, AF_READ_ONLY},
    {"handled_at", ATTR_TIME, AF_READ_ONLY},
};

static enum problem handle(struct rest_call *c, struct change *ch)
{
    char now[CLOCK_RFC3339_LEN + 1];

    clock_format_ms(c->now_ms, now);
    json_object_set_new(ch->row, "handled_by", json_string(c->user.login));
    json_object_set_new(ch->row, "handled_at", json_string(now));
    return PROBLEM_OK;
}

static const struct transition transitions[] = {
    {"open", "acknowledge", "acknowledged", ROLE_STAFF, .body_text = "comment", .hook = handle},
    {"open|acknowledged", "close", "closed", ROLE_STAFF, .body_text = "comment",
     .body_optional = true, .hook = handle},
};

static const struct scope scopes[] = {
    {ROLE_PROVIDER, BIND_ORGANISATION,
     "t.api_id IN (SELECT id FROM apis WHERE organisation_id = ?)", "1 = 0"},
};

const struct resource alerts_resource = {
    .plural = "alerts",
    .kind = "alert",
    .initial = "open",
    .attrs = attrs,
    .n_attrs = COUNT(attrs),
    .transitions = transitions,
    .n_transitions = COUNT(transitions),
    .scopes = scopes,
    .n_scopes = COUNT(scopes),
    .read_roles = ROLE_STAFF | ROLE_AUDITOR | ROLE_PROVIDER,
};
