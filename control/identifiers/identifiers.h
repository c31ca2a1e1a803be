/* SPDX-License-Identifier: Apache-2.0 */
/* For whom an API is (BK-A) and under which code it is registered with the industry (U_API_ID,
 * BK-B, libs/uapi).
 *
 * An API is `internal` (parts of the platform's own compositions alone reach it), `partner` (for
 * the organisations it names) or `external`. Once the platform has an institution code, an external
 * API gets its U_API_ID when it is first published, the next one of institution, class and
 * category, in the transaction of the publication: so there is neither gap nor repeat. Versions of
 * one API share it. */
#pragma once
#include "rest/resource.h"

/* A change of an API, before it is stored. */
enum problem identifiers_check(struct rest_call *c, struct change *ch);
/* Publication: what is published under whose identifier, and the code itself. */
enum problem identifiers_publish(struct rest_call *c, struct change *ch);
/* After an API is stored: its partners, and that a new code has to be registered. */
enum problem identifiers_after(struct rest_call *c, struct change *ch);
/* May an app of this organisation ("" none) have the API at all (BK-A-2, BK-A-3)? */
enum problem identifiers_serves(struct rest_call *c, struct store_txn *txn, const json_t *api,
                                const char *organisation, bool *serves);
/* Before an API goes offline for good (BK-11b2): its code's cancellation is submitted, or it has
 * none, or another version still lives under it. */
enum problem identifiers_cancelled(struct rest_call *c, struct store_txn *txn, const json_t *api,
                                   bool *cancelled);

enum problem registration_cancel(struct rest_call *c); /* POST apis/{id}/cancel-registration */
enum problem registrations_export(struct rest_call *c);

extern const struct resource identifier_settings_resource;
extern const struct resource service_categories_resource;
extern const struct resource api_registrations_resource;

/* For the files of this folder: */
/* The first six characters of the platform's institution code; "": it has none. */
enum problem identifiers_institution(struct rest_call *c, struct store_txn *txn,
                                     char institution[static 7]);
enum problem registration_open(struct rest_call *c, struct store_txn *txn, const json_t *api,
                               const char *kind);
