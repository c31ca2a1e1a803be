/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/audit_ledger.h"

#include <inttypes.h>

#include "base/clock.h"
#include "base/codec.h"

#define SIG_MARK ",\"sig\":\""

static void add_hex(struct buf *out, const char *name, const uint8_t v[static SEG_CHAIN_LEN])
{
    char hex[CODEC_HEX_LEN(SEG_CHAIN_LEN)];
    codec_hex(hex, v, SEG_CHAIN_LEN);
    buf_addf(out, ",\"%s\":\"%.*s\"", name, (int)sizeof hex, hex);
}

static void add_mark(struct buf *out, const struct mark *m)
{
    buf_addf(out,
             "\"stream\":%" PRIu32 ",\"seq\":%" PRIu64 ",\"records\":%" PRIu64 ",\"end\":%" PRIu64,
             m->stream, m->seq, m->records, m->end);
    add_hex(out, "chain", m->chain);
}

static void add_signature(struct buf *out, const struct crypto_sm2 *key)
{
    uint8_t sig[CRYPTO_SM2_SIG_MAX];
    char text[CODEC_BASE64_LEN(CRYPTO_SM2_SIG_MAX)];
    size_t sig_n;
    crypto_sm2_sign(key, out->p, out->n, sig, &sig_n);
    size_t n = codec_base64(text, sig, sig_n);
    buf_addf(out, SIG_MARK "%.*s\"}", (int)n, text);
}

void seal_write(struct buf *out, const struct seal *s, const struct crypto_sm2 *key)
{
    char at[CLOCK_RFC3339_LEN + 1];
    clock_format_ms(s->sealed_ms, at);
    buf_addf(out, "{\"sluice\":\"seal\",\"v\":1,\"node\":\"%s\",", s->node);
    add_mark(out, &s->mark);
    buf_addf(out, ",\"broken\":%s,\"sealed_at\":\"%s\"", s->broken ? "true" : "false", at);
    add_hex(out, "previous", s->previous);
    if (!out->failed) {
        add_signature(out, key);
    }
}

void heads_write(struct buf *out, const struct heads *h, const struct crypto_sm2 *key)
{
    char at[CLOCK_RFC3339_LEN + 1];
    clock_format_ms(h->at_ms, at);
    buf_addf(out, "{\"sluice\":\"heads\",\"v\":1,\"at\":\"%s\",\"seals\":%" PRIu64, at, h->seals);
    add_hex(out, "last_seal", h->last_seal);
    buf_adds(out, ",\"streams\":[");
    for (size_t i = 0; i < h->n; i++) {
        buf_adds(out, i == 0 ? "{" : ",{");
        add_mark(out, &h->marks[i]);
        buf_addc(out, '}');
    }
    buf_addc(out, ']');
    if (!out->failed) {
        add_signature(out, key);
    }
}

static bool read_hex(uint8_t out[static SEG_CHAIN_LEN], const char *text)
{
    size_t n;
    return codec_unhex(out, SEG_CHAIN_LEN, &n, text, strlen(text)) && n == SEG_CHAIN_LEN;
}

static bool mark_ok(const struct mark *m, json_int_t stream, json_int_t seq, json_int_t records,
                    json_int_t end)
{
    return stream >= 0 && stream < SEG_STREAMS_MAX && seq > 0 && records >= 0 && end >= 0 &&
           m != NULL;
}

static bool read_seal_members(struct seal *s, json_t *line)
{
    const char *kind, *node, *at, *chain, *previous, *sig;
    json_int_t v, stream, seq, records, end;
    int broken;
    if (json_unpack(line, "{s:s,s:I,s:s,s:I,s:I,s:I,s:I,s:s,s:b,s:s,s:s,s:s!}", "sluice", &kind,
                    "v", &v, "node", &node, "stream", &stream, "seq", &seq, "records", &records,
                    "end", &end, "chain", &chain, "broken", &broken, "sealed_at", &at, "previous",
                    &previous, "sig", &sig) != 0) {
        return false;
    }
    *s = (struct seal){.broken = broken != 0};
    if (strcmp(kind, "seal") != 0 || v != 1 || strlen(node) > SEG_NODE_MAX ||
        !mark_ok(&s->mark, stream, seq, records, end) || !read_hex(s->mark.chain, chain) ||
        !read_hex(s->previous, previous) || !clock_parse_ms(at, strlen(at), &s->sealed_ms)) {
        return false;
    }
    memcpy(s->node, node, strlen(node));
    s->mark.stream = (uint32_t)stream;
    s->mark.seq = (uint64_t)seq;
    s->mark.records = (uint64_t)records;
    s->mark.end = (uint64_t)end;
    return true;
}

bool seal_read(struct seal *s, struct slice line)
{
    json_t *json = json_loadb(line.p, line.n, JSON_REJECT_DUPLICATES, NULL);
    bool ok = json != NULL && read_seal_members(s, json);
    json_decref(json);
    return ok;
}

static bool read_mark(struct mark *m, json_t *json)
{
    const char *chain;
    json_int_t stream, seq, records, end;
    if (json_unpack(json, "{s:I,s:I,s:I,s:I,s:s!}", "stream", &stream, "seq", &seq, "records",
                    &records, "end", &end, "chain", &chain) != 0 ||
        !mark_ok(m, stream, seq, records, end) || !read_hex(m->chain, chain)) {
        return false;
    }
    m->stream = (uint32_t)stream;
    m->seq = (uint64_t)seq;
    m->records = (uint64_t)records;
    m->end = (uint64_t)end;
    return true;
}

static bool read_heads_members(struct heads *h, json_t *line)
{
    const char *kind, *at, *last, *sig;
    json_int_t v, seals;
    json_t *streams, *item;
    size_t i;
    if (json_unpack(line, "{s:s,s:I,s:s,s:I,s:s,s:o,s:s!}", "sluice", &kind, "v", &v, "at", &at,
                    "seals", &seals, "last_seal", &last, "streams", &streams, "sig", &sig) != 0 ||
        strcmp(kind, "heads") != 0 || v != 1 || seals < 0 || !json_is_array(streams) ||
        json_array_size(streams) > SEG_STREAMS_MAX || !read_hex(h->last_seal, last) ||
        !clock_parse_ms(at, strlen(at), &h->at_ms)) {
        return false;
    }
    h->seals = (uint64_t)seals;
    h->n = json_array_size(streams);
    json_array_foreach(streams, i, item)
    {
        if (!read_mark(&h->marks[i], item)) {
            return false;
        }
    }
    return true;
}

bool heads_read(struct heads *h, struct slice line)
{
    json_t *json = json_loadb(line.p, line.n, JSON_REJECT_DUPLICATES, NULL);
    bool ok = json != NULL && read_heads_members(h, json);
    json_decref(json);
    return ok;
}

bool line_signed_by(struct slice line, const struct crypto_sm2 *key)
{
    const size_t mark_n = sizeof SIG_MARK - 1;
    const char *at = NULL;
    for (const char *p = line.p;
         (p = memmem(p, line.n - (size_t)(p - line.p), SIG_MARK, mark_n)) != NULL; p++) {
        at = p; /* the last one: the signature ends the line */
    }
    if (at == NULL || line.n < 2 || memcmp(line.p + line.n - 2, "\"}", 2) != 0) {
        return false;
    }
    uint8_t sig[CRYPTO_SM2_SIG_MAX];
    size_t sig_n, from = (size_t)(at - line.p) + mark_n;
    return from <= line.n - 2 &&
           codec_unbase64(sig, sizeof sig, &sig_n, line.p + from, line.n - 2 - from) &&
           crypto_sm2_verify(key, line.p, (size_t)(at - line.p), sig, sig_n) == CRYPTO_OK;
}
