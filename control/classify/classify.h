/* SPDX-License-Identifier: Apache-2.0 */
/* What data is and how it may be opened: settings, and the security review without which nothing
 * opens (SW-9.4-4a, SW-9.4-4b). */
#pragma once
#include "rest/resource.h"

#define CLASSIFY_SETTING_MAX 200
extern const struct resource classify_settings_resource;
extern const struct resource security_reviews_resource;

/* The value of a setting of ours; an unknown name is a bug. */
enum problem classify_setting(struct rest_call *c, struct store_txn *txn, const char *name,
                              char value[static CLASSIFY_SETTING_MAX]);
enum problem classify_setting_on(struct rest_call *c, struct store_txn *txn, const char *name,
                                 bool *on);

/* reviews.c. PROBLEM_SECURITY_REVIEW_MISSING unless each of the fields that would leave (levels 1
 * to 3) is in the subject's passed review, at its level or a lower one and, at level 3, under the
 * same mask. subject: the row of a dataset, or of an API that has none; fields: those to be opened.
 * Every path by which data is opened asks this. OK when the platform does not require reviews. */
enum problem security_review_covers(struct rest_call *c, struct store_txn *txn,
                                    const struct resource *res, const json_t *subject,
                                    const json_t *fields);
