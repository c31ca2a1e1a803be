/* SPDX-License-Identifier: Apache-2.0 */
/* CloudEvents 1.0 over HTTP as publishers send them: structured JSON, a batch of them, or binary
 * (attributes in ce- headers). Here every byte of an app's event enters. What is kept of an event
 * is its standard attributes, those the topic lets through, and JSON data: only JSON can be masked.
 */
#pragma once
#include <jansson.h>

#include "data/events/log.h"
#include "personal/personal.h"

#define CE_ID_MAX     256
#define CE_SOURCE_MAX 1024
#define CE_TYPE_MAX   255
#define CE_KEY_MAX    256
#define CE_OWNER_MAX  128

struct ce_input {
    struct slice content_type, body;
    struct slice (*header)(void *ctx, const char *name); /* "" when absent */
    void *ctx;
    const json_t *attributes; /* array: names of attributes that are passed on */
    const json_t *guarded;    /* {do, meant: paths of data} of personal information; NULL: off */
    bool owned;               /* each event must say whose data it is: `sluiceowner` */
    uint64_t now_ms;
};

struct ce_fault {
    const char *detail; /* static */
    size_t index;       /* of the event in its batch */
    bool personal;      /* refused for what it says of somebody, at seen.path */
    struct personal_seen seen;
};

/* Parses into events[0..*n), whose slices are in *store. False: *fault says what is wrong. What was
 * covered is counted in fault->seen either way. */
bool ce_parse(const struct ce_input *in, struct event *events, size_t max, size_t *n,
              struct buf *store, struct ce_fault *fault) __attribute__((warn_unused_result));

/* Finishes an event of the platform's own: head made from its attributes. */
void ce_head(struct buf *out, struct slice id, struct slice source, struct slice type,
             struct slice time);
void ce_identity(struct event *e, struct slice source, struct slice id);
