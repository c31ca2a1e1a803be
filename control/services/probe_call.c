/* SPDX-License-Identifier: Apache-2.0 */
/* A call of the platform's own, over one connection, as its app: with its secret, or with a key
 * pair whose private half the platform alone has. */
#include "services/probe.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "api/api.h"
#include "api/credentials.h"
#include "base/codec.h"
#include "outbound.h"

#define TIMEOUT_MS 10000L
#define PEM_MAX    1024
#define SOON_MS    60000 /* a credential that ends within a test is none */

/* What api_seal made of it; n: 0 when it cannot be opened. */
static size_t unseal(struct rest_call *c, const char *id, const char *sealed,
                     uint8_t plain[static PEM_MAX])
{
    uint8_t bytes[PEM_MAX];
    size_t text_n = strlen(sealed), n = 0;

    return codec_unbase64url(bytes, sizeof bytes, &n, sealed, text_n) && n > CRYPTO_SEAL_EXTRA &&
                   keyring_open(c->ctl, slice_str(id), bytes, n, plain) == CRYPTO_OK
               ? n - CRYPTO_SEAL_EXTRA
               : 0;
}

static enum problem take_credential(struct rest_call *c, const json_t *row, enum probe_key kind,
                                    struct probe *p)
{
    uint8_t plain[PEM_MAX];
    const char *id = row_text(row, "id");
    size_t n = unseal(c, id, row_text(row, "sealed"), plain);
    bool good = n > 0;

    snprintf(p->credential, sizeof p->credential, "%s", id);
    if (good && kind == PROBE_SECRET) {
        p->secret = crypto_hmac_new(CRYPTO_SM3, plain, n);
    } else if (good) {
        good = crypto_key_load_pem(&p->pair, CRYPTO_KEY_PAIR, slice_of((const char *)plain, n)) ==
               CRYPTO_OK;
    }
    crypto_wipe(plain, sizeof plain);
    return good ? PROBLEM_OK : PROBLEM_INTERNAL;
}

/* A pair of its own: the public half is a credential as any other, the private one stays here,
 * sealed, and never leaves. */
static enum problem keep_pair(struct rest_call *c, struct store_txn *txn, const char *id,
                              const char *pem)
{
    json_t *sealed = api_seal_kept(c->ctl, id, slice_str(pem));
    const struct store_value v[] = {store_text(id), store_text(json_string_value(sealed))};
    enum problem p =
        sealed ? rest_store_problem(
                     c, store_exec(txn, "INSERT INTO probe_keys VALUES (?, ?)", v, COUNT(v), NULL))
               : PROBLEM_INTERNAL;

    json_decref(sealed);
    return p;
}

static enum problem store_pair(struct rest_call *c, struct store_txn *txn, const char *app_id,
                               const struct crypto_key *key, char id[static UUID_TEXT_LEN + 1])
{
    char *public = crypto_key_public_pem(key), *private = crypto_key_private_pem(key);
    json_t *body = json_pack("{s:s, s:s, s:s, s:s}", "app_id", app_id, "algorithm", "sm2-sm3",
                             "public_key", public, "label", "the platform's own tests");
    json_t *row = NULL;
    struct uuid fresh;

    uuid_new(&fresh);
    uuid_format(&fresh, id);
    enum problem p = body ? credential_make(c, txn, body, id, &row) : PROBLEM_INTERNAL;
    if (p == PROBLEM_OK) {
        p = change_store(c, txn, &credentials_resource, NULL, row, "create");
    }
    if (p == PROBLEM_OK) {
        p = keep_pair(c, txn, id, private);
    }
    crypto_wipe(private, strlen(private));
    free(private);
    free(public);
    json_decref(body);
    json_decref(row);
    return p;
}

static enum problem make_pair(struct rest_call *c, struct store_txn *txn, const char *app_id,
                              struct probe *p)
{
    struct crypto_key *key = crypto_key_new(CRYPTO_KEY_SM2);
    enum problem pr = store_pair(c, txn, app_id, key, p->credential);

    p->pair = key;
    return pr;
}

static const char *const credential_sql[] = {
    [PROBE_SECRET] = "SELECT id, secret_sealed FROM credentials WHERE app_id = ? AND algorithm = "
                     "'hmac-sm3' AND state = 'active' AND coalesce(expires_at, 9e15) > ? ORDER BY "
                     "created_at DESC LIMIT 1",
    [PROBE_PAIR] = "SELECT k.credential_id, k.private_sealed FROM probe_keys k JOIN credentials c "
                   "ON c.id = k.credential_id WHERE c.app_id = ? AND c.state = 'active' AND "
                   "coalesce(c.expires_at, 9e15) > ? ORDER BY c.created_at DESC LIMIT 1"};

static enum problem load_key(struct rest_call *c, struct store_txn *txn, const char *app_id,
                             enum probe_key kind, struct probe *p)
{
    const struct store_value v[] = {store_text(app_id), store_int((int64_t)c->now_ms + SOON_MS)};
    json_t *rows = NULL;
    enum problem pr =
        services_rows(c, txn, credential_sql[kind], v, COUNT(v), "id:t sealed:t", &rows);
    const json_t *row = json_array_get(rows, 0);

    if (pr == PROBLEM_OK && row) {
        pr = take_credential(c, row, kind, p);
    } else if (pr == PROBLEM_OK && kind == PROBE_PAIR) {
        pr = make_pair(c, txn, app_id, p);
    } else if (pr == PROBLEM_OK) {
        pr = rest_fail(c, PROBLEM_STATE_CONFLICT, "",
                       "the app has no active secret (hmac-sm3) to sign the call with");
    }
    json_decref(rows);
    return pr;
}

/* What nodes say they sign answers by. */
static enum problem load_platform(struct rest_call *c, struct store_txn *txn, struct probe *p)
{
    json_t *rows = NULL, *row;
    size_t i;
    enum problem pr = services_rows(c, txn,
                                    "SELECT jwk FROM node_keys WHERE \"use\" = 'sig' AND "
                                    "\"current\" = 1 ORDER BY last_at DESC LIMIT 8",
                                    NULL, 0, "jwk:t", &rows);

    json_array_foreach(rows, i, row)
    {
        if (p->n_platform < PROBE_KEYS_MAX &&
            crypto_key_load_jwk(&p->platform[p->n_platform], CRYPTO_KEY_PUBLIC,
                                slice_str(row_text(row, "jwk"))) == CRYPTO_OK) {
            p->n_platform++;
        }
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
    curl_easy_setopt(p->curl, CURLOPT_CONNECTTIMEOUT_MS, TIMEOUT_MS);
    if (stat(p->ca_path, &st) == 0) {
        curl_easy_setopt(p->curl, CURLOPT_CAINFO, p->ca_path);
    }
}

enum problem probe_init(struct rest_call *c, struct store_txn *txn, const char *app_id,
                        const char *fallback, enum probe_key kind, struct probe *p)
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
    pr = p->curl ? load_key(c, txn, app_id, kind, p) : PROBLEM_INTERNAL;
    return pr == PROBLEM_OK ? load_platform(c, txn, p) : pr;
}

void probe_fini(struct probe *p)
{
    if (p->curl) {
        curl_easy_cleanup(p->curl);
    }
    crypto_hmac_free(&p->secret);
    crypto_key_free(&p->pair);
    for (size_t i = 0; i < p->n_platform; i++) {
        crypto_key_free(&p->platform[i]);
    }
}

void probe_answer_fini(struct probe_answer *answer)
{
    json_decref(answer->json);
    buf_fini(&answer->body);
}

CURL *probe_handle(const struct probe *p)
{
    return curl_easy_duphandle(p->curl);
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

static void keep_header(CURL *curl, const char *name, char *out, size_t cap)
{
    struct curl_header *header = NULL;

    if (curl_easy_header(curl, name, 0, CURLH_HEADER, -1, &header) == CURLHE_OK) {
        snprintf(out, cap, "%s", header->value);
    }
}

static void add_header(struct probe_request *request, const char *name, const char *value)
{
    char line[PROBE_HEADER_MAX + 40];

    snprintf(line, sizeof line, "%s: %s", name, value);
    request->headers = curl_slist_append(request->headers, line);
}

static void set_body(CURL *curl, const struct probe_call *call, struct probe_request *request)
{
    uint8_t digest[CRYPTO_HASH_LEN];
    size_t n = call->body ? strlen(call->body) : 0;

    curl_easy_setopt(curl, CURLOPT_HTTPGET, 1L);
    curl_easy_setopt(curl, CURLOPT_NOBODY, strcmp(call->method, "HEAD") == 0 ? 1L : 0L);
    if (call->body) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)n);
        curl_easy_setopt(curl, CURLOPT_COPYPOSTFIELDS, call->body);
        crypto_hash(CRYPTO_SM3, call->body, n, digest);
        n = httpsig_write_digest(HTTPSIG_DIGEST_SM3, digest, request->digest);
        request->digest[n] = '\0';
        add_header(request, "Content-Digest", request->digest);
        add_header(request, "Content-Type", "application/json");
    }
    bool plain =
        strcmp(call->method, "HEAD") == 0 || strcmp(call->method, call->body ? "POST" : "GET") == 0;
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, plain ? NULL : call->method);
}

bool probe_prepare(struct probe *p, CURL *curl, const struct probe_call *call,
                   enum probe_proof proof, struct probe_request *request)
{
    char url[sizeof p->gateway + PROBE_TARGET_MAX + 1000];

    *request = (struct probe_request){0};
    snprintf(url, sizeof url, "%s%s", p->gateway, call->target);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    add_header(request, "Accept", "application/json");
    if (p->zh) {
        add_header(request, "Accept-Language", "zh-CN");
    }
    if (call->grant) {
        add_header(request, "Sluice-Grant", call->grant);
    }
    set_body(curl, call, request);
    if (proof != PROBE_UNSIGNED) {
        if (!probe_sign(p, call, proof == PROBE_FORGED, request)) {
            return false;
        }
        add_header(request, "Signature-Input", request->input);
        add_header(request, "Signature", request->signature);
    }
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, request->headers);
    return true;
}

void probe_release(struct probe_request *request)
{
    curl_slist_free_all(request->headers);
    request->headers = NULL;
}

static void read_answer(CURL *curl, struct probe_answer *answer)
{
    curl_off_t us = 0;

    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer->status);
    curl_easy_getinfo(curl, CURLINFO_TOTAL_TIME_T, &us);
    answer->ms = (double)us / 1000.0;
    keep_header(curl, "Sluice-Transaction", answer->transaction, sizeof answer->transaction);
    keep_header(curl, "Content-Type", answer->type, sizeof answer->type);
    if (answer->body.n) {
        answer->json = json_loadb(answer->body.p, answer->body.n, JSON_DECODE_ANY, NULL);
    }
}

void probe_send(struct probe *p, const struct probe_call *call, enum probe_proof proof,
                struct probe_answer *answer)
{
    struct probe_request request;

    *answer = (struct probe_answer){0};
    buf_init(&answer->body);
    if (probe_prepare(p, p->curl, call, proof, &request)) {
        curl_easy_setopt(p->curl, CURLOPT_WRITEFUNCTION, take);
        curl_easy_setopt(p->curl, CURLOPT_WRITEDATA, &answer->body);
        if (curl_easy_perform(p->curl) == CURLE_OK) {
            read_answer(p->curl, answer);
            answer->proven = probe_proven(p, p->curl, call, &request, answer);
        }
    }
    probe_release(&request);
}
