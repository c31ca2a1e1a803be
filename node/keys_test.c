/* SPDX-License-Identifier: Apache-2.0 */
#include "node/keys.h"

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
#include <jansson.h>

#include "crypto/key.h"

static char dir[64];

static char *at(const char *rest)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", dir, rest);
    return path;
}

static int make_dirs(void **state)
{
    static const char *const below[] = {"keys", "gateway", "gateway/state"};
    (void)state;
    strcpy(dir, "/tmp/node-keys-XXXXXX");
    if (mkdtemp(dir) == NULL) {
        return -1;
    }
    for (size_t i = 0; i < sizeof below / sizeof *below; i++) {
        mkdir(at(below[i]), 0700);
    }
    return 0;
}

static int remove_dirs(void **state)
{
    static const char *const files[] = {"keys/answer.key",
                                        "keys/answer.pub",
                                        "keys/body-sm2.key",
                                        "keys/body-ec.key",
                                        "keys/passphrase",
                                        "gateway/state/keys.json",
                                        "gateway/state",
                                        "gateway",
                                        "keys",
                                        ""};
    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        remove(at(files[i]));
    }
    return 0;
}

static void made_once(void **state)
{
    struct crypto_key *first = NULL, *again = NULL;
    struct stat st;
    (void)state;
    assert_true(node_keys_ensure(dir));
    assert_int_equal(crypto_key_load_file(&first, CRYPTO_KEY_PAIR, at("keys/answer.key")), 0);
    assert_int_equal(stat(at("keys/answer.key"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_true(node_keys_ensure(dir));
    assert_int_equal(crypto_key_load_file(&again, CRYPTO_KEY_PUBLIC, at("keys/answer.pub")), 0);
    assert_string_equal(crypto_key_id(first), crypto_key_id(again));
    crypto_key_free(&first);
    crypto_key_free(&again);
}

static void set_is_public(void **state)
{
    static const char *const uses[] = {"sig", "enc", "enc"};
    (void)state;
    assert_true(node_keys_ensure(dir));
    json_t *root = json_load_file(at("gateway/state/keys.json"), 0, NULL);
    json_t *keys = json_object_get(root, "keys");
    assert_int_equal(json_array_size(keys), 3);
    for (size_t i = 0; i < 3; i++) {
        json_t *jwk = json_array_get(keys, i);
        char *text = json_dumps(jwk, 0);
        struct crypto_key *key = NULL;
        assert_int_equal(crypto_key_load_jwk(&key, CRYPTO_KEY_PUBLIC, slice_str(text)), 0);
        assert_string_equal(json_string_value(json_object_get(jwk, "use")), uses[i]);
        assert_string_equal(json_string_value(json_object_get(jwk, "kid")), crypto_key_id(key));
        assert_null(json_object_get(jwk, "d"));
        crypto_key_free(&key);
        free(text);
    }
    json_decref(root);
}

static void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void unreadable_is_kept(void **state)
{
    (void)state;
    write_text(at("keys/body-ec.key"), "not a key");
    assert_false(node_keys_ensure(dir));
    struct stat st;
    assert_int_equal(stat(at("keys/body-ec.key"), &st), 0);
    assert_int_equal(st.st_size, 9);
}

static void other_kind_is_refused(void **state)
{
    struct crypto_key *key = crypto_key_new(CRYPTO_KEY_P256);
    char *pem = crypto_key_private_pem(key);
    (void)state;
    write_text(at("keys/answer.key"), pem);
    assert_false(node_keys_ensure(dir));
    free(pem);
    crypto_key_free(&key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"keys are made once, for their owner alone", made_once, make_dirs, remove_dirs, NULL},
        {"the set has the public halves, named as signatures name them", set_is_public, make_dirs,
         remove_dirs, NULL},
        {"a key file that cannot be read is not replaced", unreadable_is_kept, make_dirs,
         remove_dirs, NULL},
        {"a key of another kind is refused", other_kind_is_refused, make_dirs, remove_dirs, NULL},
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
