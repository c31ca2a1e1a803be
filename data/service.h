/* SPDX-License-Identifier: Apache-2.0 */
/* From a request to its answer, without HTTP around it. */
#pragma once
#include "data/catalog.h"
#include "data/compose/compose.h"
#include "data/query/sql.h"
#include "link/ring.h"

#define SERVICE_BODY_MAX   (1u << 20)  /* bytes of a request's body */
#define SERVICE_ANSWER_MAX (32u << 20) /* bytes of an answer */

struct service_config { /* shared by all workers, read only */
    struct replica *replica;
    const char *data_dir;             /* the platform's own files: no source may be one */
    uint8_t link_key[CRYPTO_KEY_LEN]; /* the master: keys/link.key */
    uint32_t max_rows;
    struct events *events;       /* NULL: there is no broker */
    struct collector *collector; /* NULL: none is to be had (tests) */
    struct journal *journal;     /* of writes; NULL: none are taken */
    struct batch *batch;         /* export jobs; NULL: none can be asked for */
    struct files *files;         /* sources that are folders; NULL: there are none */
};

/* One per thread. */
struct worker {
    struct catalog catalog;
    struct collector *collector;
    struct link_mac link, ticket;
    struct crypto_hmac *version; /* of rows, see data/write/write.h */
    struct mask_key *mask_key;
    struct journal *journal;
    bool versioned; /* the rows being written out are hashed for their version */
    uint32_t max_rows;
    struct batch *batch;
    struct files *files;
    struct arena arena;
    struct buf sql, body;
    struct query query;
    struct link_call call;
    const struct query_node *rows; /* of the call, as conditions; NULL: all. In the arena */
    uint8_t cursor_key[CRYPTO_KEY_LEN];
    uint8_t scratch[LINK_TEXT_MAX];
    struct events *events;
};

struct worker *
worker_new(const struct service_config *cfg); /* NULL: no memory, or no reader slot */
void worker_free(struct worker **w);

struct service_request {
    struct slice method, target; /* target as it came: path, '?', query */
    struct slice body;
    struct slice (*header)(void *ctx, const char *name); /* "" when absent */
    void *ctx;
};

#define SERVICE_HEADERS_MAX 8

struct service_file { /* part of an open file, sent in place of the body */
    bool is;          /* there is one; the receiver closes fd */
    int fd;
    uint64_t offset, bytes;
};

struct service_reply { /* the body is the worker's */
    unsigned status;
    enum problem problem; /* PROBLEM_OK: no Sluice-Problem */
    const char *content_type;
    char content_range[72]; /* "": none; three numbers fit */
    char next[1600];        /* "": none; a cursor behind the answer (data/cursor.h) */
    char etag[40];          /* of an answer of one row of a dataset that takes writes; "": none */
    char operation[UUID_TEXT_LEN + 1]; /* of a write; "": none */
    bool replayed;                     /* the answer is that of an earlier call of its key */
    struct events_stream *stream; /* NULL, or what the body comes from: the receiver's to free */
    struct compose_job *later;    /* NULL, or what gives the answer: the receiver submits it */
    struct service_file file;
    size_t n_headers;
    struct service_header {
        const char *name;
        char value[480];
    } headers[SERVICE_HEADERS_MAX];
};

void service_handle(struct worker *w, const struct service_request *rq, struct service_reply *rp);
/* The answer of a composed call, of transaction txn, that was handled `later`. Takes the result's
 * body. */
void service_composed(struct worker *w, const struct service_request *rq, const struct uuid *txn,
                      struct compose_result *result, struct service_reply *rp);

/* For the files that answer (rest.c, profiles/credit.c, internal.c):
 * ------------------------------------ */
void service_problem(struct worker *w, const struct service_request *rq, struct service_reply *rp,
                     enum problem problem, const char *detail, struct slice where);
enum problem service_source_problem(enum source_err err);
/* The source of the API, connected; NULL for a call of the test stage, which has none. */
enum problem service_open(struct worker *w, const struct catalog_api *api, struct source **source)
    __attribute__((warn_unused_result));
/* Another header of the answer; name static, a value that is too long is not said. */
void service_header(struct service_reply *rp, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Which rows: the owner's, p NULL when the API is not owner-scoped, that the call's conditions hold
 * for. False: no owner, so no rows. */
bool service_scope(const struct worker *w, const struct catalog_api *api, struct sql_scope *scope);
struct sql service_sql(struct worker *w, const struct source *source);
enum problem service_count(struct worker *w, const struct catalog_api *api, struct source *source,
                           uint64_t *total) __attribute__((warn_unused_result));
struct rows_page;
/* Runs w->query and writes its rows as objects with commas between them. */
enum problem service_page(struct worker *w, const struct catalog_api *api, struct source *source,
                          struct rows_page *page) __attribute__((warn_unused_result));
/* The same with every value as text, and no more than how many there were told. */
enum problem service_rows(struct worker *w, const struct catalog_api *api, struct source *source,
                          bool as_text, uint64_t *n) __attribute__((warn_unused_result));

/* data/synthetic.c: what a call of an app in its test stage is answered, instead of a source. */
enum problem synthetic_rows(struct worker *w, const struct catalog_api *api, bool as_text,
                            uint64_t *n) __attribute__((warn_unused_result));
enum problem synthetic_count(struct worker *w, const struct catalog_api *api, uint64_t *total)
    __attribute__((warn_unused_result));
void synthetic_document(struct worker *w, const struct catalog_api *api,
                        const struct service_request *rq, struct service_reply *rp);

void rest_handle(struct worker *w, const struct catalog_api *api, const struct service_request *rq,
                 struct service_reply *rp);
void credit_handle(struct worker *w, const struct catalog_api *api,
                   const struct service_request *rq, struct service_reply *rp);
void submission_handle(struct worker *w, const struct catalog_api *api,
                       const struct service_request *rq, struct service_reply *rp);
void compose_handle(struct worker *w, const struct catalog_api *api,
                    const struct service_request *rq, struct service_reply *rp);
void internal_handle(struct worker *w, const struct service_request *rq, struct service_reply *rp);
