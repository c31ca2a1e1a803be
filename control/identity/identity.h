/* SPDX-License-Identifier: Apache-2.0 */
/* Who somebody is: sign-in with its factors, and the sessions that follow (SW-9.5-1, BK-7.2.1b,
 * BK-9.3.1c). REST, the pages and OAuth all come here. */
#pragma once
#include "rest/resource.h"

#define SESSION_TOKEN_TEXT 44 /* with the NUL */

/* What somebody shows; NULL: not shown. Borrowed. */
struct sign_in {
    const char *login, *password;
    const char
        *password_sealed; /* base64url of SM2 cipher text under the published key (CI-5.3a) */
    const char *captcha_id, *captcha;
    const char *otp;      /* six digits, RFC 6238 */
    bool certificate;     /* take the connection's client certificate as a factor */
    const char *scenario; /* whose session times apply; NULL: "portal" */
};

/* Signs in and stores a session. token is for a cookie or an Authorization header; *user a new
 * reference to the public row. PROBLEM_CAPTCHA_INVALID, PROBLEM_SIGN_IN_FAILED (also for an unknown
 * login, at the same cost), PROBLEM_SECOND_FACTOR_REQUIRED, PROBLEM_SECOND_FACTOR_INVALID,
 * PROBLEM_TOO_MANY_ATTEMPTS, PROBLEM_IDENTITY_UNVERIFIED. c->user.session and factors are filled.
 */
enum problem identity_sign_in(struct rest_call *c, const struct sign_in *in,
                              char token[static SESSION_TOKEN_TEXT], json_t **user);
/* Fills c->user from a session's token and counts the use; PROBLEM_NOT_SIGNED_IN. Also
 * PROBLEM_SECOND_FACTOR_REQUIRED and PROBLEM_IDENTITY_UNVERIFIED, with c->user filled, when the
 * session is good for nothing but lifting that; a one-time password is the caller's to look at. */
enum problem identity_session(struct rest_call *c, const char *token);
/* Fills c->user, and c->held for the caller to free, as an active user of this id or login, without
 * a session; PROBLEM_NOT_SIGNED_IN when there is none. For asking in somebody's name, never for a
 * request that comes in. */
enum problem identity_act_as(struct rest_call *c, struct store_txn *txn, const char *user);
/* Ends a session by its public id (c->user.session), and whatever hangs on it (tokens); in txn. */
enum problem identity_session_end(struct rest_call *c, struct store_txn *txn,
                                  const char *session_id);

/* True when whoever `subject` stands for has not proven their identity in time (EC-6.1.4.4c): then
 * no grant of theirs reaches a node. */
enum problem identity_overdue(struct rest_call *c, struct store_txn *txn, const char *subject,
                              bool *overdue);
/* Ends every session of a user but `keep` (a public id, NULL: none), in txn. */
enum problem identity_sessions_end(struct rest_call *c, struct store_txn *txn, const char *user_id,
                                   const char *keep);
/* Notes a password's hash, so that it is not chosen again soon; in txn. */
enum problem identity_password_note(struct rest_call *c, struct store_txn *txn, const char *user_id,
                                    const char *phc);
/* The platform's name for a user at the interfaces of the credit platform (CI-7.2c1): sets
 * row.accessid, from 16 random bytes. */
void identity_accessid(json_t *row);

/* A session for whom a peer platform vouches, in txn: as if signed in there. */
struct identity_voucher {
    const json_t *user; /* its row */
    const char *peer_id, *peer_sid;
    unsigned factors;
    uint64_t signed_in_ms;
};
enum problem identity_vouch(struct rest_call *c, struct store_txn *txn,
                            const struct identity_voucher *v,
                            char token[static SESSION_TOKEN_TEXT]);

/* realname.c (GS-6.4a-1): where names and numbers are known to belong together. */
struct identity_claim {
    const char *kind, *name, *id_number; /* kind: person or organisation */
};
/* Asks the source of the settings; PROBLEM_IDENTITY_MISMATCH. Outside a transaction. */
enum problem realname_check(struct rest_call *c, const struct identity_claim *claim);
/* Sets verified_at, verify_due_at and the sealed name and number of a row. */
enum problem verification_fill(struct rest_call *c, struct store_txn *txn, json_t *row,
                               const struct identity_claim *claim, const char *phone);
/* The active owner's account that has this proven name and number; "": none. */
enum problem identity_find(struct rest_call *c, struct store_txn *txn,
                           const struct identity_claim *claim, char user[static UUID_TEXT_LEN + 1]);
/* accounts.c: calls by accessid, username and pwd. In txn: the users' own table asks these. */
enum problem account_check(struct rest_call *c, struct store_txn *txn, const json_t *row);
enum problem account_changed(struct rest_call *c, struct store_txn *txn, const json_t *old,
                             const json_t *row);
enum problem accounts_feed_all(struct rest_call *c, struct store_txn *txn);

/* A new captcha {id, image: data URI, expires_at}, good once and for two minutes. */
enum problem identity_captcha(struct rest_call *c, json_t **captcha);

enum problem identity_job(struct rest_call *c); /* a job: overdue users, what is over */
extern const struct resource session_policies_resource;
extern const struct resource identity_settings_resource;

/* verify_fields.c: what `checks` (an API's user_checks) name of the record of whose rows are
 * `subject`'s, as keyed digests for the nodes; what is not on record is left out. *claims is new.
 */
enum problem identity_claims(struct rest_call *c, struct store_txn *txn, const char *subject,
                             const json_t *checks, json_t **claims);
/* An app has an accessid for an API (CI-7.2c1): its accounts may call that API by it. */
enum problem account_interface_made(struct rest_call *c, struct store_txn *txn,
                                    const json_t *subscription);
/* What is on record of a user changed, so nodes are told of its grants anew. */
enum problem identity_claims_changed(struct rest_call *c, struct store_txn *txn,
                                     const char *subject);

/* secrets.c: what of a user, or of another row, is stored sealed; bound to its id and
 * the attribute. */
json_t *secret_seal(const struct rest_call *c, const char *user_id, const char *attribute,
                    struct slice plain);
/* false: none, or it cannot be opened. *n bytes and a NUL, at most cap - 1. */
bool secret_open(const struct rest_call *c, const json_t *user, const char *attribute, char *out,
                 size_t cap, size_t *n);
/* Adds a one-time code to the session of the call as a factor; PROBLEM_SECOND_FACTOR_INVALID,
 * PROBLEM_TOO_MANY_ATTEMPTS. */
enum problem identity_step_up(struct rest_call *c, const char *otp);

/* REST */
enum problem rest_sessions_list(struct rest_call *c);
enum problem rest_session_end(struct rest_call *c);
enum problem rest_user_sessions_end(struct rest_call *c);
enum problem rest_session_factors(struct rest_call *c);
enum problem rest_captcha_create(struct rest_call *c);
enum problem rest_login_key(struct rest_call *c);
enum problem rest_totp_begin(struct rest_call *c);
enum problem rest_totp_confirm(struct rest_call *c);
enum problem rest_totp_remove(struct rest_call *c);
enum problem rest_register(struct rest_call *c);
enum problem rest_registration_approve(struct rest_call *c);
enum problem rest_registration_refuse(struct rest_call *c);
enum problem rest_me_verification(struct rest_call *c);
enum problem rest_me_identity(struct rest_call *c);
enum problem rest_verify_fields(struct rest_call *c);
/* The account interfaces of the credit platform (CI-5.3), outside /api/v1/. */
enum problem credit_public_key(struct rest_call *c);
enum problem credit_modify_password(struct rest_call *c);
enum problem credit_token(struct rest_call *c);
