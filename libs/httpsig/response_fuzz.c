/* SPDX-License-Identifier: Apache-2.0 */
/* Input: Signature-Input and Signature of a response, the same of its request, method and target, a
 * line each. */
#include <stdlib.h>

#include "httpsig/httpsig.h"

#define PARTS 6

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool of_response(void *ctx, struct slice name, struct slice *value)
{
    *value = ((struct slice *)ctx)[4];
    return name.n % 5 != 0;
}

static bool of_request(void *ctx, struct slice name, struct slice *value)
{
    *value = ((struct slice *)ctx)[slice_eq(name, SLICE("signature")) ? 3 : 2];
    return true;
}

/* Written anew from what was read, it reads the same. */
static void write_again(struct httpsig s)
{
    char input[4096], signature[1024];
    size_t input_n, signature_n, bad_at;
    struct httpsig copy;
    bool labelled = httpsig_write_signature(&s, s.sig, s.sig_n, signature, sizeof signature,
                                            &signature_n) == HTTPSIG_OK;
    if (!labelled || httpsig_write_input(&s, input, sizeof input, &input_n) != HTTPSIG_OK) {
        return; /* a label too long, created=0 */
    }
    if (httpsig_parse_response(&copy, slice_of(input, input_n), slice_of(signature, signature_n),
                               &bad_at) != HTTPSIG_OK ||
        copy.n_components != s.n_components || copy.sig_n != s.sig_n ||
        !slice_eq(copy.keyid, s.keyid) || copy.expires_s != s.expires_s) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice part[PARTS] = {0}, rest = {(const char *)data, size};
    for (size_t i = 0; i < PARTS; i++) {
        const char *line = rest.n > 0 ? memchr(rest.p, '\n', rest.n) : NULL;
        size_t n = line != NULL ? (size_t)(line - rest.p) : rest.n;
        part[i] = slice_of(rest.p, n);
        n += line != NULL;
        rest = slice_of(rest.p + n, rest.n - n);
    }
    struct httpsig s;
    size_t bad_at = 0, n;
    if (httpsig_parse_response(&s, part[0], part[1], &bad_at) != HTTPSIG_OK) {
        if (bad_at > part[0].n && bad_at > part[1].n) {
            abort();
        }
        return 0;
    }
    struct httpsig_response res = {.status = 200, .field = of_response, .ctx = part};
    struct httpsig_request req = {.method = part[4],
                                  .scheme = SLICE("https"),
                                  .authority = SLICE("h"),
                                  .target = part[5],
                                  .field = of_request,
                                  .ctx = part};
    char base[1024];
    if (httpsig_base_response(&s, &res, &req, base, sizeof base, &n) == HTTPSIG_OK) {
        size_t lines = 1; /* no value may add a line */
        for (size_t i = 0; i < n; i++) {
            lines += base[i] == '\n';
        }
        if (n > sizeof base || lines != s.n_components + 1u) {
            abort();
        }
    }
    struct slice missing;
    (void)!httpsig_covers_response(&s, &part[4], 1, &missing);
    write_again(s);
    return 0;
}
