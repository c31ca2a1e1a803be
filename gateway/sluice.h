/* SPDX-License-Identifier: Apache-2.0 */
/* The gateway inside an nginx worker. A call passes the stages below in order; each is one file and
 * looks the same: it reads the call, and either returns NGX_OK or sets ctx->problem and returns
 * NGX_DECLINED. A stage that must wait returns NGX_DONE and runs again when it may go on: `body`
 * for the client; `nonce`, `limits` and `grant` for Redis where nodes share one.
 *
 *   route → addresses → token → authenticate → decide → callers → nonce → limits → grant → body
 *   → dispatch → (proxy) → filter → finish → record
 *
 * Invariants
 * - Nothing of an answer leaves before its audit record is in the log (record.c).
 * - Nothing an upstream says leaves unless the plan names it (filter.c); its errors never do.
 * - Whatever goes wrong inside is a problem of the catalogue to the outside (answer.c). */
#pragma once

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include <jansson.h>

#include "audit/audit.h"
#include "base/buf.h"
#include "crypto/algorithm.h"
#include "crypto/crypto.h"
#include "crypto/key.h"
#include "jwe/jwe.h"
#include "link/inner.h"
#include "link/link.h"
#include "link/ring.h"
#include "plan/plan.h"
#include "policy/policy.h"
#include "replay/replay.h"
#include "replica/replica.h"
#include "targets/choose.h"
#include "targets/targets.h"
#include "token/token.h"

/* What a node does while the Redis it shares with others is away. */
enum { SLUICE_REDIS_LOST_LOCAL, SLUICE_REDIS_LOST_REFUSE };

typedef struct {
    ngx_str_t replica_dir, audit_dir, node, replay_file, link_key_file, data_socket;
    ngx_str_t
        state_dir;      /* what workers share beside the policy: limits, targets, metrics, events */
    ngx_str_t keys_dir; /* the node's own keys: answers are signed, bodies opened with them */
    size_t replay_size;
    time_t staleness_s;
    ngx_addr_t data_addr;
    ngx_str_t redis_address, redis_password_file; /* "": none */
    ngx_msec_t redis_timeout_ms;
    ngx_uint_t redis_lost; /* SLUICE_REDIS_LOST_… */
} sluice_main_conf_t;

typedef struct {
    ngx_flag_t on;
    ngx_str_t entry;  /* the name of this entry point; "": the public one */
    ngx_flag_t inner; /* parts of composed APIs alone are taken here */
} sluice_loc_conf_t;

/* One upstream of an API. */
typedef struct {
    uint64_t id; /* in the table of targets */
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
    } addr;
    socklen_t addrlen; /* 0: its name has no address */
    ngx_str_t text;
} sluice_target_t;

/* What a worker remembers of the replica (memo.c). Entries are shared by the table and by the calls
 * that use them, and die with the last of both. */
typedef struct {
    unsigned refs;
    uint64_t version;          /* replica version at which it was last found true */
    struct replica_api record; /* slices and fields point into this same block */
    sluice_target_t targets[REPLICA_TARGETS_MAX]; /* those of the record, in its order */
    struct targets_config breaker;
    struct choose_turn turn;
    bool on_standby;
    ngx_msec_t standby_told;    /* 0: never */
    struct slice request_path;  /* the exact path that led here */
    struct metric_row *metrics; /* NULL until counted */
} sluice_api_t;

typedef struct {
    unsigned refs;
    uint64_t version;
    struct policy_credential credential;
    struct policy_app app;
    bool app_known;
    struct uuid org;
    uint8_t app_version_n; /* of the app's live version; 0: none */
    bool states_version;   /* each call says of which version it is */
    char app_version[REPLICA_APP_VERSION_MAX];
    uint16_t subject_n; /* of the app's organisation in owner columns; 0: none */
    char subject[LINK_OWNER_MAX];
    char app_name[64]; /* for the metrics: cut where it is longer */
    size_t app_name_n;
    struct metric_row *metrics; /* NULL until counted */
    struct crypto_hmac *hmac;   /* NULL: not a secret, or one that cannot be opened */
    struct crypto_key *key;     /* NULL: not a public key, or one that cannot be read */
    uint8_t certificate_mode;   /* enum replica_certificate; 0: the key is in no certificate */
    uint8_t certificate_id[CRYPTO_HASH_LEN]; /* SM3 of the pinned one, or by CA of its subject */
    size_t sealed_n;
    char sealed[128]; /* what hmac was made from */
} sluice_caller_t;

typedef struct {
    unsigned refs;
    uint64_t version;
    sluice_api_t *api;
    sluice_caller_t *caller;
    struct uuid grant;
    struct policy_grant grant_record;
    bool grant_named, grant_known;
    struct uuid user;     /* of the call's token; nil: none */
    struct uuid purpose;  /* as said; nil: not */
    uint8_t claims_known; /* bits: of which of these the owner has a record */
    uint8_t claims[REPLICA_CLAIMS][CRYPTO_HASH_LEN];
    struct slice of; /* whose rows these are: the grant's owner, or the app itself; "" nobody's */
    char owner[LINK_OWNER_MAX];
    struct slice rows; /* conditions each of them must meet; "" none */
    char *rows_text;   /* what they point at; NULL: there are none */
    uint8_t method, proofs, user_factors, sdk;
    bool export_;
    struct policy_verdict verdict;
    struct plan *plan; /* NULL when refused */
    uint64_t plan_key; /* names (api, rev, outcomes) to the audit log */
    /* Which limits apply to (API, app), of the set of that number; see limits.h. */
    uint64_t limits_number;
    size_t limits_n;
    struct limit_run {
        uint32_t from, to;
    } limits[4];
} sluice_verdict_t;

/* The signature of one answer (message/sign.c). What it quotes of the request borrows from its
 * headers. */
typedef struct {
    bool expected; /* counted among the answers that are on their way to a signature */
    bool waiting, done;
    bool failed, unkept; /* cannot be signed; signed, but the evidence cannot be written */
    ngx_queue_t place;   /* among those that wait */
    struct slice label;  /* of the request's signature */
    struct slice question_alg;
    ngx_str_t question, question_sig; /* what the caller signed: base and signature */
    const char *answer_alg;
    ngx_str_t answer, answer_sig;         /* the same of the answer */
    ngx_str_t type, digest, input, value; /* headers of the answer */
} sluice_signing_t;

/* One of an API's definitions, compiled (message/definitions.c); shared by the table of them and
 * the calls that use it. */
enum sluice_kind { SLUICE_SCHEMA, SLUICE_CONVERSION };
typedef struct {
    unsigned refs;
    enum sluice_kind kind;
    struct uuid api;
    uint64_t version, rev;   /* found true at; of the record */
    struct schema *schema;   /* NULL: another kind, or it cannot be used */
    struct convert *convert; /* likewise */
} sluice_definition_t;

/* The encryption key of an app (message/seal.c); shared by the table of them and the calls that use
 * it. */
typedef struct {
    unsigned refs;
    struct uuid app, credential;
    struct jwe_key *key;
} sluice_recipient_t;

typedef enum {
    SLUICE_UNDECIDED, /* no stage has run, or one refused */
    SLUICE_OWN,       /* the answer is our problem, made by our content handler */
    SLUICE_REPLACE,   /* an answer that must not leave: our problem goes instead */
    SLUICE_PASS,      /* no body to plan, or the data service's own problem */
    SLUICE_STREAM,    /* events as they come: decided, masked and recorded by the data service */
    SLUICE_RELAY,     /* the same problem, held until it is whole: it is to be signed */
    SLUICE_HOLD,      /* of an export, held until it is whole: it is to be signed or sealed */
    SLUICE_PLAN       /* the body streams through the plan */
} sluice_mode_e;

typedef struct {
    struct uuid txn;
    char txn_text[UUID_TEXT_LEN + 1];
    uint64_t began_us, began_mono_us;
    uint64_t stage_ns; /* when the stage began, in a call that is sampled for the metrics */
    ngx_uint_t stage, http_version;
    sluice_mode_e mode;
    enum problem problem;
    struct slice detail, where;
    uint8_t method;

    struct slice signature_input, signature, grant_header, content_digest, target;
    bool duplicate_header; /* one of those came twice */
    bool reserved_header;  /* one that only we may send */
    bool export_asked;     /* the call is about an export job (message/export.c) */
    bool export_file;      /* what comes is its file, with so many rows */
    uint64_t export_rows;
    struct slice inner_header;
    struct slice proof;                /* header DPoP */
    bool licence_named, account_named; /* by members of a signed call's body (caller/account.c) */
    struct uuid licence, account_app;
    struct slice purpose_header;    /* header Sluice-Purpose */
    struct slice version_header;    /* header Sluice-App-Version */
    struct uuid purpose;            /* its purpose_id(); nil: none */
    struct slice confirmation;      /* header Sluice-Confirmation */
    struct slice sdk_header;        /* header Sluice-Sdk */
    struct slice sdk_text;          /* its "name/version", of a call that is signed; "": none */
    uint8_t sdk;                    /* enum policy_sdk */
    uint64_t sdk_refused_from_ms;   /* of that release; 0: never */
    struct slice package_header;    /* header Sluice-Package */
    struct token *token;            /* the access token shown, opened and good; NULL: none */
    const struct link_inner *inner; /* NULL unless a part of a composed API's call */
    struct uuid grant;
    bool cached; /* the upstream was not asked */
    int chosen;  /* of api->targets, from `dispatch` on */
    ngx_msec_t dispatched;
    bool account; /* proven by accessid, username and pwd; token is made up of the account then */
    bool grant_named, body_read, body_checked;
    ngx_str_t body; /* after body.c: the whole request body as one piece */
    sluice_api_t *api;
    sluice_caller_t *caller;
    struct slice label;   /* of the signature that counts as evidence: by a key pair, if one is */
    uint8_t proofs;       /* policy_proof bits */
    const char *unproven; /* why the connection's certificate proves nothing; NULL: no reason */
    bool authenticated;
    sluice_verdict_t *verdict;
    struct sluice_limits *limits;  /* that apply; NULL: none */
    struct sluice_limits *amounts; /* what it is worth, as traffic/amounts.c counts it */
    struct sluice_redis_op *redis; /* the question under way; NULL: none */
    size_t nonces;                 /* told to Redis */
    uint32_t retry_s;              /* of a refusal; 0: nothing to say */

    /* conversion (message/convert.c); all NULL or empty where the API has none */
    sluice_definition_t *conversion;
    const struct convert_op *op; /* what the call means; NULL: it is not converted */
    uint8_t form;                /* enum convert_form the client speaks, once op is set */
    ngx_str_t rest;              /* for the upstream, in place of what follows the API's path */
    ngx_str_t asked_method;      /* the caller's, while method_name is the upstream's */
    struct buf *xml;             /* of an answer that is taken in; NULL: it comes as JSON */
    ngx_str_t own_type; /* set: problem_body is no problem but our own answer, of this type */

    /* filter */
    struct plan_stream *stream;
    struct plan_out out;
    ngx_http_request_t *request; /* for the plan's call-back */
    ngx_chain_t *in, *outs, **last_out, *free, *busy;
    ngx_buf_t *buf; /* being filled */
    ngx_uint_t n_bufs;
    size_t held_bytes;
    uint64_t bytes_out;
    ngx_msec_t heard_msec; /* when the upstream, or a slow client, last moved */
    bool header_held, ended, failed, opened, recorded, replaced;
    ngx_str_t problem_body;

    /* finish: an answer that leaves only when it is complete */
    bool whole;
    ngx_uint_t finish; /* the finisher to run next */
    ngx_str_t answer;  /* what leaves, of content type answer_type when that is set */
    ngx_str_t answer_type;
    sluice_signing_t signing;
    sluice_recipient_t *seal_to; /* whom the answer is sealed to; NULL: it leaves plain */
} sluice_ctx_t;

#define SLUICE_BODY_KEYS 2 /* SM2, P-256 */
/* The node's own keys; NULL what could not be read. */
typedef struct {
    struct crypto_key *answer;
    struct jwe_key *body[SLUICE_BODY_KEYS];
} sluice_keys_t;

/* Everything one worker has. */
typedef struct {
    ngx_uint_t ready; /* keys are loaded and the audit stream is ours */
    struct replica *replica;
    struct replica_reader *reader;
    uint64_t version, synced_ms;
    ngx_msec_t refreshed_ms; /* of nginx's clock; 0: never */
    bool snapshot;           /* open now */
    struct audit_writer *audit;
    struct replay *replay;
    struct link_mac link;
    sluice_keys_t keys;
    struct mask_key *mask_key;
    uint8_t verifier_key[CRYPTO_KEY_LEN];
    uint64_t limit_seed; /* of limit_key_make(); the same on all nodes of a link key */
    struct plan_stream *idle[64];
    ngx_uint_t n_idle;
    ngx_event_t tick;
    struct policy_field fields[POLICY_FIELDS_MAX]; /* scratch of one lookup */
} sluice_worker_t;

extern ngx_module_t ngx_http_sluice_module;
extern sluice_worker_t sluice_worker;

/* worker.c */
ngx_int_t sluice_worker_init(ngx_cycle_t *cycle);
void sluice_worker_exit(ngx_cycle_t *cycle);
/* Makes version and synced_ms those of now, or of at most a millisecond ago. False: the replica
 * cannot be read. A look-up calls sluice_reader(), which begins the snapshot if none is open; the
 * access handler ends it, so none outlives a turn of the event loop. */
bool sluice_refresh(void);
struct replica_reader *sluice_reader(void); /* NULL: the replica cannot be read */
void sluice_snapshot_end(void);
/* True when a record of the set has changed since *rev, which becomes the set's revision: the
 * caller compiles it anew with replica_set_each(). Costs a comparison while the replica stands
 * still. */
typedef struct {
    uint64_t version, rev;
    bool read;
} sluice_set_t;
bool sluice_set_changed(sluice_set_t *set, enum replica_set which);
struct plan_stream *sluice_stream_take(const struct plan *plan);
void sluice_stream_give(struct plan_stream *stream);

/* memo.c: each returns a new reference, or NULL when there is nothing such. */
sluice_api_t *sluice_api_find(struct slice path);
sluice_caller_t *sluice_caller_find(const struct uuid *credential);
sluice_caller_t *
sluice_caller_of_token(const struct uuid *app); /* its id stands for a credential */
struct sluice_question {
    sluice_api_t *api;
    sluice_caller_t *caller;
    uint8_t method, proofs, user_factors;
    bool grant_named;
    struct uuid grant;   /* zeros unless named */
    struct uuid user;    /* zeros: none */
    struct uuid purpose; /* zeros: none said */
    uint8_t sdk;         /* enum policy_sdk */
    bool export_;
};
sluice_verdict_t *sluice_verdict_find(const struct sluice_question *q, uint64_t now_ms);
void sluice_api_drop(sluice_api_t *api);
void sluice_caller_drop(sluice_caller_t *caller);
void sluice_verdict_drop(sluice_verdict_t *verdict);
void sluice_memo_clear(void);

/* stages */
typedef ngx_int_t (*sluice_stage_pt)(ngx_http_request_t *r, sluice_ctx_t *ctx);
ngx_int_t sluice_route(ngx_http_request_t *r, sluice_ctx_t *ctx); /* route.c */
ngx_int_t sluice_token(
    ngx_http_request_t *r,
    sluice_ctx_t *ctx); /* body.c: for a stage that has to see the body before sluice_body(). read:
                         * NGX_DONE, and the stage runs again when it is there. gather: then
                         * ctx->body is what was read, of at most max bytes. */
ngx_int_t sluice_body_read(ngx_http_request_t *r, sluice_ctx_t *ctx);
ngx_int_t sluice_body_gather(ngx_http_request_t *r, sluice_ctx_t *ctx, size_t max);

/* caller/token.c */
/* Whether the user's account may reach the API of the call; refuses when not. */
ngx_int_t sluice_user_may(sluice_ctx_t *ctx, const struct uuid *user);
/* message/seal.c: a short text sealed (JWE) to the keys that bodies are sealed to. 0: it cannot be
 * opened, or is longer than cap. */
size_t sluice_unseal(struct slice sealed, uint64_t now_ms, char *out, size_t cap);
/* Whether the account that a signed call names, if it names one, is of the app that signed. */
bool sluice_account_app(const sluice_ctx_t *ctx);
ngx_int_t sluice_authenticate(ngx_http_request_t *r, sluice_ctx_t *ctx); /* caller/authenticate.c */
ngx_int_t sluice_decide(ngx_http_request_t *r, sluice_ctx_t *ctx);       /* caller/decide.c */
ngx_int_t sluice_addresses(ngx_http_request_t *r, sluice_ctx_t *ctx);    /* caller/lists.c */
ngx_int_t sluice_callers(ngx_http_request_t *r, sluice_ctx_t *ctx);      /* caller/lists.c */
ngx_int_t sluice_nonce(ngx_http_request_t *r, sluice_ctx_t *ctx);        /* caller/once.c */
ngx_int_t sluice_limits(ngx_http_request_t *r, sluice_ctx_t *ctx);       /* traffic/limits.c */
ngx_int_t sluice_grant(ngx_http_request_t *r, sluice_ctx_t *ctx);        /* caller/once.c */
ngx_int_t sluice_account(ngx_http_request_t *r, sluice_ctx_t *ctx);      /* caller/account.c */
ngx_int_t sluice_body(ngx_http_request_t *r, sluice_ctx_t *ctx);         /* body.c */
ngx_int_t sluice_confirmation(ngx_http_request_t *r, sluice_ctx_t *ctx); /* caller/confirmation.c */
ngx_int_t sluice_claims(ngx_http_request_t *r, sluice_ctx_t *ctx);       /* caller/claims.c */
ngx_int_t sluice_amounts(ngx_http_request_t *r, sluice_ctx_t *ctx);      /* traffic/amounts.c */
ngx_int_t sluice_unwrap(ngx_http_request_t *r, sluice_ctx_t *ctx);       /* message/convert.c */
ngx_int_t sluice_validate(ngx_http_request_t *r, sluice_ctx_t *ctx);     /* message/validate.c */
ngx_int_t sluice_convert(ngx_http_request_t *r, sluice_ctx_t *ctx);      /* message/convert.c */
ngx_int_t sluice_dispatch(ngx_http_request_t *r, sluice_ctx_t *ctx);     /* dispatch.c */

/* message/definitions.c: a new reference, or NULL: this node does not have it, or cannot use it. */
sluice_definition_t *sluice_definition_find(enum sluice_kind kind, const struct uuid *api);
void sluice_definition_drop(sluice_definition_t *definition);
void sluice_definitions_clear(void);

/* message/validate.c: what follows the API's path as it was sent, still escaped, without the query.
 * False: the path came in another writing, so it cannot be told. */
bool sluice_raw_rest(ngx_http_request_t *r, const sluice_ctx_t *ctx, struct slice *rest);

/* message/convert.c, the way back: will this answer be converted; its header has come; its body
 * came in (NGX_AGAIN: not all of it yet; NGX_OK: *in goes through the plan; NGX_DECLINED:
 * ctx->problem); the finisher; and the form of a problem. */
bool sluice_convert_expected(const sluice_ctx_t *ctx); /* it must be, to leave */
bool sluice_convert_answers(ngx_http_request_t *r, const sluice_ctx_t *ctx);
ngx_int_t sluice_convert_begin(ngx_http_request_t *r, sluice_ctx_t *ctx);
ngx_int_t sluice_convert_answer(ngx_http_request_t *r, sluice_ctx_t *ctx, ngx_chain_t **in);
bool sluice_wrap_wanted(const sluice_ctx_t *ctx);
ngx_int_t sluice_wrap(ngx_http_request_t *r, sluice_ctx_t *ctx); /* finisher, the first one */
ngx_int_t sluice_convert_problem(ngx_http_request_t *r, sluice_ctx_t *ctx);

/* message/export.c: is the call one about exports; is the answer, by the data service's header; it
 * is to be held (NGX_DECLINED: too large) and taken in (false: broken off); what of it is recorded.
 */
bool sluice_export_asked(ngx_http_request_t *r, const sluice_ctx_t *ctx);
bool sluice_export_answers(sluice_ctx_t *ctx, struct slice said);
ngx_int_t sluice_export_hold(ngx_http_request_t *r, sluice_ctx_t *ctx);
bool sluice_export_take(ngx_http_request_t *r, sluice_ctx_t *ctx, ngx_chain_t *in);
void sluice_export_fields(const sluice_ctx_t *ctx, struct audit_call *call);

/* message/life.c: what a deprecated or offline API's answers say of its end; the refusal of a call
 * of an offline one (always NGX_DECLINED). */
ngx_int_t sluice_life_headers(ngx_http_request_t *r, const sluice_ctx_t *ctx);
ngx_int_t sluice_life_offline(ngx_http_request_t *r, sluice_ctx_t *ctx);

/* caller/authenticate.c: the request as its signature covers it, and as an answer's quotes it; a
 * field that came twice is not there. */
struct httpsig_request sluice_signed_request(ngx_http_request_t *r, sluice_ctx_t *ctx);

/* caller/signature.c: is `sig` the caller's over base, by the algorithm the message names? The name
 * must be one its key can be used with (sluice_signature_alg). */
bool sluice_signature_alg(const sluice_caller_t *caller, struct slice name, enum crypto_alg *alg);
bool sluice_signature_good(const sluice_caller_t *caller, struct slice name, struct slice base,
                           const uint8_t *sig, size_t sig_n);

/* caller/certificate.c: the client's certificate of the TLS connection, once a signature has named
 * ctx->caller and `signer`, which is it or another credential of its app. Adds its proof to
 * ctx->proofs, or says in ctx->unproven why there is none; refuses what is another app's, and a
 * signer whose key is a certificate's when the connection does not show that. */
ngx_int_t sluice_certificate_init(void);
ngx_int_t sluice_certificate(ngx_http_request_t *r, sluice_ctx_t *ctx,
                             const sluice_caller_t *signer);
/* nginx refused the request for its certificate, before any stage. */
/* RFC 8705's thumbprint of the certificate the connection shows; false: none. */
bool sluice_certificate_sha256(ngx_http_request_t *r, uint8_t out[static CRYPTO_HASH_LEN]);
bool sluice_certificate_refused(ngx_http_request_t *r);

/* caller/sdk.c: reads Sluice-Sdk into ctx->sdk, for decide(); what a refusal for it says; what the
 * answer says of a release that is out of date. */
ngx_int_t sluice_sdk(sluice_ctx_t *ctx);
ngx_int_t sluice_sdk_refuse(sluice_ctx_t *ctx);
ngx_int_t sluice_sdk_headers(ngx_http_request_t *r, const sluice_ctx_t *ctx);
void sluice_sdk_clear(void);

/* caller/algorithms.c: may it be used now? (feed kind `algorithm`) */
bool sluice_algorithm_allowed(enum crypto_alg alg, uint64_t now_ms);

/* caller/impersonation.c: tells, at most once a minute of one app and reason, that somebody uses
 * the id of ctx->caller's app who cannot prove to be it (BK-10.1.2a2-2). reason: a literal. */
void sluice_impersonation(ngx_http_request_t *r, const sluice_ctx_t *ctx, const char *reason);

/* body.c: for stages after `body` that put another body in its place; both live in r->pool. */
ngx_int_t sluice_body_replace(ngx_http_request_t *r, sluice_ctx_t *ctx, ngx_str_t body,
                              struct slice content_type);

/* caller/inner.c: composed APIs. What stands for a signature on the inner listener, read by route.c
 * before the stages that ask who calls; what dispatch.c tells the data service; how record.c names
 * it. */
void sluice_inner_keys(const uint8_t fixed[static CRYPTO_KEY_LEN]);
void sluice_inner_exit(void);
ngx_int_t sluice_inner(ngx_http_request_t *r, sluice_ctx_t *ctx);
size_t sluice_ticket(ngx_http_request_t *r, const sluice_ctx_t *ctx,
                     char out[static LINK_INNER_TEXT_MAX]); /* 0: it cannot be said */
struct slice sluice_inner_target(ngx_http_request_t *r, const sluice_ctx_t *ctx);

/* caller/sandbox.c: apps in their test stage. Is the caller one; does the call go to a business
 * unit's own target (else to the data service, which makes up what it answers); the answer's header
 * and the record of the call for the joint test (contract/feed.md, sandbox-call). */
bool sluice_sandbox(const sluice_ctx_t *ctx);
bool sluice_to_unit(const sluice_ctx_t *ctx);
ngx_int_t sluice_sandbox_header(ngx_http_request_t *r, const sluice_ctx_t *ctx);
void sluice_sandbox_count(const sluice_ctx_t *ctx, const struct audit_call *call);

/* dispatch.c */
ngx_int_t sluice_add_variables(ngx_conf_t *cf);

/* dispatch.c: makes the request that goes on one for another of the API's targets, its Host and
 * its path. */
ngx_int_t sluice_redirect(ngx_http_request_t *r, sluice_ctx_t *ctx, int at);

/* upstream/targets.c */
void sluice_targets_open(ngx_cycle_t *cycle, ngx_str_t state_dir);
void sluice_targets_tick(void);
void sluice_targets_close(void);
/* For memo.c: the texts of the targets, and their copy at *at, which moves on. */
size_t sluice_targets_bytes(const struct replica_api *from);
void sluice_targets_copy(sluice_api_t *api, const struct replica_api *from, char **at);
/* The target for the call, not one of `tried` (a bit each); CHOOSE_NONE. */
int sluice_target_choose(sluice_ctx_t *ctx, unsigned tried);
/* False: not now, choose again. True: report what came of it, once. */
bool sluice_target_admit(sluice_api_t *api, int at, uint32_t *ticket);
void sluice_target_report(sluice_api_t *api, int at, uint32_t ticket, enum targets_outcome outcome,
                          uint64_t elapsed_us);
ngx_int_t sluice_targets_refuse(sluice_ctx_t *ctx); /* nobody can be asked: NGX_DECLINED */

/* upstream/tls.c: can a call of this location go to the target, over TLS if it says so; the TLS
 * sessions of targets by their id, to resume the next time. */
bool sluice_upstream_tls_can(ngx_http_request_t *r, const struct replica_target *target);
ngx_int_t sluice_upstream_tls_resume(ngx_connection_t *c, uint64_t target);
void sluice_upstream_tls_keep(ngx_connection_t *c, uint64_t target);
void sluice_upstream_tls_forget(uint64_t target);
void sluice_upstream_tls_exit(void);

/* upstream/cache.c */
ngx_int_t sluice_add_cache_variables(ngx_conf_t *cf);
/* In the header filter, once the mode is chosen: may it be kept, or says that it was. */
ngx_int_t sluice_cache_answer(ngx_http_request_t *r, sluice_ctx_t *ctx);
void sluice_cache_body(ngx_http_request_t *r);  /* more of the body came: is it too large? */
void sluice_cache_spoil(ngx_http_request_t *r); /* the answer is not to be used again */

/* upstream/balancer.c */
char *sluice_balancer(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/* headers.c */
void sluice_headers_init(void);
/* The answer is a problem from here on; nothing of what the upstream said counts as sent. */
ngx_int_t sluice_become_problem(ngx_http_request_t *r, sluice_ctx_t *ctx, enum problem problem);
/* Records the call (as `kind`) and sends the header. When it cannot be recorded the answer becomes
 * audit-unavailable; NGX_ERROR when not even that can be recorded. */
ngx_int_t sluice_send_header(ngx_http_request_t *r, sluice_ctx_t *ctx, enum audit_kind kind);

/* filter.c */
ngx_int_t sluice_filter_init(ngx_conf_t *cf);
bool sluice_more_room(struct plan_out *out, size_t need); /* of a ctx's own `out` */

/* finish.c: what is done to an answer that is held whole. A finisher reads and may replace
 * ctx->answer and ctx->answer_type and may add headers; it returns NGX_OK, NGX_DECLINED with
 * ctx->problem set, or NGX_AGAIN when it waits for something and will call sluice_resume(). */
#define SLUICE_ANSWER_MAX (4 * 1024 * 1024) /* bytes after the plan; more is answer-too-large */
typedef ngx_int_t (*sluice_finisher_pt)(ngx_http_request_t *r, sluice_ctx_t *ctx);
bool sluice_whole_wanted(const sluice_ctx_t *ctx);
ngx_int_t sluice_gather(ngx_http_request_t *r, sluice_ctx_t *ctx, ngx_chain_t *outs);
ngx_int_t sluice_finish(ngx_http_request_t *r, sluice_ctx_t *ctx);
void sluice_resume(ngx_http_request_t *r); /* from an event, not from inside a filter */
ngx_int_t sluice_add_header(ngx_http_request_t *r, const char *name, struct slice value);

/* message/keys.c: again for what is missing */
void sluice_keys_load(ngx_log_t *log, ngx_str_t dir);
void sluice_keys_free(void);

/* message/seal.c */
ngx_int_t sluice_open(ngx_http_request_t *r, sluice_ctx_t *ctx); /* stage, after body */
ngx_int_t sluice_seal(ngx_http_request_t *r, sluice_ctx_t *ctx); /* finisher, before sign */
void sluice_recipient_drop(sluice_recipient_t *recipient);
void sluice_recipients_clear(void);

/* message/sign.c */
bool sluice_sign_wanted(const sluice_ctx_t *ctx); /* of an authenticated caller's answer */
/* Before the upstream is asked: others that are ready may wait for this answer. */
ngx_int_t sluice_sign_expect(ngx_http_request_t *r, sluice_ctx_t *ctx);
ngx_int_t sluice_sign(ngx_http_request_t *r, sluice_ctx_t *ctx); /* finisher, the last one */
/* Signs an answer that is about to leave and is not signed yet: a refusal, or one without a body.
 * NGX_ERROR: it must not leave. */
ngx_int_t sluice_sign_now(ngx_http_request_t *r, sluice_ctx_t *ctx);
ngx_int_t sluice_sign_headers(ngx_http_request_t *r, sluice_ctx_t *ctx);
void sluice_sign_again(sluice_ctx_t *ctx); /* the answer has become another one */
void sluice_sign_drop(sluice_ctx_t *ctx);  /* the call is over */

/* message/evidence.c */
void sluice_evidence_add(sluice_ctx_t *ctx, ngx_uint_t status);
ngx_int_t sluice_evidence_flush(ngx_log_t *log); /* NGX_ERROR: nothing of what was added is kept */
void sluice_evidence_close(void);

/* caller/once.c: a thing of this kind and id that may be used once, until it expires. NGX_OK: it is
 * ours now; NGX_DONE: the stage waits and runs again; NGX_DECLINED: refused as `used`. */
ngx_int_t sluice_use_once(ngx_http_request_t *r, sluice_ctx_t *ctx, const char *kind,
                          const struct uuid *id, uint64_t expires_ms, enum problem used,
                          const char *where);

/* caller/token.c */
void sluice_token_clear(void);
/* Whether a query holds an access token (RFC 9700 4.3.2), whose place is the header alone. */
bool sluice_token_in_query(struct slice query);
/* A target without its query when that holds one: it would stand in every log. */
struct slice sluice_token_hidden(struct slice target);
const struct token_key *sluice_token_keys(size_t *n); /* those of now */
/* Has a token of this app and user that was issued then been revoked with all of theirs? */
bool sluice_user_revoked(const struct uuid *app, const struct uuid *user, uint64_t issued_ms);
/* The token's grant for the API of the call; NULL: it has none. */
const struct uuid *sluice_token_grant(const sluice_ctx_t *ctx);
/* Says on a refusal what a client of OAuth looks for (RFC 6750, RFC 9449). */
ngx_int_t sluice_token_challenge(ngx_http_request_t *r, const sluice_ctx_t *ctx);

/* caller/lists.c */
struct slice sluice_client_address(ngx_http_request_t *r); /* 4 or 16 bytes, or "" */
void sluice_lists_clear(void);

/* traffic/limits.c */
struct limit;
void sluice_limits_open(ngx_log_t *log, ngx_str_t state_dir);
void sluice_limits_tick(void);
void sluice_limits_close(void);
struct limit *sluice_limits_counters(void); /* NULL: they cannot be opened */
ngx_int_t sluice_limits_headers(ngx_http_request_t *r, const sluice_ctx_t *ctx);
void sluice_limits_charge(sluice_ctx_t *ctx, const struct audit_call *call);
void sluice_limits_release(sluice_ctx_t *ctx); /* the call is over */

/* traffic/refusals.c: counts a refused call; is whoever calls kept out for his refusals? */
void sluice_refusals_count(ngx_http_request_t *r, sluice_ctx_t *ctx);
ngx_int_t sluice_suspended_address(ngx_http_request_t *r, sluice_ctx_t *ctx);
ngx_int_t sluice_suspended_caller(ngx_http_request_t *r, sluice_ctx_t *ctx);

/* redis.c; the rest is in traffic/redis.h */
typedef struct sluice_redis_op sluice_redis_op_t;
void sluice_redis_open(ngx_cycle_t *cycle, sluice_main_conf_t *conf);
void sluice_redis_close(void);
void sluice_redis_end(sluice_ctx_t *ctx); /* the question, if any, is nobody's any more */
bool sluice_redis_wanted(void);           /* one is configured */
bool sluice_redis_local(void);            /* while it is away the node counts by itself */

/* answer.c */
sluice_ctx_t *sluice_ctx(ngx_http_request_t *r); /* makes one when there is none; NULL: no memory */
ngx_int_t sluice_refuse(sluice_ctx_t *ctx, enum problem problem, struct slice detail,
                        struct slice where); /* always NGX_DECLINED */
bool sluice_prefers_zh(ngx_http_request_t *r);
ngx_int_t sluice_problem_handler(ngx_http_request_t *r); /* content handler */
/* Makes r's headers those of ctx->problem and renders its body. */
ngx_int_t sluice_problem_headers(ngx_http_request_t *r, sluice_ctx_t *ctx);
ngx_int_t sluice_transaction_header(ngx_http_request_t *r, sluice_ctx_t *ctx);
enum problem sluice_problem_of_status(ngx_http_request_t *r, ngx_uint_t status);

/* operate/metrics.c */
void sluice_metrics_open(ngx_cycle_t *cycle, ngx_str_t state_dir);
void sluice_metrics_close(void);
void sluice_stage_begin(sluice_ctx_t *ctx);
void sluice_stage_end(sluice_ctx_t *ctx);
void sluice_metrics_count(sluice_ctx_t *ctx, const struct audit_call *call);
void sluice_metrics_target(const struct uuid *id, struct slice name, uint64_t elapsed_us,
                           bool failed);
char *sluice_metrics(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
extern const char *const sluice_stage_names[]; /* in the order of the stages */
extern const size_t sluice_stages_n;

/* operate/access.c */
ngx_int_t sluice_add_access_variables(ngx_conf_t *cf);

/* operate/events.c: tells the operators (contract/feed.md, EVENT); what is NULL or empty is left
 * out. */
struct sluice_event {
    const char *kind;
    const struct uuid *api, *app, *credential, *limit, *grant;
    struct slice owner, address, target, reason;
    uint64_t count;
};
void sluice_event(const struct sluice_event *event);
void sluice_events_close(void);
/* Tells, at most once a minute of each and a few dozen a second in all, that a grant was used. */
void sluice_grant_used(const struct uuid *grant, uint64_t now_ms);
/* The same of the package that a signed call says it comes from; the control plane knows whose it
 * is. */
void sluice_package_named(ngx_http_request_t *r, const sluice_ctx_t *ctx);

/* record.c: NGX_ERROR: it could not be recorded, so nothing may leave. */
ngx_int_t sluice_record(ngx_http_request_t *r, sluice_ctx_t *ctx, enum audit_kind kind);
ngx_int_t sluice_log_handler(ngx_http_request_t *r);

/* A member of a record of the feed; "" when it is no text. */
static inline struct slice sluice_member(const json_t *record, const char *name)
{
    const json_t *text = json_object_get(record, name);
    return json_is_string(text) ? (struct slice){json_string_value(text), json_string_length(text)}
                                : SLICE("");
}

static inline struct slice sluice_slice(ngx_str_t s)
{
    return slice_of((const char *)s.data, s.len);
}
