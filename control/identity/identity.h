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
 * PROBLEM_TOO_MANY_ATTEMPTS. */
enum problem identity_sign_in(struct rest_call *c, const struct sign_in *in,
                              char token[static SESSION_TOKEN_TEXT], json_t **user);
/* Fills c->user from a session's token and counts the use; PROBLEM_NOT_SIGNED_IN. */
enum problem identity_session(struct rest_call *c, const char *token);
/* Ends a session by its public id (c->user.session), and whatever hangs on it (tokens); in txn. */
enum problem identity_session_end(struct rest_call *c, struct store_txn *txn,
                                  const char *session_id);
