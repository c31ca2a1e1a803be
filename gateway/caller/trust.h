/* SPDX-License-Identifier: Apache-2.0 */
/* The feed's `trust` set, compiled: CAs whose client certificates count, with their CRLs. */
#pragma once
#include "crypto/certificate.h"

/* Compiles the set anew when it has changed. The number grows with each change, from 1. */
uint64_t sluice_trust_round(void);
/* By the set as it was compiled last. */
enum crypto_trust_result sluice_trust_verify(const struct crypto_certificate *crt,
                                             struct crypto_certificate *const chain[],
                                             size_t chain_n, int64_t now_ms);
void sluice_trust_clear(void);
