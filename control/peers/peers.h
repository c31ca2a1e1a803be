/* SPDX-License-Identifier: Apache-2.0 */
/* Platforms that trust each other's sign-on (GS-6.4). Each side is both: an OpenID provider to the
 * other (oauth/, the peer is a client there: an app) and a relying party of it (here). On top come
 * two interfaces of ours: what is known of a user who signs on there, and registrations. */
#pragma once
#include "rest/resource.h"

extern const struct resource peers_resource;
extern const struct resource peer_accounts_resource;

/* Web routes. */
enum problem peers_sign_on(struct rest_call *c);       /* GET /peers/sign-on: to the peer */
enum problem peers_callback(struct rest_call *c);      /* GET /peers/callback: back from it */
enum problem peers_logout(struct rest_call *c);        /* POST /peers/logout: a session is over */
enum problem peers_users(struct rest_call *c);         /* POST /peers/users: whom you signed on */
enum problem peers_registrations(struct rest_call *c); /* POST /peers/registrations */
enum problem peers_verifications(struct rest_call *c); /* POST /peers/verifications */

/* What a sign-in page needs: the peers it offers, as {id, name} in an array. */
enum problem peers_offered(struct rest_call *c, json_t **list);
/* Sends a browser that nobody is signed in with to the next peer that may know it, without a page.
 * tried: how many were asked before. *sent false: there is none left. */
enum problem peers_try_silently(struct rest_call *c, const char *next, unsigned tried, bool *sent);
/* Asks the peer of this name whether name and number belong together: a source of the setting
 * identity-source. */
enum problem peers_verify(struct rest_call *c, const char *peer, const char *kind, const char *name,
                          const char *id_number, bool *match);
/* Whoever has to be told when a session ends (GS-6.4d): apps that signed in with it, the peer it
 * came from. In txn, before it is gone. */
enum problem peers_note_logout(struct rest_call *c, struct store_txn *txn, const char *session_id);

/* A login that ends in @ and a peer's name is that peer's to give: PROBLEM_FIELD_INVALID. */
enum problem peers_check_login(struct rest_call *c, struct store_txn *txn, const char *login);

/* Jobs. */
enum problem peers_job_registrations(struct rest_call *c);
enum problem peers_job_expire(struct rest_call *c);
