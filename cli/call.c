/* SPDX-License-Identifier: Apache-2.0 */
/* `sluice call`: one signed call. The body of the answer goes to stdout, all else to stderr, so
 * that the answer can be piped. */
#include <errno.h>
#include <stdio.h>
#include <strings.h>

#include "base/clock.h"
#include "cli.h"
#include "proof.h"
#include "signing.h"

#define TIMEOUT_S         60L
#define CONNECT_TIMEOUT_S 10L
#define HEAD_BYTES_MAX    (256u << 10)
#define BODY_BYTES_MAX    (256u << 20) /* of an answer that is verified before it is shown */

static const char help[] =
    "usage: sluice call --credential ID (--key FILE | --secret-file FILE) --cacert FILE [options]\n"
    "                   [METHOD] URL\n\n"
    "Makes a signed call (RFC 9421) and prints the body of the answer; its status and transaction\n"
    "number go to stderr. Exit code: 0 for 2xx, 1 for any other answer or none, 2 for wrong "
    "options.\n\n"
    "  --credential ID      the credential's id\n"
    "  --key FILE           the app's private key, PEM: SM2, P-256 or RSA up to 4096 bits\n"
    "  --secret-file FILE   or file with the credential's secret, as the platform printed it\n"
    "  --secret-env NAME    or the environment variable that holds it\n"
    "  --plain-key          takes a key or secret file that is not sealed (see 'sluice keystore')\n"
    "  --alg NAME           with a key its own: sm2-sm3, ecdsa-p256-sha256, rsa-pss-sha512; with "
    "a\n"
    "                       secret hmac-sm3 (default) or hmac-sha256 (also: --algorithm)\n"
    "  --url URL            the same as URL; --method NAME the same as METHOD\n"
    "  --cacert FILE        PEM of the CA the gateway's certificate is checked against (also: "
    "--ca)\n"
    "  --grant ID           the data owner's grant the call is made on\n"
    "  --purpose TEXT       what the call is for\n"
    "  --app-version TEXT   the version of the app that calls\n"
    "  --body FILE          JSON to send; METHOD becomes POST\n"
    "  --type TYPE          of the body: application/json; application/jose for a sealed one\n"
    "  --accept TYPE        application/jose: the answer is to be sealed (see 'sluice open')\n"
    "  --valid-s SECONDS    how long the signature lives: 60; gateways allow up to 300\n"
    "  --platform-key FILE  public key (PEM), JWK or JWK set of the platform: an answer it did "
    "not\n"
    "                       sign for this very call is refused, nothing of it printed, exit code "
    "1\n"
    "  --save FILE          keeps the exchange, for 'sluice verify'\n\n"
    "examples:\n"
    "  sluice call --credential $ID --secret-file secret --cacert ca.crt "
    "'https://127.0.0.1:7443/params/divisions/v1?limit=3'\n"
    "  sluice call --credential $ID --key app.pem --platform-key platform.pem --save a.http "
    "--ca ca.crt --grant $GRANT \"$URL\" | jq .\n";

/* The answer as it comes in. What is to be verified first is not printed yet. */
struct answer {
    struct buf head, body;
    bool keep;
};

static void add_header(struct curl_slist **list, const char *name, const char *value)
{
    struct buf line;
    buf_init(&line);
    buf_addf(&line, "%s: %s", name, value);
    buf_addc(&line, '\0');
    struct curl_slist *longer = line.failed ? NULL : curl_slist_append(*list, line.p);
    if (longer != NULL) {
        *list = longer;
    }
    buf_fini(&line);
}

static struct curl_slist *make_headers(const struct signing *s, const struct signing_headers *h)
{
    struct curl_slist *list = NULL;
    add_header(&list, "Signature-Input", h->input);
    add_header(&list, "Signature", h->signature);
    if (s->grant != NULL) {
        add_header(&list, "Sluice-Grant", s->grant);
    }
    if (s->purpose_header != NULL) {
        add_header(&list, "Sluice-Purpose", s->purpose_header);
    }
    if (s->app_version != NULL) {
        add_header(&list, "Sluice-App-Version", s->app_version);
    }
    if (s->accept != NULL) {
        add_header(&list, "Accept", s->accept);
    }
    if (s->has_body) {
        add_header(&list, "Content-Digest", s->digest);
        add_header(&list, "Content-Type", s->type != NULL ? s->type : "application/json");
        add_header(&list, "Expect", ""); /* curl would wait a second for 100 Continue */
    }
    return list;
}

static size_t take_header(char *p, size_t size, size_t n, void *ctx)
{
    static const char transaction[] = "sluice-transaction:";
    struct answer *a = ctx;
    if (n > 5 && memcmp(p, "HTTP/", 5) == 0) {
        buf_clear(&a->head); /* after a 1xx */
    }
    buf_add(&a->head, p, size * n);
    if (n > sizeof transaction && strncasecmp(p, transaction, sizeof transaction - 1) == 0) {
        fprintf(stderr, "Sluice-Transaction:%.*s", (int)(n - sizeof transaction + 1),
                p + sizeof transaction - 1);
    }
    bool good = !a->head.failed && a->head.n <= HEAD_BYTES_MAX;
    return good ? size * n : 0;
}

static size_t take_body(char *p, size_t size, size_t n, void *ctx)
{
    struct answer *a = ctx;
    if (!a->keep) {
        return fwrite(p, size, n, stdout) * size;
    }
    buf_add(&a->body, p, size * n);
    return !a->body.failed && a->body.n <= BODY_BYTES_MAX ? size * n : 0;
}

static int perform(CURL *curl, const struct signing *s, long *status)
{
    char why[CURL_ERROR_SIZE] = "";
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, why);
    CURLcode result = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, status);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, NULL);
    if (result != CURLE_OK) {
        fprintf(stderr, "sluice call: %s: %s\n", s->url,
                *why != '\0' ? why : curl_easy_strerror(result));
        return 1;
    }
    fflush(stdout); /* the answer first, on a terminal as in a pipe */
    fprintf(stderr, "HTTP %ld\n", *status);
    return 0;
}

/* What was sent, as far as a signature can cover it. */
static void sent_text(struct buf *out, const struct signing *s, const struct signing_headers *h)
{
    buf_addf(out, "%s %s HTTP/1.1\r\nHost: %s\r\nSignature-Input: %s\r\nSignature: %s\r\n",
             s->method, s->target, s->authority, h->input, h->signature);
    if (s->grant != NULL) {
        buf_addf(out, "Sluice-Grant: %s\r\n", s->grant);
    }
    if (s->purpose_header != NULL) {
        buf_addf(out, "Sluice-Purpose: %s\r\n", s->purpose_header);
    }
    if (s->app_version != NULL) {
        buf_addf(out, "Sluice-App-Version: %s\r\n", s->app_version);
    }
    if (s->has_body) {
        buf_addf(out, "Content-Digest: %s\r\nContent-Length: %zu\r\n", s->digest, s->body.n);
    }
    buf_adds(out, "\r\n");
    buf_add(out, s->body.p, s->body.n);
}

static bool save(const char *path, const struct buf *exchange)
{
    FILE *file = fopen(path, "we");
    bool good = file != NULL && fwrite(exchange->p, 1, exchange->n, file) == exchange->n;
    good = file != NULL && fclose(file) == 0 && good;
    if (!good) {
        fprintf(stderr, "sluice call: %s: %s\n", path, strerror(errno));
    }
    return good;
}

/* BK-7.2.1a2, BK-9.3.3a1: an answer the platform did not sign for this call is none. */
static bool is_genuine(const struct signing *s, const struct proof_keys *keys,
                       const struct buf *exchange)
{
    static struct exchange_message request, response;
    struct proof proof;
    const char *why = exchange_both(&request, &response, buf_slice(exchange));
    if (why == NULL &&
        proof_check(&proof, keys, &request, &response, slice_str(s->scheme)) != PROOF_VALID) {
        why = proof.why;
    }
    if (why != NULL) {
        fprintf(stderr, "sluice call: the answer is refused: %s\n", why);
    }
    return why == NULL;
}

static int judge(const struct signing *s, const struct signing_headers *h,
                 const struct proof_keys *keys, const struct answer *a)
{
    struct buf exchange;
    buf_init(&exchange);
    sent_text(&exchange, s, h);
    buf_add(&exchange, a->head.p, a->head.n);
    buf_add(&exchange, a->body.p, a->body.n);
    bool good = !exchange.failed && (s->save == NULL || save(s->save, &exchange));
    good = good && (s->platform_key == NULL || is_genuine(s, keys, &exchange));
    good = good && fwrite(a->body.p, 1, a->body.n, stdout) == a->body.n;
    buf_fini(&exchange);
    return good ? 0 : 1;
}

static void set_request(CURL *curl, const struct signing *s, struct curl_slist *headers)
{
    curl_easy_setopt(curl, CURLOPT_CURLU, s->parsed);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, TIMEOUT_S);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, CONNECT_TIMEOUT_S);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    if (s->ca != NULL) {
        curl_easy_setopt(curl, CURLOPT_CAINFO, s->ca);
        curl_easy_setopt(curl, CURLOPT_CAPATH, NULL); /* else all public CAs beside it */
    }
    if (s->has_body) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)s->body.n);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, s->body.n > 0 ? s->body.p : "");
    }
    if (strcmp(s->method, "HEAD") == 0) {
        curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
    } else {
        curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, s->method);
    }
}

static int call_with(CURL *curl, const struct signing *s, const struct proof_keys *keys,
                     const struct signing_headers *h)
{
    struct answer a = {.keep = s->platform_key != NULL || s->save != NULL};
    struct curl_slist *headers = make_headers(s, h);
    long status = 0;
    buf_init(&a.head);
    buf_init(&a.body);
    set_request(curl, s, headers);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, &a);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &a);
    int code = perform(curl, s, &status);
    if (code == 0 && a.keep) {
        code = judge(s, h, keys, &a);
    }
    bool written = fflush(stdout) == 0;
    curl_slist_free_all(headers);
    buf_fini(&a.head);
    buf_fini(&a.body);
    return code == 0 && status >= 200 && status < 300 && written ? 0 : 1;
}

static int call(const struct signing *s)
{
    struct signing_headers h;
    struct proof_keys keys = {0};
    const char *why = s->platform_key != NULL ? proof_keys_load(&keys, s->platform_key) : NULL;
    if (why != NULL) {
        fprintf(stderr, "sluice call: %s: %s\n", s->platform_key, why);
    }
    int code = why != NULL || !signing_make(s, clock_wall_ms() / 1000, &h) ? 2 : -1;
    CURL *curl = code < 0 ? curl_easy_init() : NULL;
    if (curl != NULL) {
        code = call_with(curl, s, &keys, &h);
        curl_easy_cleanup(curl);
    } else if (code < 0) {
        fputs("sluice call: out of memory\n", stderr);
        code = 1;
    }
    proof_keys_fini(&keys);
    return code;
}

int cli_call(int argc, char **argv)
{
    struct signing s;
    curl_global_init(CURL_GLOBAL_DEFAULT);
    int code = signing_start(&s, argc, argv, help);
    if (code < 0 && s.plain_file && s.plain == NULL) { /* BK-7.3.4b3 */
        fprintf(
            stderr,
            "sluice call: %s lies there in clear: whoever reads the file is the app.\n"
            "Seal it with 'sluice keystore seal', or say --plain-key if that is what you want.\n",
            s.key_file != NULL ? s.key_file : s.secret_file);
        code = 2;
    }
    if (code < 0) {
        code = call(&s);
    }
    signing_fini(&s);
    curl_global_cleanup();
    return code;
}
