/* SPDX-License-Identifier: Apache-2.0 */
/* Sealed text as it comes from a client; keys that do not change, so that a corpus stays good. */
#include <stdlib.h>

#include "jwe/jwe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char sm2_pem[] = "-----BEGIN PRIVATE KEY-----\n"
                              "MIGHAgEAMBMGByqGSM49AgEGCCqBHM9VAYItBG0wawIBAQQgiu6aoRQtWDBZ6f/i\n"
                              "16lcLmha1gSOW44T9PLcbMzDdJShRANCAARzBFEiEHhf6xDRMbQj8tdkUWD0b6/g\n"
                              "hHtORMYbrNwKxO7skVLJNWlcVnC8jSP3WzDodfelUUD7sSKm4HGJWi+w\n"
                              "-----END PRIVATE KEY-----\n";
static const char ec_pem[] = "-----BEGIN PRIVATE KEY-----\n"
                             "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQguPEwzH9igVrTd5fj\n"
                             "opK8JWkRLmshpgCBRglM7hd+S4yhRANCAAQNu6JtrA061FxSVwjndqMn1MiDfvzg\n"
                             "QexSJdV0tZps9/IFMJ6OOSekIAW/DRVsT/6YJg4TYS5N44nXB7rQ00i+\n"
                             "-----END PRIVATE KEY-----\n";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct jwe_key *keys[2];
    static struct crypto_policy policy;
    struct buf out;
    char cty[JWE_CTY_MAX + 1];
    if (keys[0] == NULL) {
        struct crypto_key *sm2 = NULL, *ec = NULL;
        if (crypto_key_load_pem(&sm2, CRYPTO_KEY_PAIR, slice_str(sm2_pem)) != CRYPTO_OK ||
            crypto_key_load_pem(&ec, CRYPTO_KEY_PAIR, slice_str(ec_pem)) != CRYPTO_OK) {
            abort();
        }
        keys[0] = jwe_key_take(&sm2, SLICE("sm2"));
        keys[1] = jwe_key_take(&ec, SLICE("ec"));
        crypto_policy_init(&policy);
    }
    buf_init(&out);
    enum jwe_err err = jwe_open(keys, 2, &policy, 1, slice_of((const char *)data, size), &out, cty);
    if (err != JWE_OK && out.n != 0) {
        abort(); /* nothing of a text that is not genuine may be seen */
    }
    buf_fini(&out);
    return 0;
}
