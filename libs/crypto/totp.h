/* SPDX-License-Identifier: Apache-2.0 */
/* One-time passwords by time (RFC 6238): HMAC-SHA1, six digits, steps of 30 seconds, as every
 * authenticator app has them. No allocation but OpenSSL's own; safe from any thread. */
#pragma once
#include "crypto/crypto.h"

#define CRYPTO_TOTP_SECRET_LEN 20 /* bytes; RFC 4226 4 R6 */
#define CRYPTO_TOTP_DIGITS     6
#define CRYPTO_TOTP_STEP_MS    30000u

static inline uint64_t crypto_totp_step(uint64_t wall_ms)
{
    return wall_ms / CRYPTO_TOTP_STEP_MS;
}
/* The code of a step, with a NUL. */
void crypto_totp(const uint8_t secret[static CRYPTO_TOTP_SECRET_LEN], uint64_t step,
                 char out[static CRYPTO_TOTP_DIGITS + 1]);
/* The step, one around `now_step`, whose code this is and that is later than `last_step`; 0: none.
 * Every candidate is compared, in constant time. */
uint64_t crypto_totp_match(const uint8_t secret[static CRYPTO_TOTP_SECRET_LEN], struct slice code,
                           uint64_t now_step, uint64_t last_step);
/* base32 (RFC 4648 section 6) without padding, with a NUL: what an otpauth URI carries. */
#define CRYPTO_TOTP_TEXT_LEN 32
void crypto_totp_text(const uint8_t secret[static CRYPTO_TOTP_SECRET_LEN],
                      char out[static CRYPTO_TOTP_TEXT_LEN + 1]);
