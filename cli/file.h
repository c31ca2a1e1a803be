/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "base/buf.h"

/* Appends all of a file of at most `most` bytes to out. False: errno says why (EFBIG: larger), out
 * holds what was read. */
bool file_read(const char *path, size_t most, struct buf *out) __attribute__((warn_unused_result));
