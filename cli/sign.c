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
    "usage: sluice sign --credential ID --secret-file FILE [options] [METHOD] URL\n\n"
    "Prints the headers that make a call to the gateway a signed one (RFC 9421), one a line. They "
    "are\n"
    "good for one call: each has a nonce of its own.\n\n"
    "  --credential ID      the credential's id (also: --key)\n"
    "  --secret-file FILE   file with its secret, as the platform printed it\n"
    "  --secret-env NAME    or the environment variable that holds it\n"
    "  --algorithm NAME     hmac-sm3 (default) or hmac-sha256, as the credential says\n"
    "  --url URL            the same as URL; --method NAME the same as METHOD\n"
    "  --grant ID           the data owner's grant the call is made on\n"
    "  --body FILE          the call's body; adds Content-Digest, and METHOD becomes POST\n"
    "  --valid-s SECONDS    how long the signature lives: 60; gateways allow up to 300\n"
    "  --count N --out FILE writes N whole HTTP/1.1 requests instead, each after its length as\n"
    "                       4 bytes, little-endian (--raw says so explicitly)\n\n"
    "examples:\n"
    "  curl --cacert ca.crt -H @<(sluice sign --credential $ID --secret-file secret $URL) $URL\n"
    "  sluice sign --credential $ID --secret-env SECRET --body order.json POST $URL\n"
    "  sluice sign --credential $ID --secret-file secret --count 100000 --out requests.bin $URL\n";

static int print_headers(struct signing *s)
{
    struct signing_headers h;
    if (!signing_make(s, clock_wall_ms() / 1000, &h)) {
        return 2;
    }
    printf("Signature-Input: %s\nSignature: %s\n", h.input, h.signature);
    if (s->grant != NULL) {
        printf("Sluice-Grant: %s\n", s->grant);
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

static int write_requests(struct signing *s)
{
    char *rest;
    unsigned long long count = s->count != NULL ? strtoull(s->count, &rest, 10) : 1;
    if (s->count != NULL && (*rest != '\0' || count == 0 || count > COUNT_MAX)) {
        fprintf(stderr, "sluice sign: --count is from 1 to %u\n", COUNT_MAX);
        return 2;
    }
    FILE *file = s->out != NULL ? fopen(s->out, "we") : stdout;
    if (file == NULL) {
        fprintf(stderr, "sluice sign: %s: %s\n", s->out, strerror(errno));
        return 1;
    }
    struct buf start, end;
    buf_init(&start);
    buf_init(&end);
    buf_addf(&start, "%s %s HTTP/1.1\r\nHost: %s\r\n", s->method, s->target, s->authority);
    constant_part(s, &end);
    bool good = !start.failed && !end.failed;
    struct signing_headers h;
    for (unsigned long long i = 0; i < count && good; i++) {
        good = signing_make(s, clock_wall_ms() / 1000, &h) && write_request(file, &start, &h, &end);
    }
    buf_fini(&start);
    buf_fini(&end);
    good = (file == stdout ? fflush(file) : fclose(file)) == 0 && good;
    if (!good) {
        fprintf(stderr, "sluice sign: %s: %s\n", s->out != NULL ? s->out : "output",
                strerror(errno));
    }
    return good ? 0 : 1;
}

int cli_sign(int argc, char **argv)
{
    struct signing s;
    int code = signing_start(&s, argc, argv, help);
    if (code < 0) {
        bool requests = s.count != NULL || s.out != NULL || s.raw != NULL;
        code = requests ? write_requests(&s) : print_headers(&s);
    }
    signing_fini(&s);
    return code;
}
