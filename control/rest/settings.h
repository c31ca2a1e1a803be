/* SPDX-License-Identifier: Apache-2.0 */
/* What the resources of settings share: rows of name and value that migrations make, that an
 * administrator changes and nobody adds to. */
#pragma once
#include "rest/resource.h"

struct setting {
    const char *name;
    bool (*ok)(const char *value);
    const char *allowed; /* completes "… is needed" */
};

/* What every setting has. reason: why one that clauses ask for is weaker than shipped (strict.h).
 */
#define SETTINGS_ATTRS(max_bytes)                                                                  \
    {"name", ATTR_TEXT, AF_READ_ONLY | AF_FILTER},                                                 \
        {"value", ATTR_TEXT, AF_REQUIRED, 1, max_bytes}, {"reason", ATTR_TEXT, 0, 1, 500},         \
        {"relaxed_by", ATTR_TEXT, AF_READ_ONLY}, {"relaxed_at", ATTR_TIME, AF_READ_ONLY},

/* PROBLEM_FIELD_INVALID at /value when the new row's setting does not take its value; at /reason
 * when it becomes weaker than shipped and nobody says why. */
enum problem settings_check(struct rest_call *c, const struct setting *settings, size_t n,
                            struct change *ch);
/* The value of a setting of that resource, at most cap - 1 bytes; "": there is none. */
enum problem settings_get(struct rest_call *c, struct store_txn *txn, const struct resource *res,
                          const char *name, char *value, size_t cap);
/* Of a switch, at most SETTINGS_TEXT_MAX - 1 bytes: is it on? */
#define SETTINGS_TEXT_MAX 200
enum problem settings_on(struct rest_call *c, struct store_txn *txn, const struct resource *res,
                         const char *name, bool *on);
bool setting_is_switch(const char *value); /* on or off */
/* Decimal digits alone, within min and max. */
bool setting_is_number(const char *value, long min, long max);
