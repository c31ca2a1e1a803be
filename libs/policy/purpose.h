/* SPDX-License-Identifier: Apache-2.0 */
/* What for data is asked (BK-9.3.2a2-1, SW-9.8-use2c). A purpose is a text, and so that a call
 * costs one comparison, an id made of it: the first 16 bytes of SM3 over the text without the
 * blanks at its ends. A grant, a subscription and an agreement name one on each line. No
 * allocation; safe from any thread. */
#pragma once
#include "base/slice.h"
#include "id/uuid.h"

#define PURPOSE_MAX    1000 /* characters: bytes are at most three times as many */
#define PURPOSES_MAX   16   /* of one grant or subscription; what is named behind them is not */
#define PURPOSE_HEADER "Sluice-Purpose"

/* Of text, which is one line. False: it is blank or too long, and *id is unchanged. */
bool purpose_id(struct slice text, struct uuid *id) __attribute__((warn_unused_result));

/* Of a header's value: the text, in which %XX stands for a byte that a header cannot hold. False
 * also when it is not UTF-8 or such an escape is broken. */
bool purpose_of_header(struct slice value, struct uuid *id) __attribute__((warn_unused_result));

/* Takes the next line that is not blank off *lines; false: there is none. */
bool purpose_next(struct slice *lines, struct slice *text) __attribute__((warn_unused_result));

/* Whether `id` is among `ids`, UUID_LEN bytes each. */
bool purpose_among(struct slice ids, const struct uuid *id);
