/* SPDX-License-Identifier: Apache-2.0 */
/* What the account of a connection may do beyond reading (SW-9.8-sto1). */
#pragma once
#include <jansson.h>

#include "data/sources/odbc.h"

/* *rights: {"administers": bool, "writes": bool}, new; NULL where this kind of database has no
 * accounts or does not say. A database that refuses the question does not fail the check of it. */
void account_rights(struct source *s, json_t **rights);
