/* SPDX-License-Identifier: Apache-2.0 */
/* Against SoftHSM, a PKCS#11 module in software. */
#include "hsm/hsm.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define MODULE "/usr/lib/softhsm/libsofthsm2.so"

static char dir[] = "/tmp/sluice-hsm-XXXXXX", pin_file[64], other_pin[64];
static struct hsm_config cfg = {MODULE, "sluice", "passphrase", pin_file};

static void put(const char *path, const char *text, mode_t mode)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0 && fclose(f) == 0);
    assert_int_equal(chmod(path, mode), 0);
}

static int make_token(void **state)
{
    char conf[64], text[128];
    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(conf, sizeof conf, "%s/softhsm2.conf", dir);
    snprintf(text, sizeof text, "directories.tokendir = %s\n", dir);
    put(conf, text, 0600);
    setenv("SOFTHSM2_CONF", conf, 1);
    snprintf(pin_file, sizeof pin_file, "%s/pin", dir);
    snprintf(other_pin, sizeof other_pin, "%s/other-pin", dir);
    put(pin_file, "48151623\n", 0400);
    put(other_pin, "11111111\n", 0400);
    return system("LD_PRELOAD= softhsm2-util --init-token --free --label sluice --so-pin 87654321 "
                  "--pin 48151623 >/dev/null");
}

static int remove_token(void **state)
{
    char command[64];
    (void)state;
    snprintf(command, sizeof command, "rm -r %s", dir);
    return system(command);
}

static void sealed_and_opened(void **state)
{
    char text[HSM_TEXT_MAX], again[HSM_TEXT_MAX], plain[HSM_PLAIN_MAX], why[HSM_WHY_MAX] = "";
    size_t n, again_n, plain_n;
    (void)state;
    assert_true(hsm_seal(&cfg, SLICE("a passphrase of the test"), text, &n, why));
    assert_null(strstr(text, "passphrase of the test"));
    assert_true(hsm_open(&cfg, slice_of(text, n), plain, &plain_n, why));
    assert_string_equal(plain, "a passphrase of the test");
    /* The key is made once, and each text has a nonce of its own. */
    assert_true(hsm_seal(&cfg, SLICE("a passphrase of the test"), again, &again_n, why));
    assert_string_not_equal(text, again);
    assert_true(hsm_open(&cfg, slice_of(again, again_n), plain, &plain_n, why));
    assert_true(hsm_open(&cfg, slice_of(text, n), plain, &plain_n, why));
    assert_int_equal(plain_n, strlen("a passphrase of the test"));
}

static void refused(void **state)
{
    static const struct {
        struct hsm_config cfg;
        const char *why;
    } rows[] = {
        {{"/nonexistent.so", "sluice", "passphrase", pin_file}, "cannot be loaded"},
        {{MODULE, "another", "passphrase", pin_file}, "no token 'another'"},
        {{MODULE, "sluic", "passphrase", pin_file}, "no token 'sluic'"},
        {{MODULE, "sluice", "another", pin_file}, "no AES key 'another'"},
        {{MODULE, "sluice", "passphrase", other_pin}, "takes no PIN"},
        {{MODULE, "sluice", "passphrase", "/nonexistent"}, "the PIN's file"},
    };
    char text[HSM_TEXT_MAX], plain[HSM_PLAIN_MAX], why[HSM_WHY_MAX] = "";
    size_t n, plain_n;
    (void)state;
    assert_true(hsm_seal(&cfg, SLICE("a passphrase of the test"), text, &n, why));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_false(hsm_open(&rows[i].cfg, slice_of(text, n), plain, &plain_n, why));
        assert_non_null(strstr(why, rows[i].why));
        assert_null(strstr(why, "48151623"));
        assert_int_equal(plain_n, 0);
    }
    put(pin_file, "48151623\n", 0644); /* others may read it */
    assert_false(hsm_open(&cfg, slice_of(text, n), plain, &plain_n, why));
    assert_int_equal(chmod(pin_file, 0400), 0);
    /* Each byte counts. */
    for (size_t i = 0; i < n; i += 3) {
        char was = text[i];
        text[i] = was == 'A' ? 'B' : 'A';
        assert_false(hsm_open(&cfg, slice_of(text, n), plain, &plain_n, why));
        text[i] = was;
    }
    for (size_t cut = 0; cut < n; cut += 7) {
        assert_false(hsm_open(&cfg, slice_of(text, cut), plain, &plain_n, why));
    }
    assert_false(hsm_seal(&cfg, SLICE(""), text, &n, why));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"[BK-7.3.4b2] hsm: a passphrase is sealed under a key that stays in the module",
         sealed_and_opened, NULL, NULL, NULL},
        {"[BK-7.3.4b2] hsm: without token, key or PIN, or altered, nothing opens", refused, NULL,
         NULL, NULL},
    };
    return cmocka_run_group_tests(tests, make_token, remove_token);
}
