/* SPDX-License-Identifier: Apache-2.0 */
/* Input: Signature-Input, Signature, Content-Digest, method, authority and target, a line each. */
#include <stdlib.h>

#include "httpsig/httpsig.h"

#define PARTS 6

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool field(void *ctx, struct slice name, struct slice *value)
{
    *value = *(struct slice *)ctx;
    return name.n % 5 != 0;
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
    enum httpsig_digest alg;
    uint8_t digest[32];
    (void)!httpsig_digest_parse(part[2], &alg, digest);
    struct httpsig both[HTTPSIG_SIGNATURES_MAX];
    size_t several = 0;
    enum httpsig_err all = httpsig_parse_several(both, &several, part[0], part[1], &bad_at);
    enum httpsig_err err = httpsig_parse(&s, part[0], part[1], &bad_at);
    if (several > HTTPSIG_SIGNATURES_MAX ||
        (err == HTTPSIG_OK) != (all == HTTPSIG_OK && several == 1)) {
        abort();
    }
    if (err != HTTPSIG_OK) {
        if (bad_at > part[0].n && bad_at > part[1].n) {
            abort();
        }
        return 0;
    }
    if (s.n_components > HTTPSIG_COMPONENTS_MAX || s.sig_n > HTTPSIG_SIG_MAX || s.params.n == 0) {
        abort();
    }
    struct httpsig_request req = {.method = part[3],
                                  .scheme = SLICE("https"),
                                  .authority = part[4],
                                  .target = part[5],
                                  .field = field,
                                  .ctx = &part[3]};
    char base[512];
    if (httpsig_base(&s, &req, base, sizeof base, &n) == HTTPSIG_OK) {
        size_t lines = 1; /* no value may add a line */
        for (size_t i = 0; i < n; i++) {
            lines += base[i] == '\n';
        }
        if (n > sizeof base || lines != s.n_components + 1u) {
            abort();
        }
    }
    struct slice missing;
    (void)!httpsig_covers(&s, &part[4], 1, &missing);
    return 0;
}
