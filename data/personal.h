/* SPDX-License-Identifier: Apache-2.0 */
/* Personal information in what is handed in (SW-9.7-3f): a text that proves to be an identity
 * number, a bank card, a mobile or an e-mail address, or has one in it, in a field that is not
 * meant for it. Which fields are not, and what becomes of it, the control plane says with the
 * dataset (`guarded`). Safe from any thread. */
#pragma once
#include <jansson.h>
#include <stdbool.h>

#include "base/slice.h"

#define PERSONAL_REFUSED "it holds personal information, which the field is not meant for"

enum personal_guard { PERSONAL_OFF, PERSONAL_MASK, PERSONAL_REFUSE };

/* The policy of a dataset as the feed tells it; guarded: its member, NULL: off. */
enum personal_guard personal_guard_of(const json_t *guarded);
/* Is this column among the guarded ones? */
bool personal_guards(const json_t *guarded, struct slice column);

/* What a text holds: a word of libs/detect ("id-card"), static; NULL: nothing of the kind. A text
 * that cannot be looked at for want of memory counts as holding something. */
const char *personal_find(struct slice text);
/* Passes a value on, *value owned: a guarded one that holds something is covered, or false:
 * refused. kind: what it holds, NULL: nothing. */
bool personal_pass(enum personal_guard guard, json_t **value, const char **kind);
/* Covered by the mask of what it is, or wholly where it only has it in it: a new string. NULL: no
 * memory. */
json_t *personal_cover(struct slice text);
