/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/keystore.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[64];

static const char *in_dir(const char *name)
{
    static char paths[4][128];
    static unsigned at;
    char *out = paths[at++ % 4];
    snprintf(out, sizeof paths[0], "%s/%s", dir, name);
    return out;
}

static void put(const char *path, const void *bytes, size_t n, mode_t mode)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    fclose(f);
    chmod(path, mode);
}

static size_t get(const char *path, char out[static 1024])
{
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    size_t n = fread(out, 1, 1024, f);
    fclose(f);
    return n;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st, (void)type, (void)at;
    return remove(path);
}

static int setup(void **state)
{
    (void)state;
    unsetenv(CRYPTO_PASSPHRASE_FILE);
    strcpy(dir, "/tmp/sluice-keystore-XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    return nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void made_and_read_again(void **state)
{
    (void)state;
    uint8_t key[CRYPTO_KEY_LEN], again[CRYPTO_KEY_LEN];
    char text[1024];
    struct stat st;
    assert_int_equal(crypto_keyfile_create(in_dir("master.key"), key), CRYPTO_OK);
    assert_int_equal(crypto_keyfile_load(in_dir("master.key"), again), CRYPTO_OK);
    assert_memory_equal(key, again, sizeof key);
    assert_int_equal(stat(in_dir("passphrase"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0400);
    size_t n = get(in_dir("master.key"), text);
    assert_true(crypto_keystore_sealed(slice_of(text, n)));
    assert_null(memmem(text, n, key, sizeof key));
}

static void plain_ones_are_sealed(void **state)
{
    (void)state;
    uint8_t key[CRYPTO_KEY_LEN], got[CRYPTO_KEY_LEN];
    char text[1024];
    memset(key, 7, sizeof key);
    put(in_dir("link.key"), key, sizeof key, 0600);
    assert_int_equal(crypto_keyfile_load(in_dir("link.key"), got), CRYPTO_OK);
    assert_int_equal(get(in_dir("link.key"), text),
                     sizeof key); /* who only reads changes nothing */
    assert_int_equal(crypto_keyfile_create(in_dir("link.key"), got), CRYPTO_OK);
    assert_memory_equal(key, got, sizeof key);
    size_t n = get(in_dir("link.key"), text);
    assert_null(memmem(text, n, key, 8));
    assert_int_equal(crypto_keyfile_load(in_dir("link.key"), got), CRYPTO_OK);
    assert_memory_equal(key, got, sizeof key);
}

/* What must fail, with the file left as it was and nothing handed out. */
static void locked(const char *name)
{
    uint8_t key[CRYPTO_KEY_LEN], before[CRYPTO_KEY_LEN];
    char was[1024], is[1024];
    size_t n = get(in_dir(name), was);
    memset(key, '?', sizeof key);
    memset(before, '?', sizeof before);
    assert_int_equal(crypto_keyfile_load(in_dir(name), key), CRYPTO_ELOCKED);
    assert_int_equal(crypto_keyfile_create(in_dir(name), key), CRYPTO_ELOCKED);
    assert_memory_equal(key, before, sizeof key);
    assert_int_equal(get(in_dir(name), is), n);
    assert_memory_equal(was, is, n);
}

static void what_locks(void **state)
{
    (void)state;
    uint8_t key[CRYPTO_KEY_LEN], got[CRYPTO_KEY_LEN];
    char text[1024];
    put(in_dir("right"), "a right passphrase\n", 19, 0400);
    put(in_dir("wrong"), "another passphrase\n", 19, 0400);
    put(in_dir("short"), "too short\n", 10, 0400);
    put(in_dir("open"), "a right passphrase\n", 19, 0444);
    setenv(CRYPTO_PASSPHRASE_FILE, in_dir("right"), 1);
    assert_int_equal(crypto_keyfile_create(in_dir("master.key"), key), CRYPTO_OK);
    assert_int_not_equal(access(in_dir("passphrase"), F_OK), 0);
    static const char *const files[] = {"wrong", "short", "open", "none"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        setenv(CRYPTO_PASSPHRASE_FILE, in_dir(files[i]), 1);
        locked("master.key");
    }
    unsetenv(CRYPTO_PASSPHRASE_FILE);
    locked("master.key"); /* none beside it, and none is made for a file that is sealed */
    assert_int_not_equal(access(in_dir("passphrase"), F_OK), 0);
    setenv(CRYPTO_PASSPHRASE_FILE, in_dir("right"), 1);
    assert_int_equal(crypto_keyfile_load(in_dir("master.key"), got), CRYPTO_OK);
    assert_memory_equal(key, got, sizeof key);
    size_t n = get(in_dir("master.key"), text);
    put(in_dir("link.key"), text, n, 0600); /* one key in another's place */
    locked("link.key");
    for (size_t at = 45; at < n; at += 7) { /* every few bytes of it changed once */
        char changed[1024];
        memcpy(changed, text, n);
        changed[at] = changed[at] == 'A' ? 'B' : 'A';
        put(in_dir("master.key"), changed, n, 0600);
        locked("master.key");
    }
    put(in_dir("master.key"), text, n - 5, 0600);
    locked("master.key");
}

static void from_the_environment(void **state)
{
    (void)state;
    uint8_t key[CRYPTO_KEY_LEN];
    setenv("SLUICE_KEY_PASSPHRASE", "short", 1);
    assert_int_equal(crypto_keystore_take_environment(), CRYPTO_EFORMAT);
    assert_null(getenv("SLUICE_KEY_PASSPHRASE"));
    assert_null(getenv(CRYPTO_PASSPHRASE_FILE));
    setenv("SLUICE_KEY_PASSPHRASE", "from the environment", 1);
    const char *there = getenv("SLUICE_KEY_PASSPHRASE");
    assert_int_equal(crypto_keystore_take_environment(), CRYPTO_OK);
    assert_null(getenv("SLUICE_KEY_PASSPHRASE"));
    assert_int_equal(there[0], 0);
    assert_int_equal(crypto_keyfile_create(in_dir("k"), key), CRYPTO_OK);
    assert_int_equal(crypto_keyfile_load(in_dir("k"), key), CRYPTO_OK);
    assert_int_not_equal(access(in_dir("passphrase"), F_OK), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"[SW-9.7-3a] a key file is made sealed and read again", made_and_read_again, setup,
         teardown, NULL},
        {"[SW-9.7-3a] a plain key file is sealed at the next start", plain_ones_are_sealed, setup,
         teardown, NULL},
        {"[BK-7.3.4b2] a wrong passphrase or an altered file locks the key, and changes nothing",
         what_locks, setup, teardown, NULL},
        {"[BK-7.3.4b2] a passphrase leaves the environment at once", from_the_environment, setup,
         teardown, NULL},
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
