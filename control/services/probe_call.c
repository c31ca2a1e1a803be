/* SPDX-License-Identifier: Apache-2.0 */
/* A signed call of the platform's own: RFC 9421 with the probe app's secret, over one connection.
 */
#include "services/probe.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "api/api.h"
#include "base/clock.h"
#include "base/codec.h"
#include "httpsig/httpsig.h"
#include "outbound.h"

#define INPUT_MAX   1024
#define HEADER_MAX  PROBE_HEADER_MAX
#define LIFE_S      60
#define TIMEOUT_MS  10000L
#define NONCE_BYTES UUID_LEN

static enum problem open_secret(struct rest_call *c, const char *id, const char *sealed,
                                struct probe *p)
{
    uint8_t bytes[256], plain[256];
    size_t text_n = strlen(sealed), n = 0;
    bool good = text_n < sizeof bytes &&
                codec_unbase64url(bytes, sizeof bytes, &n, sealed, text_n) &&
                n > CRYPTO_SEAL_EXTRA &&
                crypto_open(c->ctl->store_secret, slice_str(id), bytes, n, plain) == CRYPTO_OK;

    if (good) {
        p->key = crypto_hmac_new(CRYPTO_SM3, plain, n - CRYPTO_SEAL_EXTRA);
    }
    crypto_wipe(plain, sizeof plain);
    return p->key ? PROBLEM_OK : PROBLEM_INTERNAL;
}

static enum problem load_key(struct rest_call *c, struct store_txn *txn, const char *app_id,
                             struct probe *p)
{
    const struct store_value v[] = {store_text(app_id), store_int((int64_t)c->now_ms)};
    json_t *rows = NULL;
    enum problem pr =
        services_rows(c, txn,
                      "SELECT id, secret_sealed FROM credentials WHERE app_id = ? AND "
                      "algorithm = 'hmac-sm3' AND state = 'active' AND "
                      "coalesce(expires_at, 9e15) > ? ORDER BY created_at DESC LIMIT 1",
                      v, COUNT(v), "id:t sealed:t", &rows);
    const json_t *row = json_array_get(rows, 0);

    if (pr == PROBLEM_OK && !row) {
        pr = rest_fail(c, PROBLEM_STATE_CONFLICT, "",
                       "the app has no active secret (hmac-sm3) to sign the call with");
    }
    if (pr == PROBLEM_OK) {
        snprintf(p->credential, sizeof p->credential, "%s", row_text(row, "id"));
        pr = open_secret(c, row_text(row, "id"), row_text(row, "sealed"), p);
    }
    json_decref(rows);
    return pr;
}

/* The inner CA's certificate counts for a gateway that has no other. */
static void start(struct rest_call *c, struct probe *p)
{
    struct stat st;

    snprintf(p->ca_path, sizeof p->ca_path, "%s/pki/ca.crt", c->ctl->cfg->data_dir);
    p->curl = curl_easy_init();
    if (!p->curl) {
        return;
    }
    outbound_prepare(p->curl, c->ctl->cfg);
    curl_easy_setopt(p->curl, CURLOPT_PROTOCOLS_STR, "http,https"); /* an administrator's address */
    curl_easy_setopt(p->curl, CURLOPT_OPENSOCKETFUNCTION, NULL);
    curl_easy_setopt(p->curl, CURLOPT_TIMEOUT_MS, TIMEOUT_MS);
    if (stat(p->ca_path, &st) == 0) {
        curl_easy_setopt(p->curl, CURLOPT_CAINFO, p->ca_path);
    }
}

enum problem probe_init_bare(struct rest_call *c, struct store_txn *txn, const char *fallback,
                             struct probe *p)
{
    char url[SERVICE_SETTING_MAX];
    enum problem pr = service_setting(c, txn, "gateway-url", url);

    *p = (struct probe){0};
    if (pr != PROBLEM_OK) {
        return pr;
    }
    if (strcmp(url, "none") == 0 && fallback) {
        snprintf(url, sizeof url, "%s", fallback);
    }
    if (strcmp(url, "none") == 0) {
        return rest_fail(c, PROBLEM_STATE_CONFLICT, "", "the setting gateway-url is none");
    }
    snprintf(p->gateway, sizeof p->gateway, "%s", url);
    size_t n = strlen(p->gateway);
    if (n && p->gateway[n - 1] == '/') {
        p->gateway[n - 1] = '\0';
    }
    const char *host = strstr(p->gateway, "://");
    snprintf(p->authority, sizeof p->authority, "%s", host ? host + 3 : p->gateway);
    start(c, p);
    return p->curl ? PROBLEM_OK : PROBLEM_INTERNAL;
}

enum problem probe_init(struct rest_call *c, struct store_txn *txn, const char *app_id,
                        const char *fallback, struct probe *p)
{
    enum problem pr = probe_init_bare(c, txn, fallback, p);

    return pr == PROBLEM_OK ? load_key(c, txn, app_id, p) : pr;
}

void probe_fini(struct probe *p)
{
    if (p->curl) {
        curl_easy_cleanup(p->curl);
    }
    crypto_hmac_free(&p->key);
}

/* What is sent beside the signature, and covered by it. */
struct sent {
    const struct probe_request *q;
    char digest[HTTPSIG_DIGEST_TEXT_MAX + 1];
};

static void digest_of(struct sent *s)
{
    uint8_t digest[CRYPTO_HASH_LEN];

    crypto_hash(CRYPTO_SM3, s->q->body.p, s->q->body.n, digest);
    s->digest[httpsig_write_digest(HTTPSIG_DIGEST_SM3, digest, s->digest)] = '\0';
}

static bool field(void *ctx, struct slice name, struct slice *value)
{
    const struct sent *s = ctx;
    const char *text = slice_eq(name, SLICE("sluice-grant"))     ? s->q->grant
                       : slice_eq(name, SLICE("sluice-purpose")) ? s->q->purpose
                       : slice_eq(name, SLICE("content-digest")) ? s->digest
                                                                 : NULL;

    *value = slice_str(text ? text : "");
    return text != NULL;
}

static bool cover(struct httpsig *sig, const struct probe_request *q)
{
    return httpsig_cover(sig, SLICE("@method")) == HTTPSIG_OK &&
           httpsig_cover(sig, SLICE("@authority")) == HTTPSIG_OK &&
           httpsig_cover(sig, SLICE("@path")) == HTTPSIG_OK &&
           httpsig_cover(sig, SLICE("@query")) == HTTPSIG_OK &&
           (!q->content_type || httpsig_cover(sig, SLICE("content-digest")) == HTTPSIG_OK) &&
           (!q->grant || httpsig_cover(sig, SLICE("sluice-grant")) == HTTPSIG_OK) &&
           (!q->purpose || httpsig_cover(sig, SLICE("sluice-purpose")) == HTTPSIG_OK);
}

bool probe_base(struct probe *p, const struct probe_request *q, char input[static PROBE_HEADER_MAX],
                char base[static PROBE_BASE_MAX])
{
    char nonce[CODEC_BASE64URL_LEN(NONCE_BYTES)];
    const bool tls = strncmp(p->gateway, "https", 5) == 0;
    struct sent sent = {.q = q};
    struct uuid fresh;
    uint64_t now_s = clock_wall_ms() / 1000;
    size_t n = 0;

    uuid_new(&fresh);
    digest_of(&sent);
    size_t nonce_n = codec_base64url(nonce, fresh.b, UUID_LEN);
    struct httpsig sig = {.label = SLICE("sig1"),
                          .created_s = now_s,
                          .expires_s = now_s + LIFE_S,
                          .nonce = slice_of(nonce, nonce_n),
                          .keyid = slice_str(q->keyid ? q->keyid : p->credential),
                          .alg = slice_str(q->alg ? q->alg : "hmac-sm3")};
    struct httpsig_request request = {.method = slice_str(q->method),
                                      .scheme = tls ? SLICE("https") : SLICE("http"),
                                      .authority = slice_str(p->authority),
                                      .target = slice_str(q->target),
                                      .field = field,
                                      .ctx = &sent};
    if (!cover(&sig, q) || httpsig_write_input(&sig, input, INPUT_MAX, &n) != HTTPSIG_OK) {
        return false;
    }
    input[n] = '\0';
    if (httpsig_base(&sig, &request, base, PROBE_BASE_MAX - 1, &n) != HTTPSIG_OK) {
        return false;
    }
    base[n] = '\0';
    return true;
}

static bool sign(struct probe *p, const struct probe_request *q, bool forged,
                 char input[static HEADER_MAX], char signature[static HEADER_MAX])
{
    char base[PROBE_BASE_MAX];
    uint8_t mac[CRYPTO_HASH_LEN];
    struct httpsig out = {.label = SLICE("sig1")};
    size_t n = 0;

    if (!probe_base(p, q, input, base)) {
        return false;
    }
    crypto_hmac_sign(p->key, base, strlen(base), mac);
    mac[0] ^= forged ? 1 : 0;
    if (httpsig_write_signature(&out, mac, sizeof mac, signature, INPUT_MAX, &n) != HTTPSIG_OK) {
        return false;
    }
    signature[n] = '\0';
    return true;
}

static size_t take(char *p, size_t size, size_t n, void *ctx)
{
    struct buf *b = ctx;

    if (size * n > PROBE_ANSWER_MAX - b->n) {
        return 0;
    }
    buf_add(b, p, size * n);
    return b->failed ? 0 : size * n;
}

static void keep_transaction(CURL *curl, struct probe_answer *answer)
{
    struct curl_header *header = NULL;

    if (curl_easy_header(curl, "Sluice-Transaction", 0, CURLH_HEADER, -1, &header) == CURLHE_OK) {
        snprintf(answer->transaction, sizeof answer->transaction, "%s", header->value);
    }
}

static void perform(struct probe *p, struct curl_slist *headers, struct probe_answer *answer)
{
    struct buf body;
    curl_off_t us = 0;

    buf_init(&body);
    curl_easy_setopt(p->curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(p->curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(p->curl, CURLOPT_WRITEDATA, &body);
    if (curl_easy_perform(p->curl) == CURLE_OK) {
        curl_easy_getinfo(p->curl, CURLINFO_RESPONSE_CODE, &answer->status);
        curl_easy_getinfo(p->curl, CURLINFO_TOTAL_TIME_T, &us);
        answer->ms = (double)us / 1000.0;
        keep_transaction(p->curl, answer);
        answer->json = body.n ? json_loadb(body.p, body.n, JSON_DECODE_ANY, NULL) : NULL;
    }
    buf_fini(&body);
}

static struct curl_slist *add(struct curl_slist *headers, const char *name, const char *value)
{
    char line[PROBE_HEADER_MAX + 64];

    snprintf(line, sizeof line, "%s: %s", name, value);
    return curl_slist_append(headers, line);
}

/* One handle makes all calls: each says all that another one may have changed. */
static void set_method(struct probe *p, const struct probe_request *q)
{
    bool get = strcmp(q->method, "GET") == 0 && !q->content_type;

    curl_easy_setopt(p->curl, CURLOPT_HTTPGET, 1L);
    if (!get) {
        curl_easy_setopt(p->curl, CURLOPT_POSTFIELDSIZE_LARGE,
                         (curl_off_t)(q->content_type ? q->body.n : 0));
        curl_easy_setopt(p->curl, CURLOPT_POSTFIELDS, q->content_type ? q->body.p : "");
    }
    curl_easy_setopt(p->curl, CURLOPT_CUSTOMREQUEST, get ? NULL : q->method);
}

static void send_call(struct probe *p, const struct probe_request *q, enum probe_proof proof,
                      struct probe_answer *answer)
{
    char url[2700], input[HEADER_MAX], signature[HEADER_MAX];
    struct curl_slist *headers = curl_slist_append(NULL, "Accept: application/json");
    struct sent sent = {.q = q};
    bool proven = proof != PROBE_UNSIGNED, ready = true;

    *answer = (struct probe_answer){0};
    snprintf(url, sizeof url, "%s%s", p->gateway, q->target);
    curl_easy_setopt(p->curl, CURLOPT_URL, url);
    set_method(p, q);
    headers = p->zh ? add(headers, "Accept-Language", "zh-CN") : headers;
    headers = q->grant ? add(headers, "Sluice-Grant", q->grant) : headers;
    headers = q->purpose ? add(headers, "Sluice-Purpose", q->purpose) : headers;
    headers = add(headers, "Content-Type", q->content_type ? q->content_type : "");
    if (q->content_type) {
        digest_of(&sent);
        headers = add(headers, "Content-Digest", sent.digest);
    }
    if (proven && !q->input) {
        ready = sign(p, q, proof == PROBE_FORGED, input, signature);
    }
    if (proven && ready) {
        headers = add(headers, "Signature-Input", q->input ? q->input : input);
        headers = add(headers, "Signature", q->input ? q->signature : signature);
    }
    if (ready) {
        perform(p, headers, answer);
    }
    curl_slist_free_all(headers);
}

void probe_get(struct probe *p, const char *target, const char *grant, enum probe_proof proof,
               struct probe_answer *answer)
{
    const struct probe_request q = {.method = "GET", .target = target, .grant = grant};

    send_call(p, &q, proof, answer);
}

void probe_call(struct probe *p, const struct probe_request *q, struct probe_answer *answer)
{
    send_call(p, q, PROBE_SIGNED, answer);
}
