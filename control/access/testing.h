/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of access share: people beside the fixture's, and grants to them. */
#pragma once
#include "test/fixture.h"

#include "access/access.h"

#define NOWHERE "00000000-0000-7000-8000-000000000000"

struct person {
    char id[40], login[40], token[64];
};
extern struct fixture f;
/* Members of the third party and of the stranger's organisation; a system administrator; two
 * security administrators. */
extern struct person ann, bob, sys, sec, sec2;

int testing_setup(void **state);
int testing_teardown(void **state);
void call_as(struct person *p, const char *method, const char *target, const char *if_match,
             const char *body, struct reply *r);
unsigned status_as(struct person *p, const char *method, const char *target, const char *body);
void refused_as(struct person *p, const char *method, const char *target, const char *body,
                const char *code);
const char *give(const char *holder, const char *operation, const char *more); /* its id */
void revoke(const char *plural, const char *id);
const char *holder(const char *kind, const char *id); /* members of a grant's body */
void put_user(const char *id, const char *body);
const char *role(const char *name, const char *operations, const char *more);
const char *join(const char *role_id, const struct person *p); /* the membership's id */
void leave(const char *member);
int64_t count(const char *sql);
enum store_err exec(const char *sql);
