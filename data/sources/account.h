/* SPDX-License-Identifier: Apache-2.0 */
/* What a source says of the account of its connection and of how it keeps its data (SW-9.8-sto1,
 * EC-5.1b). */
#pragma once
#include <jansson.h>

#include "data/sources/odbc.h"

/* Both new; NULL where this kind of database does not say. A database that refuses a question does
 * not fail the check of it.
 * *rights: {"administers", "writes"}: beyond reading. Of a file: others of its machine may write
 * it, and the same.
 * *keeping: {"tls", "at_rest", "checksums", "copies": bool or null, "copied_ms": number or null}:
 * the connection is encrypted; so are tables; pages have checksums; there is a log that copies are
 * made of, or a replica; when the last of it was put by. Null: it cannot be told. */
void account_ask(struct source *s, json_t **rights, json_t **keeping);
