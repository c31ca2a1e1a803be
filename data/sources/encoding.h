/* SPDX-License-Identifier: Apache-2.0 */
/* Text of a source that is not in UTF-8, and the way back: what leaves is always UTF-8, what is
 * asked is compared in the source's own bytes. By iconv. */
#pragma once
#include "base/buf.h"

struct encoding;

/* NULL: not one of ours, or no memory. */
struct encoding *encoding_new(struct slice name);
void encoding_free(struct encoding **e);

/* Clears and fills *text. Bytes that are no character of the encoding become U+FFFD, each. */
void encoding_decode(struct encoding *e, struct slice bytes, struct buf *text);
/* Appends to *bytes. False: the encoding has no such character. */
bool encoding_encode(struct encoding *e, struct slice text, struct buf *bytes)
    __attribute__((warn_unused_result));
