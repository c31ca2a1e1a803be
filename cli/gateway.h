/* SPDX-License-Identifier: Apache-2.0 */
/* The gateway role: settings to a node's configuration, checked before anything is applied. */
#pragma once
#include "settings.h"

/* False: said on stderr. Changes nothing. */
bool gateway_check(const struct settings *s);
/* argc, argv: the command line, which a reload reads again, with its file. */
int gateway_run(const struct settings *s, int argc, char **argv);
