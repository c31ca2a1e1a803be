/* SPDX-License-Identifier: Apache-2.0 */
/* For the tests of third parties' time here: an API, apps that subscribe to it, calls of theirs. */
#pragma once
#include "test/fixture.h"

#define DAY_MS (86400ull * 1000)

/* Each id is copied into a static ring of texts. */
const char *testing_api(struct fixture *f, const char *name);                       /* published */
const char *testing_app(struct fixture *f, const char *name);                       /* applied */
const char *testing_subscribe(struct fixture *f, const char *app, const char *api); /* approved */
void testing_act(struct fixture *f, enum who who, const char *target); /* an action without body */
/* As a node would tell it; at: milliseconds from now. */
void testing_call_of(struct fixture *f, const char *app, const char *api, const char *code,
                     unsigned status, int64_t at);
void testing_setting(struct fixture *f, const char *name, const char *value);
const char *testing_member(struct fixture *f, const char *target, const char *name);
int64_t testing_total(struct fixture *f, enum who who, const char *target);
const char *testing_days(int days); /* a time, so many from now */
/* The id of a document that the developer uploaded, the same each time. */
const char *testing_document(struct fixture *f);
/* A copy that outlives the ring of texts; there is room for 64 in a test program. */
const char *testing_keep(const char *s);
/* An app that was admitted; its id is kept. */
const char *testing_live_app(struct fixture *f, const char *name);
