/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this module share; nothing outside it includes this. */
#pragma once
#include <jansson.h>
#include <jose/cfg.h>

#include "jwe/jwe.h"

struct jwe_key {
    struct crypto_key *key;
    jose_cfg_t *cfg; /* ECDH-ES only, as the next */
    json_t *jwk;
    char kid[JWE_KID_MAX + 1];
};

struct jwe_parts { /* base64url, as received */
    struct slice header, key, iv, text, tag;
};

/* sm2.c, ecdh.c: one suite each. header: the members of the protected header but those the suite
 * adds. On error *out may have grown; the caller cuts it. */
enum jwe_err jwe_sm2_seal(const struct jwe_key *to, const json_t *header, struct slice plain,
                          struct buf *out);
enum jwe_err jwe_sm2_open(const struct jwe_key *key, const struct jwe_parts *parts,
                          struct buf *out);
bool jwe_ecdh_ready(struct jwe_key *key);
enum jwe_err jwe_ecdh_seal(const struct jwe_key *to, const json_t *header, struct slice plain,
                           struct buf *out);
enum jwe_err jwe_ecdh_open(const struct jwe_key *key, const struct jwe_parts *parts,
                           struct buf *out);
