/* SPDX-License-Identifier: Apache-2.0 */
/* What `sluice sign` and `sluice call` share: their options, and one signed request (RFC 9421). */
#pragma once
#include <curl/curl.h>

#include "base/buf.h"
#include "crypto/crypto.h"

#define SIGNING_INPUT_MAX 1024

struct signing {
    /* options as given; NULL: not given */
    const char *credential, *secret_file, *secret_env, *algorithm, *method, *url, *grant;
    const char *body_file, *valid_s, *ca, *count, *out, *raw;
    /* made from them by signing_start */
    CURLU *parsed;
    char *scheme, *authority, *target; /* heap */
    struct buf body;
    bool has_body;
    char digest[80]; /* value of Content-Digest */
    uint64_t valid;
    enum crypto_hash hash;
    struct crypto_hmac *hmac;
};

/* Values of the two headers, NUL-terminated. */
struct signing_headers {
    char input[SIGNING_INPUT_MAX];
    char signature[80];
};

/* Reads the command line and all it names. -1: go on; else the exit code, the reason said on stderr
 * (or the help on stdout). Needs signing_fini either way. */
int signing_start(struct signing *s, int argc, char **argv, const char *help);
/* A fresh nonce each time. False: a name is too long; said on stderr. */
bool signing_make(struct signing *s, uint64_t now_s, struct signing_headers *h);
void signing_fini(struct signing *s);
