/* SPDX-License-Identifier: Apache-2.0 */
#include "access/testing.h"

#include <stdio.h>

struct fixture f;
struct person ann, bob, sys, sec, sec2;

void call_as(struct person *p, const char *method, const char *target, const char *if_match,
             const char *body, struct reply *r)
{
    char kept[64];

    memcpy(kept, f.token[STRANGER], sizeof kept);
    memcpy(f.token[STRANGER], p->token, sizeof kept);
    *r = fixture_call(&f, STRANGER, method, target, if_match, body);
    memcpy(f.token[STRANGER], kept, sizeof kept);
}

unsigned status_as(struct person *p, const char *method, const char *target, const char *body)
{
    struct reply r;

    call_as(p, method, target, strcmp(method, "GET") ? "auto" : NULL, body, &r);
    unsigned status = r.status;
    reply_free(&r);
    return status;
}

void refused_as(struct person *p, const char *method, const char *target, const char *body,
                const char *code)
{
    struct reply r;

    call_as(p, method, target, strcmp(method, "GET") ? "auto" : NULL, body, &r);
    if (strcmp(r.code, code) != 0) {
        fail_msg("%s %s: %s wanted, got %u %s %s", method, target, code, r.status, r.code,
                 row_text(r.json, "detail"));
    }
    reply_free(&r);
}

static void sign_in_as(struct person *p, const char *password)
{
    snprintf(p->token, sizeof p->token, "%s",
             fixture_ok(&f, NOBODY, "POST", "sessions",
                        text("{\"login\":\"%s\",\"password\":\"%s\"}", p->login, password),
                        "token"));
}

static void make(struct person *p, const char *login, const char *role, const char *more)
{
    snprintf(p->login, sizeof p->login, "%s", login);
    snprintf(
        p->id, sizeof p->id, "%s",
        fixture_ok(&f, ADMIN, "POST", "users",
                   text("{\"login\":\"%s\",\"role\":\"%s\",\"password\":\"one-time-%s-pass\"%s}",
                        login, role, login, more),
                   "id"));
    sign_in_as(p, text("one-time-%s-pass", login));
    assert_int_equal(status_as(p, "PUT", "users/me/password",
                               text("{\"old_password\":\"one-time-%s-pass\",\"new_password\":"
                                    "\"second-%s-password\"}",
                                    login, login)),
                     204);
}

int testing_setup(void **state)
{
    (void)state;
    fixture_open(&f);
    fixture_people(&f);
    make(&ann, "ann", "member", text(",\"organisation_id\":\"%s\"", f.third));
    make(&bob, "bob", "member", text(",\"organisation_id\":\"%s\"", f.stranger));
    make(&sys, "sys", "system-admin", "");
    make(&sec, "sec", "security-admin", "");
    make(&sec2, "sec2", "security-admin", "");
    return 0;
}

int testing_teardown(void **state)
{
    (void)state;
    fixture_close(&f);
    return 0;
}

const char *give(const char *holder, const char *operation, const char *more)
{
    return fixture_ok(&f, ADMIN, "POST", "function_grants",
                      text("{%s,\"operation\":\"%s\"%s}", holder, operation, more), "id");
}

void revoke(const char *plural, const char *id)
{
    fixture_ok(&f, ADMIN, "POST", text("%s/%s/revoke", plural, id), NULL, NULL);
}

const char *holder(const char *kind, const char *id)
{
    return text("\"holder_kind\":\"%s\",\"holder_id\":\"%s\"", kind, id);
}

void put_user(const char *id, const char *body)
{
    fixture_ok(&f, ADMIN, "PATCH", text("users/%s", id), body, NULL);
}

const char *role(const char *name, const char *operations, const char *more)
{
    return fixture_ok(
        &f, ADMIN, "POST", "roles",
        text("{\"name\":\"%s\",\"operations\":%s,\"reach\":\"all\"%s}", name, operations, more),
        "id");
}

const char *join(const char *role_id, const struct person *p)
{
    return fixture_ok(&f, ADMIN, "POST", "role_members",
                      text("{\"role_id\":\"%s\",\"user_id\":\"%s\"}", role_id, p->id), "id");
}

void leave(const char *member)
{
    fixture_ok(&f, ADMIN, "POST", text("role_members/%s/remove", member), NULL, NULL);
}

int64_t count(const char *sql)
{
    struct store_txn *txn = NULL;
    struct store_rows *rows = NULL;

    assert_int_equal(store_begin(f.ctl.store, STORE_READ, &txn), STORE_OK);
    assert_int_equal(store_query(txn, sql, NULL, 0, &rows), STORE_OK);
    int64_t n = store_next(rows) ? store_get_int(rows, 0) : -1;
    assert_int_equal(store_rows_end(&rows), STORE_OK);
    store_rollback(&txn);
    return n;
}

enum store_err exec(const char *sql)
{
    struct store_txn *txn = NULL;

    assert_int_equal(store_begin(f.ctl.store, STORE_WRITE, &txn), STORE_OK);
    enum store_err err = store_exec(txn, sql, NULL, 0, NULL);
    if (err != STORE_OK) {
        store_rollback(&txn);
        return err;
    }
    return store_commit(&txn);
}
