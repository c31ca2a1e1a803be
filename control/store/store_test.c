/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/codec.h"
#include "crypto/crypto.h"
#include "store/log.h"
#include "store/store.h"

static char dir[64], path[96], why[STORE_WHY_MAX];

static int setup(void **state)
{
    (void)state;
    strcpy(dir, "/tmp/sluice-store-XXXXXX");
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/store.db", dir);
    return 0;
}

static int teardown(void **state)
{
    static const char *const ends[] = {"", "-wal", "-shm"};
    char name[128];

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "%s%s", path, ends[i]);
        unlink(name);
    }
    return rmdir(dir);
}

static struct store *opened(void)
{
    struct store *st = NULL;
    assert_int_equal(store_open(&st, path, why), STORE_OK);
    return st;
}

static enum store_err put(struct store *st, const char *key, const char *value)
{
    const struct store_value v[] = {store_text(key), store_text(value)};
    struct store_txn *txn = NULL;
    assert_int_equal(store_begin(st, STORE_WRITE, &txn), STORE_OK);
    enum store_err err = store_exec(txn, "INSERT INTO meta (key, value) VALUES (?, ?)", v, 2, NULL);
    if (err != STORE_OK) {
        store_rollback(&txn);
        return err;
    }
    return store_commit(&txn);
}

static int64_t count(struct store *st)
{
    struct store_txn *txn = NULL;
    struct store_rows *rows = NULL;
    assert_int_equal(store_begin(st, STORE_READ, &txn), STORE_OK);
    assert_int_equal(store_query(txn, "SELECT count(*) FROM meta", NULL, 0, &rows), STORE_OK);
    assert_true(store_next(rows));
    int64_t n = store_get_int(rows, 0);
    assert_int_equal(store_rows_end(&rows), STORE_OK);
    store_rollback(&txn);
    return n;
}

static void migrates_once(void **state)
{
    (void)state;
    struct store *st = opened();
    assert_int_equal(put(st, "a", "1"), STORE_OK);
    assert_int_equal(put(st, "a", "2"), STORE_EEXISTS);
    store_close(&st);
    st = opened();
    assert_int_equal(count(st), 1);
    store_close(&st);
    store_close(&st); /* again: nothing */
}

static void refuses_newer(void **state)
{
    (void)state;
    struct store *st = opened();
    sqlite3 *db = NULL;
    store_close(&st);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(db, "INSERT INTO schema_version VALUES (9999, 'future', 0)", NULL, NULL, NULL),
        SQLITE_OK);
    sqlite3_close(db);
    assert_int_equal(store_open(&st, path, why), STORE_ENEWER);
    assert_null(st);
    assert_non_null(strstr(why, "9999"));
    assert_non_null(strstr(why, "newer program"));
}

static void refuses_other_files(void **state)
{
    (void)state;
    struct store *st = NULL;
    FILE *f = fopen(path, "w");
    fputs("this is no database, however long it is: it has no header of one at all, and nothing of "
          "it may be written over",
          f);
    fclose(f);
    assert_int_equal(store_open(&st, path, why), STORE_EIO);
    assert_true(why[0] != '\0');
    assert_int_equal(store_open(&st, "/nonexistent/store.db", why), STORE_EIO);
}

static void full_changes_nothing(void **state)
{
    (void)state;
    struct store *st = opened();
    char *big = calloc(1, 400001);
    memset(big, 'x', 400000);
    assert_int_equal(put(st, "small", "1"), STORE_OK);
    assert_int_equal(store_limit_pages(st, 1), STORE_OK); /* never below what is used */
    assert_int_equal(put(st, "big", big), STORE_EFULL);
    assert_int_equal(count(st), 1);
    assert_int_equal(store_limit_pages(st, 0), STORE_OK);
    assert_int_equal(put(st, "big", big), STORE_OK);
    assert_int_equal(count(st), 2);
    free(big);
    store_close(&st);
}

static void wrong_parameters(void **state)
{
    (void)state;
    struct store *st = opened();
    struct store_txn *txn = NULL;
    struct store_rows *rows = NULL;
    const struct store_value v = store_text("x");
    assert_int_equal(store_begin(st, STORE_WRITE, &txn), STORE_OK);
    assert_int_equal(store_exec(txn, "SELECT ?, ?", &v, 1, NULL), STORE_EIO);
    assert_int_equal(store_exec(txn, "SELECT 1 FROM nowhere", NULL, 0, NULL), STORE_EIO);
    assert_int_equal(store_query(txn, "SELECT 1; DROP TABLE meta", NULL, 0, &rows),
                     STORE_OK); /* only the first statement runs */
    assert_true(store_next(rows));
    assert_false(store_next(rows));
    assert_int_equal(store_rows_end(&rows), STORE_OK);
    store_rollback(&txn);
    store_rollback(&txn);
    assert_int_equal(count(st), 0);
    store_close(&st);
}

/* Both rows of one statement text alive at once: the second must not share the first one's cursor.
 */
static void nested_rows(void **state)
{
    (void)state;
    struct store *st = opened();
    struct store_txn *txn = NULL;
    struct store_rows *a = NULL, *b = NULL;
    assert_int_equal(put(st, "a", "1"), STORE_OK);
    assert_int_equal(put(st, "b", "2"), STORE_OK);
    assert_int_equal(store_begin(st, STORE_READ, &txn), STORE_OK);
    assert_int_equal(store_query(txn, "SELECT key FROM meta ORDER BY key", NULL, 0, &a), STORE_OK);
    assert_true(store_next(a));
    assert_int_equal(store_query(txn, "SELECT key FROM meta ORDER BY key", NULL, 0, &b), STORE_OK);
    assert_true(store_next(b));
    assert_true(store_next(b));
    assert_string_equal(store_get_text(b, 0), "b");
    assert_string_equal(store_get_text(a, 0), "a");
    assert_int_equal(store_rows_end(&a), STORE_OK);
    assert_int_equal(store_rows_end(&b), STORE_OK);
    store_rollback(&txn);
    store_close(&st);
}

/* The chain of the contract, computed here with nothing but the hash. */
static void chain_is_sm3(void **state)
{
    (void)state;
    struct store *st = opened();
    struct store_txn *txn = NULL;
    struct store_rows *rows = NULL;
    uint8_t want[CRYPTO_HASH_LEN] = {0}, message[512];
    assert_int_equal(store_begin(st, STORE_WRITE, &txn), STORE_OK);
    const struct operation first = {.at_ms = 1700000000123,
                                    .actor = "管理员",
                                    .action = "create",
                                    .kind = "app",
                                    .id = "i",
                                    .after = "{\"a\":1}"};
    const struct operation second = {.at_ms = 1700000000124,
                                     .actor = "x",
                                     .action = "update",
                                     .kind = "app",
                                     .id = "i",
                                     .before = "{\"a\":1}",
                                     .after = "{}"};
    assert_int_equal(log_operation(txn, &first), STORE_OK);
    assert_int_equal(log_operation(txn, &second), STORE_OK);
    static const char *const tails[] = {"1\n1700000000123\n管理员\ncreate\napp\ni\n\n{\"a\":1}",
                                        "2\n1700000000124\nx\nupdate\napp\ni\n{\"a\":1}\n{}"};
    assert_int_equal(
        store_query(txn, "SELECT chain, before FROM operations ORDER BY seq", NULL, 0, &rows),
        STORE_OK);
    for (size_t i = 0; i < 2; i++) {
        memcpy(message, want, sizeof want);
        memcpy(message + sizeof want, tails[i], strlen(tails[i]));
        crypto_hash(CRYPTO_SM3, message, sizeof want + strlen(tails[i]), want);
        assert_true(store_next(rows));
        assert_int_equal(store_get_blob(rows, 0).n, CRYPTO_HASH_LEN);
        assert_memory_equal(store_get_blob(rows, 0).p, want, CRYPTO_HASH_LEN);
        assert_int_equal(store_is_null(rows, 1), i == 0);
    }
    assert_int_equal(store_rows_end(&rows), STORE_OK);
    store_rollback(&txn);
    store_close(&st);
}

static void *reader(void *arg)
{
    for (int i = 0; i < 50; i++) {
        int64_t n = count(arg);
        if (n % 2) {
            return arg; /* half a transaction was seen */
        }
    }
    return NULL;
}

static void put_pair(struct store *st, int i)
{
    char key[2][24];
    struct store_txn *txn = NULL;
    snprintf(key[0], sizeof key[0], "%d-a", i);
    snprintf(key[1], sizeof key[1], "%d-b", i);
    assert_int_equal(store_begin(st, STORE_WRITE, &txn), STORE_OK);
    for (int k = 0; k < 2; k++) {
        const struct store_value v[] = {store_text(key[k]), store_text("x")};
        assert_int_equal(store_exec(txn, "INSERT INTO meta (key, value) VALUES (?, ?)", v, 2, NULL),
                         STORE_OK);
    }
    assert_int_equal(store_commit(&txn), STORE_OK);
}

static void readers_see_whole_transactions(void **state)
{
    (void)state;
    struct store *st = opened();
    pthread_t threads[12];
    void *bad = NULL;
    for (size_t i = 0; i < 12; i++) {
        pthread_create(&threads[i], NULL, reader, st);
    }
    for (int i = 0; i < 40; i++) {
        put_pair(st, i);
    }
    for (size_t i = 0; i < 12; i++) {
        pthread_join(threads[i], &bad);
        assert_null(bad);
    }
    store_close(&st);
}

/* What need not wait for the disk does not, and whatever comes next does. */
static void some_wait_for_no_disk(void **state)
{
    static const enum store_mode modes[] = {STORE_WRITE, STORE_WRITE_SOON, STORE_WRITE_SOON,
                                            STORE_WRITE};
    struct store *st = opened();
    (void)state;
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        struct store_txn *txn = NULL;
        struct store_rows *rows = NULL;
        assert_int_equal(store_begin(st, modes[i], &txn), STORE_OK);
        assert_int_equal(store_query(txn, "PRAGMA synchronous", NULL, 0, &rows), STORE_OK);
        assert_true(store_next(rows));
        assert_int_equal(store_get_int(rows, 0), modes[i] == STORE_WRITE ? 2 : 1);
        assert_int_equal(store_rows_end(&rows), STORE_OK);
        assert_int_equal(store_commit(&txn), STORE_OK);
    }
    store_close(&st);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"migrations run once", migrates_once, setup, teardown, NULL},
        {"a newer store is refused with a sentence", refuses_newer, setup, teardown, NULL},
        {"a file that is no store is refused", refuses_other_files, setup, teardown, NULL},
        {"a full store changes nothing and recovers", full_changes_nothing, setup, teardown, NULL},
        {"wrong parameters are refused", wrong_parameters, setup, teardown, NULL},
        {"the same statement twice at once", nested_rows, setup, teardown, NULL},
        {"the operations chain is SM3 over what was before", chain_is_sm3, setup, teardown, NULL},
        {"some commits wait for no disk, and the next one does", some_wait_for_no_disk, setup,
         teardown, NULL},
        {"readers see whole transactions", readers_see_whole_transactions, setup, teardown, NULL},
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
