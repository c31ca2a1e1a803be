/* SPDX-License-Identifier: Apache-2.0 */
/* `sluice call`: one signed call. The body of the answer goes to stdout, all else to stderr, so
 * that the answer can be piped. */
#include <stdio.h>
#include <strings.h>

#include "base/clock.h"
#include "cli.h"
#include "signing.h"

#define TIMEOUT_S         60L
#define CONNECT_TIMEOUT_S 10L

static const char help[] =
    "usage: sluice call --credential ID --secret-file FILE --cacert FILE [options] [METHOD] URL\n\n"
    "Makes a signed call (RFC 9421) and prints the body of the answer; its status and transaction\n"
    "number go to stderr. Exit code: 0 for 2xx, 1 for any other answer or none, 2 for wrong "
    "options.\n\n"
    "  --credential ID      the credential's id (also: --key)\n"
    "  --secret-file FILE   file with its secret, as the platform printed it\n"
    "  --secret-env NAME    or the environment variable that holds it\n"
    "  --algorithm NAME     hmac-sm3 (default) or hmac-sha256, as the credential says\n"
    "  --url URL            the same as URL; --method NAME the same as METHOD\n"
    "  --cacert FILE        PEM of the CA the gateway's certificate is checked against (also: "
    "--ca)\n"
    "  --grant ID           the data owner's grant the call is made on\n"
    "  --body FILE          JSON to send; METHOD becomes POST\n"
    "  --valid-s SECONDS    how long the signature lives: 60; gateways allow up to 300\n\n"
    "examples:\n"
    "  sluice call --credential $ID --secret-file secret --cacert ca.crt "
    "'https://127.0.0.1:7443/params/divisions/v1?limit=3'\n"
    "  sluice call --key $ID --secret-file secret --ca ca.crt --grant $GRANT \"$URL\" | jq .\n";

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
    if (s->has_body) {
        add_header(&list, "Content-Digest", s->digest);
        add_header(&list, "Content-Type", "application/json");
        add_header(&list, "Expect", ""); /* curl would wait a second for 100 Continue */
    }
    return list;
}

static size_t show_header(char *p, size_t size, size_t n, void *ctx)
{
    static const char transaction[] = "sluice-transaction:";
    (void)ctx;
    if (n > sizeof transaction && strncasecmp(p, transaction, sizeof transaction - 1) == 0) {
        fprintf(stderr, "Sluice-Transaction:%.*s", (int)(n - sizeof transaction + 1),
                p + sizeof transaction - 1);
    }
    return size * n;
}

static int perform(CURL *curl, const struct signing *s)
{
    char why[CURL_ERROR_SIZE] = "";
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, why);
    CURLcode result = curl_easy_perform(curl);
    long status = 0;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    bool written = fflush(stdout) == 0;
    if (result != CURLE_OK) {
        fprintf(stderr, "sluice call: %s: %s\n", s->url,
                *why != '\0' ? why : curl_easy_strerror(result));
        return 1;
    }
    fprintf(stderr, "HTTP %ld\n", status);
    return status >= 200 && status < 300 && written ? 0 : 1;
}

static int call(struct signing *s)
{
    struct signing_headers h;
    if (!signing_make(s, clock_wall_ms() / 1000, &h)) {
        return 2;
    }
    CURL *curl = curl_easy_init();
    if (curl == NULL) {
        fputs("sluice call: out of memory\n", stderr);
        return 1;
    }
    struct curl_slist *headers = make_headers(s, &h);
    curl_easy_setopt(curl, CURLOPT_CURLU, s->parsed);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, show_header);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, TIMEOUT_S);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, CONNECT_TIMEOUT_S);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    if (s->ca != NULL) {
        curl_easy_setopt(curl, CURLOPT_CAINFO, s->ca);
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
    int code = perform(curl, s);
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    return code;
}

int cli_call(int argc, char **argv)
{
    struct signing s;
    curl_global_init(CURL_GLOBAL_DEFAULT);
    int code = signing_start(&s, argc, argv, help);
    if (code < 0) {
        code = call(&s);
    }
    signing_fini(&s);
    curl_global_cleanup();
    return code;
}
