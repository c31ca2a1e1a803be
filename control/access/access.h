/* SPDX-License-Identifier: Apache-2.0 */
/* Who may do what. access_decide() is the one answer to "may this user do this operation, in this
 * app, on these data": REST asks it before every operation, the nodes are told what it says about a
 * user's interfaces, and explain shows its steps. It is pure: what it looks at was loaded before
 * (access_load), so a decision costs no query. docs/access.md has the order in words. */
#pragma once
#include "rest/resource.h"

#define ACCESS_OPERATION_MAX 96 /* bytes of "resource.verb", with the NUL */

/* Three administrations that no account may hold two of. */
enum access_duty { DUTY_NONE, DUTY_SYSTEM, DUTY_SECURITY, DUTY_AUDIT };
const char *access_duty_name(enum access_duty duty);

/* How far a granted function goes beyond the rows that the holder's built-in role sees. */
enum access_reach { REACH_OWN, REACH_DEPARTMENT, REACH_ORGANISATION, REACH_ALL };

/* One function grant that reaches a user, or one operation of a role of theirs. */
struct access_function {
    char id[UUID_TEXT_LEN + 1]; /* of the grant or role */
    char holder[16];            /* as whom the user has it: person, department, … */
    char operation[ACCESS_OPERATION_MAX];
    char app[UUID_TEXT_LEN + 1]; /* in this app alone; "": wherever */
    enum access_reach reach;
    bool deny;
};
/* One data grant that reaches a user, or one API of a role of theirs. */
struct access_data {
    char id[UUID_TEXT_LEN + 1], holder[16];
    char api[UUID_TEXT_LEN + 1], dataset[UUID_TEXT_LEN + 1]; /* one of them, the other "" */
    int max_level; /* of an allow: APIs with fields above it are not in it; 0: no bound */
    bool deny;
};
/* All that reaches one user; NULL stands for nothing. */
struct access_held {
    struct access_function *functions;
    size_t n_functions;
    struct access_data *data;
    size_t n_data;
    bool bound;        /* the account may call what it was given and nothing else */
    char *departments; /* ids of the user's department and those below, with blanks between */
    json_t *lists;     /* texts that rows.c binds, as long as this */
};
void access_held_free(struct access_held **held);

enum access_party { /* bits: what the user's organisation is registered as (CI-1b) */
                    PARTY_PROVIDER = 1,
                    PARTY_USER = 2,
                    PARTY_SCENARIO = 4
};

struct access_who {
    unsigned roles; /* enum rest_role bits */
    enum access_duty duty;
    unsigned parties; /* 0: not registered as any; nothing follows */
    const struct access_held *held;
};

struct access_question {
    const char *operation;           /* "apis.create" */
    const char *app_id;              /* NULL: asked before the app is known */
    const char *api_id, *dataset_id; /* NULL both: no data are asked for */
    int level;                       /* the highest of the API's fields */
};

/* Append only: explain shows the names. In the order in which they are met. */
enum access_rule {
    RULE_UNKNOWN_OPERATION, /* refuses */
    RULE_OUTSIDE_DUTY,      /* refuses */
    RULE_NOT_THAT_PARTY,    /* refuses */
    RULE_FUNCTION_DENIED,   /* refuses */
    RULE_ROLE,              /* allows */
    RULE_FUNCTION_GRANTED,  /* allows */
    RULE_FUNCTION_DEFAULT,  /* refuses */
    RULE_DATA_DENIED,       /* refuses */
    RULE_DATA_GRANTED,      /* allows */
    RULE_DATA_UNBOUND,      /* allows */
    RULE_DATA_DEFAULT,      /* refuses */
    RULES
};

struct access_verdict {
    bool allowed;
    bool by_role;                              /* the built-in role has the function */
    enum access_rule function_rule, data_rule; /* the latter RULES: no data were asked for */
    const struct access_function *function;    /* the grant that settled it; NULL: none did */
    const struct access_data *data;
};

/* Deny beats allow, and what nothing allows is refused. */
void access_decide(const struct access_who *who, const struct access_question *q,
                   struct access_verdict *v);
/* {allowed, steps: [{rule, allows, text, grant_id?, holder?}]}: new reference. */
json_t *access_steps(const struct access_verdict *v, bool zh);

/* operations.c ----------------------------------------------------------------------------------
 * What operations there are, whom the platform's own tables give them, and whose administration
 * they are. */
bool access_operation_roles(const char *operation, unsigned *roles); /* false: there is none */
enum access_duty access_operation_duty(const char *operation);
/* Whether a grant of `granted` ("apis.read", "apis.*" or "*") covers the operation. */
bool access_covers(const char *granted, const char *operation);
/* Whether there is an operation that it covers. */
bool access_names_operations(const char *granted);
/* The administration that a grant of it would give a part of; DUTY_NONE: of none. */
enum access_duty access_granted_duty(const char *granted);
/* Whether nobody but the platform's own administrators may have it (grants, roles, approvals). */
bool access_reserved(const char *granted);
/* Every operation, each {operation, duty, roles, grantable}: new reference. */
json_t *access_operations(void);
/* The names of those the caller may do, as access_decide() says: new reference. */
json_t *access_operations_of(const struct rest_call *c);

/* held.c ----------------------------------------------------------------------------------------
 */
/* What reaches the user; *held NULL when nothing does. One query when there are neither grants nor
 * roles on the platform, else three whose cost follows what reaches this user, not what there is.
 */
enum problem access_load(struct rest_call *c, struct store_txn *txn, const char *user_id,
                         struct access_held **held);
/* The user of the call, or (with what was loaded) another. */
void access_caller(const struct rest_call *c, struct access_who *who);
uint8_t access_parties(const char *words); /* bits of organisations' JSON list; NULL: 0 */
enum access_duty access_duty_of(const char *role, bool separation);
bool access_separation(struct store_txn *txn);

/* ask.c -----------------------------------------------------------------------------------------
 */
/* Names the operation of a route as this call reaches it; false: none that could be asked for. */
bool access_operation_of(const struct rest_call *c, const struct rest_route *route,
                         char operation[static ACCESS_OPERATION_MAX]);
/* May the caller do the operation at all? PROBLEM_NOT_PERMITTED. Rows are for scope_sql(). */
enum problem access_check(struct rest_call *c, const char *operation);
bool access_may(const struct rest_call *c, const char *operation);

/* interfaces.c: which APIs calls with a user's token may reach (SW-3.7a, CI-6.2.2c); in txn. -----
 */
/* After a change of what reaches these users; kind and id as of a holder. */
enum problem access_retell(struct rest_call *c, struct store_txn *txn, const char *holder_kind,
                           const char *holder_id, int64_t rank);
/* After an API got another dataset or level. */
enum problem access_api_changed(struct rest_call *c, struct store_txn *txn, const json_t *api);
enum problem access_feed_all(struct rest_call *c, struct store_txn *txn);

/* holders.c: what grants have in common. ---------------------------------------------------------
 */
extern const char *const access_holder_kinds[]; /* NULL-terminated */
extern const char *const access_effects[], *const access_reaches[];
/* holder_kind, holder_id and rank of a row fit each other, and the holder is there. */
enum problem access_check_holder(struct rest_call *c, struct store_txn *txn, const json_t *row);
/* PROBLEM_ROLES_CONFLICT when what the user has, with one more operation or as another built-in
 * role, would be of two administrations. */
enum problem access_check_duties(struct rest_call *c, struct store_txn *txn, const char *user_id,
                                 const char *builtin_role, const json_t *more);
/* Department and post of a user's row are of the user's organisation; who is no staff makes and
 * changes only accounts like their own. */
enum problem access_check_user(struct rest_call *c, struct store_txn *txn, const json_t *old,
                               const json_t *row);
enum problem access_user_changed(struct rest_call *c, struct store_txn *txn, const json_t *old,
                                 const json_t *row);

/* networks.c: where staff may come from (SW-9.3-2e). ---------------------------------------------
 */
/* PROBLEM_ADDRESS_NOT_LISTED for staff of another network than those that the configuration and the
 * resource list; none listed: from anywhere. */
enum problem access_check_address(struct rest_call *c, struct store_txn *txn, unsigned roles,
                                  const char *login);

/* dual.c: acts that need a second administrator. -------------------------------------------------
 */
/* *held_back: the request was written down as an approval instead, and the answer is 202. */
enum problem access_dual(struct rest_call *c, const char *operation, bool *held_back);
enum problem access_job(struct rest_call *c); /* a job: approvals that nobody decided in time */

/* REST */
enum problem rest_access_explain(struct rest_call *c);
enum problem rest_access_operations(struct rest_call *c);
enum problem rest_access_mine(struct rest_call *c);
enum problem rest_access_self_check(struct rest_call *c);
enum problem rest_approval_approve(struct rest_call *c);

extern const struct resource departments_resource;
extern const struct resource posts_resource;
extern const struct resource groups_resource;
extern const struct resource group_members_resource;
extern const struct resource roles_resource;
extern const struct resource role_members_resource;
extern const struct resource function_grants_resource;
extern const struct resource data_grants_resource;
extern const struct resource dual_controls_resource;
extern const struct resource approvals_resource;
extern const struct resource admin_networks_resource;
