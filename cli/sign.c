/* SPDX-License-Identifier: Apache-2.0 */
/* `sluice sign`: the headers of one call, or a file of whole requests for a load generator. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "cli.h"
#include "signing.h"

#define COUNT_MAX 100000000u

static const char help[] =
    "usage: sluice sign --credential ID (--key FILE | --secret-file FILE) [options] [METHOD] "
    "URL\n\n"
    "Prints the headers that make a call to the gateway a signed one (RFC 9421), one a line. They "
    "are\n"
    "good for one call: each has a nonce of its own.\n\n"
    "  --credential ID      the credential's id\n"
    "  --key FILE           the app's private key, PEM: SM2, P-256 or RSA up to 4096 bits\n"
    "  --secret-file FILE   or file with the credential's secret, as the platform printed it\n"
    "  --secret-env NAME    or the environment variable that holds it\n"
    "  --alg NAME           with a key its own: sm2-sm3, ecdsa-p256-sha256, rsa-pss-sha512; with "
    "a\n"
    "                       secret hmac-sm3 (default) or hmac-sha256 (also: --algorithm)\n"
    "  --url URL            the same as URL; --method NAME the same as METHOD\n"
    "  --grant ID           the data owner's grant the call is made on\n"
    "  --purpose TEXT       what the call is for\n"
    "  --app-version TEXT   the version of the app that calls\n"
    "  --body FILE          the call's body; adds Content-Digest, and METHOD becomes POST\n"
    "  --valid-s SECONDS    how long the signature lives: 60; gateways allow up to 300\n"
    "  --batch FILE         signs up to 1024 requests with one SM2 signature (sm2-sm3-batch): "
    "each\n"
    "                       line of FILE is 'METHOD URL [BODY-FILE]', each line of output the "
    "JSON\n"
    "                       of a request with its headers\n"
    "  --count N --out FILE writes N whole HTTP/1.1 requests instead, each after its length as\n"
    "                       4 bytes, little-endian (--raw says so explicitly); --batch-size M "
    "puts\n"
    "                       M of them under one SM2 signature\n\n"
    "examples:\n"
    "  curl --cacert ca.crt -H @<(sluice sign --credential $ID --key app.pem $URL) $URL\n"
    "  sluice sign --credential $ID --secret-env SECRET --body order.json POST $URL\n"
    "  sluice sign --credential $ID --key app.pem --batch calls.txt | jq -c .headers\n"
    "  sluice sign --credential $ID --secret-file secret --count 100000 --out requests.bin $URL\n";

static int print_headers(const struct signing *s)
{
    struct signing_headers h;
    if (!signing_make(s, clock_wall_ms() / 1000, &h)) {
        return 2;
    }
    printf("Signature-Input: %s\nSignature: %s\n", h.input, h.signature);
    if (s->grant != NULL) {
        printf("Sluice-Grant: %s\n", s->grant);
    }
    if (s->purpose_header != NULL) {
        printf("Sluice-Purpose: %s\n", s->purpose_header);
    }
    if (s->app_version != NULL) {
        printf("Sluice-App-Version: %s\n", s->app_version);
    }
    if (s->has_body) {
        printf("Content-Digest: %s\n", s->digest);
    }
    return fflush(stdout) == 0 ? 0 : 1;
}

/* What every request of the file shares, after its two signature headers. */
static void constant_part(const struct signing *s, struct buf *out)
{
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
        buf_addf(out,
                 "Content-Digest: %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n",
                 s->digest, s->body.n);
    }
    buf_adds(out, "\r\n");
    buf_add(out, s->body.p, s->body.n);
}

/* The random part comes first: load generators that intern strings by a sample of their bytes
 * (LuaJIT looks at the first quarter and the middle) would take requests alike for one another. */
static bool write_request(FILE *file, const struct buf *start, const struct signing_headers *h,
                          const struct buf *end)
{
    const struct slice parts[] = {
        buf_slice(start),        SLICE("Signature: "),
        slice_str(h->signature), SLICE("\r\nSignature-Input: "),
        slice_str(h->input),     SLICE("\r\n"),
        buf_slice(end),
    };
    size_t n = 0;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        n += parts[i].n;
    }
    uint8_t prefix[4] = {(uint8_t)n, (uint8_t)(n >> 8), (uint8_t)(n >> 16), (uint8_t)(n >> 24)};
    fwrite(prefix, 1, sizeof prefix, file);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        fwrite(parts[i].p, 1, parts[i].n, file);
    }
    return ferror(file) == 0;
}

/* A number option; NULL: 1. 0: not a number from 1 to most, said on stderr. */
static unsigned long long number(const char *option, const char *text, unsigned long long most)
{
    char *rest;
    unsigned long long n = text != NULL ? strtoull(text, &rest, 10) : 1;
    if (text != NULL && (*rest != '\0' || n == 0 || n > most)) {
        fprintf(stderr, "sluice sign: %s is from 1 to %llu\n", option, most);
        return 0;
    }
    return n;
}

/* The headers of the next n requests. */
static bool make_headers(const struct signing *s, struct signing_headers h[], size_t n)
{
    static struct signing_batch batch;
    uint64_t now_s = clock_wall_ms() / 1000;
    if (s->batch_size == NULL) {
        return signing_make(s, now_s, h);
    }
    for (size_t i = 0; i < n; i++) {
        if (!signing_batch_add(&batch, s, now_s, &h[i])) {
            return false;
        }
    }
    return signing_batch_end(&batch, s, h);
}

static bool write_all(const struct signing *s, FILE *file, unsigned long long count, size_t at_once)
{
    static struct signing_headers h[MERKLE_LEAVES_MAX];
    struct buf start, end;
    buf_init(&start);
    buf_init(&end);
    buf_addf(&start, "%s %s HTTP/1.1\r\nHost: %s\r\n", s->method, s->target, s->authority);
    constant_part(s, &end);
    bool good = !start.failed && !end.failed;
    while (count > 0 && good) {
        size_t n = count < at_once ? (size_t)count : at_once;
        good = make_headers(s, h, n);
        for (size_t i = 0; i < n && good; i++) {
            good = write_request(file, &start, &h[i], &end);
        }
        count -= n;
    }
    buf_fini(&start);
    buf_fini(&end);
    return good;
}

static int write_requests(const struct signing *s)
{
    unsigned long long count = number("--count", s->count, COUNT_MAX);
    unsigned long long at_once = number("--batch-size", s->batch_size, MERKLE_LEAVES_MAX);
    if (count == 0 || at_once == 0) {
        return 2;
    }
    FILE *file = s->out != NULL ? fopen(s->out, "we") : stdout;
    if (file == NULL) {
        fprintf(stderr, "sluice sign: %s: %s\n", s->out, strerror(errno));
        return 1;
    }
    bool good = write_all(s, file, count, (size_t)at_once);
    good = (file == stdout ? fflush(file) : fclose(file)) == 0 && good;
    if (!good) {
        fprintf(stderr, "sluice sign: %s: %s\n", s->out != NULL ? s->out : "output",
                strerror(errno));
    }
    return good ? 0 : 1;
}

static int sign(const struct signing *s)
{
    if (s->batch_file != NULL) {
        return signing_print_batch(s);
    }
    bool requests = s->count != NULL || s->out != NULL || s->raw != NULL || s->batch_size != NULL;
    return requests ? write_requests(s) : print_headers(s);
}

int cli_sign(int argc, char **argv)
{
    struct signing s;
    int code = signing_start(&s, argc, argv, help);
    if (code < 0) {
        code = sign(&s);
    }
    signing_fini(&s);
    return code;
}
