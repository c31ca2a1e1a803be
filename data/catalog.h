/* SPDX-License-Identifier: Apache-2.0 */
/* What a worker knows of APIs, datasets and sources: read from the replica once a revision, kept
 * ready for use, so a call costs a look at the replica's version and a slot. One per thread, no
 * locks. */
#pragma once
#include "data/query/query.h"
#include "data/sources/odbc.h"
#include "graph/graph.h"
#include "mask/mask.h"
#include "replica/replica.h"

#define CATALOG_APIS 1024 /* slots; two APIs in one take turns */
/* Of a source that says nothing else: docs/sources.md. */
#define CATALOG_CONNECTIONS        8
#define CATALOG_CONNECTION_WAIT_MS 1000
#define CATALOG_WAIT_MS            200 /* for the feed, when the gateway knows more than we do */

enum catalog_profile {
    CATALOG_REST,
    CATALOG_GRADE,     /* getEnterpriseGrade */
    CATALOG_GRADES,    /* getEnterpriseGrades */
    CATALOG_TRADING,   /* getPublicResourcesTrading */
    CATALOG_SUBMISSION /* what an enterprise reports */
};

struct catalog_related { /* how a relation and its fields are written: `"name":` */
    struct slice member;
    const struct slice *members;
};

enum catalog_write { CATALOG_INSERT = 1, CATALOG_UPDATE = 2, CATALOG_DELETE = 4 };
struct catalog_rule {
    uint8_t level, type; /* enum policy_level, enum plan_type */
    struct mask_spec mask;
};

struct catalog_api {
    struct uuid id, dataset, source;
    uint64_t version, rev, dataset_rev;
    uint8_t state, profile;
    bool owner_scoped;
    struct graph *graph; /* of a composed API; NULL of a dataset */
    const char *path;    /* of a composed API, of a dataset's and of a topic */
    uint32_t timeout_ms;
    struct query_table table;
    struct query_column *columns;
    struct slice *members;           /* `"name":`, one for each column */
    struct catalog_related *related; /* one for each relation of the table */
    uint32_t max_rows, max_cost;     /* of a call; 0: the service's own */
    uint64_t query_timeout_ms;       /* 0: SOURCE_TIMEOUT_S */
    uint8_t *stands_for;             /* enum sandbox_kind, one for each column */
    struct catalog_rule *rules;      /* of a dataset, one for each column */
    bool *writable;                  /* one for each column: a write may say it (data/write) */
    bool *guarded;      /* likewise: it is not meant for personal information (data/personal.h) */
    uint8_t guard;      /* enum personal_guard */
    uint8_t writes;     /* enum catalog_write bits the dataset takes */
    bool delivers;      /* its business unit is told of writes */
    bool batch;         /* export jobs may be asked for */
    bool documents;     /* its rows have files (data/files) */
    bool topic;         /* events: table is there when it is a dataset's and not unit */
    bool unit;          /* a business unit's own: answered here in the test stage alone */
    struct arena arena; /* what the slices point at */
};

struct catalog_source { /* taken from the pool, not yet given back */
    struct uuid id;
    uint64_t rev;
    struct source *source;
};

struct catalog {
    struct replica_reader *reader;
    const char *data_dir;
    uint8_t secret_key[CRYPTO_KEY_LEN]; /* sub-key feed.secret */
    struct catalog_api *apis[CATALOG_APIS];
    uint64_t version; /* of the replica, when the call's API was looked up; 0: between calls */
    struct {
        struct uuid id;
        uint64_t rev, version; /* rev as of version of the replica; 0: none */
    } source_seen;
    struct catalog_source reader_of, writer_of;
    struct policy_field fields[POLICY_FIELDS_MAX];
};

/* Borrows the replica and data_dir, the platform's own folder: no source lies there. */
bool catalog_init(struct catalog *c, struct replica *replica, const char *data_dir,
                  const uint8_t secret_key[static CRYPTO_KEY_LEN])
    __attribute__((warn_unused_result));
void catalog_fini(struct catalog *c);

/* The API at exactly this revision; waits for it when the replica is behind. *api is borrowed until
 * the next call. */
enum problem catalog_api(struct catalog *c, const struct uuid *id, uint64_t rev,
                         const struct catalog_api **api) __attribute__((warn_unused_result));
/* The API as it is known here now. */
enum problem catalog_api_now(struct catalog *c, const struct uuid *id,
                             const struct catalog_api **api) __attribute__((warn_unused_result));
/* A connection to the API's source, not necessarily open: nobody else's until catalog_release,
 * which is owed, or until another source is asked for. PROBLEM_SOURCE_BUSY: all it allows are in
 * use. */
enum problem catalog_source(struct catalog *c, const struct uuid *id, struct source **source)
    __attribute__((warn_unused_result));

/* The same, a connection that may write. */
enum problem catalog_writer(struct catalog *c, const struct uuid *id, struct source **source)
    __attribute__((warn_unused_result));
/* What was taken goes back to the pool. */
void catalog_release(struct catalog *c);

/* The dataset as the feed tells it, a new reference; NULL: there is none. */
json_t *catalog_dataset(struct catalog *c, const struct uuid *id, uint64_t *rev);

/* Whether the app's subscription of the API has this way (enum policy_way), or bounds none. */
bool catalog_way(struct catalog *c, const struct uuid *app, const struct uuid *id, uint8_t way);
/* Unseals a connection string (base64url of SM4-GCM, AAD: the source's id). Wipe *text after use.
 */
bool catalog_unseal(const uint8_t key[static CRYPTO_KEY_LEN], struct slice id, struct slice sealed,
                    struct buf *text) __attribute__((warn_unused_result));
/* Conditions on the rows of a table beside its own (docs/query.md), in the grammar of its filter
 * but for what not every source can do; *rows is in the arena. False: they cannot be read. */
bool catalog_rows(struct arena *arena, const struct query_table *table, struct slice text,
                  const struct query_node **rows) __attribute__((warn_unused_result));
/* Can filter, query and relations of a dataset be read? dataset: as nodes are told of it. */
bool catalog_check(const json_t *dataset) __attribute__((warn_unused_result));
