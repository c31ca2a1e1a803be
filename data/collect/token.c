/* SPDX-License-Identifier: Apache-2.0 */
/* The client's own token (OAuth 2.0, client_credentials, client_secret_basic): asked for before
 * each request and forgotten after it, so that a token's end or revocation needs no care of ours.
 */
#include <curl/curl.h>
#include <stdlib.h>

#include "data/collect/inner.h"

#define ANSWER_MAX 65536
#define TOKEN_MAX  8192

static size_t take(char *p, size_t size, size_t n, void *ctx)
{
    struct buf *answer = ctx;
    if (size * n > ANSWER_MAX - answer->n)
        return 0;
    buf_add(answer, p, size * n);
    return answer->failed ? 0 : size * n;
}

/* A header's value: what a token is made of, and no line end among it (RFC 6750, 2.1). */
static bool is_token(struct slice t)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                  "0123456789-._~+/=";
    return t.n > 0 && t.n <= TOKEN_MAX && strspn(t.p, letters) == t.n;
}

static bool read_answer(struct collect *c, const struct buf *answer, struct buf *bearer)
{
    json_t *v = answer->n ? json_loadb(answer->p, answer->n, JSON_REJECT_DUPLICATES, NULL) : NULL;
    const json_t *token = json_object_get(v, "access_token");
    struct slice text = slice_of(json_string_value(token), json_string_length(token));
    bool ok = json_is_string(token) && is_token(text) &&
              strcasecmp(collect_text(v, "token_type"), "bearer") == 0;
    if (ok)
        buf_addf(bearer, "Bearer %.*s", SLICE_FMT(text));
    json_decref(v);
    return ok || collect_fail(c, "failed", "provider-refused", "/token_url",
                              "what it answered is no bearer token");
}

static bool form(CURL *curl, const char *scope)
{
    struct buf text;
    char *escaped = scope[0] ? curl_easy_escape(curl, scope, 0) : NULL;
    buf_init(&text);
    buf_adds(&text, "grant_type=client_credentials");
    if (escaped)
        buf_addf(&text, "&scope=%s", escaped);
    buf_addc(&text, '\0');
    curl_free(escaped);
    bool ok = !text.failed && (!scope[0] || escaped) &&
              curl_easy_setopt(curl, CURLOPT_COPYPOSTFIELDS, text.p) == CURLE_OK;
    buf_fini(&text);
    return ok;
}

/* Both as a form field each before they are joined (RFC 6749, 2.3.1). */
static bool basic(CURL *curl, const char *id, struct slice secret)
{
    char *user = curl_easy_escape(curl, id, 0),
         *word = secret.n ? curl_easy_escape(curl, secret.p, (int)secret.n) : NULL;
    bool ok = user && word && curl_easy_setopt(curl, CURLOPT_USERNAME, user) == CURLE_OK &&
              curl_easy_setopt(curl, CURLOPT_PASSWORD, word) == CURLE_OK &&
              curl_easy_setopt(curl, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC) == CURLE_OK;
    if (word)
        crypto_wipe(word, strlen(word));
    curl_free(word);
    curl_free(user);
    return ok;
}

bool collect_token(struct collect *c, const json_t *input, struct slice secret,
                   void (*prepare)(void *ctx, void *curl), void *ctx, struct buf *bearer)
{
    struct buf answer;
    long status = 0;
    CURL *curl = curl_easy_init();
    if (!curl)
        return collect_fail(c, "failed", "out-of-memory", "", "");
    buf_init(&answer);
    prepare(ctx, curl);
    curl_easy_setopt(curl, CURLOPT_URL, collect_text(input, "token_url"));
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer);
    CURLcode code = basic(curl, collect_text(input, "client_id"), secret) &&
                            form(curl, collect_text(input, "token_scope"))
                        ? curl_easy_perform(curl)
                        : CURLE_OUT_OF_MEMORY;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    bool ok = code == CURLE_OK && status == 200 && read_answer(c, &answer, bearer);
    if (!ok && !c->code)
        collect_fail(c, "failed", code == CURLE_OK ? "provider-refused" : "unreachable",
                     "/token_url", "no token is given for our credential");
    curl_easy_cleanup(curl);
    buf_wipe(&answer);
    return ok;
}
