/* SPDX-License-Identifier: Apache-2.0 */
/* For the tests of the data service: a replica with APIs, a SQLite file, a PostgreSQL and a MariaDB
 * of their own. */
#pragma once
#include <sys/types.h>

#include "data/service.h"
#include "plan/plan.h"

#define TESTING_FIELDS 8 /* of the orders API: id name price paid made note phone card */

struct testing {
    char dir[64], postgres_dir[64], mariadb_dir[64];
    char data_dir[80];       /* the platform's, with demo/ and control/store.db below it */
    pid_t postgres, mariadb; /* 0: not running */
    struct service_config cfg;
    struct crypto_hmac *link;
    uint64_t seq;
    const char *connection; /* of the source in use */
    struct uuid source, dataset, orders, owned, grade, grades, trading, grant;
};

enum testing_kind { TESTING_SQLITE, TESTING_POSTGRES, TESTING_MARIADB };

void testing_open(struct testing *t);
void testing_close(struct testing *t);
void testing_connection(const struct testing *t, enum testing_kind kind, char out[256]);
/* Starts the server the first time with a fresh cluster; returns when it answers. */
void testing_postgres_start(struct testing *t);
void testing_postgres_stop(struct testing *t);
void testing_mariadb_start(struct testing *t);
void testing_mariadb_stop(struct testing *t);
/* Runs statements of the demo tables on the connection. */
void testing_fill(const char *connection);
/* Puts source, datasets and APIs in the replica. */
void testing_publish(struct testing *t, const char *connection);
void testing_put(struct testing *t, const char *kind, const struct uuid *id, json_t *data);
void testing_seal(const struct testing *t, const struct uuid *id, const char *connection,
                  char out[1024]);

struct testing_call {
    const char *method, *target, *body, *content_type, *prefer, *range, *accept, *owner;
    const char *rows;                   /* a row filter; NULL: none */
    const char *if_match, *key, *batch; /* of a write */
    const struct uuid *app;             /* NULL: another each time */
    const struct uuid *api;             /* NULL: none */
    uint64_t rev;                       /* 0: the current one */
    bool grant, no_proof, sandbox;
    uint32_t n_fields;      /* 0: of the API */
    const uint8_t *outcome; /* NULL: of the API */
};
/* Fills the proof for a call. */
size_t testing_prove(struct testing *t, const struct testing_call *call, char out[LINK_TEXT_MAX]);
/* One call straight into the worker; the body is NUL-terminated in w->body. */
void testing_call(struct testing *t, struct worker *w, const struct testing_call *call,
                  struct service_reply *rp);
