/* SPDX-License-Identifier: Apache-2.0 */
/* What an operator adds to what is looked for: a pattern of whole values, and what a column that
 * fits it is. */
#include "api/api.h"
#include "classify/classify.h"
#include "detect/detect.h"
#include "mask/mask.h"

static enum problem check_pattern(struct rest_call *c, const char *where, const json_t *v)
{
    struct detect_error err;

    if (detect_pattern_check(slice_str(json_string_value(v)), &err) != DETECT_OK) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, where, "at byte %zu: %s", err.at, err.why);
    }
    return PROBLEM_OK;
}

static enum problem check_mask(struct rest_call *c, const char *where, const json_t *v)
{
    struct mask_spec spec;

    return mask_parse(&spec, slice_str(json_string_value(v))) == MASK_OK
               ? PROBLEM_OK
               : rest_fail(c, PROBLEM_FIELD_INVALID, where, "there is no such mask rule");
}

static const struct attr attrs[] = {
    {"name", ATTR_TEXT, AF_REQUIRED | AF_FILTER | AF_SORT, 1, 60},
    {"pattern", ATTR_TEXT, AF_REQUIRED, 1, DETECT_PATTERN_MAX, .check = check_pattern},
    {"words", ATTR_TEXT, 0, 1, 400},
    {"level", ATTR_INT, AF_REQUIRED, 1, 4},
    {"mask", ATTR_TEXT, 0, 1, 60, .check = check_mask},
    {"category", ATTR_TEXT, 0, 1, 40},
    {"tags", ATTR_JSON, 0, .check = classify_check_words},
};

static enum problem check(struct rest_call *c, struct change *ch)
{
    struct store_rows *rows = NULL;
    static const char sql[] = "SELECT count(*) FROM detection_patterns WHERE state = 'active'";
    enum problem p = rest_store_problem(c, store_query(ch->txn, sql, NULL, 0, &rows));

    if (p != PROBLEM_OK) {
        return p;
    }
    int64_t n = store_next(rows) ? store_get_int(rows, 0) : 0;
    p = rest_store_problem(c, store_rows_end(&rows));
    return p == PROBLEM_OK && !ch->old && n >= DETECT_OWN_MAX
               ? rest_fail(c, PROBLEM_STATE_CONFLICT, "", "there are %d patterns already",
                           DETECT_OWN_MAX)
               : p;
}

static const struct transition transitions[] = {
    {"active", "remove", "removed", ROLE_STAFF},
};

const struct resource detection_patterns_resource = {
    .plural = "detection_patterns",
    .kind = "detection-pattern",
    .initial = "active",
    .attrs = attrs,
    .n_attrs = COUNT(attrs),
    .transitions = transitions,
    .n_transitions = COUNT(transitions),
    .read_roles = ROLE_STAFF | ROLE_PROVIDER | ROLE_AUDITOR,
    .create_roles = ROLE_STAFF,
    .patch_roles = ROLE_STAFF,
    .check = check,
};
