/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of admission share: a platform with people, an API, an app. */
#pragma once
#include "crypto/key.h"
#include "test/fixture.h"

struct admission_world {
    struct fixture f;
    const char *platform; /* the operator's own organisation */
    const char *app, *api, *bank_api;
};
void admission_world_open(struct admission_world *w);
void admission_world_close(struct admission_world *w);
const char *admission_document_of(struct admission_world *w, enum who who);
/* Switches a setting of admission. */
void admission_set(struct admission_world *w, const char *name, const char *value);
const char *quoted_text(const char *plain); /* as a JSON text with its quotes */
/* A key registered for the organisation of `who`; its id. */
const char *admission_key(struct admission_world *w, enum who who, const char *organisation,
                          enum crypto_key_kind kind, struct crypto_key **key);
/* The signature of an offered agreement by key, as the body of the sign call. */
const char *admission_signature(struct admission_world *w, const char *agreement,
                                const struct crypto_key *key);
const char *admission_template(struct admission_world *w, const char *kind);
const char *admission_in_days(int days);
const char *admission_uscc(void);
const char *admission_id_card(int number);
const char *admission_assess(struct admission_world *w, int score, int protection);
/* An agreement of kind data-use for the world's app and API, offered; fields: a JSON array. */
const char *admission_offer(struct admission_world *w, const char *fields, int per_day, int days);
/* Both sides sign it. */
void admission_sign_both(struct admission_world *w, const char *agreement);

/* Reading and applying as people do it. */
const char *admission_member(struct admission_world *w, const char *target, const char *name);
int admission_total(struct admission_world *w, enum who who, const char *target);
const char *admission_apply(struct admission_world *w, const char *form, const char *content,
                            const char *more);
void admission_submit(struct admission_world *w, const char *id);
const char *admission_review(const char *id, const char *result, const char *more);
const char *admission_third_party(void);
const char *admission_licence(const char *document, int days);
const char *admission_findings(const char *document, const char *authenticity);
const char *admission_approved(struct admission_world *w);
const char *admission_bank_content(const char *number);
const char *admission_bank_documents(const char *document);
const char *admission_bank_findings(const char *document, const char *but);
