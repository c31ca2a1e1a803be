/* SPDX-License-Identifier: Apache-2.0 */
/* A master key is replaced in a store that is in use: started anew in the middle, all opens before,
 * meanwhile and after, and the old key is nowhere. */
#include <stdio.h>
#include <unistd.h>

#include "jobs/jobs.h"
#include "keyring/replacements.h"
#include "test/fixture.h"

#define TURNS_MAX 200

static struct fixture f;
static uint64_t now_ms = 1790000000000;

static int setup(void **state)
{
    (void)state;
    fixture_open(&f);
    fixture_people(&f);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fixture_close(&f);
    return 0;
}

static bool in_table(const char *column)
{
    for (size_t i = 0; i < reseal_places; i++) {
        if (strcmp(reseal_name(i), column) == 0) {
            return true;
        }
    }
    return false;
}

/* Whoever adds such a column has to add it to the table too. */
static void every_sealed_column_is_known(void **state)
{
    static const char sql[] =
        "SELECT m.name || '.' || c.name FROM sqlite_master m, pragma_table_info(m.name) c "
        "WHERE m.type = 'table' AND c.name LIKE '%sealed%' AND c.type IN ('TEXT', 'BLOB')";
    struct store_txn *txn = NULL;
    struct store_rows *rows = NULL;
    int n = 0;

    (void)state;
    assert_int_equal(store_begin(f.ctl.store, STORE_READ, &txn), STORE_OK);
    assert_int_equal(store_query(txn, sql, NULL, 0, &rows), STORE_OK);
    for (; store_next(rows); n++) {
        if (!in_table(store_get_text(rows, 0))) {
            print_error("%s is not renewed with a master key\n", store_get_text(rows, 0));
            fail();
        }
    }
    assert_int_equal(store_rows_end(&rows), STORE_OK);
    store_rollback(&txn);
    assert_true(n > 15);
}

static const char *file(const char *name)
{
    return text("%s/keys/%s", f.dir, name);
}

static void bytes_of(const char *name, char out[static 4096])
{
    FILE *in = fopen(file(name), "rb");

    assert_non_null(in);
    out[fread(out, 1, 4095, in)] = '\0';
    fclose(in);
}

/* Another administrator, who agrees. */
static void second_agrees(const char *approval)
{
    static char token[64];
    char mine[64];

    if (!token[0]) {
        fixture_ok(
            &f, ADMIN, "POST", "users",
            "{\"login\":\"second\",\"password\":\"second-administrator\",\"role\":\"admin\"}",
            NULL);
        const char *first =
            fixture_ok(&f, NOBODY, "POST", "sessions",
                       "{\"login\":\"second\",\"password\":\"second-administrator\"}", "token");
        snprintf(token, sizeof token, "%s", first);
        snprintf(mine, sizeof mine, "%s", f.token[ADMIN]);
        snprintf(f.token[ADMIN], sizeof f.token[ADMIN], "%s", token);
        fixture_ok(&f, ADMIN, "PUT", "users/me/password",
                   "{\"old_password\":\"second-administrator\",\"new_password\":"
                   "\"second-administrator-again\"}",
                   NULL);
        first = fixture_ok(&f, NOBODY, "POST", "sessions",
                           "{\"login\":\"second\",\"password\":\"second-administrator-again\"}",
                           "token");
        snprintf(token, sizeof token, "%s", first);
        snprintf(f.token[ADMIN], sizeof f.token[ADMIN], "%s", mine);
    }
    snprintf(mine, sizeof mine, "%s", f.token[ADMIN]);
    snprintf(f.token[ADMIN], sizeof f.token[ADMIN], "%s", token);
    fixture_ok(&f, ADMIN, "POST", text("approvals/%s/approve", approval), "{}", NULL);
    snprintf(f.token[ADMIN], sizeof f.token[ADMIN], "%s", mine);
}

static const char *replacement_asked_for(void)
{
    struct reply r = fixture_call(&f, ADMIN, "POST", "key_replacements", NULL,
                                  "{\"key\":\"master\",\"reason\":\"once a year\"}");
    const char *approval = text("%s", row_text(r.json, "id"));

    assert_int_equal(r.status, 202);
    reply_free(&r);
    second_agrees(approval);
    r = fixture_call(&f, ADMIN, "GET", "key_replacements?sort=-created_at", NULL, NULL);
    const char *id =
        text("%s", row_text(json_array_get(json_object_get(r.json, "items"), 0), "id"));
    reply_free(&r);
    return id;
}

static void turn(void)
{
    now_ms += 1000;
    struct rest_request req = {0};
    struct rest_call c = {.ctl = &f.ctl, .req = &req, .now_ms = now_ms};
    assert_int_equal(key_replacements_job(&c), PROBLEM_OK);
}

static const char *state_of(const char *id)
{
    return fixture_ok(&f, ADMIN, "GET", text("key_replacements/%s", id), NULL, "state");
}

static bool keeps(const char *id, const char *secret)
{
    json_t *sealed = api_seal_kept(&f.ctl, id, slice_str(secret)),
           *again = api_reseal(&f.ctl, id, json_string_value(sealed));
    bool ok = again != NULL;

    json_decref(sealed);
    json_decref(again);
    return ok;
}

static void replaced_while_running(void **state)
{
    char before[4096], after[4096];
    uint8_t number[CRYPTO_KEY_LEN];

    (void)state;
    bytes_of("master.key", before);
    memcpy(number, keyring_kept(&f.ctl, KEYRING_NUMBERS), sizeof number);
    fixture_refused(&f, OPERATOR, "POST", "key_replacements", NULL,
                    "{\"key\":\"master\",\"reason\":\"x\"}", "not-permitted");
    const char *id = text("%s", replacement_asked_for());
    turn();
    assert_string_equal(state_of(id), "resealing");
    bytes_of("master.key", after);
    assert_string_equal(before, after); /* both are there, so whatever is killed opens */
    assert_int_equal(access(file("master.next.key"), F_OK), 0);
    assert_true(keeps("x", "under the new one"));
    fixture_reopen(&f);
    assert_true(keeps("x", "under the new one"));
    for (int i = 0; i < TURNS_MAX && strcmp(state_of(id), "replaced") != 0; i++) {
        turn();
    }
    assert_string_equal(state_of(id), "replaced");
    assert_int_equal(access(file("master.next.key"), F_OK), -1);
    bytes_of("master.key", after);
    assert_string_not_equal(before, after);
    assert_int_equal(f.ctl.keys.n, 1);
    fixture_reopen(&f); /* it opens with what the file has now */
    assert_memory_equal(number, keyring_kept(&f.ctl, KEYRING_NUMBERS), sizeof number);
}

/* A seal that a call made under the old key while the store was gone through is found. */
static void what_was_under_way_is_found(void **state)
{
    char id[64];
    json_t *old = NULL;

    (void)state;
    fixture_ok(&f, ADMIN, "GET", "users/me", NULL, NULL);
    const char *contact = "late";
    old = api_seal_kept(&f.ctl, contact, SLICE("made before"));
    snprintf(id, sizeof id, "%s", replacement_asked_for());
    unsigned mine = keyring_enter(&f.ctl);
    turn();
    for (int i = 0; i < 20; i++) {
        turn(); /* it waits for the call */
    }
    assert_string_equal(state_of(id), "resealing");
    json_t *now = api_reseal(&f.ctl, contact, json_string_value(old));
    assert_non_null(now); /* and the old key still opens */
    keyring_leave(&f.ctl, mine);
    for (int i = 0; i < TURNS_MAX && strcmp(state_of(id), "replaced") != 0; i++) {
        turn();
    }
    assert_string_equal(state_of(id), "replaced");
    assert_null(api_reseal(&f.ctl, contact, json_string_value(old))); /* destroyed */
    json_decref(old);
    json_decref(now);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_sealed_column_is_known),
        {"[SW-9.7-3a] a master key is replaced in steps, over a restart, and the old one is gone",
         replaced_while_running, NULL, NULL, NULL},
        {"[SW-9.7-3a] what a call under way sealed is waited for", what_was_under_way_is_found,
         NULL, NULL, NULL},
    };
    return cmocka_run_group_tests_name("control keyring", tests, setup, teardown);
}
