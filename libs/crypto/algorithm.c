/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/algorithm.h"

static const struct crypto_algorithm table[CRYPTO_ALG_COUNT] = {
    [CRYPTO_ALG_SM3] = {"sm3", CRYPTO_FOR_DIGEST, "GB/T 32905, 128 bit", CRYPTO_ENABLED},
    [CRYPTO_ALG_SHA_256] = {"sha-256", CRYPTO_FOR_DIGEST, "FIPS 180-4, 128 bit", CRYPTO_ENABLED},
    [CRYPTO_ALG_SHA_512] = {"sha-512", CRYPTO_FOR_DIGEST, "FIPS 180-4, 256 bit", CRYPTO_ENABLED},
    [CRYPTO_ALG_HMAC_SM3] = {"hmac-sm3", CRYPTO_FOR_MAC, "GB/T 15852.2; A1 only", CRYPTO_ENABLED},
    [CRYPTO_ALG_HMAC_SHA256] = {"hmac-sha256", CRYPTO_FOR_MAC, "RFC 9421 3.3.3; A1 only",
                                CRYPTO_ENABLED},
    [CRYPTO_ALG_SM2_SM3] = {"sm2-sm3", CRYPTO_FOR_SIGNATURE, "GB/T 32918.2 and 35276, 128 bit",
                            CRYPTO_ENABLED},
    [CRYPTO_ALG_ECDSA_P256_SHA256] = {"ecdsa-p256-sha256", CRYPTO_FOR_SIGNATURE,
                                      "RFC 9421 3.3.4, 128 bit", CRYPTO_ENABLED},
    [CRYPTO_ALG_RSA_PSS_SHA512] = {"rsa-pss-sha512", CRYPTO_FOR_SIGNATURE,
                                   "RFC 9421 3.3.1, 112 bit with a 2048-bit key", CRYPTO_ENABLED},
    [CRYPTO_ALG_SM2] = {"SM2", CRYPTO_FOR_KEY, "GB/T 32918.4, 128 bit; no forward secrecy",
                        CRYPTO_ENABLED},
    [CRYPTO_ALG_ECDH_ES] = {"ECDH-ES", CRYPTO_FOR_KEY, "RFC 7518 4.6 on P-256, 128 bit",
                            CRYPTO_ENABLED},
    [CRYPTO_ALG_SM4GCM] = {"SM4GCM", CRYPTO_FOR_CONTENT, "RFC 8998 3.2.1, 128 bit", CRYPTO_ENABLED},
    [CRYPTO_ALG_A256GCM] = {"A256GCM", CRYPTO_FOR_CONTENT, "RFC 7518 5.3, 256 bit", CRYPTO_ENABLED},
    [CRYPTO_ALG_TLS12] = {"TLSv1.2", CRYPTO_FOR_TLS, "RFC 5246, AEAD suites with ECDHE only",
                          CRYPTO_ENABLED},
    [CRYPTO_ALG_TLS13] = {"TLSv1.3", CRYPTO_FOR_TLS, "RFC 8446", CRYPTO_ENABLED},
};
_Static_assert(CRYPTO_ALG_COUNT <= 32, "one bit an algorithm in a uint32_t");

static const char *const purposes[] = {
    [CRYPTO_FOR_DIGEST] = "digest",
    [CRYPTO_FOR_MAC] = "mac",
    [CRYPTO_FOR_SIGNATURE] = "signature",
    [CRYPTO_FOR_KEY] = "key-agreement",
    [CRYPTO_FOR_CONTENT] = "content-encryption",
    [CRYPTO_FOR_TLS] = "tls",
};

static const char *const statuses[] = {
    [CRYPTO_ENABLED] = "enabled",
    [CRYPTO_DEPRECATED] = "deprecated",
    [CRYPTO_DISABLED] = "disabled",
};

const struct crypto_algorithm *crypto_algorithm(enum crypto_alg alg)
{
    return &table[alg];
}

const char *crypto_purpose_name(enum crypto_purpose purpose)
{
    return purposes[purpose];
}

const char *crypto_status_name(enum crypto_status status)
{
    return statuses[status];
}

bool crypto_algorithm_find(struct slice name, enum crypto_alg *alg)
{
    for (enum crypto_alg i = 0; i < CRYPTO_ALG_COUNT; i++) {
        if (slice_eq(name, slice_str(table[i].name))) {
            *alg = i;
            return true;
        }
    }
    return false;
}

bool crypto_status_find(struct slice name, enum crypto_status *status)
{
    for (enum crypto_status i = 0; i <= CRYPTO_DISABLED; i++) {
        if (slice_eq(name, slice_str(statuses[i]))) {
            *status = i;
            return true;
        }
    }
    return false;
}

static void put(struct crypto_policy *policy, enum crypto_alg alg, enum crypto_status status,
                int64_t sunset_ms)
{
    uint32_t bit = UINT32_C(1) << alg;
    policy->disabled = status == CRYPTO_DISABLED ? policy->disabled | bit : policy->disabled & ~bit;
    policy->deprecated =
        status == CRYPTO_DEPRECATED ? policy->deprecated | bit : policy->deprecated & ~bit;
    policy->sunset_ms[alg] = sunset_ms;
}

void crypto_policy_init(struct crypto_policy *policy)
{
    *policy = (struct crypto_policy){0};
    for (enum crypto_alg i = 0; i < CRYPTO_ALG_COUNT; i++) {
        put(policy, i, table[i].status, 0);
    }
}

bool crypto_policy_set(struct crypto_policy *policy, struct slice name, enum crypto_status status,
                       int64_t sunset_ms)
{
    enum crypto_alg alg;
    if (sunset_ms < 0 || !crypto_algorithm_find(name, &alg)) {
        return false;
    }
    put(policy, alg, status, sunset_ms);
    return true;
}

bool crypto_policy_reset(struct crypto_policy *policy, struct slice name)
{
    enum crypto_alg alg;
    if (!crypto_algorithm_find(name, &alg)) {
        return false;
    }
    put(policy, alg, table[alg].status, 0);
    return true;
}

enum crypto_status crypto_policy_status(const struct crypto_policy *policy, enum crypto_alg alg,
                                        int64_t now_ms)
{
    uint32_t bit = UINT32_C(1) << alg;
    bool over = policy->sunset_ms[alg] != 0 && now_ms >= policy->sunset_ms[alg];
    if ((policy->disabled & bit) != 0 || over) {
        return CRYPTO_DISABLED;
    }
    return (policy->deprecated & bit) != 0 ? CRYPTO_DEPRECATED : CRYPTO_ENABLED;
}

bool crypto_policy_allows(const struct crypto_policy *policy, enum crypto_alg alg, int64_t now_ms)
{
    return crypto_policy_status(policy, alg, now_ms) != CRYPTO_DISABLED;
}
