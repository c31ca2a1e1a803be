/* SPDX-License-Identifier: Apache-2.0 */
/* One synchronous request to a provider. It follows nothing, asks no proxy, and unless an
 * administrator chose the address goes to public ones alone, by TLS. */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/address.h"
#include "base/codec.h"
#include "data/catalog.h"
#include "data/collect/inner.h"

#define TIMEOUT_MS 10000
#define CONNECT_MS 3000L

struct fetch {
    CURL *curl;
    const json_t *input;
    struct curl_slist *headers;
    struct buf *answer, body, url;
    int ca;
    char ca_path[64];
    char digest_name[64], digest[200]; /* of the header that carries the answer's digest */
    bool too_large;
};

static size_t take(char *p, size_t size, size_t n, void *ctx)
{
    struct fetch *f = ctx;
    f->too_large = size * n > COLLECT_ANSWER_MAX - f->answer->n;
    if (f->too_large)
        return 0;
    buf_add(f->answer, p, size * n);
    return f->answer->failed ? 0 : size * n;
}

static size_t take_header(char *p, size_t size, size_t n, void *ctx)
{
    struct fetch *f = ctx;
    size_t all = size * n, name = strlen(f->digest_name);
    if (name && all > name && p[name] == ':' && strncasecmp(p, f->digest_name, name) == 0) {
        size_t at = name + 1, end = all;
        while (at < end && p[at] == ' ')
            at++;
        while (end > at && (unsigned char)p[end - 1] <= ' ')
            end--;
        snprintf(f->digest, sizeof f->digest, "%.*s", (int)(end - at), p + at);
    }
    return all;
}

static curl_socket_t open_public(void *ctx, curlsocktype purpose, struct curl_sockaddr *address)
{
    (void)ctx, (void)purpose;
    if (address_is_private(&address->addr))
        return CURL_SOCKET_BAD;
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

bool collect_unseal(struct collect *c, const char *id, const char *sealed, struct buf *out)
{
    return catalog_unseal(c->env->secret_key, slice_str(id), slice_str(sealed), out) ||
           collect_fail(c, "failed", "definition-invalid", "/credential", "it cannot be opened");
}

/* What holds of any request to the node. */
static void prepare(void *ctx, void *curl)
{
    const struct fetch *f = ctx;
    bool private_too = json_is_true(json_object_get(f->input, "private"));
    json_int_t ms = json_integer_value(json_object_get(f->input, "timeout_ms"));
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, ms > 0 ? (long)ms : TIMEOUT_MS);
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, private_too ? "http,https" : "https");
    if (!private_too)
        curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, open_public);
    if (f->ca_path[0]) {
        curl_easy_setopt(curl, CURLOPT_CAINFO, f->ca_path);
        curl_easy_setopt(curl, CURLOPT_CAPATH, NULL);
    }
}

static void bound(struct fetch *f)
{
    const char *method = collect_text(f->input, "method");
    prepare(f, f->curl);
    curl_easy_setopt(f->curl, CURLOPT_URL, collect_text(f->input, "url"));
    if (method[0])
        curl_easy_setopt(f->curl, CURLOPT_CUSTOMREQUEST, method);
    curl_easy_setopt(f->curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(f->curl, CURLOPT_WRITEDATA, f);
    curl_easy_setopt(f->curl, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(f->curl, CURLOPT_HEADERDATA, f);
}

/* curl's GnuTLS takes CAs from files alone. */
static bool trust(struct fetch *f)
{
    const char *ca = collect_text(f->input, "ca");
    if (!ca[0])
        return true;
    f->ca = memfd_create("collect-ca", MFD_CLOEXEC);
    if (f->ca < 0 || write(f->ca, ca, strlen(ca)) != (ssize_t)strlen(ca))
        return false;
    snprintf(f->ca_path, sizeof f->ca_path, "/proc/self/fd/%d", f->ca);
    return true;
}

static bool add_header(struct fetch *f, const char *name, const char *value)
{
    struct buf line;
    buf_init(&line);
    buf_addf(&line, "%s: %s", name, value);
    buf_addc(&line, '\0');
    struct curl_slist *more = line.failed ? NULL : curl_slist_append(f->headers, line.p);
    buf_wipe(&line);
    if (more)
        f->headers = more;
    return more != NULL;
}

static bool add_credential(struct collect *c, const json_t *input, struct fetch *f)
{
    const char *sealed = collect_text(input, "credential_sealed");
    const char *name = collect_text(input, "credential_header");
    struct buf text;
    if (!sealed[0])
        return true;
    buf_init(&text);
    bool ok = collect_unseal(c, collect_text(input, "node_id"), sealed, &text);
    buf_addc(&text, '\0');
    if (ok && collect_text(input, "token_url")[0]) {
        struct buf bearer;
        buf_init(&bearer);
        ok = collect_token(c, input, slice_of(text.p, text.n - 1), prepare, f, &bearer);
        buf_wipe(&text);
        text = bearer;
        buf_addc(&text, '\0');
    }
    ok = ok && !text.failed && add_header(f, name[0] ? name : "Authorization", text.p);
    buf_wipe(&text);
    return ok;
}

static bool add_body(struct collect *c, const json_t *input, struct fetch *f)
{
    const json_t *body = json_object_get(input, "body");
    const char *type = collect_text(input, "content_type");
    if (!body || json_is_null(body))
        return true;
    char *text =
        json_is_string(body) ? strdup(json_string_value(body)) : json_dumps(body, JSON_COMPACT);
    bool ok = text && collect_seal(c, input, slice_str(text), &f->body);
    free(text);
    curl_easy_setopt(f->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)f->body.n);
    curl_easy_setopt(f->curl, CURLOPT_POSTFIELDS, f->body.p ? f->body.p : "");
    return ok && add_header(f, "Content-Type", type[0] ? type : "application/json");
}

static bool add_headers(struct collect *c, const json_t *input, struct fetch *f)
{
    const char *name;
    json_t *value;
    bool ok = add_credential(c, input, f);
    json_object_foreach(json_object_get(input, "headers"), name, value)
    {
        ok = ok && add_header(f, name, json_string_value(value));
    }
    return ok;
}

/* The whole answer against the digest a header carries: hex or base64, of SM3 or SHA-256. */
static bool compare_header(struct collect *c, const json_t *input, const struct fetch *f)
{
    const json_t *digest = json_object_get(input, "digest");
    bool sha = strcmp(collect_text(digest, "algorithm"), "sha-256") == 0;
    uint8_t hash[CRYPTO_HASH_LEN];
    char hex[CODEC_HEX_LEN(CRYPTO_HASH_LEN) + 1], b64[CODEC_BASE64_LEN(CRYPTO_HASH_LEN) + 1];
    if (!f->digest_name[0])
        return true;
    crypto_hash(sha ? CRYPTO_SHA256 : CRYPTO_SM3, f->answer->p ? f->answer->p : "", f->answer->n,
                hash);
    hex[codec_hex(hex, hash, sizeof hash)] = '\0';
    b64[codec_base64(b64, hash, sizeof hash)] = '\0';
    return strcasecmp(f->digest, hex) == 0 || strcmp(f->digest, b64) == 0 ||
           collect_fail(c, "refused", "digest-mismatch", f->digest_name,
                        "the answer is not what its digest says");
}

static bool perform(struct collect *c, struct fetch *f)
{
    char detail[64];
    long status = 0;
    curl_easy_setopt(f->curl, CURLOPT_HTTPHEADER, f->headers);
    CURLcode code = curl_easy_perform(f->curl);
    if (f->too_large)
        return collect_fail(c, "failed", "too-large", "", "the answer is too large");
    if (code == CURLE_OPERATION_TIMEDOUT)
        return collect_fail(c, "failed", "timeout", "", "the provider did not answer in time");
    if (code != CURLE_OK)
        return collect_fail(c, "failed", "unreachable", "", "the provider cannot be reached");
    curl_easy_getinfo(f->curl, CURLINFO_RESPONSE_CODE, &status);
    snprintf(detail, sizeof detail, "the provider answered %ld", status);
    return status / 100 == 2 || collect_fail(c, "failed", "provider-refused", "", detail);
}

bool collect_fetch(struct collect *c, const json_t *input, struct buf *answer)
{
    struct fetch f = {.answer = answer, .input = input, .ca = -1, .curl = curl_easy_init()};
    buf_init(&f.body);
    snprintf(f.digest_name, sizeof f.digest_name, "%s",
             collect_text(json_object_get(input, "digest"), "header"));
    bool ok = f.curl != NULL;
    if (ok) {
        ok = trust(&f);
        bound(&f);
        ok = ok && add_headers(c, input, &f) && add_body(c, input, &f) && perform(c, &f) &&
             compare_header(c, input, &f);
    }
    curl_slist_free_all(f.headers);
    curl_easy_cleanup(f.curl);
    buf_wipe(&f.body);
    if (f.ca >= 0)
        close(f.ca);
    return ok;
}
