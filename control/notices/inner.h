/* SPDX-License-Identifier: Apache-2.0 */
/* What contacts, messages and deliveries share. */
#pragma once
#include <curl/curl.h>

#include "notices/notices.h"
#include "outbound.h"

#define WEBHOOK_SECRET_PREFIX "whsec_" /* as Standard Webhooks writes one, before its base64 */
#define WEBHOOK_SECRET_LEN    32

/* One delivery, as the job reads it. */
struct delivery {
    char notice_id[UUID_TEXT_LEN + 1], contact_id[UUID_TEXT_LEN + 1];
    int64_t attempts;
    json_t *notice, *contact; /* rows */
    struct outbound_transfer transfer;
    /* owned until the transfer is over */
    struct curl_slist *headers, *recipients;
    curl_mime *mime;
    char *body;
};
void delivery_fini(struct delivery *d);
/* Makes the transfer of a delivery; false: it can never be made (a secret that cannot be opened, no
 * mail server is configured). */
bool message_prepare(struct rest_call *c, struct delivery *d);
