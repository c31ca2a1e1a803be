/* SPDX-License-Identifier: Apache-2.0 */
/* What a node compares a password of a call with (CI-7.2c3). argon2id takes 20 ms and 19 MB, which
 * a gateway has for no call; so for the accounts that may call by parameters, and for no others, a
 * keyed digest is kept beside it: HMAC-SM3 under a key of the platform. Whoever has the store but
 * not keys/data.key learns nothing from it; whoever has both can try passwords fast. */
#pragma once
#include "crypto/crypto.h"

#define CRYPTO_VERIFIER_LABEL "account.verifier" /* of the data key, to crypto_derive */

/* Over the three together: a right password under another name is wrong. */
void crypto_verifier(const uint8_t key[static CRYPTO_KEY_LEN], struct slice accessid,
                     struct slice login, struct slice password,
                     uint8_t out[static CRYPTO_HASH_LEN]);

/* The same of one thing that is said about a user: which ("email"), about whom, what. Letters of
 * an address count without case, dashes of a date not at all. */
#define CRYPTO_CLAIM_MAX 256 /* bytes; a longer one matches nothing */
void crypto_claim(const uint8_t key[static CRYPTO_KEY_LEN], struct slice which, struct slice whom,
                  struct slice what, uint8_t out[static CRYPTO_HASH_LEN]);
