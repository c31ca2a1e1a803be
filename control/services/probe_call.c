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

#define BASE_MAX    8192
#define INPUT_MAX   1024
#define HEADER_MAX  1200
#define LIFE_S      60
#define TIMEOUT_MS  10000L
#define NONCE_BYTES UUID_LEN

static enum problem open_secret(struct rest_call *c, const char *id, const char *sealed,
                                struct probe *p)
{
    uint8_t bytes[256], plain[256];
    size_t text_n = strlen(sealed), n = 0;
    bool good =
        text_n < sizeof bytes && codec_unbase64url(bytes, sizeof bytes, &n, sealed, text_n) &&
        n > CRYPTO_SEAL_EXTRA && keyring_open(c->ctl, slice_str(id), bytes, n, plain) == CRYPTO_OK;

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

enum problem probe_init(struct rest_call *c, struct store_txn *txn, const char *app_id,
                        const char *fallback, struct probe *p)
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
    pr = p->curl ? load_key(c, txn, app_id, p) : PROBLEM_INTERNAL;
    return pr;
}

void probe_fini(struct probe *p)
{
    if (p->curl) {
        curl_easy_cleanup(p->curl);
    }
    crypto_hmac_free(&p->key);
}

static bool field(void *ctx, struct slice name, struct slice *value)
{
    (void)name;
    *value = slice_str(ctx);
    return true;
}

static bool cover(struct httpsig *sig, bool grant)
{
    return httpsig_cover(sig, SLICE("@method")) == HTTPSIG_OK &&
           httpsig_cover(sig, SLICE("@authority")) == HTTPSIG_OK &&
           httpsig_cover(sig, SLICE("@path")) == HTTPSIG_OK &&
           httpsig_cover(sig, SLICE("@query")) == HTTPSIG_OK &&
           (!grant || httpsig_cover(sig, SLICE("sluice-grant")) == HTTPSIG_OK);
}

static bool sign(struct probe *p, const char *target, const char *grant, bool forged,
                 char input[static HEADER_MAX], char signature[static HEADER_MAX])
{
    char nonce[CODEC_BASE64URL_LEN(NONCE_BYTES)], base[BASE_MAX];
    const bool tls = strncmp(p->gateway, "https", 5) == 0;
    uint8_t mac[CRYPTO_HASH_LEN];
    struct uuid fresh;
    uint64_t now_s = clock_wall_ms() / 1000;
    size_t n = 0;

    uuid_new(&fresh);
    size_t nonce_n = codec_base64url(nonce, fresh.b, UUID_LEN);
    struct httpsig sig = {.label = SLICE("sig1"),
                          .created_s = now_s,
                          .expires_s = now_s + LIFE_S,
                          .nonce = slice_of(nonce, nonce_n),
                          .keyid = slice_str(p->credential),
                          .alg = SLICE("hmac-sm3")};
    struct httpsig_request request = {.method = SLICE("GET"),
                                      .scheme = tls ? SLICE("https") : SLICE("http"),
                                      .authority = slice_str(p->authority),
                                      .target = slice_str(target),
                                      .field = field,
                                      .ctx = (void *)(uintptr_t)(grant ? grant : "")};
    size_t head = (size_t)snprintf(input, HEADER_MAX, "Signature-Input: ");
    if (!cover(&sig, grant != NULL) ||
        httpsig_write_input(&sig, input + head, INPUT_MAX, &n) != HTTPSIG_OK) {
        return false;
    }
    input[head + n] = '\0';
    if (httpsig_base(&sig, &request, base, sizeof base, &n) != HTTPSIG_OK) {
        return false;
    }
    crypto_hmac_sign(p->key, base, n, mac);
    mac[0] ^= forged ? 1 : 0;
    struct httpsig out = {.label = SLICE("sig1")};
    head = (size_t)snprintf(signature, HEADER_MAX, "Signature: ");
    if (httpsig_write_signature(&out, mac, sizeof mac, signature + head, INPUT_MAX, &n) !=
        HTTPSIG_OK) {
        return false;
    }
    signature[head + n] = '\0';
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

void probe_get(struct probe *p, const char *target, const char *grant, enum probe_proof proof,
               struct probe_answer *answer)
{
    char url[2700], input[HEADER_MAX], signature[HEADER_MAX], said[100];
    struct curl_slist *headers = curl_slist_append(NULL, "Accept: application/json");

    *answer = (struct probe_answer){0};
    snprintf(url, sizeof url, "%s%s", p->gateway, target);
    curl_easy_setopt(p->curl, CURLOPT_URL, url);
    if (p->zh) {
        headers = curl_slist_append(headers, "Accept-Language: zh-CN");
    }
    if (grant) {
        snprintf(said, sizeof said, "Sluice-Grant: %.60s", grant);
        headers = curl_slist_append(headers, said);
    }
    if (proof != PROBE_UNSIGNED) {
        if (!sign(p, target, grant, proof == PROBE_FORGED, input, signature)) {
            curl_slist_free_all(headers);
            return;
        }
        headers = curl_slist_append(headers, input);
        headers = curl_slist_append(headers, signature);
    }
    perform(p, headers, answer);
    curl_slist_free_all(headers);
}
