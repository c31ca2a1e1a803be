/* SPDX-License-Identifier: Apache-2.0 */
/* What a signature proves: a MAC by the shared secret, a signature by the app's private key, or the
 * signature of a batch the message is in (docs/signatures.md). A public-key signature costs many
 * times what the rest of a call does, so one over a batch is verified at its first message and
 * remembered: that these bytes are the key's signature of that text stays true for ever, so an
 * entry needs no end and only gives way to another. Whether the key may still be used is asked of
 * each call. */
#include "sluice.h"

#include "httpsig/batch.h"

#define BATCHES 1024 /* remembered by one worker: 170 KiB */

static struct batch_entry {
    char key[CRYPTO_KEY_ID_LEN];
    struct merkle_node root;
    uint8_t sig[HTTPSIG_BATCH_SIG_LEN];
    uint16_t size; /* 0: empty */
} batches[BATCHES];

static const struct alg_row {
    uint8_t credential; /* enum policy_alg */
    enum crypto_alg alg;
    struct slice name;
    bool batch;
} algs[] = {
    {POLICY_HMAC_SHA256, CRYPTO_ALG_HMAC_SHA256, {"hmac-sha256", 11}, false},
    {POLICY_HMAC_SM3, CRYPTO_ALG_HMAC_SM3, {"hmac-sm3", 8}, false},
    {POLICY_SM2_SM3, CRYPTO_ALG_SM2_SM3, {"sm2-sm3", 7}, false},
    {POLICY_SM2_SM3, CRYPTO_ALG_SM2_SM3, {HTTPSIG_BATCH_ALG, sizeof HTTPSIG_BATCH_ALG - 1}, true},
    {POLICY_ECDSA_P256_SHA256, CRYPTO_ALG_ECDSA_P256_SHA256, {"ecdsa-p256-sha256", 17}, false},
    {POLICY_RSA_PSS_SHA512, CRYPTO_ALG_RSA_PSS_SHA512, {"rsa-pss-sha512", 14}, false},
};

static const struct alg_row *find_row(const sluice_caller_t *caller, struct slice name)
{
    for (size_t i = 0; i < sizeof algs / sizeof *algs; i++) {
        if (algs[i].credential == caller->credential.alg && slice_eq(algs[i].name, name)) {
            return &algs[i];
        }
    }
    return NULL;
}

bool sluice_signature_alg(const sluice_caller_t *caller, struct slice name, enum crypto_alg *alg)
{
    const struct alg_row *row = find_row(caller, name);
    if (row) {
        *alg = row->alg;
    }
    return row != NULL;
}

static bool mac_good(const sluice_caller_t *caller, struct slice base, const uint8_t *sig, size_t n)
{
    uint8_t mac[CRYPTO_HASH_LEN];
    if (!caller->hmac || n != sizeof mac) {
        return false;
    }
    crypto_hmac_sign(caller->hmac, base.p, base.n, mac);
    return crypto_equal(mac, sig, sizeof mac);
}

static bool batch_good(const sluice_caller_t *caller, struct slice base, const uint8_t *sig,
                       size_t n)
{
    struct httpsig_batch batch;
    struct batch_entry claim = {0};
    char text[HTTPSIG_BATCH_TEXT_MAX];
    if (!httpsig_batch_decode(&batch, sig, n)) {
        return false;
    }
    memcpy(claim.key, crypto_key_id(caller->key), sizeof claim.key);
    httpsig_batch_root(&batch, base, &claim.root);
    memcpy(claim.sig, batch.sig, sizeof claim.sig);
    claim.size = batch.size;
    uint32_t place;
    memcpy(&place, claim.root.b, sizeof place);
    struct batch_entry *slot = &batches[place % BATCHES];
    if (memcmp(slot, &claim, sizeof claim) == 0) {
        return true;
    }
    size_t text_n = httpsig_batch_text(batch.size, &claim.root, text);
    if (crypto_key_verify(caller->key, CRYPTO_ALG_SM2_SM3, text, text_n, batch.sig,
                          sizeof batch.sig) != CRYPTO_OK) {
        return false;
    }
    *slot = claim;
    return true;
}

bool sluice_signature_good(const sluice_caller_t *caller, struct slice name, struct slice base,
                           const uint8_t *sig, size_t sig_n)
{
    const struct alg_row *row = find_row(caller, name);
    if (!row) {
        return false;
    }
    if (row->alg == CRYPTO_ALG_HMAC_SM3 || row->alg == CRYPTO_ALG_HMAC_SHA256) {
        return mac_good(caller, base, sig, sig_n);
    }
    if (!caller->key) {
        return false;
    }
    return row->batch
               ? batch_good(caller, base, sig, sig_n)
               : crypto_key_verify(caller->key, row->alg, base.p, base.n, sig, sig_n) == CRYPTO_OK;
}
