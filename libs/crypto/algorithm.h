/* SPDX-License-Identifier: Apache-2.0 */
/* Every algorithm the platform may use, in one table, and which of them an installation allows now
 * (BK-7.1a, SW-9.8-tra4). Switching one off is configuration: the feed's kind `algorithm`. Pure;
 * allocates nothing; a policy may be read by many threads while nobody writes it. */
#pragma once
#include "base/slice.h"

/* What an algorithm is for. */
enum crypto_purpose {
    CRYPTO_FOR_DIGEST,
    CRYPTO_FOR_MAC,
    CRYPTO_FOR_SIGNATURE,
    CRYPTO_FOR_KEY,     /* wrapping or agreeing on a content key: a JWE's `alg` */
    CRYPTO_FOR_CONTENT, /* encrypting content: a JWE's `enc` */
    CRYPTO_FOR_TLS
};

enum crypto_status {
    CRYPTO_ENABLED,
    CRYPTO_DEPRECATED, /* works until its sunset, if it has one; users are told */
    CRYPTO_DISABLED
};

/* The order is that of the table in algorithm.c. */
enum crypto_alg {
    CRYPTO_ALG_SM3,
    CRYPTO_ALG_SHA_256,
    CRYPTO_ALG_SHA_512,
    CRYPTO_ALG_HMAC_SM3,
    CRYPTO_ALG_HMAC_SHA256,
    CRYPTO_ALG_SM2_SM3,
    CRYPTO_ALG_ECDSA_P256_SHA256,
    CRYPTO_ALG_RSA_PSS_SHA512,
    CRYPTO_ALG_SM2,
    CRYPTO_ALG_ECDH_ES,
    CRYPTO_ALG_SM4GCM,
    CRYPTO_ALG_A256GCM,
    CRYPTO_ALG_TLS12,
    CRYPTO_ALG_TLS13,
    CRYPTO_ALG_COUNT
};

struct crypto_algorithm {
    const char *name; /* on the wire, in settings and on the feed; compared byte for byte */
    enum crypto_purpose purpose;
    const char *note;          /* standard and strength, for operators */
    enum crypto_status status; /* when nothing is configured */
};
/* Static. alg must be one of the enum. */
const struct crypto_algorithm *crypto_algorithm(enum crypto_alg alg);
/* false: no algorithm has that name; *alg is unchanged. */
bool crypto_algorithm_find(struct slice name, enum crypto_alg *alg)
    __attribute__((warn_unused_result));
const char *crypto_purpose_name(enum crypto_purpose purpose); /* "digest", "mac", … */
const char *crypto_status_name(enum crypto_status status);    /* "enabled", … */
bool crypto_status_find(struct slice name, enum crypto_status *status)
    __attribute__((warn_unused_result));

/* Plain data, copied freely. */
struct crypto_policy {
    uint32_t disabled, deprecated;       /* one bit an algorithm */
    int64_t sunset_ms[CRYPTO_ALG_COUNT]; /* Unix ms from when it is refused; 0: never */
};
void crypto_policy_init(struct crypto_policy *policy); /* the table's own statuses, no sunsets */
/* One row of configuration. An enabled or deprecated algorithm ends at sunset_ms (0: never). false:
 * no such algorithm, or sunset_ms is negative; the policy is unchanged. */
bool crypto_policy_set(struct crypto_policy *policy, struct slice name, enum crypto_status status,
                       int64_t sunset_ms) __attribute__((warn_unused_result));
/* Back to the table's own status: what a deleted row of configuration means. */
bool crypto_policy_reset(struct crypto_policy *policy, struct slice name)
    __attribute__((warn_unused_result));
bool crypto_policy_allows(const struct crypto_policy *policy, enum crypto_alg alg, int64_t now_ms);
/* As it stands at now_ms: past its sunset an algorithm is disabled. */
enum crypto_status crypto_policy_status(const struct crypto_policy *policy, enum crypto_alg alg,
                                        int64_t now_ms);
