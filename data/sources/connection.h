/* SPDX-License-Identifier: Apache-2.0 */
/* What a connection string may say. It comes from an organisation that provides data, not from the
 * operator of the platform: it must not make a driver load code, write a file, read settings from
 * one, or open a file of the platform itself as if it were a database (EC-6.1.4.1). */
#pragma once
#include <stdbool.h>

#include "base/slice.h"

#define CONNECTION_MAX 4096 /* bytes */

/* data_dir is the platform's: nothing below it is a source, save what is in its demo/. Looks at the
 * disk, so ask again before each connect. A relative path is refused too: it would be read from
 * wherever the service happens to run. False also when data_dir cannot be read. */
bool connection_allowed(struct slice connection, const char *data_dir)
    __attribute__((warn_unused_result));
