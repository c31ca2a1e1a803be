/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a package: looked at, verified and opened without a fault. */
#include <stdlib.h>

#include "package/package.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool take(void *ctx, uint64_t part, const char *cty, struct slice plain)
{
    (void)ctx, (void)part, (void)cty, (void)plain;
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct crypto_key *signer;
    static struct jwe_key *own;
    char kid[PACKAGE_KID_MAX + 1];
    uint64_t parts;
    if (signer == NULL) {
        struct crypto_key *pair = crypto_key_new(CRYPTO_KEY_SM2);
        signer = crypto_key_new(CRYPTO_KEY_SM2);
        own = jwe_key_take(&pair, SLICE("own"));
    }
    FILE *f = size > 0 ? fmemopen((void *)(uintptr_t)data, size, "r") : NULL;
    if (f == NULL) {
        return 0;
    }
    (void)!package_look(f, kid, &parts);
    if (package_verify(f, signer) == PACKAGE_OK) {
        abort(); /* nobody can sign with it */
    }
    (void)!package_open(f, own, 1, take, NULL);
    fclose(f);
    return 0;
}
