/* SPDX-License-Identifier: Apache-2.0 */
/* A control plane in a folder of its own, called without HTTP. */
#pragma once
/* cmocka wants these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/api.h"

#define FIXTURE_ADMIN "first-administrator"

struct fixture {
    char dir[64];
    struct control_config cfg;
    struct control ctl;
    char token[8][64];                        /* by enum who */
    char holder[40], third[40], stranger[40]; /* organisations */
};
enum who {
    NOBODY,
    ADMIN,
    OPERATOR,
    PROVIDER,
    DEVELOPER,
    OWNER,
    AUDITOR,
    STRANGER /* a developer of another organisation */
};

struct reply {
    unsigned status;
    json_t *json; /* NULL: not JSON */
    char code[40], etag[32];
};

void fixture_open(struct fixture *f);   /* the store and its administrator */
void fixture_people(struct fixture *f); /* organisations and a user of each role, signed in */
void fixture_reopen(struct fixture *f);
void fixture_close(struct fixture *f); /* removes the folder */
/* target: path and query; body: JSON text or NULL; if_match: "auto" reads the revision first. */
struct reply fixture_call(struct fixture *f, enum who who, const char *method, const char *target,
                          const char *if_match, const char *body);
/* A security review of a dataset or an API ("datasets", "apis") is asked for and passed. fields:
 * what is meant to become of some, [{name, level, mask}]; NULL: as they are. */
void fixture_reviewed(struct fixture *f, const char *plural, const char *id, const char *fields);
/* A publication has its review passed first, so that tests need not think of it; fixture_refused
 * and fixture_call do not do that. */
/* Asserts the status, returns a member of the answer as text (copied into a static ring) or "". */
const char *fixture_ok(struct fixture *f, enum who who, const char *method, const char *target,
                       const char *body, const char *member);
void fixture_refused(struct fixture *f, enum who who, const char *method, const char *target,
                     const char *if_match, const char *body, const char *code);
/* The feed's data of a record now, NULL: none. New reference. */
json_t *fixture_fed(struct fixture *f, const char *kind, const char *id);
/* Asserts that a node can read every entry of the feed, old states of records too. */
void fixture_feed_readable(struct fixture *f);
/* A file of the inner CA's folder, as a JSON text with its quotes. */
const char *fixture_pem(struct fixture *f, const char *name);
void reply_free(struct reply *r);
/* printf into a static ring of texts. */
const char *text(const char *format, ...) __attribute__((format(printf, 1, 2)));
