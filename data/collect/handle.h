/* SPDX-License-Identifier: Apache-2.0 */
/* What the control plane asks of collection, below /internal/v1/collect/. */
#pragma once
#include "data/service.h"

/* PROBLEM_NOT_FOUND: no such address. *answer: new. */
enum problem collect_handle(struct worker *w, struct slice target, const json_t *body,
                            json_t **answer) __attribute__((warn_unused_result));
