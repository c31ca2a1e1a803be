/* SPDX-License-Identifier: Apache-2.0 */
/* The actions of `sluice audit`. Each prints its findings on stdout, what keeps it from working on
 * stderr, and returns the exit code: 0 all well, 1 not, 2 it could not look. */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "id/uuid.h"

struct audit_options {
    const char *data_dir, *owner, *tag;
    char dir[4096], key[4096], store[4096]; /* "": none */
    struct uuid app, api, txn, grant;       /* nil: any */
    uint64_t since_ms, until_ms;
    size_t limit; /* 0: all */
    bool refused, json, help, dir_given, key_given, store_given;
};

int cli_audit_verify(const struct audit_options *o);     /* cli/audit_verify.c */
int cli_audit_show(const struct audit_options *o);       /* cli/audit_show.c */
int cli_audit_evidence(const struct audit_options *o);   /* cli/audit_evidence.c */
int cli_audit_trace(const struct audit_options *o);      /* cli/audit_trace.c */
int cli_audit_operations(const struct audit_options *o); /* cli/audit_operations.c */

struct audit_record;
/* audit_tags.c: the tags of fields by API and path, from the control plane's store; an empty object
 * where there is no store. */
json_t *cli_audit_tags(const char *store);
/* Adds `tags` to each field of a record that has some. False: `only` is given and no field has it.
 */
bool cli_audit_tag(json_t *record, const json_t *tags, const char *only);
/* A record as `show --json` prints it, new: cli/audit_show.c. */
json_t *cli_audit_record(const struct audit_record *rec, const json_t *plan);

/* Checks every operation in the store against its chain and prints the defects. False: the store
 * cannot be read, which is said too. */
bool cli_audit_check_operations(const char *store, uint64_t *count, uint64_t *defects)
    __attribute__((warn_unused_result));
