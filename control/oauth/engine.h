/* SPDX-License-Identifier: Apache-2.0 */
/* The OAuth server's life in a control plane, its routes and jobs. */
#pragma once
#include "rest/resource.h"

/* What control_open and control_close call. False after a sentence on stderr. */
bool oauth_open(struct control *ctl) __attribute__((warn_unused_result));
void oauth_close(struct control *ctl);

/* Web routes. */
enum problem oauth_metadata(struct rest_call *c);
enum problem oauth_jwks_get(struct rest_call *c);
enum problem oauth_token(struct rest_call *c);
enum problem oauth_par(struct rest_call *c);
enum problem oauth_introspect(struct rest_call *c);
enum problem oauth_revoke_token(struct rest_call *c);
enum problem oauth_userinfo(struct rest_call *c);
/* REST. */
enum problem oauth_keys_list(struct rest_call *c);
enum problem oauth_keys_rotate(struct rest_call *c);
/* Jobs. */
enum problem oauth_job_keys(struct rest_call *c);
enum problem oauth_job_issues(struct rest_call *c);
enum problem oauth_job_expire(struct rest_call *c);
/* Feed entries of keys and revocations, all anew: feed/rebuild.c. */
enum problem oauth_feed_all(struct rest_call *c, struct store_txn *txn);
