/* SPDX-License-Identifier: Apache-2.0 */
/* Templates, as compile and evaluation share them: literal text with {pointer} in it; {{ and }} are
 * braces. */
#pragma once
#include "graph/graph.h"

/* 17 digits would tell 0.1 as 0.10000000000000001. */
#define GRAPH_JSON (JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15))

struct template_part {
    struct slice text; /* literal text, or a pointer */
    bool pointer;
};

/* Takes the next part off *rest. False: at the end, or *bad. */
bool template_next(struct slice *rest, struct template_part *part, bool *bad);
