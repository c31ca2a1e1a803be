/* SPDX-License-Identifier: Apache-2.0 */
/* The order is from cheap to dear, and the body before the signature: the reason given is then the
 * one that helps. */
#include "proof.h"

#include <assert.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "file.h"

#define KEYS_BYTES_MAX (256u << 10)

static const char *add_jwk(struct proof_keys *keys, const json_t *jwk)
{
    char *text = json_dumps(jwk, JSON_COMPACT);
    const char *id = json_string_value(json_object_get(jwk, "kid"));
    struct crypto_key *key = NULL;
    bool good = text != NULL && keys->n < PROOF_KEYS_MAX &&
                crypto_key_load_jwk(&key, CRYPTO_KEY_PUBLIC, slice_str(text)) == CRYPTO_OK;
    free(text);
    if (!good) {
        return "a key of the set is none of SM2, P-256 and RSA, is private, or there are over 16";
    }
    keys->list[keys->n].key = key;
    keys->list[keys->n++].id = id != NULL ? strdup(id) : NULL;
    return NULL;
}

static const char *load_json(struct proof_keys *keys, struct slice text)
{
    json_t *root = json_loadb(text.p, text.n, JSON_REJECT_DUPLICATES, NULL);
    const json_t *list = json_object_get(root, "keys");
    const char *why = root == NULL ? "neither PEM nor JSON" : NULL;
    if (root != NULL && list == NULL) {
        why = add_jwk(keys, root);
    }
    for (size_t i = 0; i < json_array_size(list) && why == NULL; i++) {
        why = add_jwk(keys, json_array_get(list, i));
    }
    json_decref(root);
    return why == NULL && keys->n == 0 ? "the set has no keys" : why;
}

static const char *load_pem(struct proof_keys *keys, struct slice pem)
{
    struct crypto_key *key = NULL;
    if (crypto_key_load_pem(&key, CRYPTO_KEY_PUBLIC, pem) != CRYPTO_OK &&
        crypto_key_load_certificate(&key, pem) != CRYPTO_OK) {
        return "not one public key or certificate (SM2, P-256 or RSA) in PEM";
    }
    keys->list[keys->n++].key = key;
    return NULL;
}

const char *proof_keys_load(struct proof_keys *keys, const char *path)
{
    *keys = (struct proof_keys){0};
    struct buf text;
    buf_init(&text);
    const char *why = file_read(path, KEYS_BYTES_MAX, &text) ? NULL : strerror(errno);
    if (why == NULL) {
        why = text.n > 0 && text.p[0] == '-' ? load_pem(keys, buf_slice(&text))
                                             : load_json(keys, buf_slice(&text));
    }
    buf_fini(&text);
    return why;
}

void proof_keys_fini(struct proof_keys *keys)
{
    for (size_t i = 0; i < keys->n; i++) {
        crypto_key_free(&keys->list[i].key);
        free(keys->list[i].id);
    }
    keys->n = 0;
}

static enum proof_verdict say(struct proof *p, enum proof_verdict verdict, const char *what,
                              struct slice which)
{
    snprintf(p->why, sizeof p->why, "%s%s%.*s", what, which.n > 0 ? ": " : "", SLICE_FMT(which));
    return verdict;
}

/* What is proven. */
struct subject {
    struct exchange_message *request, *response, *message; /* message: the one that is signed */
    struct httpsig_request req;
};

static enum proof_verdict read_headers(struct proof *p, const struct subject *s)
{
    struct slice input, signature;
    size_t bad_at;
    if (!exchange_field(s->message, SLICE("signature-input"), &input) ||
        !exchange_field(s->message, SLICE("signature"), &signature)) {
        return say(p, PROOF_INVALID, "not signed: it needs Signature-Input and Signature once each",
                   SLICE(""));
    }
    enum httpsig_err err = s->response != NULL
                               ? httpsig_parse_response(&p->sig, input, signature, &bad_at)
                               : httpsig_parse(&p->sig, input, signature, &bad_at);
    if (err != HTTPSIG_OK) {
        return say(p, PROOF_INVALID, "the signature headers cannot be read",
                   slice_str(httpsig_strerror(err)));
    }
    p->parsed = true;
    if (p->sig.alg.n >= 5 && memcmp(p->sig.alg.p, "hmac-", 5) == 0) {
        return say(
            p, PROOF_UNDECIDED,
            "a MAC proves nothing to a third party: checking it needs the secret, and whoever "
            "has the secret could have made it",
            p->sig.alg);
    }
    return PROOF_VALID;
}

static enum proof_verdict check_coverage(struct proof *p, const struct subject *s)
{
    static const struct slice transaction[] = {{"sluice-transaction", 18}},
                              digest[] = {{"content-digest", 14}};
    struct slice missing = SLICE("");
    enum httpsig_err err = s->response != NULL
                               ? httpsig_covers_response(&p->sig, transaction, 1, &missing)
                               : httpsig_covers(&p->sig, digest, s->message->body.n > 0, &missing);
    return err == HTTPSIG_OK ? PROOF_VALID
                             : say(p, PROOF_INVALID, "the signature does not cover", missing);
}

static enum proof_verdict check_body(struct proof *p, const struct subject *s)
{
    struct slice value, body = s->message->body;
    uint8_t want[CRYPTO_HASH_LEN], got[CRYPTO_HASH_LEN];
    enum httpsig_digest alg;
    if (!exchange_field(s->message, SLICE("content-digest"), &value)) {
        return body.n == 0
                   ? PROOF_VALID
                   : say(p, PROOF_INVALID, "there is a body and no Content-Digest", SLICE(""));
    }
    if (httpsig_digest_parse(value, &alg, want) != HTTPSIG_OK || alg == HTTPSIG_DIGEST_NONE) {
        return say(p, PROOF_INVALID, "no sm3 or sha-256 in Content-Digest", value);
    }
    crypto_hash(alg == HTTPSIG_DIGEST_SM3 ? CRYPTO_SM3 : CRYPTO_SHA256, body.p, body.n, got);
    return crypto_equal(got, want, sizeof got)
               ? PROOF_VALID
               : say(p, PROOF_INVALID, "the body is not the one signed (Content-Digest)",
                     SLICE(""));
}

/* What the key signed: the base, or for a batch the text of its root. */
static enum proof_verdict signed_bytes(struct proof *p, const struct subject *s, struct slice *text)
{
    static char base[PROOF_BASE_MAX], batch[HTTPSIG_BATCH_TEXT_MAX];
    struct httpsig_response res = {.field = exchange_field, .ctx = s->response};
    size_t n;
    if (s->response != NULL) {
        res.status = s->response->status;
    }
    enum httpsig_err err =
        s->response == NULL
            ? httpsig_base(&p->sig, &s->req, base, sizeof base, &n)
            : httpsig_base_response(&p->sig, &res, s->request != NULL ? &s->req : NULL, base,
                                    sizeof base, &n);
    if (err != HTTPSIG_OK) {
        return s->request == NULL ? say(p, PROOF_UNDECIDED,
                                        "the signature covers the request: give it too", SLICE(""))
                                  : say(p, PROOF_INVALID, "what is covered is not all there",
                                        slice_str(httpsig_strerror(err)));
    }
    *text = slice_of(base, n);
    if (p->batched) {
        struct merkle_node root;
        httpsig_batch_root(&p->batch, *text, &root);
        *text = slice_of(batch, httpsig_batch_text(p->batch.size, &root, batch));
    }
    return PROOF_VALID;
}

static enum proof_verdict check_signature(struct proof *p, const struct proof_keys *keys,
                                          struct slice text)
{
    enum crypto_alg alg = CRYPTO_ALG_SM2_SM3;
    const uint8_t *sig = p->batched ? p->batch.sig : p->sig.sig;
    size_t sig_n = p->batched ? sizeof p->batch.sig : p->sig.sig_n, tried = 0;
    if (!p->batched && !crypto_algorithm_find(p->sig.alg, &alg)) {
        return say(p, PROOF_INVALID, "not an algorithm of ours", p->sig.alg);
    }
    for (size_t i = 0; i < keys->n && p->key == NULL; i++) {
        const char *id = keys->list[i].id;
        if (id != NULL && !slice_eq(slice_str(id), p->sig.keyid)) {
            continue;
        }
        tried++;
        if (crypto_key_verify(keys->list[i].key, alg, text.p, text.n, sig, sig_n) == CRYPTO_OK) {
            p->key = keys->list[i].key;
        }
    }
    if (p->key == NULL) {
        return tried == 0 ? say(p, PROOF_INVALID, "none of the keys has this id", p->sig.keyid)
                          : say(p, PROOF_INVALID,
                                "the signature does not match: something covered was changed, or "
                                "another key signed",
                                SLICE(""));
    }
    return PROOF_VALID;
}

enum proof_verdict proof_check(struct proof *p, const struct proof_keys *keys,
                               struct exchange_message *request, struct exchange_message *response,
                               struct slice scheme)
{
    struct subject s = {request, response, response != NULL ? response : request, {.ctx = request}};
    struct slice text = SLICE("");
    assert(s.message != NULL);
    *p = (struct proof){0};
    if (request != NULL) {
        s.req.method = request->method;
        s.req.target = request->target;
        s.req.scheme = scheme;
        s.req.field = exchange_field;
        (void)!exchange_field(request, SLICE("host"), &s.req.authority);
    }
    enum proof_verdict verdict = read_headers(p, &s);
    verdict = verdict == PROOF_VALID ? check_coverage(p, &s) : verdict;
    verdict = verdict == PROOF_VALID ? check_body(p, &s) : verdict;
    p->batched = p->parsed && slice_eq(p->sig.alg, SLICE(HTTPSIG_BATCH_ALG));
    if (verdict == PROOF_VALID && p->batched &&
        !httpsig_batch_decode(&p->batch, p->sig.sig, p->sig.sig_n)) {
        p->batched = false;
        verdict = say(p, PROOF_INVALID, "not the bytes of a batch signature", SLICE(""));
    }
    verdict = verdict == PROOF_VALID ? signed_bytes(p, &s, &text) : verdict;
    return verdict == PROOF_VALID ? check_signature(p, keys, text) : verdict;
}
