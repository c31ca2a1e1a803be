/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of identity/ share: calls with what HTTP would add, captchas whose answer is
 * known, an authenticator. Everything asserts. */
#pragma once
#include "identity/inner.h"
#include "test/fixture.h"

struct extra { /* of one call, NULL or empty: none */
    struct slice certificate;
    const char *address, *token, *if_match;
};
/* path from its first slash; body: JSON. */
struct reply testing_call(struct fixture *f, const char *method, const char *path, const char *body,
                          const struct extra *extra);
/* Asserts the code of a refusal, or with "" a 2xx answer; returns the member (ring of text()). */
const char *testing_sign_in(struct fixture *f, const char *body, const struct extra *extra,
                            const char *code, const char *member);
void testing_sql(struct fixture *f, const char *sql); /* a statement without values */
int64_t testing_count(struct fixture *f, const char *sql);
const char *testing_captcha(struct fixture *f); /* members for a body: id and the right answer */
/* Enrols an authenticator for `who`; secret: to be given to testing_otp(). Returns the code that is
 * used up by it. */
const char *testing_enrol(struct fixture *f, enum who who, uint8_t secret[static 20]);
const char *testing_otp(const uint8_t secret[static 20], int steps_from_now);
const char *testing_setting(struct fixture *f, const char *name, const char *value);
/* A password sealed under the published key; made `ago_ms` before now, with this nonce. */
const char *testing_sealed(struct fixture *f, const char *password, uint64_t ago_ms,
                           const char *nonce);
