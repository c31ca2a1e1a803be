/* SPDX-License-Identifier: Apache-2.0 */
#include "signing.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/codec.h"
#include "crypto/keystore.h"
#include "file.h"
#include "policy/purpose.h"
#include "unknown.h"

#define BODY_MAX_BYTES (16u << 20)
#define SECRET_MAX     1024
#define KEY_FILE_MAX   (64u << 10)
#define VALID_S        60
#define VALID_MAX_S    86400

/* Two names where curl or the REST resource uses another word for the same thing. */
static const struct {
    const char *name;
    size_t at;
    bool flag;
} options[] = {
    {"--credential", offsetof(struct signing, credential), false},
    {"--key", offsetof(struct signing, key_file), false},
    {"--secret-file", offsetof(struct signing, secret_file), false},
    {"--secret-env", offsetof(struct signing, secret_env), false},
    {"--algorithm", offsetof(struct signing, algorithm), false},
    {"--alg", offsetof(struct signing, algorithm), false},
    {"--method", offsetof(struct signing, method), false},
    {"--url", offsetof(struct signing, url), false},
    {"--grant", offsetof(struct signing, grant), false},
    {"--purpose", offsetof(struct signing, purpose), false},
    {"--app-version", offsetof(struct signing, app_version), false},
    {"--body", offsetof(struct signing, body_file), false},
    {"--valid-s", offsetof(struct signing, valid_s), false},
    {"--cacert", offsetof(struct signing, ca), false},
    {"--ca", offsetof(struct signing, ca), false},
    {"--count", offsetof(struct signing, count), false},
    {"--out", offsetof(struct signing, out), false},
    {"--raw", offsetof(struct signing, raw), true},
    {"--batch", offsetof(struct signing, batch_file), false},
    {"--batch-size", offsetof(struct signing, batch_size), false},
    {"--platform-key", offsetof(struct signing, platform_key), false},
    {"--plain-key", offsetof(struct signing, plain), true},
    {"--type", offsetof(struct signing, type), false},
    {"--accept", offsetof(struct signing, accept), false},
    {"--save", offsetof(struct signing, save), false},
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

static int check_options(struct signing *s)
{
    if (s->credential == NULL && (s->secret_file != NULL || s->secret_env != NULL)) {
        s->credential = s->key_file; /* --key ID, where no key of another kind can be meant */
        s->key_file = NULL;
    }
    if (s->credential == NULL || (s->url == NULL && s->batch_file == NULL)) {
        return usage("needed", s->credential == NULL ? "--credential ID" : "--url URL");
    }
    if ((s->secret_file != NULL) + (s->secret_env != NULL) + (s->key_file != NULL) != 1) {
        return usage("needed", "one of --key FILE, --secret-file FILE and --secret-env VARIABLE");
    }
    bool batch = s->batch_file != NULL || s->batch_size != NULL;
    return batch && s->key_file == NULL ? usage("a batch is signed with", "--key FILE") : -1;
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
    return check_options(s);
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

static bool is_plain(const char *path)
{
    struct buf text;
    buf_init(&text);
    bool plain =
        file_read(path, KEY_FILE_MAX, &text) && !crypto_keystore_sealed(slice_of(text.p, text.n));
    buf_wipe(&text);
    return plain;
}

static int read_key(struct signing *s)
{
    s->plain_file = is_plain(s->key_file);
    enum crypto_err err = crypto_key_load_file(&s->key, CRYPTO_KEY_PAIR, s->key_file);
    if (err != CRYPTO_OK) {
        return usage(s->key_file, err == CRYPTO_EIO ? strerror(errno)
                                  : err == CRYPTO_ELOCKED
                                      ? crypto_strerror(err)
                                      : "not a private key (SM2, P-256 or RSA) in plain PEM");
    }
    const char *own = crypto_algorithm(crypto_key_alg(s->key))->name;
    if (s->algorithm != NULL && strcmp(s->algorithm, own) != 0) {
        return usage("this key signs by another --alg", own);
    }
    if ((s->batch_file != NULL || s->batch_size != NULL) &&
        crypto_key_kind(s->key) != CRYPTO_KEY_SM2) {
        return usage("batches are signed with SM2, this key is for", own);
    }
    s->algorithm = own;
    s->hash = crypto_key_kind(s->key) == CRYPTO_KEY_SM2 ? CRYPTO_SM3 : CRYPTO_SHA256;
    return -1;
}

/* In place: what is opened is shorter than what was sealed. */
static bool open_secret(const char *path, struct buf *text)
{
    uint8_t plain[SECRET_MAX];
    size_t n = 0;
    bool ok = path != NULL && text->n <= sizeof plain &&
              crypto_keystore_open(path, slice_of(text->p, text->n), plain, &n) == CRYPTO_OK;
    if (ok) {
        memcpy(text->p, plain, n);
        text->n = n;
    }
    crypto_wipe(plain, sizeof plain);
    return ok;
}

static int read_secret(struct signing *s)
{
    if (s->key_file != NULL) {
        return read_key(s);
    }
    struct buf text;
    buf_init(&text);
    const char *from = s->secret_env != NULL ? getenv(s->secret_env) : NULL;
    if (from != NULL) {
        buf_adds(&text, from);
    } else if (s->secret_env != NULL || !file_read(s->secret_file, SECRET_MAX, &text)) {
        fprintf(stderr, "sluice: secret %s: %s\n", s->secret_env ? s->secret_env : s->secret_file,
                s->secret_env ? "the variable is not set" : strerror(errno));
        buf_wipe(&text);
        return 2;
    }
    s->plain_file = from == NULL && !crypto_keystore_sealed(slice_of(text.p, text.n));
    if (!s->plain_file && from == NULL && !open_secret(s->secret_file, &text)) {
        buf_wipe(&text);
        return usage(s->secret_file, crypto_strerror(CRYPTO_ELOCKED));
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
    if (!file_read(s->body_file, BODY_MAX_BYTES, &s->body)) {
        return usage(s->body_file, strerror(errno));
    }
    uint8_t hash[CRYPTO_HASH_LEN];
    crypto_hash(s->hash, s->body.p, s->body.n, hash);
    size_t n = httpsig_write_digest(
        s->hash == CRYPTO_SM3 ? HTTPSIG_DIGEST_SM3 : HTTPSIG_DIGEST_SHA256, hash, s->digest);
    s->digest[n] = '\0';
    s->has_body = true;
    return -1;
}

static int read_method(struct signing *s)
{
    if (s->method == NULL) {
        s->method = s->body_file != NULL ? "POST" : "GET";
    }
    if (strspn(s->method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != strlen(s->method)) {
        return usage("not a method (GET, POST, …)", s->method);
    }
    return -1;
}

static int read_algorithm(struct signing *s)
{
    if (s->key_file != NULL) {
        return -1; /* the key says it */
    }
    if (s->algorithm == NULL) {
        s->algorithm = "hmac-sm3";
    }
    if (strcmp(s->algorithm, "hmac-sm3") != 0 && strcmp(s->algorithm, "hmac-sha256") != 0) {
        return usage("--algorithm with a secret is hmac-sm3 or hmac-sha256, not", s->algorithm);
    }
    s->hash = s->algorithm[6] == 'm' ? CRYPTO_SM3 : CRYPTO_SHA256;
    return -1;
}

/* As the header has it: what is not printable ASCII, and '%', by its bytes. */
static int read_purpose(struct signing *s)
{
    struct uuid id;
    struct buf text;
    if (s->purpose == NULL) {
        return -1;
    }
    buf_init(&text);
    for (const char *p = s->purpose; *p != '\0'; p++) {
        bool plain = *p >= ' ' && *p <= '~' && *p != '%';
        buf_addf(&text, plain ? "%c" : "%%%02X", (unsigned char)*p);
    }
    bool good = !text.failed && purpose_of_header(buf_slice(&text), &id);
    s->purpose_header = good ? strndup(text.p, text.n) : NULL;
    buf_fini(&text);
    return s->purpose_header != NULL ? -1 : usage("not one line of text", s->purpose);
}

static int read_choices(struct signing *s)
{
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
    if (s->app_version != NULL && !is_visible(s->app_version)) {
        return usage("not a version", s->app_version);
    }
    return -1;
}

typedef int (*step_fn)(struct signing *);

static int take_steps(struct signing *s, const step_fn steps[], size_t n)
{
    int code = -1;
    for (size_t i = 0; i < n && code < 0; i++) {
        code = steps[i](s);
    }
    return code;
}

static int read_request(struct signing *s)
{
    static const step_fn steps[] = {read_method, read_url, read_body};
    return take_steps(s, steps, s->url != NULL ? sizeof steps / sizeof *steps : 0);
}

int signing_start(struct signing *s, int argc, char **argv, const char *help)
{
    static const step_fn steps[] = {read_algorithm, read_choices, read_purpose, read_secret,
                                    read_request};
    *s = (struct signing){0};
    buf_init(&s->body);
    int code = read_options(s, argc, argv, help);
    return code < 0 ? take_steps(s, steps, sizeof steps / sizeof *steps) : code;
}

int signing_other(struct signing *other, const struct signing *s, const char *method,
                  const char *url, const char *body_file)
{
    *other = *s;
    other->method = method;
    other->url = url;
    other->body_file = body_file;
    other->parsed = NULL;
    other->scheme = other->authority = other->target = NULL;
    other->has_body = false;
    buf_init(&other->body);
    return read_request(other);
}

void signing_other_fini(struct signing *other)
{
    buf_fini(&other->body);
    free(other->scheme);
    free(other->authority);
    free(other->target);
    if (other->parsed != NULL) {
        curl_url_cleanup(other->parsed);
    }
}

void signing_fini(struct signing *s)
{
    crypto_hmac_free(&s->hmac);
    crypto_key_free(&s->key);
    free(s->purpose_header);
    signing_other_fini(s);
}
