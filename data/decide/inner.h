/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files of data/decide. */
#pragma once
#include "data/decide/decide.h"

const uint64_t *decide_seen(const struct decide *d); /* since decide_begin() */
