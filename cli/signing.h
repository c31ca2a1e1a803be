/* SPDX-License-Identifier: Apache-2.0 */
/* What `sluice sign` and `sluice call` share: their options, one signed request (RFC 9421), and
 * many under one SM2 signature. */
#pragma once
#include <curl/curl.h>

#include "base/buf.h"
#include "crypto/key.h"
#include "httpsig/batch.h"

#define SIGNING_INPUT_MAX     1024
#define SIGNING_SIGNATURE_MAX 768 /* that of an RSA key of 4096 bits, in base64 */
#define SIGNING_LABEL         "sig1"

struct signing {
    /* options as given; NULL: not given */
    const char *credential, *secret_file, *secret_env, *algorithm, *method, *url, *grant, *purpose,
        *app_version;
    const char *body_file, *valid_s, *ca, *count, *out, *raw;
    const char *key_file, *batch_file, *batch_size, *platform_key, *save;
    const char *plain;         /* a key file that is not sealed is taken */
    const char *type, *accept; /* of the body; NULL: application/json, any */
    /* made from them by signing_start */
    CURLU *parsed;
    char *scheme, *authority, *target; /* heap */
    char *purpose_header;              /* heap; NULL: none */
    struct buf body;
    bool has_body;
    bool plain_file; /* the key or secret came from a file that is not sealed */
    char digest[HTTPSIG_DIGEST_TEXT_MAX + 1]; /* value of Content-Digest */
    uint64_t valid;
    enum crypto_hash hash; /* of the body, and of an HMAC */
    struct crypto_hmac *hmac;
    struct crypto_key *key; /* instead of hmac */
};

/* Values of the two headers, NUL-terminated. */
struct signing_headers {
    char input[SIGNING_INPUT_MAX];
    char signature[SIGNING_SIGNATURE_MAX];
};

/* Reads the command line and all it names. -1: go on; else the exit code, the reason said on stderr
 * (or the help on stdout). Needs signing_fini either way. */
int signing_start(struct signing *s, int argc, char **argv, const char *help);
/* A fresh nonce each time. False: a name is too long; said on stderr. */
bool signing_make(const struct signing *s, uint64_t now_s, struct signing_headers *h);
void signing_fini(struct signing *s);

/* Another request by the same signer: its key is borrowed, method, URL and body are its own. Exit
 * code as signing_start; needs signing_other_fini either way, and no signing_fini. */
int signing_other(struct signing *other, const struct signing *s, const char *method,
                  const char *url, const char *body_file);
void signing_other_fini(struct signing *other);

/* cli/signing_make.c: requests under one signature. */
struct signing_batch { /* large: not for a stack */
    size_t n;
    struct merkle_node tree[MERKLE_TREE_LEN(MERKLE_LEAVES_MAX)];
};
/* Makes h->input of one more request. False: said on stderr. The batch must not be full. */
bool signing_batch_add(struct signing_batch *b, const struct signing *s, uint64_t now_s,
                       struct signing_headers *h);
/* Signs, makes the signatures of headers[0..b->n) and empties the batch. */
bool signing_batch_end(struct signing_batch *b, const struct signing *s,
                       struct signing_headers headers[]);

/* cli/sign_batch.c: the requests of s->batch_file under one signature, a line of JSON each. Exit
 * code. */
int signing_print_batch(const struct signing *s);
