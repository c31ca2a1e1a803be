/* SPDX-License-Identifier: Apache-2.0 */
/* `sluice verify`: whether a saved answer is the platform's own, with no platform at hand. */
#include <errno.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/clock.h"
#include "cli.h"
#include "file.h"
#include "proof.h"
#include "unknown.h"
#include "verify_consent.h"

#define FILE_BYTES_MAX (256u << 20)

static const char help[] =
    "usage: sluice verify --platform-key FILE [options] EXCHANGE\n"
    "       sluice verify --platform-key FILE --consent EVIDENCE\n\n"
    "Says whether a saved answer is what the platform signed for that very request (RFC 9421), "
    "and\n"
    "who signed what and when. It needs the platform's public key and nothing else: no server, no\n"
    "account. Exit code: 0 valid, 1 not valid, 2 cannot be told (wrong options, unreadable files, "
    "a\n"
    "signature by HMAC: only those who share its secret can check it, and each could have made "
    "it).\n\n"
    "  EXCHANGE             file with the request's head and body, then the response's, as they\n"
    "                       were sent: what 'sluice call --save EXCHANGE' writes\n"
    "  --request FILE       the request apart; EXCHANGE then holds the response alone, as\n"
    "                       'curl -i' writes it (not with --compressed)\n"
    "  --platform-key FILE  the platform's public key (PEM), a JWK, or a JWK set, whose keys count "
    "for\n"
    "                       signatures that name their kid; of a certificate (PEM) its key is "
    "used,\n"
    "                       its chain and dates are not looked at\n"
    "  --app-key FILE       the app's public key: the request's signature is checked as well\n"
    "  --scheme NAME        https (default) or http, as the request was sent\n"
    "  --consent EVIDENCE   in place of an exchange: what GET /grants/{id}/evidence answered; the\n"
    "                       platform's keys are those of /oauth/jwks\n\n"
    "examples:\n"
    "  sluice call --save answer.http --platform-key platform.pem … URL\n"
    "  sluice verify --platform-key platform.pem answer.http\n"
    "  sluice verify --platform-key jwks.json --request sent.http --app-key app.pub "
    "received.http\n\n"
    "docs/signatures.md says what is signed, byte for byte.\n";

struct options {
    const char *platform_key, *app_key, *request, *scheme, *consent, *exchange;
};

static const struct {
    const char *name;
    size_t at;
} options[] = {
    {"--platform-key", offsetof(struct options, platform_key)},
    {"--app-key", offsetof(struct options, app_key)},
    {"--request", offsetof(struct options, request)},
    {"--scheme", offsetof(struct options, scheme)},
    {"--consent", offsetof(struct options, consent)},
};

static int usage(const char *what, const char *which)
{
    fprintf(stderr, "sluice verify: %s%s%s (--help shows examples)\n", what, *which ? ": " : "",
            which);
    return 2;
}

/* -1: go on; else the exit code. */
static int read_options(struct options *o, int argc, char **argv)
{
    *o = (struct options){.scheme = "https"};
    size_t n = sizeof options / sizeof *options;
    for (int i = 1; i < argc; i++) {
        size_t k = 0;
        if (strcmp(argv[i], "--help") == 0) {
            fputs(help, stdout);
            return 0;
        }
        if (argv[i][0] != '-') {
            o->exchange = argv[i];
            continue;
        }
        while (k < n && strcmp(argv[i], options[k].name) != 0) {
            k++;
        }
        if (k == n) {
            cli_unknown_option(argv[0], argv[i], &options[0].name, n, sizeof *options);
            return 2;
        }
        if (i + 1 == argc) {
            return usage("a value is needed after", argv[i]);
        }
        *(const char **)(void *)((char *)o + options[k].at) = argv[++i];
    }
    bool what = (o->exchange != NULL) != (o->consent != NULL);
    if (o->platform_key == NULL || !what) {
        return usage("needed", what ? "--platform-key FILE" : "EXCHANGE or --consent EVIDENCE");
    }
    bool web = strcmp(o->scheme, "https") == 0 || strcmp(o->scheme, "http") == 0;
    return web ? -1 : usage("--scheme is https or http, not", o->scheme);
}

static bool read_whole(const char *path, struct buf *out)
{
    return file_read(path, FILE_BYTES_MAX, out) || usage(path, strerror(errno)) < 0;
}

/* Names come from the file: bytes of a terminal's own language stay out of it. */
static void print_text(const char *what, struct slice text)
{
    printf("  %-10s ", what);
    for (size_t i = 0; i < text.n; i++) {
        putchar(text.p[i] >= 0x20 && text.p[i] < 0x7f ? text.p[i] : '?');
    }
    putchar('\n');
}

static void print_signature(const struct proof *p)
{
    const struct httpsig *sig = &p->sig;
    char time[CLOCK_RFC3339_LEN + 1];
    print_text("key id", sig->keyid);
    if (p->key != NULL) {
        print_text("key", slice_str(crypto_key_id(p->key)));
    }
    print_text("algorithm", sig->alg);
    if (p->batched) {
        printf("  %-10s message %u of %u under one signature\n", "batch", p->batch.index + 1u,
               p->batch.size);
    }
    if (sig->created_s < 253402300800) { /* the year 10000 */
        clock_format_ms(sig->created_s * 1000, time);
        print_text("signed at", slice_of(time, CLOCK_RFC3339_LEN));
    }
    printf("  %-10s", "covered");
    for (size_t i = 0; i < sig->n_components; i++) {
        printf(" %.*s%.*s", SLICE_FMT(sig->components[i].name),
               SLICE_FMT(sig->components[i].params));
    }
    putchar('\n');
}

static int report(const char *what, const struct proof *p, enum proof_verdict verdict)
{
    static const char *const words[] = {"valid", "NOT VALID", "cannot be told"};
    printf("%s: %s\n", what, words[verdict]);
    if (verdict != PROOF_VALID) {
        print_text("because", slice_str(p->why));
    }
    if (p->parsed) {
        print_signature(p);
    }
    return (int)verdict;
}

static int verify(const struct options *o, struct exchange_message *request,
                  struct exchange_message *response)
{
    struct proof_keys platform, app = {0};
    struct proof proof;
    int code = 2;
    const char *why = proof_keys_load(&platform, o->platform_key);
    if (why != NULL) {
        usage(o->platform_key, why);
        goto out;
    }
    why = o->app_key != NULL ? proof_keys_load(&app, o->app_key) : NULL;
    if (why != NULL) {
        usage(o->app_key, why);
        goto out;
    }
    code = report("response", &proof,
                  proof_check(&proof, &platform, request, response, slice_str(o->scheme)));
    if (o->app_key != NULL && request != NULL) {
        int sent = report("request", &proof,
                          proof_check(&proof, &app, request, NULL, slice_str(o->scheme)));
        code = code == 1 || sent == 0 ? code : sent;
    }
out:
    proof_keys_fini(&platform);
    proof_keys_fini(&app);
    return code;
}

static int read_and_verify(const struct options *o, struct buf *exchange, struct buf *sent)
{
    static struct exchange_message request, response;
    if (!read_whole(o->exchange, exchange) ||
        (o->request != NULL && !read_whole(o->request, sent))) {
        return 2;
    }
    struct slice text = buf_slice(exchange);
    bool alone = text.n > 5 && memcmp(text.p, "HTTP/", 5) == 0;
    const char *why = NULL;
    if (o->request != NULL) {
        why = exchange_request(&request, buf_slice(sent));
    }
    if (why == NULL) {
        why = alone || o->request != NULL ? exchange_response(&response, text)
                                          : exchange_both(&request, &response, text);
    }
    if (why != NULL) {
        return usage(o->exchange, why);
    }
    return verify(o, alone && o->request == NULL ? NULL : &request, &response);
}

static int consent(const struct options *o)
{
    struct proof_keys platform;
    const char *why = proof_keys_load(&platform, o->platform_key);
    int code = why != NULL ? usage(o->platform_key, why) : verify_consent(o->consent, &platform);
    proof_keys_fini(&platform);
    return code;
}

int cli_verify(int argc, char **argv)
{
    struct options o;
    int code = read_options(&o, argc, argv);
    if (code >= 0) {
        return code;
    }
    if (o.consent != NULL) {
        return consent(&o);
    }
    struct buf exchange, sent;
    buf_init(&exchange);
    buf_init(&sent);
    code = read_and_verify(&o, &exchange, &sent);
    buf_fini(&exchange);
    buf_fini(&sent);
    return code;
}
