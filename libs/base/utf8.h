/* SPDX-License-Identifier: Apache-2.0 */
/* UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing past U+10FFFF. */
#pragma once
#include "base/slice.h"

/* Bytes of the well-formed character at the start of s: 1 to 4; 0 when there is none. */
size_t utf8_char(struct slice s);
bool utf8_valid(struct slice s);
