/* SPDX-License-Identifier: Apache-2.0 */
/* A REST call from its parts to its answer, without HTTP: http.c fills the request and sends the
 * response, tests do the same. One thread a call. */
#pragma once
#include "base/buf.h"
#include "core.h"
#include "id/uuid.h"
#include "problem/problem.h"

#define REST_HEAD_MAX     (32u << 10) /* bytes of URL and headers */
#define REST_BODY_MAX     (1u << 20)  /* bytes */
#define REST_TEXT_MAX     4096        /* bytes of one string */
#define REST_DEPTH_MAX    8           /* of a body */
#define REST_QUERY_MAX    32          /* parameters */
#define REST_SEGMENTS_MAX 8
#define REST_HEADERS_MAX  12  /* of an answer, beside the fixed ones */
#define REST_FORM_MAX     512 /* members of a form */

struct rest_parameter {
    const char *key, *value;
};

/* Strings are NUL-terminated, borrowed for the call; NULL: header absent. */
struct rest_request {
    const char *method, *path; /* path without the query, as it came */
    struct rest_parameter query[REST_QUERY_MAX];
    size_t n_query;
    size_t head_bytes; /* of URL and headers */
    struct slice body;
    const char *authorization, *if_match, *accept_language;
    /* Any other header; NULL function: there are none (tests). */
    const char *(*header)(const void *ctx, const char *name);
    const void *header_ctx;
    /* DER of the client certificate the connection proved possession of; n 0: none. Whether it is
     * to be believed is for who asks. */
    struct slice peer_certificate;
    const char *peer_address; /* text; NULL: unknown */
};

struct rest_response {
    unsigned status;
    struct buf body;
    const char *content_type;
    char etag[32], location[160], transaction[UUID_TEXT_LEN + 1];
    unsigned retry_after_s; /* 0: none */
    struct {
        const char *name; /* static */
        char *value;      /* heap */
    } headers[REST_HEADERS_MAX];
    size_t n_headers;
};
void rest_response_init(struct rest_response *resp);
void rest_response_fini(struct rest_response *resp); /* wipes: an answer may hold a secret */

enum rest_role { /* bits */
                 ROLE_ADMIN = 1,
                 ROLE_OPERATOR = 2,
                 ROLE_PROVIDER = 4,
                 ROLE_DEVELOPER = 8,
                 ROLE_OWNER = 16,
                 ROLE_AUDITOR = 32,
                 ROLE_ALL = 63,    /* all that have rights of their own */
                 ROLE_MEMBER = 64, /* has what is granted, and nothing else */
                 ROLE_ANY = 127,   /* whoever is signed in */
                 ROLE_STAFF = ROLE_ADMIN | ROLE_OPERATOR
};

struct rest_user {
    char id[UUID_TEXT_LEN + 1], login[129], organisation[UUID_TEXT_LEN + 1], subject[129];
    enum rest_role role; /* 0: nobody is signed in */
    uint8_t duty;        /* enum access_duty */
    uint8_t parties;     /* enum access_party bits of the organisation */
    bool must_change_password;
    uint8_t token_sm3[CRYPTO_HASH_LEN];
    char session[UUID_TEXT_LEN + 1]; /* the session's public id */
    uint8_t factors;                 /* enum token_factor bits it was opened with or got since */
    uint64_t signed_in_ms;
    enum problem restricted; /* not OK: what all routes but those of ROUTE_ONE_TIME answer */
};

struct rest_call {
    struct control *ctl;
    const struct rest_request *req;
    struct rest_response *resp;
    struct rest_user user;
    json_t *body; /* object, or NULL when the request has none */
    char path[512];
    const char *segment[REST_SEGMENTS_MAX]; /* after "/api/v1/", into path */
    size_t n_segments;
    uint64_t now_ms;
    bool zh;
    bool rang; /* the transaction wrote feed entries */
    char where[320], detail[320];
    json_t *once;             /* members that the 201 answer alone shows */
    struct access_held *held; /* grants that reach the user (access/access.h); NULL: none */
    char operation[96];       /* what the call asks to do: "apis.create"; "": not asked yet */
    bool by_role;             /* the user's built-in role has that operation */
    bool approved;            /* a second administrator has agreed to this call */
    /* Web routes: the members of an application/x-www-form-urlencoded body, into form_text. */
    struct rest_parameter form[REST_FORM_MAX];
    size_t n_form;
    char *form_text;
};

typedef enum problem (*rest_handler)(struct rest_call *c);

/* Runs the call: route, session, handler; the response is filled in every case. */
void rest_dispatch(struct control *ctl, const struct rest_request *req, struct rest_response *resp);

/* Runs a request that another administrator has approved as the user who made it, if that user is
 * active and still may. A problem before there is an answer is returned, and rendered too. */
enum problem rest_dispatch_as(struct control *ctl, const struct rest_request *req,
                              const char *user_id, struct rest_response *resp);

/* rest/call.c. fail: notes the sentence and JSON pointer of a problem and returns it. */
enum problem rest_fail(struct rest_call *c, enum problem p, const char *where, const char *format,
                       ...) __attribute__((format(printf, 4, 5)));
enum problem rest_store_problem(struct rest_call *c, enum store_err err);
const char *rest_query(const struct rest_call *c, const char *key);           /* NULL: absent */
const char *rest_form(const struct rest_call *c, const char *key);            /* NULL: absent */
const char *rest_request_header(const struct rest_call *c, const char *name); /* NULL: absent */
/* Adds a header to the answer; the value is copied. A value with a control character is dropped. */
void rest_header(struct rest_call *c, const char *name, const char *value);
/* Answers with a page (copied). */
enum problem rest_page(struct rest_call *c, unsigned status, struct slice html);
/* Every parameter of the query must be among the n names; `text` says which are. */
enum problem rest_query_known(struct rest_call *c, const char *const *names, size_t n,
                              const char *text);
/* Sends json (consumed) with the status. */
enum problem rest_answer(struct rest_call *c, unsigned status, json_t *json);
/* The body must be an object, only with these members (NULL-terminated list). */
enum problem rest_body_members(struct rest_call *c, const char *const *allowed);
/* A required text of the body, bounded; NULL and *p set otherwise. */
const char *rest_body_text(struct rest_call *c, const char *name, size_t max_bytes,
                           enum problem *p);
/* Begins a write; commits with its feed bell. Any problem other than OK rolls back. */
enum problem rest_begin(struct rest_call *c, enum store_mode mode, struct store_txn **txn);
enum problem rest_finish(struct rest_call *c, struct store_txn **txn, enum problem p);

const char *rest_role_name(enum rest_role role);
enum rest_role rest_role_by_name(const char *name); /* 0: none */

/* routes.c */
struct rest_route {
    const char *method, *pattern; /* "sources/ * /tables" without blanks; * is one segment */
    unsigned flags;
    rest_handler handler;
    /* What one asks to do by it and the roles that have it without a grant. NULL: the operation
     * follows from a resource's table (access/ask.c). */
    const char *operation;
    unsigned roles;
};
enum {
    ROUTE_OPEN = 1,     /* no session */
    ROUTE_ONE_TIME = 2, /* also with a one-time password */
    ROUTE_RAW = 4       /* the body is bytes for the handler, which bounds them */
};
extern const struct rest_route rest_routes[];
extern const size_t rest_routes_n;
/* What lies outside /api/v1/: OAuth, OpenID Connect and the pages people see. Patterns have no
 * first slash. A body is a form (c->form) or, of type application/json, c->body; handlers see to
 * sessions themselves. A problem that a handler returns is rendered as one of REST's. */
extern const struct rest_route web_routes[];
extern const size_t web_routes_n;

/* Handlers, one file each beside the generic ones. */
enum problem rest_health(struct rest_call *c);
enum problem rest_openapi(struct rest_call *c);
enum problem rest_session_create(struct rest_call *c);
enum problem rest_session_delete(struct rest_call *c);
enum problem rest_me_get(struct rest_call *c);
enum problem rest_me_password(struct rest_call *c);
enum problem rest_operations(struct rest_call *c);
enum problem rest_explain(struct rest_call *c);
enum problem rest_source_tables(struct rest_call *c);
enum problem rest_source_table(struct rest_call *c);
enum problem rest_dataset_publish(struct rest_call *c);
enum problem rest_live_nodes(struct rest_call *c);
enum problem rest_live_limits(struct rest_call *c);
enum problem rest_live_targets(struct rest_call *c);
enum problem rest_keys(struct rest_call *c);
enum problem rest_alert_limit(struct rest_call *c);
enum problem rest_list(struct rest_call *c);
enum problem rest_create(struct rest_call *c);
enum problem rest_get(struct rest_call *c);
enum problem rest_patch(struct rest_call *c);
enum problem rest_action(struct rest_call *c);

/* identity/sessions.c, identity/password.c */
enum problem rest_authenticate(struct rest_call *c);
enum problem rest_password_check(struct rest_call *c, const char *where, const char *password,
                                 const char *login);
