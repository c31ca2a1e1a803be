/* SPDX-License-Identifier: Apache-2.0 */
/* One call over the inner listener. Its word for the caller is made anew for each try. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "data/compose/job.h"
#include "httpsig/httpsig.h"

static size_t take(char *p, size_t size, size_t n, void *ctx)
{
    struct part *part = ctx;
    size_t more = size * n;
    if (more > COMPOSE_PART_MAX - part->answer.n ||
        more > COMPOSE_PARTS_MAX - part->job->received_bytes)
        return 0;
    part->job->received_bytes += more;
    buf_add(&part->answer, p, more);
    return part->answer.failed ? 0 : more;
}

/* curl sends a header without a value when a semicolon stands for the colon. */
static bool add_header(struct part *part, const char *name, struct slice value)
{
    struct buf line;
    buf_init(&line);
    buf_addf(&line, value.n ? "%s: %.*s" : "%s;", name, SLICE_FMT(value));
    buf_addc(&line, '\0');
    struct curl_slist *more = line.failed ? NULL : curl_slist_append(part->headers, line.p);
    buf_fini(&line);
    if (more)
        part->headers = more;
    return more != NULL;
}

static bool add_declared(struct part *part, const struct graph_step *step)
{
    const char *name;
    json_t *text;
    struct buf value;
    bool ok = true;
    buf_init(&value);
    json_object_foreach((json_t *)step->headers, name, text)
    {
        buf_clear(&value);
        enum graph_text result = graph_header(json_string_value(text), part->job->scope, &value);
        ok = ok && result != GRAPH_TEXT_BAD &&
             (result == GRAPH_TEXT_ABSENT ||
              add_header(part, name, value.n ? buf_slice(&value) : SLICE("")));
    }
    buf_fini(&value);
    return ok;
}

static bool add_word(struct executor *e, struct part *part, const struct graph_step *step,
                     struct slice digest)
{
    char text[LINK_INNER_TEXT_MAX];
    struct link_inner word = part->job->caller;
    struct link_request rq = {.method = step->post ? SLICE("POST") : SLICE("GET"),
                              .target = buf_slice(&part->target),
                              .digest = digest};
    word.issued_ms = clock_wall_ms();
    uuid_new(&word.nonce);
    size_t n = link_inner_encode(&word, link_mac_sign(&e->inner), &rq, text);
    return n > 0 && add_header(part, LINK_INNER_HEADER, slice_of(text, n));
}

static bool add_headers(struct executor *e, struct part *part, const struct graph_step *step)
{
    char text[HTTPSIG_DIGEST_TEXT_MAX];
    uint8_t hash[CRYPTO_HASH_LEN];
    struct slice digest = SLICE("");
    if (part->body.n) {
        crypto_hash(CRYPTO_SM3, part->body.p, part->body.n, hash);
        digest = slice_of(text, httpsig_write_digest(HTTPSIG_DIGEST_SM3, hash, text));
        if (!add_header(part, "Content-Digest", digest) ||
            !add_header(part, "Content-Type", SLICE("application/json")))
            return false;
    }
    return add_declared(part, step) && add_word(e, part, step, digest) &&
           add_header(part, "traceparent", slice_str(part->job->traceparent));
}

/* What the step asks for, from what is known now. */
static bool write_request(struct part *part, const struct graph_step *step)
{
    buf_clear(&part->target);
    buf_clear(&part->body);
    buf_clear(&part->answer);
    if (graph_target(step, part->job->scope, &part->target) != GRAPH_TEXT_OK)
        return false;
    if (!step->body)
        return true;
    json_t *body = graph_map(step->body, part->job->scope);
    bool ok = body && graph_write(body, COMPOSE_PART_MAX, &part->body);
    json_decref(body);
    return ok;
}

static long time_left_ms(const struct compose_job *job, const struct graph_step *step)
{
    uint64_t now = clock_mono_us();
    long left = now < job->deadline_us ? (long)((job->deadline_us - now) / 1000) : 0;
    if (step->timeout_ms && left > (long)step->timeout_ms)
        left = (long)step->timeout_ms;
    return left > 0 ? left : 1; /* curl's 0 is for ever */
}

static bool set_up(struct executor *e, struct part *part, const struct graph_step *step)
{
    CURL *easy = part->easy;
    struct buf url;
    buf_init(&url);
    buf_addf(&url, "http://gateway%.*s", SLICE_FMT(buf_slice(&part->target)));
    buf_addc(&url, '\0');
    bool ok = !url.failed && curl_easy_setopt(easy, CURLOPT_URL, url.p) == CURLE_OK;
    buf_fini(&url);
    if (step->post) {
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)part->body.n);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, part->body.n ? part->body.p : "");
    }
    curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, compose_socket(e->compose));
    curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L); /* the word is bound to it as written */
    curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, part->headers);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, part);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, part);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, time_left_ms(part->job, step));
    return ok && curl_multi_add_handle(e->multi, easy) == CURLM_OK;
}

bool part_begin(struct executor *e, struct compose_job *job, uint32_t step)
{
    struct part *part = &job->parts[step];
    const struct graph_step *from = &job->graph->steps[step];
    part->job = job;
    part->easy = curl_easy_init();
    if (part->easy && write_request(part, from) && add_headers(e, part, from) &&
        set_up(e, part, from))
        return true;
    part_end(e, part);
    return false;
}

void part_end(struct executor *e, struct part *part)
{
    if (part->easy) {
        curl_multi_remove_handle(e->multi, part->easy); /* of one never added: does nothing */
        curl_easy_cleanup(part->easy);
    }
    curl_slist_free_all(part->headers);
    buf_fini(&part->target);
    buf_fini(&part->body);
    buf_fini(&part->answer);
    part->easy = NULL;
    part->headers = NULL;
    buf_init(&part->target);
    buf_init(&part->body);
    buf_init(&part->answer);
}
