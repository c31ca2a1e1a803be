/* SPDX-License-Identifier: Apache-2.0 */
/* A saved exchange as text: a request's head and body, then its response's, as they were sent and
 * as `sluice call --save` and `curl -i` write them. Strict, and for files alone: nothing of this
 * reads from a connection. All slices borrow from the text. */
#pragma once
#include "base/slice.h"
#include "httpsig/httpsig.h"

#define EXCHANGE_FIELDS_MAX 100

struct exchange_message {
    struct slice method, target; /* of a request */
    unsigned status;             /* of a response */
    size_t n_fields;
    struct {
        struct slice name, value;
    } fields[EXCHANGE_FIELDS_MAX];
    struct slice body;
};

/* One message, its body all that follows its head. A 1xx before a response is passed over. NULL: it
 * is one; else why not, static. */
const char *exchange_request(struct exchange_message *m, struct slice text)
    __attribute__((warn_unused_result));
const char *exchange_response(struct exchange_message *m, struct slice text)
    __attribute__((warn_unused_result));
/* Both, one after the other: the request's body is as long as its Content-Length says, or empty. */
const char *exchange_both(struct exchange_message *request, struct exchange_message *response,
                          struct slice text) __attribute__((warn_unused_result));

/* As struct httpsig_request and httpsig_response want it; ctx: a struct exchange_message. A field
 * that comes twice counts as absent: joining leaves room for mischief. */
bool exchange_field(void *ctx, struct slice lower_name, struct slice *value);
