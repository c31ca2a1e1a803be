/* SPDX-License-Identifier: Apache-2.0 */
/* The other way: chosen records go to a node by one request, under the run's serial, with their
 * digest; the node says what it took, and the two are reconciled. Who dies half way sends again
 * under the same serial: the node takes a serial once. */
#include <stdlib.h>

#include "base/codec.h"
#include "data/collect/inner.h"
#include "mask/mask.h"

#define SEND_MAX 10000 /* records of one message */

static json_t *masked(const struct mask_spec *spec, json_t *v)
{
    if (!spec->rule || !v || json_is_null(v))
        return v ? json_incref(v) : json_null();
    if (spec->rule == MASK_NULL)
        return json_null();
    char *text = json_is_string(v) ? strdup(json_string_value(v))
                                   : json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY);
    char *out = text ? malloc(MASK_OUT_MAX(strlen(text))) : NULL;
    json_t *result = out ? json_stringn(out, mask_apply(spec, NULL, slice_str(text), out)) : NULL;
    free(text);
    free(out);
    return result;
}

bool collect_outgoing(struct collect *c, const json_t *record)
{
    json_t *out = json_object();
    if (json_array_size(c->outgoing) >= SEND_MAX) {
        json_decref(out);
        return collect_fail(c, "failed", "too-large", "", "too many records for one message");
    }
    for (size_t i = 0; i < c->n_columns; i++)
        json_object_setn_new(out, c->columns[i].name.p, c->columns[i].name.n,
                             masked(&c->masks[i], json_object_getn(record, c->columns[i].name.p,
                                                                   c->columns[i].name.n)));
    c->accepted++;
    return json_array_append_new(c->outgoing, out) == 0 ||
           collect_fail(c, "failed", "out-of-memory", "", "");
}

static json_t *message_of(const struct collect *c, char hex[static 65])
{
    const json_t *send = json_object_get(c->job, "send");
    uint8_t hash[CRYPTO_HASH_LEN];
    char *payload = json_dumps(c->outgoing, JSON_COMPACT);
    if (!payload)
        return NULL;
    crypto_hash(CRYPTO_SM3, payload, strlen(payload), hash);
    hex[codec_hex(hex, hash, sizeof hash)] = '\0';
    json_t *message = json_pack(
        "{s:s, s:s, s:s, s:s, s:I, s:s, s:s}", "serial", collect_text(c->job, "run"), "sender",
        collect_text(send, "from"), "receiver", collect_text(send, "sender"), "at", c->at, "count",
        (json_int_t)json_array_size(c->outgoing), "sm3", hex, "payload", payload);
    free(payload);
    return message;
}

/* What the node says it took is what was sent, or it is not settled. */
static bool reconciled(struct collect *c, struct slice answer, const char *hex)
{
    json_t *reply = json_loadb(answer.p ? answer.p : "", answer.n, JSON_REJECT_DUPLICATES, NULL);
    bool same = json_integer_value(json_object_get(reply, "received")) ==
                    (json_int_t)json_array_size(c->outgoing) &&
                strcmp(collect_text(reply, "sm3"), hex) == 0 &&
                strcmp(collect_text(reply, "serial"), collect_text(c->job, "run")) == 0;
    json_decref(reply);
    return same ||
           collect_fail(c, "failed", "not-reconciled", "", "the node did not take what was sent");
}

bool collect_send(struct collect *c, char hex[static 65])
{
    json_t *request = json_deep_copy(json_object_get(c->job, "send"));
    json_t *message = message_of(c, hex);
    struct buf answer;
    buf_init(&answer);
    bool ok = request && message && json_object_set(request, "body", message) == 0 &&
              collect_fetch(c, request, &answer) && reconciled(c, buf_slice(&answer), hex);
    buf_wipe(&answer);
    json_decref(message);
    json_decref(request);
    return ok || c->code || collect_fail(c, "failed", "out-of-memory", "", "");
}
