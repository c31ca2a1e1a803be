/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this folder share. */
#pragma once
#include "base/buf.h"
#include "data/collect/collect.h"
#include "data/zones/zones.h"
#include "schema/schema.h"

#define COLLECT_PROVENANCE 4 /* columns beside the declared ones */

struct collect_seen { /* 128-bit digests of what has been seen, open addressing */
    struct collect_digest {
        uint64_t a, b;
    } * slots;
    size_t n, cap;
};

struct collect {
    const struct collect_env *env;
    const json_t *job;
    struct zone *zone;
    struct zone_column *columns; /* the declared ones, then provenance */
    size_t n_columns;
    struct mask_spec *masks; /* one for each declared column */
    struct schema *standard; /* NULL: none declared */
    struct collect_seen seen;
    struct zone_summer given;
    json_t *outgoing; /* records of a message to a node; NULL: they are stored */
    json_t *merged;   /* key → {record, sender, sm3}; NULL: no merge */
    void *quarantine; /* sqlite3_stmt */
    char at[32];
    uint64_t received, accepted, duplicate, blank, illegal, converted, quarantined;
    json_t *inputs;             /* what each sender gave */
    const char *outcome, *code; /* of a failure; static */
    char where[256], detail[256];
};

/* Notes why the run ends; always false. */
bool collect_fail(struct collect *c, const char *outcome, const char *code, const char *where,
                  const char *detail);

/* record.c: one record, borrowed. False: the run ends. */
bool collect_record(struct collect *c, const json_t *record, const char *sender);
bool collect_finish_merge(struct collect *c);

/* clean.c: rules onto the record. *converted counts values changed; NULL: all well, else the field
 * at fault, *blank: because it is empty. */
const char *collect_clean(const json_t *rules, json_t *record, uint64_t *converted, bool *blank);

/* fetch.c: one request. *answer is filled. */
bool collect_fetch(struct collect *c, const json_t *input, struct buf *answer);
/* token.c: an access token for the credential; *bearer is filled, to be wiped. prepare: sets on the
 * handle what holds of any request to this node. */
bool collect_token(struct collect *c, const json_t *input, struct slice secret,
                   void (*prepare)(void *ctx, void *curl), void *ctx, struct buf *bearer);
/* message.c: opens the answer, compares digests, holds it against the agreement: the array of
 * records, new. */
json_t *collect_open(struct collect *c, const json_t *input, struct slice answer);
/* Seals a request to the provider. */
bool collect_seal(struct collect *c, const json_t *input, struct slice plain, struct buf *out);
bool collect_unseal(struct collect *c, const char *id, const char *sealed, struct buf *out);
/* The value at a JSON pointer (RFC 6901), or member of that name; NULL: none. Borrowed. */
json_t *collect_at(const json_t *root, const char *pointer);

/* send.c: a record into the message; the message to its node, and what it says of it. */
bool collect_outgoing(struct collect *c, const json_t *record);
bool collect_send(struct collect *c, char hex[static 65]);

/* table.c: each row of a registered source. */
bool collect_table(struct collect *c, const json_t *input, uint64_t *rows);

static inline const char *collect_text(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : "";
}
