/* SPDX-License-Identifier: Apache-2.0 */
#include "signing.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/codec.h"
#include "httpsig/httpsig.h"
#include "id/uuid.h"
#include "unknown.h"

#define BODY_MAX_BYTES (16u << 20)
#define SECRET_MAX     1024
#define VALID_S        60
#define VALID_MAX_S    86400
#define BASE_MAX       (64u << 10)
#define NONCE_LEN      CODEC_BASE64URL_LEN(UUID_LEN)

/* Two names where curl or the REST resource uses another word for the same thing. */
static const struct {
    const char *name;
    size_t at;
    bool flag;
} options[] = {
    {"--credential", offsetof(struct signing, credential), false},
    {"--key", offsetof(struct signing, credential), false},
    {"--secret-file", offsetof(struct signing, secret_file), false},
    {"--secret-env", offsetof(struct signing, secret_env), false},
    {"--algorithm", offsetof(struct signing, algorithm), false},
    {"--method", offsetof(struct signing, method), false},
    {"--url", offsetof(struct signing, url), false},
    {"--grant", offsetof(struct signing, grant), false},
    {"--body", offsetof(struct signing, body_file), false},
    {"--valid-s", offsetof(struct signing, valid_s), false},
    {"--cacert", offsetof(struct signing, ca), false},
    {"--ca", offsetof(struct signing, ca), false},
    {"--count", offsetof(struct signing, count), false},
    {"--out", offsetof(struct signing, out), false},
    {"--raw", offsetof(struct signing, raw), true},
};

static int usage(const char *what, const char *which)
{
    fprintf(stderr, "sluice: %s%s%s (--help shows examples)\n", what, *which ? ": " : "", which);
    return 2;
}

/* -1: taken; else the exit code. */
static int set_option(struct signing *s, int argc, char **argv, int *i)
{
    size_t o = 0, n = sizeof options / sizeof *options;
    while (o < n && strcmp(argv[*i], options[o].name) != 0) {
        o++;
    }
    if (o == n) {
        cli_unknown_option(argv[0], argv[*i], &options[0].name, n, sizeof *options);
        return 2;
    }
    const char **field = (const char **)(void *)((char *)s + options[o].at);
    if (options[o].flag) {
        *field = argv[*i];
        return -1;
    }
    if (*i + 1 == argc) {
        return usage("a value is needed after", argv[*i]);
    }
    *field = argv[++*i];
    return -1;
}

static int read_options(struct signing *s, int argc, char **argv, const char *help)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            fputs(help, stdout);
            return 0;
        }
        if (argv[i][0] == '-') {
            int code = set_option(s, argc, argv, &i);
            if (code >= 0) {
                return code;
            }
        } else if (strstr(argv[i], "://") != NULL) {
            s->url = argv[i];
        } else {
            s->method = argv[i];
        }
    }
    if (s->credential == NULL || s->url == NULL) {
        return usage("needed", s->url == NULL ? "--url URL" : "--credential ID");
    }
    if ((s->secret_file == NULL) == (s->secret_env == NULL)) {
        return usage("needed", "one of --secret-file FILE and --secret-env VARIABLE");
    }
    return -1;
}

static bool is_visible(const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text <= 0x20 || *text > 0x7e || *text == '"' || *text == '\\') {
            return false;
        }
    }
    return true;
}

static char *url_part(CURLU *url, CURLUPart part)
{
    char *value = NULL;
    return curl_url_get(url, part, &value, 0) == CURLUE_OK ? value : NULL;
}

/* The host and target exactly as curl will send them. */
static int read_url(struct signing *s)
{
    s->parsed = curl_url();
    if (s->parsed == NULL || !is_visible(s->url) ||
        curl_url_set(s->parsed, CURLUPART_URL, s->url, 0) != CURLUE_OK) {
        return usage("not a URL (percent-encode spaces, quotes and non-ASCII letters)", s->url);
    }
    char *scheme = url_part(s->parsed, CURLUPART_SCHEME),
         *host = url_part(s->parsed, CURLUPART_HOST);
    char *port = url_part(s->parsed, CURLUPART_PORT), *path = url_part(s->parsed, CURLUPART_PATH);
    char *query = url_part(s->parsed, CURLUPART_QUERY);
    bool web = scheme != NULL && (strcmp(scheme, "https") == 0 || strcmp(scheme, "http") == 0);
    bool made = false;
    if (web && host != NULL && path != NULL) {
        bool own = port != NULL && strcmp(port, *(scheme + 4) == 's' ? "443" : "80") != 0;
        bool asked = query != NULL || strchr(s->url, '?') != NULL;
        s->scheme = strdup(scheme);
        made = s->scheme != NULL &&
               asprintf(&s->authority, "%s%s%s", host, own ? ":" : "", own ? port : "") >= 0 &&
               asprintf(&s->target, "%s%s%s", path, asked ? "?" : "", query ? query : "") >= 0;
    }
    curl_free(scheme);
    curl_free(host);
    curl_free(port);
    curl_free(path);
    curl_free(query);
    return made ? -1 : usage("only http and https URLs are called", s->url);
}

/* A file that cannot be read whole is an error, one of a directory too. */
static bool read_file(const char *path, size_t most, struct buf *out)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return false;
    }
    char chunk[16384];
    size_t n;
    while ((n = fread(chunk, 1, sizeof chunk, file)) > 0 && out->n <= most) {
        buf_add(out, chunk, n);
    }
    bool whole = !ferror(file) && out->n <= most && !out->failed;
    if (out->n > most) {
        errno = EFBIG;
    }
    fclose(file);
    crypto_wipe(chunk, sizeof chunk);
    return whole;
}

static int read_secret(struct signing *s)
{
    struct buf text;
    buf_init(&text);
    const char *from = s->secret_env != NULL ? getenv(s->secret_env) : NULL;
    if (from != NULL) {
        buf_adds(&text, from);
    } else if (s->secret_env != NULL || !read_file(s->secret_file, SECRET_MAX, &text)) {
        fprintf(stderr, "sluice: secret %s: %s\n", s->secret_env ? s->secret_env : s->secret_file,
                s->secret_env ? "the variable is not set" : strerror(errno));
        buf_wipe(&text);
        return 2;
    }
    while (text.n > 0 && strchr(" \t\r\n", text.p[text.n - 1]) != NULL) {
        text.n--;
    }
    uint8_t key[SECRET_MAX];
    size_t n = 0;
    bool good = text.n > 0 && codec_unbase64url(key, sizeof key, &n, text.p, text.n);
    buf_wipe(&text);
    if (!good) {
        return usage("the secret is not the base64url text the platform gave", "");
    }
    s->hmac = crypto_hmac_new(s->hash, key, n);
    crypto_wipe(key, sizeof key);
    return -1;
}

static int read_body(struct signing *s)
{
    if (s->body_file == NULL) {
        return -1;
    }
    if (!read_file(s->body_file, BODY_MAX_BYTES, &s->body)) {
        return usage(s->body_file, strerror(errno));
    }
    uint8_t hash[CRYPTO_HASH_LEN];
    char text[CODEC_BASE64_LEN(CRYPTO_HASH_LEN)];
    crypto_hash(s->hash, s->body.p, s->body.n, hash);
    size_t n = codec_base64(text, hash, sizeof hash);
    snprintf(s->digest, sizeof s->digest, "%s=:%.*s:", s->hash == CRYPTO_SM3 ? "sm3" : "sha-256",
             (int)n, text);
    s->has_body = true;
    return -1;
}

static int read_choices(struct signing *s)
{
    if (s->algorithm == NULL) {
        s->algorithm = "hmac-sm3";
    }
    if (strcmp(s->algorithm, "hmac-sm3") != 0 && strcmp(s->algorithm, "hmac-sha256") != 0) {
        return usage("--algorithm is hmac-sm3 or hmac-sha256, not", s->algorithm);
    }
    s->hash = s->algorithm[6] == 'm' ? CRYPTO_SM3 : CRYPTO_SHA256;
    if (s->method == NULL) {
        s->method = s->body_file != NULL ? "POST" : "GET";
    }
    if (strspn(s->method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != strlen(s->method)) {
        return usage("not a method (GET, POST, …)", s->method);
    }
    s->valid = VALID_S;
    if (s->valid_s != NULL) {
        char *end;
        s->valid = strtoull(s->valid_s, &end, 10);
        if (end == s->valid_s || *end != '\0' || s->valid < 1 || s->valid > VALID_MAX_S) {
            return usage("--valid-s is from 1 to 86400 (a gateway allows 300), not", s->valid_s);
        }
    }
    if (!is_visible(s->credential) || (s->grant != NULL && !is_visible(s->grant))) {
        return usage("not an id", is_visible(s->credential) ? s->grant : s->credential);
    }
    return -1;
}

int signing_start(struct signing *s, int argc, char **argv, const char *help)
{
    static int (*const steps[])(struct signing *) = {read_choices, read_url, read_secret,
                                                     read_body};
    *s = (struct signing){0};
    buf_init(&s->body);
    int code = read_options(s, argc, argv, help);
    for (size_t i = 0; i < sizeof steps / sizeof *steps && code < 0; i++) {
        code = steps[i](s);
    }
    return code;
}

void signing_fini(struct signing *s)
{
    crypto_hmac_free(&s->hmac);
    buf_fini(&s->body);
    free(s->scheme);
    free(s->authority);
    free(s->target);
    if (s->parsed != NULL) {
        curl_url_cleanup(s->parsed);
    }
}

static bool field_value(void *ctx, struct slice name, struct slice *value)
{
    struct signing *s = ctx;
    *value = slice_str(slice_eq(name, SLICE("sluice-grant")) ? s->grant : s->digest);
    return true;
}

static void cover(struct httpsig *sig, enum httpsig_component kind, const char *name)
{
    sig->components[sig->n_components].kind = (uint8_t)kind;
    sig->components[sig->n_components++].name = slice_str(name);
}

bool signing_make(struct signing *s, uint64_t now_s, struct signing_headers *h)
{
    struct httpsig sig = {0};
    cover(&sig, HTTPSIG_METHOD, "@method");
    cover(&sig, HTTPSIG_AUTHORITY, "@authority");
    cover(&sig, HTTPSIG_PATH, "@path");
    cover(&sig, HTTPSIG_QUERY, "@query");
    if (s->has_body) {
        cover(&sig, HTTPSIG_FIELD, "content-digest");
    }
    if (s->grant != NULL) {
        cover(&sig, HTTPSIG_FIELD, "sluice-grant");
    }
    struct uuid fresh;
    char nonce[NONCE_LEN];
    uuid_new(&fresh);
    codec_base64url(nonce, fresh.b, UUID_LEN);
    int n = snprintf(h->input, sizeof h->input,
                     "sig1=(\"@method\" \"@authority\" \"@path\" \"@query\"%s%s);created=%llu;"
                     "expires=%llu;nonce=\"%.*s\";keyid=\"%s\";alg=\"%s\"",
                     s->has_body ? " \"content-digest\"" : "",
                     s->grant != NULL ? " \"sluice-grant\"" : "", (unsigned long long)now_s,
                     (unsigned long long)(now_s + s->valid), (int)NONCE_LEN, nonce, s->credential,
                     s->algorithm);
    if (n < 0 || (size_t)n >= sizeof h->input) {
        return usage("too long", "--credential") < 0;
    }
    sig.params = slice_of(h->input + 5, (size_t)n - 5);
    struct httpsig_request request = {.method = slice_str(s->method),
                                      .scheme = slice_str(s->scheme),
                                      .authority = slice_str(s->authority),
                                      .target = slice_str(s->target),
                                      .field = field_value,
                                      .ctx = s};
    static char base[BASE_MAX];
    size_t base_n;
    enum httpsig_err err = httpsig_base(&sig, &request, base, sizeof base, &base_n);
    if (err != HTTPSIG_OK) {
        return usage("cannot be signed", httpsig_strerror(err)) < 0;
    }
    uint8_t mac[CRYPTO_HASH_LEN];
    char text[CODEC_BASE64_LEN(CRYPTO_HASH_LEN)];
    crypto_hmac_sign(s->hmac, base, base_n, mac);
    size_t text_n = codec_base64(text, mac, sizeof mac);
    snprintf(h->signature, sizeof h->signature, "sig1=:%.*s:", (int)text_n, text);
    return true;
}
