/* SPDX-License-Identifier: Apache-2.0 */
/* What a file's answer says of ranges (RFC 9110 sections 13.1.5 and 14): of exports and of
 * documents alike. */
#pragma once
#include "data/service.h"

struct ranges_span {
    uint64_t first, last; /* bytes; last is in it */
};

/* Reads Range and If-Range of a file of so many bytes whose ETag is that (with its quotes): fills
 * *span, the status, Content-Range, Accept-Ranges and ETag of the answer. A range behind the end is
 * RANGE_UNSATISFIABLE with *detail. */
enum problem ranges_read(const struct service_request *rq, struct service_reply *rp,
                         const char *etag, uint64_t bytes, struct ranges_span *span,
                         const char **detail) __attribute__((warn_unused_result));
