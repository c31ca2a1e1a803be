/* SPDX-License-Identifier: Apache-2.0 */
/* The platform's signature on an answer (BK-7.2.2b2, docs/signatures.md): the last finisher. The
 * answers of a worker that are ready within BATCH_MS share one SM2 signature over their Merkle
 * root; nobody waits when nobody else is coming. Refusals are signed alone, as they leave. What was
 * asked and what was answered, both signed, is written as evidence before anything leaves. */
#include "sluice.h"

#include "base/clock.h"
#include "base/codec.h"
#include "httpsig/batch.h"

#define LABEL     "sluice"
#define BATCH     32 /* answers under one signature */
#define BATCH_MS  5  /* longest that an answer waits for others */
#define INPUT_MAX 512
#define BASE_MAX  10240 /* that of a request, 8192, is the longest thing an answer quotes */
#define VALUE_MAX (sizeof LABEL + 3 + CODEC_BASE64_LEN(HTTPSIG_BATCH_LEN_MAX))

static struct {
    ngx_queue_t waiting; /* sluice_signing_t.place, in order of arrival */
    ngx_uint_t n, expected;
    ngx_event_t posted, timer;
    bool begun;
} batch;

bool sluice_sign_wanted(const sluice_ctx_t *ctx)
{
    return ctx->authenticated && ctx->api && ctx->api->record.sign_response && !ctx->inner;
}

/* The question -----------------------------------------------------------------------------------
 */

static ngx_int_t copy(ngx_http_request_t *r, const void *p, size_t n, ngx_str_t *out)
{
    out->data = ngx_pnalloc(r->pool, n + 1);
    if (!out->data) {
        return NGX_ERROR;
    }
    ngx_memcpy(out->data, p, n);
    out->len = n;
    return NGX_OK;
}

/* Of two signatures the one that authenticate.c names: evidence is what only the app can make. */
static bool read_question(const sluice_ctx_t *ctx, struct httpsig *sig)
{
    static struct httpsig sigs[HTTPSIG_SIGNATURES_MAX];
    size_t n, bad_at;
    if (httpsig_parse_several(sigs, &n, ctx->signature_input, ctx->signature, &bad_at) !=
        HTTPSIG_OK) {
        return false;
    }
    *sig = sigs[n > 1 && slice_eq(sigs[1].label, ctx->label) ? 1 : 0];
    return true;
}

/* Keeps what the caller signed, as it signed it: later stages change headers for the upstream. */
static ngx_int_t keep_question(ngx_http_request_t *r, sluice_ctx_t *ctx)
{
    static struct httpsig sig;
    static char base[BASE_MAX];
    sluice_signing_t *s = &ctx->signing;
    struct httpsig_request asked = sluice_signed_request(r, ctx);
    size_t n;
    if (s->question.data) {
        return NGX_OK;
    }
    if (!read_question(ctx, &sig) ||
        httpsig_base(&sig, &asked, base, sizeof base, &n) != HTTPSIG_OK) {
        return NGX_ERROR;
    }
    s->label = sig.label; /* these two borrow from the request's headers */
    s->question_alg = sig.alg;
    return copy(r, sig.sig, sig.sig_n, &s->question_sig) == NGX_OK ? copy(r, base, n, &s->question)
                                                                   : NGX_ERROR;
}

/* The answer -------------------------------------------------------------------------------------
 */

/* The type as it will stand on the wire; a charset that nginx would add is made part of it. */
static ngx_int_t wire_type(ngx_http_request_t *r, ngx_str_t *type)
{
    ngx_http_headers_out_t *out = &r->headers_out;
    *type = out->content_type;
    if (out->status == NGX_HTTP_NO_CONTENT || type->len == 0) {
        ngx_str_null(type);
        return NGX_OK;
    }
    if (out->charset.len == 0 || out->content_type_len != type->len) {
        return NGX_OK;
    }
    type->data = ngx_pnalloc(r->pool, type->len + sizeof "; charset=" + out->charset.len);
    if (!type->data) {
        return NGX_ERROR;
    }
    type->len =
        (size_t)(ngx_sprintf(type->data, "%V; charset=%V", &out->content_type, &out->charset) -
                 type->data);
    return NGX_OK;
}

static void set_type(ngx_http_request_t *r, ngx_str_t type)
{
    r->headers_out.content_type = type;
    r->headers_out.content_type_len = type.len;
    r->headers_out.content_type_lowcase = NULL;
    ngx_str_null(&r->headers_out.charset);
}

/* What of the answer is signed besides its status and number. */
static ngx_int_t describe(ngx_http_request_t *r, sluice_ctx_t *ctx, ngx_str_t body, ngx_str_t type)
{
    uint8_t digest[CRYPTO_HASH_LEN];
    char text[HTTPSIG_DIGEST_TEXT_MAX];
    sluice_signing_t *s = &ctx->signing;
    crypto_hash(CRYPTO_SM3, body.data, body.len, digest);
    s->type = type;
    set_type(r, type);
    return copy(r, text, httpsig_write_digest(HTTPSIG_DIGEST_SM3, digest, text), &s->digest);
}

static bool answer_field(void *data, struct slice name, struct slice *value)
{
    sluice_ctx_t *ctx = data;
    if (slice_eq(name, SLICE("content-type"))) {
        *value = sluice_slice(ctx->signing.type);
    } else if (slice_eq(name, SLICE("content-digest"))) {
        *value = sluice_slice(ctx->signing.digest);
    } else if (slice_eq(name, SLICE("sluice-transaction"))) {
        *value = slice_of(ctx->txn_text, UUID_TEXT_LEN);
    } else {
        return false;
    }
    return true;
}

/* What the key signs for this answer. */
static ngx_int_t prepare(ngx_http_request_t *r, sluice_ctx_t *ctx, const char *alg)
{
    static struct httpsig sig;
    static char input[INPUT_MAX], base[BASE_MAX];
    sluice_signing_t *s = &ctx->signing;
    struct httpsig_request asked = sluice_signed_request(r, ctx);
    struct httpsig_response answer = {(unsigned)r->headers_out.status, answer_field, ctx};
    size_t input_n, base_n;
    ngx_memzero(&sig, sizeof sig);
    sig.label = SLICE(LABEL);
    sig.created_s = clock_wall_ms() / 1000;
    sig.keyid = slice_str(crypto_key_id(sluice_worker.keys.answer));
    sig.alg = slice_str(alg);
    if (httpsig_cover_answer(&sig, s->type.len > 0, s->label) != HTTPSIG_OK ||
        httpsig_write_input(&sig, input, sizeof input, &input_n) != HTTPSIG_OK ||
        httpsig_base_response(&sig, &answer, &asked, base, sizeof base, &base_n) != HTTPSIG_OK) {
        return NGX_ERROR;
    }
    s->answer_alg = alg;
    return copy(r, input, input_n, &s->input) == NGX_OK ? copy(r, base, base_n, &s->answer)
                                                        : NGX_ERROR;
}

static ngx_int_t write_value(ngx_http_request_t *r, sluice_ctx_t *ctx, const uint8_t *bytes,
                             size_t n)
{
    static struct httpsig sig;
    static char value[VALUE_MAX];
    size_t value_n;
    sig.label = SLICE(LABEL);
    if (httpsig_write_signature(&sig, bytes, n, value, sizeof value, &value_n) != HTTPSIG_OK) {
        return NGX_ERROR;
    }
    return copy(r, bytes, n, &ctx->signing.answer_sig) == NGX_OK
               ? copy(r, value, value_n, &ctx->signing.value)
               : NGX_ERROR;
}

static void forget(sluice_ctx_t *ctx)
{
    sluice_signing_t *s = &ctx->signing;
    if (s->waiting) {
        ngx_queue_remove(&s->place);
        batch.n--;
    }
    if (s->expected) {
        batch.expected--;
    }
    s->waiting = s->expected = false;
}

/* One signature alone */

static ngx_int_t sign_alone(ngx_http_request_t *r, sluice_ctx_t *ctx)
{
    uint8_t sig[CRYPTO_SIG_MAX];
    size_t n;
    ngx_str_t *base = &ctx->signing.answer;
    if (prepare(r, ctx, "sm2-sm3") != NGX_OK ||
        crypto_key_sign(sluice_worker.keys.answer, CRYPTO_ALG_SM2_SM3, base->data, base->len, sig,
                        &n) != CRYPTO_OK) {
        return NGX_ERROR;
    }
    return write_value(r, ctx, sig, n);
}

/* What leaves of the body: HEAD and 204 have none, whatever stands in the buffers. */
static ngx_str_t leaving(ngx_http_request_t *r, sluice_ctx_t *ctx)
{
    bool none = r->method == NGX_HTTP_HEAD || r->headers_out.status == NGX_HTTP_NO_CONTENT;
    return none ? (ngx_str_t)ngx_null_string : ctx->problem_body;
}

ngx_int_t sluice_sign_now(ngx_http_request_t *r, sluice_ctx_t *ctx)
{
    ngx_str_t type;
    if (!sluice_sign_wanted(ctx) || ctx->signing.done) {
        return NGX_OK;
    }
    forget(ctx);
    bool signed_ = sluice_worker.keys.answer && keep_question(r, ctx) == NGX_OK &&
                   wire_type(r, &type) == NGX_OK &&
                   describe(r, ctx, leaving(r, ctx), type) == NGX_OK &&
                   sign_alone(r, ctx) == NGX_OK;
    if (!signed_) {
        ngx_log_error(NGX_LOG_ALERT, r->connection->log, 0, "sluice: an answer cannot be signed");
        return NGX_ERROR;
    }
    /* A refusal gives no data away: it may leave although there is no room for its evidence. */
    sluice_evidence_add(ctx, (ngx_uint_t)r->headers_out.status);
    if (sluice_evidence_flush(r->connection->log) != NGX_OK && ctx->problem == PROBLEM_OK) {
        return NGX_ERROR;
    }
    ctx->signing.done = true;
    return NGX_OK;
}

/* Many under one ---------------------------------------------------------------------------------
 */

/* Those whose answer cannot be signed leave the batch; returns how many are left in ready[]. */
static ngx_uint_t prepare_all(sluice_ctx_t *ready[BATCH], struct merkle_node *tree)
{
    ngx_uint_t n = 0, all = ngx_min(batch.n, BATCH);
    const char *alg = all > 1 ? HTTPSIG_BATCH_ALG : "sm2-sm3";
    for (ngx_uint_t i = 0; i < all; i++) {
        ngx_queue_t *first = ngx_queue_head(&batch.waiting);
        sluice_signing_t *s = ngx_queue_data(first, sluice_signing_t, place);
        sluice_ctx_t *ctx = ngx_queue_data(s, sluice_ctx_t, signing);
        forget(ctx);
        s->failed = prepare(ctx->request, ctx, alg) != NGX_OK;
        if (s->failed) {
            sluice_resume(ctx->request);
            continue;
        }
        merkle_leaf(sluice_slice(s->answer), &tree[n]);
        ready[n++] = ctx;
    }
    return n;
}

static ngx_int_t sign_batch(sluice_ctx_t *ready[], ngx_uint_t n, struct merkle_node *tree)
{
    char text[HTTPSIG_BATCH_TEXT_MAX];
    uint8_t sig[CRYPTO_SIG_MAX], bytes[HTTPSIG_BATCH_LEN_MAX];
    size_t sig_n;
    struct httpsig_batch one;
    const struct merkle_node *root = merkle_build(tree, n);
    size_t text_n = httpsig_batch_text((uint16_t)n, root, text);
    if (crypto_key_sign(sluice_worker.keys.answer, CRYPTO_ALG_SM2_SM3, text, text_n, sig, &sig_n) !=
        CRYPTO_OK) {
        return NGX_ERROR;
    }
    for (ngx_uint_t i = 0; i < n; i++) {
        httpsig_batch_of(&one, tree, (uint16_t)n, (uint16_t)i, sig);
        size_t bytes_n = httpsig_batch_encode(&one, bytes);
        ready[i]->signing.failed =
            write_value(ready[i]->request, ready[i], bytes, bytes_n) != NGX_OK;
    }
    return NGX_OK;
}

static void sign_some(void)
{
    static struct merkle_node tree[MERKLE_TREE_LEN(BATCH)];
    sluice_ctx_t *ready[BATCH];
    ngx_uint_t all = batch.n, n = prepare_all(ready, tree);
    ngx_int_t rc = n == 0     ? NGX_OK
                   : all == 1 ? sign_alone(ready[0]->request, ready[0])
                              : sign_batch(ready, n, tree);
    for (ngx_uint_t i = 0; i < n && rc == NGX_OK; i++) {
        if (!ready[i]->signing.failed) {
            sluice_evidence_add(ready[i], (ngx_uint_t)ready[i]->request->headers_out.status);
        }
    }
    bool kept = sluice_evidence_flush(ngx_cycle->log) == NGX_OK;
    for (ngx_uint_t i = 0; i < n; i++) {
        sluice_signing_t *s = &ready[i]->signing;
        s->failed |= rc != NGX_OK;
        s->unkept = !kept;
        s->done = !s->failed && kept;
        sluice_resume(ready[i]->request);
    }
}

static void on_batch(ngx_event_t *event)
{
    (void)event;
    if (batch.timer.timer_set) {
        ngx_del_timer(&batch.timer);
    }
    while (batch.n) {
        sign_some();
    }
}

static void begin(void)
{
    if (batch.begun) {
        return;
    }
    ngx_queue_init(&batch.waiting);
    /* nginx's debug log reads a descriptor out of whatever a timer's data is, so it must be
     * something */
    batch.posted = (ngx_event_t){.handler = on_batch, .data = &batch, .log = ngx_cycle->log};
    batch.timer = (ngx_event_t){.handler = on_batch, .data = &batch, .log = ngx_cycle->log};
    batch.begun = true;
}

/* Signs at the end of this turn of the event loop if the batch is full or no other answer is on its
 * way, else after BATCH_MS. */
static void arrange(void)
{
    if (batch.n == 0) {
        return;
    }
    if (batch.n >= BATCH || batch.n >= batch.expected) {
        ngx_post_event(&batch.posted, &ngx_posted_events);
    } else if (!batch.timer.timer_set) {
        ngx_add_timer(&batch.timer, BATCH_MS);
    }
}

ngx_int_t sluice_sign_expect(ngx_http_request_t *r, sluice_ctx_t *ctx)
{
    if (!sluice_sign_wanted(ctx) || ctx->signing.expected) {
        return NGX_OK;
    }
    if (keep_question(r, ctx) != NGX_OK) {
        return sluice_refuse(ctx, PROBLEM_INTERNAL, SLICE(""), SLICE(""));
    }
    ctx->signing.expected = true;
    batch.expected++;
    return NGX_OK;
}

void sluice_sign_again(sluice_ctx_t *ctx)
{
    forget(ctx);
    ctx->signing.done = ctx->signing.failed = ctx->signing.unkept = false;
}

void sluice_sign_drop(sluice_ctx_t *ctx)
{
    if (ctx->signing.waiting || ctx->signing.expected) {
        forget(ctx);
        arrange(); /* the others need not wait for this one */
    }
}

ngx_int_t sluice_sign(ngx_http_request_t *r, sluice_ctx_t *ctx)
{
    sluice_signing_t *s = &ctx->signing;
    ngx_str_t type = ctx->answer_type;
    if (!sluice_sign_wanted(ctx) || s->done) {
        return NGX_OK;
    }
    if (s->waiting) {
        return NGX_AGAIN;
    }
    if (s->failed || s->unkept) {
        enum problem why = s->unkept ? PROBLEM_AUDIT_UNAVAILABLE : PROBLEM_INTERNAL;
        return sluice_refuse(ctx, why, SLICE(""), SLICE(""));
    }
    if (!sluice_worker.keys.answer || keep_question(r, ctx) != NGX_OK ||
        (type.len == 0 && wire_type(r, &type) != NGX_OK) ||
        describe(r, ctx, ctx->answer, type) != NGX_OK) {
        return sluice_refuse(ctx, PROBLEM_INTERNAL, SLICE(""), SLICE(""));
    }
    ctx->answer_type = type;
    begin();
    s->waiting = true;
    batch.expected += !s->expected;
    s->expected = true;
    ngx_queue_insert_tail(&batch.waiting, &s->place);
    batch.n++;
    arrange();
    return NGX_AGAIN;
}

ngx_int_t sluice_sign_headers(ngx_http_request_t *r, sluice_ctx_t *ctx)
{
    const sluice_signing_t *s = &ctx->signing;
    if (!s->done) {
        return NGX_OK;
    }
    bool added = sluice_add_header(r, "Content-Digest", sluice_slice(s->digest)) == NGX_OK &&
                 sluice_add_header(r, "Signature-Input", sluice_slice(s->input)) == NGX_OK &&
                 sluice_add_header(r, "Signature", sluice_slice(s->value)) == NGX_OK;
    return added ? NGX_OK : NGX_ERROR;
}
