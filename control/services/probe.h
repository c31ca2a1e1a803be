/* SPDX-License-Identifier: Apache-2.0 */
/* Calls of the platform's own app through a gateway, as anybody's app makes them: probe_call.c. */
#pragma once
#include <curl/curl.h>

#include "services/services.h"

#define PROBE_ANSWER_MAX (1u << 20)

struct probe {
    CURL *curl;          /* one connection for all calls */
    char gateway[300];   /* its address, without a slash at the end */
    char authority[300]; /* host:port of it */
    char ca_path[512];
    char credential[UUID_TEXT_LEN + 1];
    struct crypto_hmac *key;
    bool zh; /* refusals are wanted in Chinese */
};

struct probe_answer {
    long status; /* 0: none */
    double ms;
    json_t *json;                        /* NULL: not JSON */
    char transaction[UUID_TEXT_LEN + 1]; /* as the gateway's record names the call; "": unknown */
};

enum probe_proof { PROBE_SIGNED, PROBE_UNSIGNED, PROBE_FORGED };

/* The setting's address (fallback where it is none; NULL: refused) and the app's own hmac-sm3
 * credential; fini in every case. */
enum problem probe_init(struct rest_call *c, struct store_txn *txn, const char *app_id,
                        const char *fallback, struct probe *p);
void probe_fini(struct probe *p); /* wipes */
/* A GET of target (path and query); grant: NULL for none. */
void probe_get(struct probe *p, const char *target, const char *grant, enum probe_proof proof,
               struct probe_answer *answer);

struct probe_request {
    const char *method, *target;                /* path and query */
    const char *grant, *purpose, *content_type; /* NULL: none; purpose: percent-encoded */
    struct slice body;                          /* content_type NULL: none */
    const char *input, *signature;              /* by the app's own key; NULL: by its secret */
    const char *keyid, *alg;                    /* of whom probe_base() is for */
};
#define PROBE_HEADER_MAX 1200
#define PROBE_BASE_MAX   8192
void probe_call(struct probe *p, const struct probe_request *q, struct probe_answer *answer);
/* What the app's own key would sign: the value of Signature-Input and the base, both ended by NUL.
 * False: no room. */
bool probe_base(struct probe *p, const struct probe_request *q, char input[static PROBE_HEADER_MAX],
                char base[static PROBE_BASE_MAX]);
/* The same as probe_init() without the secret: for calls that bring their signature. */
enum problem probe_init_bare(struct rest_call *c, struct store_txn *txn, const char *fallback,
                             struct probe *p);
