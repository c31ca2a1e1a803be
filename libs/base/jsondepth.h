/* SPDX-License-Identifier: Apache-2.0 */
/* How deep a JSON value goes: who walks one by recursion asks first. */
#pragma once
#include <jansson.h>
#include <stdbool.h>

/* Whether arrays and objects lie in each other more than `most` deep. */
bool jsondepth_over(const json_t *v, unsigned most);
