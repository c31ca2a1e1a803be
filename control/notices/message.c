/* SPDX-License-Identifier: Apache-2.0 */
/* The two forms of a notice: an e-mail by SMTP, and a CloudEvent signed as Standard Webhooks says
 * (HMAC-SHA256 over id.time.body), so that their stock libraries verify it. */
#include <stdio.h>
#include <stdlib.h>

#include "api/api.h"
#include "base/codec.h"
#include "base/utf8.h"
#include "notices/inner.h"
#include "outbound.h"

#define WORD_BYTES 42 /* of a subject in one encoded word, RFC 2047: 75 characters at most */

void delivery_fini(struct delivery *d)
{
    curl_slist_free_all(d->headers);
    curl_slist_free_all(d->recipients);
    curl_mime_free(d->mime);
    curl_easy_cleanup(d->transfer.curl);
    free(d->body);
    json_decref(d->notice);
    json_decref(d->contact);
    *d = (struct delivery){0};
}

static bool add_header(struct delivery *d, const char *format, const char *value)
{
    char text[600];

    snprintf(text, sizeof text, format, value);
    struct curl_slist *more = curl_slist_append(d->headers, text);
    d->headers = more ? more : d->headers;
    return more != NULL;
}

/* Webhook ---------------------------------------------------------------------------------------
 */
static char *event_text(const struct delivery *d)
{
    char type[80];

    snprintf(type, sizeof type, "sluice.notice.%.60s", row_text(d->notice, "kind"));
    json_t *data = row_public(&notices_resource, d->notice);
    json_t *event = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:o}", "specversion", "1.0", "id",
                              d->notice_id, "source", "/api/v1/notices", "type", type, "time",
                              row_text(d->notice, "created_at"), "datacontenttype",
                              "application/json", "data", data);
    char *text = event ? json_dumps(event, JSON_COMPACT) : NULL;
    json_decref(event);
    return text;
}

static bool sign(struct rest_call *c, struct delivery *d)
{
    uint8_t sealed[WEBHOOK_SECRET_LEN + CRYPTO_SEAL_EXTRA], secret[WEBHOOK_SECRET_LEN],
        mac[CRYPTO_HASH_LEN];
    const char *text = row_text(d->contact, "secret_sealed");
    char now[24], signature[CODEC_BASE64_LEN(CRYPTO_HASH_LEN) + 1];
    size_t n = 0;

    if (!codec_unbase64url(sealed, sizeof sealed, &n, text, strlen(text)) || n != sizeof sealed ||
        keyring_open(c->ctl, slice_str(d->contact_id), sealed, n, secret) != CRYPTO_OK) {
        return false;
    }
    snprintf(now, sizeof now, "%llu", (unsigned long long)(c->now_ms / 1000));
    struct crypto_hmac *h = crypto_hmac_new(CRYPTO_SHA256, secret, sizeof secret);
    crypto_wipe(secret, sizeof secret);
    crypto_hmac_begin(h);
    crypto_hmac_add(h, d->notice_id, strlen(d->notice_id));
    crypto_hmac_add(h, ".", 1);
    crypto_hmac_add(h, now, strlen(now));
    crypto_hmac_add(h, ".", 1);
    crypto_hmac_add(h, d->body, strlen(d->body));
    crypto_hmac_end(h, mac);
    crypto_hmac_free(&h);
    signature[codec_base64(signature, mac, sizeof mac)] = '\0';
    return add_header(d, "webhook-id: %s", d->notice_id) &&
           add_header(d, "webhook-timestamp: %s", now) &&
           add_header(d, "webhook-signature: v1,%s", signature);
}

static bool webhook(struct rest_call *c, struct delivery *d)
{
    d->body = event_text(d);
    if (!d->body || !sign(c, d) ||
        !add_header(d, "Content-Type: %s", "application/cloudevents+json")) {
        return false;
    }
    curl_easy_setopt(d->transfer.curl, CURLOPT_URL, row_text(d->contact, "address"));
    curl_easy_setopt(d->transfer.curl, CURLOPT_POSTFIELDS, d->body);
    curl_easy_setopt(d->transfer.curl, CURLOPT_HTTPHEADER, d->headers);
    return true;
}

/* E-mail ----------------------------------------------------------------------------------------
 */
/* A header text in encoded words of RFC 2047, each of whole characters. */
static void encode_words(struct buf *out, const char *text)
{
    struct slice s = slice_str(text);
    char word[CODEC_BASE64_LEN(WORD_BYTES)];

    while (s.n > 0) {
        size_t n = 0, step;
        while (n < s.n && (step = utf8_char(slice_of(s.p + n, s.n - n))) > 0 &&
               n + step <= WORD_BYTES) {
            n += step;
        }
        if (n == 0) {
            return;
        }
        buf_adds(out, out->n ? " =?UTF-8?B?" : "=?UTF-8?B?");
        buf_add(out, word, codec_base64(word, s.p, n));
        buf_adds(out, "?=");
        s = slice_of(s.p + n, s.n - n);
    }
}

static bool mail_text(struct delivery *d, bool zh)
{
    const char *detail = row_text(d->notice, "detail");
    struct buf text;

    buf_init(&text);
    buf_addf(&text, "%s\r\n\r\n", row_text(d->notice, zh ? "title_zh" : "title_en"));
    if (detail[0]) {
        buf_addf(&text, "%s\r\n\r\n", detail);
    }
    buf_addf(&text, "%s %s\r\n", zh ? "时间" : "At", row_text(d->notice, "created_at"));
    buf_addf(&text, "%s %s\r\n", zh ? "通知编号" : "Notice", d->notice_id);
    curl_mimepart *part = text.failed ? NULL : curl_mime_addpart(d->mime);
    bool ok = part && curl_mime_data(part, text.p, text.n) == CURLE_OK &&
              curl_mime_type(part, "text/plain; charset=utf-8") == CURLE_OK &&
              curl_mime_encoder(part, "base64") == CURLE_OK;
    buf_fini(&text);
    return ok;
}

static bool mail_headers(struct rest_call *c, struct delivery *d, bool zh)
{
    struct buf subject;

    buf_init(&subject);
    encode_words(&subject, row_text(d->notice, zh ? "title_zh" : "title_en"));
    buf_addc(&subject, '\0');
    bool ok = !subject.failed && add_header(d, "Subject: %s", subject.p) &&
              add_header(d, "From: <%s>", c->ctl->cfg->smtp_from) &&
              add_header(d, "To: <%s>", row_text(d->contact, "address")) &&
              add_header(d, "Message-ID: <%s@sluice>", d->notice_id) &&
              add_header(d, "Auto-Submitted: %s", "auto-generated");
    buf_fini(&subject);
    return ok;
}

static bool email(struct rest_call *c, struct delivery *d)
{
    const struct control_config *cfg = c->ctl->cfg;
    bool zh = strcmp(row_text(d->contact, "language"), "zh") == 0;
    char from[300];

    if (!cfg->smtp || !cfg->smtp_from) {
        return false;
    }
    d->mime = curl_mime_init(d->transfer.curl);
    d->recipients = curl_slist_append(NULL, row_text(d->contact, "address"));
    if (!d->mime || !d->recipients || !mail_headers(c, d, zh) || !mail_text(d, zh)) {
        return false;
    }
    snprintf(from, sizeof from, "<%s>", cfg->smtp_from);
    curl_easy_setopt(d->transfer.curl, CURLOPT_URL, cfg->smtp);
    /* The relay is the operator's choice, and of the management network as a rule. */
    curl_easy_setopt(d->transfer.curl, CURLOPT_OPENSOCKETFUNCTION, NULL);
    curl_easy_setopt(d->transfer.curl, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
    curl_easy_setopt(d->transfer.curl, CURLOPT_MAIL_FROM, from);
    curl_easy_setopt(d->transfer.curl, CURLOPT_MAIL_RCPT, d->recipients);
    curl_easy_setopt(d->transfer.curl, CURLOPT_HTTPHEADER, d->headers);
    curl_easy_setopt(d->transfer.curl, CURLOPT_MIMEPOST, d->mime);
    return true;
}

bool message_prepare(struct rest_call *c, struct delivery *d)
{
    d->transfer.curl = curl_easy_init();
    if (!d->transfer.curl) {
        return false;
    }
    outbound_prepare(d->transfer.curl, c->ctl->cfg);
    curl_easy_setopt(d->transfer.curl, CURLOPT_PRIVATE, d);
    return strcmp(row_text(d->contact, "channel"), "email") == 0 ? email(c, d) : webhook(c, d);
}
