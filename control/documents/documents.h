/* SPDX-License-Identifier: Apache-2.0 */
/* Files people hand in: licences, qualifications, reports, signed papers (BK-9.1.2b, CI-6.2.3c1).
 * The bytes come raw, are what their type says by their own first and last bytes, and lie sealed in
 * the store, in the same transaction as their row. Others refer to a document by ATTR_REF to
 * "documents". */
#pragma once
#include "api/api.h"

#define DOCUMENT_MAX (4u << 20) /* bytes of one */
#define DOCUMENT_TOTAL_MAX                                                                         \
    (256u << 20)              /* bytes an organisation, or a person without one, keeps             \
                               */
#define DOCUMENT_NAME_MAX 200 /* bytes */

/* documents/media.c. NULL: not among the types that are taken. The parameters of a Content-Type
 * are left aside. */
const char *document_media_type(const char *content_type);
/* PROBLEM_OK, or FILE_TYPE_MISMATCH: the bytes are no whole file of that media type, or are also
 * another. Reads; renders and runs nothing. */
enum problem document_check_content(const char *media_type, struct slice content);

/* documents/documents.c. Adds the content to out (wipe it). NOT_FOUND: there is none, or it was
 * erased; says nothing of who may read it. */
enum problem document_content(struct rest_call *c, struct store_txn *txn, const char *id,
                              struct buf *out);

/* The body of the request as a document of that name (checked here) and purpose (NULL: none), in
 * two steps: what it is, before a transaction; then kept. *row is new. */
enum problem document_take(struct rest_call *c, const char *name, const char *purpose,
                           json_t **row);
enum problem document_keep(struct rest_call *c, struct store_txn *txn, json_t *row);

/* POST /documents, GET /documents/{id}/content */
enum problem rest_document_create(struct rest_call *c);
enum problem rest_document_content(struct rest_call *c);
