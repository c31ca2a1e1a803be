/* SPDX-License-Identifier: Apache-2.0 */
/* A notice and its deliveries are written together: whoever is concerned now and has a contact
 * point now is told, somebody who adds one later reads the old ones in the portal. */
#include "notices/notices.h"

#include <stdio.h>

#include "api/api.h"

#define TITLE_MAX 400

static const struct attr attrs[] = {
    {"kind", ATTR_TEXT, AF_READ_ONLY | AF_FILTER | AF_SORT},
    {"user_id", ATTR_REF, AF_READ_ONLY | AF_FILTER, .ref = "users"},
    {"organisation_id", ATTR_REF, AF_READ_ONLY | AF_FILTER, .ref = "organisations"},
    {"object_kind", ATTR_TEXT, AF_READ_ONLY},
    {"object_id", ATTR_TEXT, AF_READ_ONLY | AF_FILTER},
    {"title_en", ATTR_TEXT, AF_READ_ONLY},
    {"title_zh", ATTR_TEXT, AF_READ_ONLY},
    {"detail", ATTR_TEXT, AF_READ_ONLY},
};

static json_t *id_or_null(const char *id)
{
    return id && id[0] ? json_string(id) : json_null();
}

static json_t *title(const char *format, const char *name)
{
    char text[TITLE_MAX];
    const char *at = strstr(format, "%s");

    if (!at) {
        return json_string(format);
    }
    snprintf(text, sizeof text, "%.*s%.200s%s", (int)(at - format), format, name, at + 2);
    json_t *whole = json_string(text);
    return whole ? whole : json_string(format); /* a name cut inside a character */
}

static json_t *row_of(const struct notice_kind *kind, const struct notice *n)
{
    const char *name = n->object_name ? n->object_name : n->object_id ? n->object_id : "";
    char id[UUID_TEXT_LEN + 1];
    struct uuid u;

    uuid_new(&u);
    uuid_format(&u, id);
    return json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "id", id, "state",
                     "unread", "kind", kind->name, "user_id", id_or_null(n->user_id),
                     "organisation_id", id_or_null(n->organisation_id), "object_kind",
                     id_or_null(n->object_kind), "object_id", id_or_null(n->object_id), "title_en",
                     title(kind->title_en, name), "title_zh", title(kind->title_zh, name), "detail",
                     id_or_null(n->detail));
}

/* The contact points of the user, of the organisation's users, or of the operators, as long as each
 * takes the kind. */
static enum store_err add_deliveries(struct store_txn *txn, const json_t *row, uint64_t now_ms)
{
    static const char sql[] =
        "INSERT INTO notice_deliveries (notice_id, contact_id, state, attempts, due_at) "
        "SELECT ?, p.id, 'due', 0, ? FROM contact_points p JOIN users u ON u.id = p.user_id "
        "WHERE p.state = 'active' AND u.state = 'active' AND (p.kinds IS NULL OR EXISTS (SELECT 1 "
        "FROM json_each(p.kinds) k WHERE k.value = ?)) AND (u.id = ? OR (? IS NULL AND "
        "(u.organisation_id = ? OR (? IS NULL AND u.role IN ('admin', 'operator')))))";
    const char *user = json_string_value(json_object_get(row, "user_id")),
               *org = json_string_value(json_object_get(row, "organisation_id"));
    const struct store_value v[] = {store_text(row_text(row, "id")),
                                    store_int((int64_t)now_ms),
                                    store_text(row_text(row, "kind")),
                                    store_text(user),
                                    store_text(user),
                                    store_text(org),
                                    store_text(org)};

    return store_exec(txn, sql, v, COUNT(v), NULL);
}

enum problem notice_put(struct rest_call *c, struct store_txn *txn, const struct notice *n)
{
    const struct notice_kind *kind = notice_kind_by_name(n->kind);

    if (!kind) {
        return rest_fail(c, PROBLEM_INTERNAL, "", "no notice is of the kind %s", n->kind);
    }
    json_t *row = row_of(kind, n);
    enum problem p =
        row ? change_store(c, txn, &notices_resource, NULL, row, "notify") : PROBLEM_INTERNAL;
    if (p == PROBLEM_OK) {
        p = rest_store_problem(c, add_deliveries(txn, row, c->now_ms));
    }
    json_decref(row);
    return p;
}

static const struct transition transitions[] = {
    {"unread", "read", "read", ROLE_ALL},
    {"read", "keep", "unread", ROLE_ALL},
};

#define OWN                                                                                        \
    "t.user_id = ? OR t.organisation_id = (SELECT u.organisation_id FROM users u WHERE u.id = ?)"
#define STAFF "t.user_id = ? OR (t.user_id IS NULL AND t.organisation_id IS NULL)"
static const struct scope scopes[] = {
    {ROLE_STAFF, BIND_USER, STAFF, STAFF},
    {ROLE_ALL & ~ROLE_AUDITOR, BIND_USER, OWN, OWN},
};

const struct resource notices_resource = {
    .plural = "notices",
    .kind = "notice",
    .initial = "unread",
    .attrs = attrs,
    .n_attrs = COUNT(attrs),
    .transitions = transitions,
    .n_transitions = COUNT(transitions),
    .scopes = scopes,
    .n_scopes = COUNT(scopes),
    .read_roles = ROLE_ALL,
};

/* So that a contact point can be tried before something happens. */
enum problem rest_notice_test(struct rest_call *c)
{
    static const char *const members[] = {"organisation_id", "text", NULL};
    struct store_txn *txn = NULL;
    struct notice n = {.kind = "platform-test"};
    enum problem p = rest_body_members(c, members);

    if (p == PROBLEM_OK) {
        n.organisation_id = rest_body_text(c, "organisation_id", UUID_TEXT_LEN, &p);
    }
    if (p == PROBLEM_OK) {
        n.object_name = rest_body_text(c, "text", 200, &p);
    }
    if (p == PROBLEM_OK) {
        p = rest_begin(c, STORE_WRITE, &txn);
    }
    if (p == PROBLEM_OK) {
        p = rest_finish(c, &txn, notice_put(c, txn, &n));
    }
    c->resp->status = 204;
    return p;
}
