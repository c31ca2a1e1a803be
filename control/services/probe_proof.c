/* SPDX-License-Identifier: Apache-2.0 */
/* How the platform's own app proves itself (RFC 9421), and whether an answer is a node's: as any
 * app would do either. */
#include <stdio.h>

#include "api/api.h"
#include "base/clock.h"
#include "base/codec.h"
#include "httpsig/batch.h"
#include "services/probe.h"

#define BASE_MAX    8192
#define LIFE_S      60
#define NONCE_BYTES UUID_LEN
#define LABEL       "sig1"

struct asked {
    const struct probe_call *call;
    const struct probe_request *request;
};

static bool asked_field(void *ctx, struct slice name, struct slice *value)
{
    const struct asked *a = ctx;
    const char *text = slice_eq(name, SLICE("sluice-grant"))      ? a->call->grant
                       : slice_eq(name, SLICE("content-digest"))  ? a->request->digest
                       : slice_eq(name, SLICE("signature-input")) ? a->request->input
                       : slice_eq(name, SLICE("signature"))       ? a->request->signature
                                                                  : NULL;

    *value = slice_str(text ? text : "");
    return text && *text;
}

static struct httpsig_request request_of(const struct probe *p, const struct probe_call *call,
                                         struct asked *asked)
{
    return (struct httpsig_request){.method = slice_str(call->method),
                                    .scheme = strncmp(p->gateway, "https", 5) == 0 ? SLICE("https")
                                                                                   : SLICE("http"),
                                    .authority = slice_str(p->authority),
                                    .target = slice_str(call->target),
                                    .field = asked_field,
                                    .ctx = asked};
}

static bool cover(struct httpsig *sig, const struct probe_call *call)
{
    return httpsig_cover(sig, SLICE("@method")) == HTTPSIG_OK &&
           httpsig_cover(sig, SLICE("@authority")) == HTTPSIG_OK &&
           httpsig_cover(sig, SLICE("@path")) == HTTPSIG_OK &&
           httpsig_cover(sig, SLICE("@query")) == HTTPSIG_OK &&
           (!call->body || httpsig_cover(sig, SLICE("content-digest")) == HTTPSIG_OK) &&
           (!call->grant || httpsig_cover(sig, SLICE("sluice-grant")) == HTTPSIG_OK);
}

static bool put_signature(struct probe *p, struct slice base, bool forged,
                          struct probe_request *request)
{
    const struct httpsig out = {.label = SLICE(LABEL)};
    uint8_t bytes[CRYPTO_SIG_MAX];
    size_t n = CRYPTO_HASH_LEN;

    if (!p->pair) {
        crypto_hmac_sign(p->secret, base.p, base.n, bytes);
    } else if (crypto_key_sign(p->pair, CRYPTO_ALG_SM2_SM3, base.p, base.n, bytes, &n) !=
               CRYPTO_OK) {
        return false;
    }
    bytes[n - 1] ^= forged ? 1 : 0;
    if (httpsig_write_signature(&out, bytes, n, request->signature, sizeof request->signature - 1,
                                &n) != HTTPSIG_OK) {
        return false;
    }
    request->signature[n] = '\0';
    return true;
}

bool probe_sign(struct probe *p, const struct probe_call *call, bool forged,
                struct probe_request *request)
{
    char nonce[CODEC_BASE64URL_LEN(NONCE_BYTES)], base[BASE_MAX];
    struct asked asked = {call, request};
    struct httpsig_request http = request_of(p, call, &asked);
    struct uuid fresh;
    uint64_t now_s = clock_wall_ms() / 1000;
    size_t n = 0;

    uuid_new(&fresh);
    size_t nonce_n = codec_base64url(nonce, fresh.b, UUID_LEN);
    struct httpsig sig = {.label = SLICE(LABEL),
                          .created_s = now_s,
                          .expires_s = now_s + LIFE_S,
                          .nonce = slice_of(nonce, nonce_n),
                          .keyid = slice_str(p->credential),
                          .alg = p->pair ? SLICE("sm2-sm3") : SLICE("hmac-sm3")};
    if (!cover(&sig, call) ||
        httpsig_write_input(&sig, request->input, sizeof request->input - 1, &n) != HTTPSIG_OK) {
        return false;
    }
    request->input[n] = '\0';
    return httpsig_base(&sig, &http, base, sizeof base, &n) == HTTPSIG_OK &&
           put_signature(p, slice_of(base, n), forged, request);
}

/* The answer -------------------------------------------------------------------------------------
 */
static bool header_of(CURL *curl, const char *name, struct slice *value)
{
    struct curl_header *header = NULL;

    if (curl_easy_header(curl, name, 0, CURLH_HEADER, -1, &header) != CURLHE_OK) {
        return false;
    }
    *value = slice_str(header->value);
    return header->amount == 1;
}

static bool answer_field(void *ctx, struct slice name, struct slice *value)
{
    char text[64];

    return snprintf(text, sizeof text, "%.*s", SLICE_FMT(name)) < (int)sizeof text &&
           header_of(ctx, text, value);
}

static bool body_is_signed(CURL *curl, const struct probe_answer *answer)
{
    uint8_t wanted[CRYPTO_HASH_LEN], got[CRYPTO_HASH_LEN];
    enum httpsig_digest alg = HTTPSIG_DIGEST_NONE;
    struct slice value;

    if (!header_of(curl, "Content-Digest", &value) ||
        httpsig_digest_parse(value, &alg, wanted) != HTTPSIG_OK || alg == HTTPSIG_DIGEST_NONE) {
        return false;
    }
    crypto_hash(alg == HTTPSIG_DIGEST_SM3 ? CRYPTO_SM3 : CRYPTO_SHA256, answer->body.p,
                answer->body.n, got);
    return crypto_equal(got, wanted, sizeof got);
}

static bool by_a_node(const struct probe *p, const struct httpsig *sig, struct slice base)
{
    char text[HTTPSIG_BATCH_TEXT_MAX];
    struct httpsig_batch batch;
    struct merkle_node root;
    const uint8_t *bytes = sig->sig;
    size_t n = sig->sig_n;

    if (slice_eq(sig->alg, SLICE(HTTPSIG_BATCH_ALG))) {
        if (!httpsig_batch_decode(&batch, sig->sig, sig->sig_n)) {
            return false;
        }
        httpsig_batch_root(&batch, base, &root);
        base = slice_of(text, httpsig_batch_text(batch.size, &root, text));
        bytes = batch.sig;
        n = sizeof batch.sig;
    }
    for (size_t i = 0; i < p->n_platform; i++) {
        if (slice_eq(slice_str(crypto_key_id(p->platform[i])), sig->keyid) &&
            crypto_key_verify(p->platform[i], CRYPTO_ALG_SM2_SM3, base.p, base.n, bytes, n) ==
                CRYPTO_OK) {
            return true;
        }
    }
    return false;
}

bool probe_proven(const struct probe *p, CURL *curl, const struct probe_call *call,
                  struct probe_request *request, const struct probe_answer *answer)
{
    static const struct slice transaction[] = {{"sluice-transaction", 18}};
    char base[BASE_MAX];
    struct asked asked = {call, request};
    struct httpsig_request http = request_of(p, call, &asked);
    const struct httpsig_response res = {
        .status = (unsigned)answer->status, .field = answer_field, .ctx = curl};
    struct httpsig sig;
    struct slice input, signature, missing;
    size_t n = 0, bad_at = 0;

    return answer->status >= 100 && header_of(curl, "Signature-Input", &input) &&
           header_of(curl, "Signature", &signature) &&
           httpsig_parse_response(&sig, input, signature, &bad_at) == HTTPSIG_OK &&
           httpsig_covers_response(&sig, transaction, 1, &missing) == HTTPSIG_OK &&
           body_is_signed(curl, answer) &&
           httpsig_base_response(&sig, &res, &http, base, sizeof base, &n) == HTTPSIG_OK &&
           by_a_node(p, &sig, slice_of(base, n));
}
