/* SPDX-License-Identifier: Apache-2.0 */
/* Calls of the platform's own app through a gateway, as anybody's app makes them: probe_call.c. */
#pragma once
#include <curl/curl.h>

#include "base/buf.h"
#include "crypto/key.h"
#include "httpsig/httpsig.h"
#include "services/services.h"

#define PROBE_ANSWER_MAX  (1u << 20)
#define PROBE_HEADER_MAX  1200
#define PROBE_KEYS_MAX    8
#define PROBE_TARGET_MAX  1400
#define PROBE_CALLS_MAX   500 /* of one performance test */
#define PROBE_AT_ONCE_MAX 32

/* What the app proves itself by: its secret (hmac-sm3), or a key pair (sm2-sm3) that the platform
 * makes for it and keeps sealed. */
enum probe_key { PROBE_SECRET, PROBE_PAIR };

struct probe {
    CURL *curl;          /* one connection for all calls */
    char gateway[300];   /* its address, without a slash at the end */
    char authority[300]; /* host:port of it */
    char ca_path[512];
    char credential[UUID_TEXT_LEN + 1];
    struct crypto_hmac *secret; /* one of the two */
    struct crypto_key *pair;
    struct crypto_key *platform[PROBE_KEYS_MAX]; /* what nodes sign answers by */
    size_t n_platform;
    bool zh; /* refusals are wanted in Chinese */
};

struct probe_call { /* borrowed */
    const char *method, *target;
    const char *grant, *body; /* NULL: none; body: JSON */
};

struct probe_answer {
    long status; /* 0: none */
    double ms;
    json_t *json; /* NULL: not JSON */
    struct buf body;
    char type[100];                      /* Content-Type; "": none */
    char transaction[UUID_TEXT_LEN + 1]; /* as the gateway's record names the call; "": unknown */
    bool proven;                         /* signed by a node, and what was signed is this answer */
};
void probe_answer_fini(struct probe_answer *answer);

enum probe_proof { PROBE_SIGNED, PROBE_UNSIGNED, PROBE_FORGED };

/* The setting's address (fallback where it is none; NULL: refused) and the app's own credential; of
 * a pair one is made where there is none. fini in every case. */
enum problem probe_init(struct rest_call *c, struct store_txn *txn, const char *app_id,
                        const char *fallback, enum probe_key kind, struct probe *p);
/* As the app of the setting probe-app, subscribed to this API where it is not yet. */
enum problem probe_open(struct rest_call *c, struct store_txn *txn, const json_t *api,
                        struct probe *probe);
void probe_fini(struct probe *p); /* wipes */
/* One call; answer: fini in every case. */
void probe_send(struct probe *p, const struct probe_call *call, enum probe_proof proof,
                struct probe_answer *answer);

/* The headers of one call, set on a handle: probe_release after the transfer. */
struct probe_request {
    struct curl_slist *headers;
    char input[PROBE_HEADER_MAX], signature[PROBE_HEADER_MAX]; /* values */
    char digest[HTTPSIG_DIGEST_TEXT_MAX + 1];
};
bool probe_prepare(struct probe *p, CURL *curl, const struct probe_call *call,
                   enum probe_proof proof, struct probe_request *request);
void probe_release(struct probe_request *request);
CURL *probe_handle(const struct probe *p); /* another one like p->curl; NULL: none */

/* probe_proof.c: signs request->input and ->signature; is the answer that curl holds signed by a
 * node. */
bool probe_sign(struct probe *p, const struct probe_call *call, bool forged,
                struct probe_request *request);
bool probe_proven(const struct probe *p, CURL *curl, const struct probe_call *call,
                  struct probe_request *request, const struct probe_answer *answer);

/* probe_load.c: `repeat` calls, `at_once` of them under way at any time, each ms[] filled (bounded
 * in time, so perhaps fewer than asked for). */
struct probe_load {
    size_t n, failed; /* failed: another status than the one wanted */
    double ms[PROBE_CALLS_MAX], took_ms;
};
bool probe_load(struct probe *p, const struct probe_call *call, long status, size_t repeat,
                size_t at_once, struct probe_load *load);

/* probe_schema.c: what the API declares of its answers (SW-7d5). */
struct schema;
struct probe_schema {
    struct schema *schema;
    bool described; /* by the provider's description; else by the fields alone */
};
/* why: where the description cannot be held against anything; schema is NULL then. */
enum problem probe_schema_load(struct rest_call *c, struct store_txn *txn, const json_t *api,
                               struct probe_schema *schema);
void probe_schema_fini(struct probe_schema *schema);
/* more: what follows the API's path. note: what is wrong and where, "" when it holds. */
#define PROBE_NOTE_MAX 400
bool probe_schema_holds(const struct probe_schema *schema, const char *method, const char *more,
                        const struct probe_answer *answer, char note[static PROBE_NOTE_MAX]);
/* Every member of an answer is a declared field of level 1 to 3 or leads to one. */
bool probe_only_declared(const json_t *fields, const json_t *answer);
