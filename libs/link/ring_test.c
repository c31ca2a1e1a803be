/* SPDX-License-Identifier: Apache-2.0 */
/* A link key taken over by another: both hold meanwhile, then the new one alone. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "crypto/keystore.h"
#include "link/ring.h"

#define NOW 1790000000000u

static char folder[] = "/tmp/sluice-ring-XXXXXX";
static uint8_t old_key[CRYPTO_KEY_LEN] = {1}, new_key[CRYPTO_KEY_LEN] = {2};

static const char *file(const char *name)
{
    static char path[2][128];
    static int turn;
    turn ^= 1;
    snprintf(path[turn], sizeof path[turn], "%s/%s", folder, name);
    return path[turn];
}

static void put(const char *name, const uint8_t *key)
{
    assert_int_equal(
        crypto_keystore_write(file(name), true, slice_of((const char *)key, CRYPTO_KEY_LEN)),
        CRYPTO_OK);
}

/* Files are not read again at once after they were. */
static void changed(void)
{
    while (!link_ring_look(true))
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
}

static bool holds(struct link_mac *mac, const uint8_t *key)
{
    uint8_t sub[CRYPTO_KEY_LEN], scratch[LINK_TEXT_MAX];
    char text[LINK_TEXT_MAX];
    struct link_call call = {.issued_ms = NOW, .owner = SLICE("M1")}, got;
    crypto_derive(key, "link.call", sub);
    struct crypto_hmac *h = crypto_hmac_new(CRYPTO_SM3, sub, sizeof sub);
    size_t n = link_encode(&call, h, SLICE("GET"), SLICE("/x"), text);
    crypto_hmac_free(&h);
    return link_mac_call(&got, mac, SLICE("GET"), SLICE("/x"), slice_of(text, n), NOW, scratch) ==
           LINK_OK;
}

static bool opens(const uint8_t *key)
{
    uint8_t sub[CRYPTO_KEY_LEN], sealed[3 + CRYPTO_SEAL_EXTRA], plain[3];
    crypto_derive(key, "feed.secret", sub);
    crypto_seal(sub, SLICE("id"), "abc", 3, sealed);
    return link_ring_open(NULL, SLICE("id"), sealed, sizeof sealed, plain) == CRYPTO_OK;
}

static bool signs_with(const uint8_t *key)
{
    uint8_t want[CRYPTO_KEY_LEN], got[CRYPTO_KEY_LEN];
    crypto_derive(key, "link.call", want);
    return link_ring_signing("link.call", got) && memcmp(want, got, sizeof got) == 0;
}

static void without_a_ring_the_fixed_key_counts(void **state)
{
    (void)state;
    struct link_mac mac;
    uint8_t sub[CRYPTO_KEY_LEN], sealed[3 + CRYPTO_SEAL_EXTRA], plain[3];
    link_mac_init(&mac, "link.call", old_key);
    assert_true(holds(&mac, old_key));
    assert_false(holds(&mac, new_key));
    assert_false(opens(old_key));
    crypto_derive(old_key, "feed.secret", sub);
    crypto_seal(sub, SLICE("id"), "abc", 3, sealed);
    assert_int_equal(link_ring_open(sub, SLICE("id"), sealed, sizeof sealed, plain), CRYPTO_OK);
    link_mac_fini(&mac);
}

static void one_key_takes_over_from_another(void **state)
{
    (void)state;
    struct link_mac mac;
    put("link.key", old_key);
    assert_int_equal(link_ring_load(file("no.such.key")), CRYPTO_EIO);
    assert_int_equal(link_ring_load(file("link.key")), CRYPTO_OK);
    link_mac_init(&mac, "link.call", new_key);
    assert_true(holds(&mac, old_key) && !holds(&mac, new_key));
    put("link.next.key", new_key);
    changed();
    assert_true(holds(&mac, old_key) && holds(&mac, new_key));
    assert_true(opens(old_key) && opens(new_key));
    assert_true(signs_with(old_key)); /* until all had the time to read it */
    assert_int_equal(link_ring_load(file("link.key")), CRYPTO_OK); /* who starts now */
    assert_true(signs_with(new_key));
    link_ring_hold(true);
    assert_true(signs_with(old_key));
    link_ring_hold(false);
    put("link.key", new_key);
    assert_int_equal(unlink(file("link.next.key")), 0);
    changed();
    assert_true(holds(&mac, new_key) && opens(new_key) && signs_with(new_key));
    assert_false(holds(&mac, old_key) || opens(old_key));
    link_mac_fini(&mac);
}

static void a_file_that_cannot_be_read_changes_nothing(void **state)
{
    (void)state;
    FILE *f = fopen(file("link.next.key"), "wb");
    assert_non_null(f);
    fputs("no key", f);
    fclose(f);
    nanosleep(&(struct timespec){.tv_nsec = 60000000}, NULL);
    assert_false(link_ring_look(true));
    assert_true(signs_with(new_key) && opens(new_key));
    assert_int_equal(link_ring_load(file("link.key")), CRYPTO_EFORMAT);
    unlink(file("link.next.key"));
}

static void the_data_key_is_the_first_link_key(void **state)
{
    (void)state;
    uint8_t key[CRYPTO_KEY_LEN];
    assert_int_equal(link_data_key(file("data.key"), old_key, key), CRYPTO_OK);
    assert_memory_equal(key, old_key, sizeof key);
    assert_int_equal(link_data_key(file("data.key"), new_key, key), CRYPTO_OK);
    assert_memory_equal(key, old_key, sizeof key); /* for good */
}

static int setup(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int teardown(void **state)
{
    static const char *const names[] = {"link.key", "data.key", "passphrase"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unlink(file(names[i]));
    rmdir(folder);
    return 0;
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_ring_the_fixed_key_counts),
        {"[SW-9.7-3a] a link key takes over from another, and then the old one holds no more",
         one_key_takes_over_from_another, NULL, NULL, NULL},
        cmocka_unit_test(a_file_that_cannot_be_read_changes_nothing),
        cmocka_unit_test(the_data_key_is_the_first_link_key),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
