/* SPDX-License-Identifier: Apache-2.0 */
/* A connection string taken apart: `name=value;name={value}`. */
#pragma once
#include <stdbool.h>

#include "base/slice.h"

struct attribute {
    struct slice name, value;
};

/* Split at every ';', quoted or not: wherever a driver sees an attribute begin, so do we. False at
 * the end. An attribute without '=' has a name whose p is NULL. */
bool attribute_next(struct slice *rest, struct attribute *a);
/* Without the braces or quotes around it. */
struct slice attribute_unquoted(struct slice value);
