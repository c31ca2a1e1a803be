/* SPDX-License-Identifier: Apache-2.0 */
#include "data/events/cloudevents.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <xxhash.h>

#include "base/clock.h"

#define ATTRIBUTES_MAX 64

/* Where a slice of an event lies in the store while the store may still move. */
struct span {
    size_t at, n;
};
struct spans {
    struct span key, owner, type, head, data;
};

static const char *const known[] = {"specversion", "id",   "source",      "type",
                                    "time",        "data", "data_base64", "datacontenttype",
                                    "dataschema",  NULL};

static bool is_known(const char *name)
{
    for (size_t i = 0; known[i]; i++)
        if (strcmp(known[i], name) == 0)
            return true;
    return false;
}

static bool name_ok(const char *name)
{
    size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789");
    return n > 0 && n <= 64 && name[n] == '\0';
}

/* Control characters are no part of an attribute (CloudEvents 1.0, type system). */
static bool text_ok(struct slice s, size_t max)
{
    bool ok = s.n > 0 && s.n <= max;
    for (size_t i = 0; ok && i < s.n; i++)
        ok = (unsigned char)s.p[i] >= 0x20 && s.p[i] != 0x7f;
    return ok;
}

static struct slice text(const json_t *event, const char *name)
{
    const json_t *v = json_object_get(event, name);
    return json_is_string(v) ? slice_of(json_string_value(v), json_string_length(v)) : SLICE("");
}

/* "application/json; charset=utf-8" is application/json. */
static bool media_is(struct slice type, const char *wanted)
{
    size_t n = strlen(wanted);
    if (type.n < n || strncasecmp(type.p, wanted, n) != 0)
        return false;
    return type.n == n || type.p[n] == ';' || type.p[n] == ' ';
}

static bool json_media(struct slice type)
{
    const char *end = type.n ? memchr(type.p, ';', type.n) : NULL;
    size_t n = end ? (size_t)(end - type.p) : type.n;
    return type.n == 0 || media_is(type, "application/json") ||
           (n > 5 && strncasecmp(type.p + n - 5, "+json", 5) == 0);
}

static const char *check(const json_t *event, const struct ce_input *in)
{
    const char *name;
    json_t *value;
    uint64_t at;
    struct slice time = text(event, "time");
    if (!json_is_object(event))
        return "an event is a JSON object";
    if (!slice_eq(text(event, "specversion"), SLICE("1.0")))
        return "specversion 1.0 is needed";
    if (!text_ok(text(event, "id"), CE_ID_MAX))
        return "id is a text of 1 to 256 bytes";
    if (!text_ok(text(event, "source"), CE_SOURCE_MAX))
        return "source is a URI reference of 1 to 1024 bytes";
    if (!text_ok(text(event, "type"), CE_TYPE_MAX))
        return "type is a text of 1 to 255 bytes";
    if (json_object_get(event, "time") && !clock_parse_ms(time.p, time.n, &at))
        return "time is an RFC 3339 time in UTC";
    if (json_object_get(event, "data_base64") || !json_media(text(event, "datacontenttype")))
        return "data is JSON: nothing else can be masked field by field";
    value = json_object_get(event, "data");
    if (!json_is_object(value) && !json_is_array(value))
        return "data is a JSON object or an array of objects";
    if (json_object_size(event) > ATTRIBUTES_MAX)
        return "an event has at most 64 attributes";
    json_object_foreach((json_t *)event, name, value)
    {
        if (!is_known(name) && (!name_ok(name) || json_is_object(value) || json_is_array(value)))
            return "an extension attribute has a name of a-z and 0-9 and a plain value";
    }
    if (in->owned && !text_ok(text(event, "sluiceowner"), CE_OWNER_MAX))
        return "sluiceowner says whose data an event of this topic is";
    struct slice key = text(event, "partitionkey");
    if (json_object_get(event, "partitionkey") && !text_ok(key, CE_KEY_MAX))
        return "partitionkey is a text of 1 to 256 bytes";
    return NULL;
}

/* What is passed on beside the data, and has no level: covered as well. What says which event it is
 * cannot be another. */
static const char *guard_attributes(const json_t *event, const struct ce_input *in,
                                    enum personal_guard guard, struct personal_seen *seen)
{
    static const char *const naming[] = {"id", "source", "type"};
    const json_t *name;
    size_t i;
    for (i = 0; i < sizeof naming / sizeof *naming; i++) {
        const char *kind = personal_find(text(event, naming[i]));
        if (!kind)
            continue;
        seen->kind = kind;
        snprintf(seen->path, sizeof seen->path, "%s", naming[i]);
        return "what names the event holds personal information";
    }
    json_array_foreach(in->attributes, i, name)
    {
        const char *word = json_string_value(name);
        json_t *value = word && !is_known(word) ? json_object_get(event, word) : NULL;
        json_t *one = json_pack("{s:O?}", word ? word : "", value);
        bool passed = !value || personal_document(guard, NULL, &one, seen);
        if (value && passed)
            json_object_set((json_t *)(uintptr_t)event, word, json_object_get(one, word));
        json_decref(one);
        if (!passed)
            return "an attribute that is passed on holds personal information";
    }
    return NULL;
}

/* NULL: it may be kept; covered where that is the policy. */
static const char *guard_event(json_t *event, const struct ce_input *in, struct personal_seen *seen)
{
    enum personal_guard guard = personal_guard_of(in->guarded);
    if (guard == PERSONAL_OFF)
        return NULL;
    const char *why = guard_attributes(event, in, guard, seen);
    if (why)
        return why;
    json_t *data = json_incref(json_object_get(event, "data"));
    bool passed = personal_document(guard, json_object_get(in->guarded, "meant"), &data, seen);
    json_decref(data); /* changed in place: an object or an array */
    return passed ? NULL : PERSONAL_REFUSED;
}

static struct span add(struct buf *store, struct slice s)
{
    struct span at = {store->n, s.n};
    buf_add(store, s.p, s.n);
    return at;
}

static void add_attribute(struct buf *out, const char *name, const json_t *value)
{
    char *dumped = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    buf_addc(out, ',');
    buf_add_json(out, slice_str(name));
    buf_addc(out, ':');
    buf_adds(out, dumped ? dumped : "null");
    free(dumped);
}

void ce_head(struct buf *out, struct slice id, struct slice source, struct slice type,
             struct slice time)
{
    buf_adds(out, "{\"specversion\":\"1.0\",\"id\":");
    buf_add_json(out, id);
    buf_adds(out, ",\"source\":");
    buf_add_json(out, source);
    buf_adds(out, ",\"type\":");
    buf_add_json(out, type);
    buf_adds(out, ",\"time\":");
    buf_add_json(out, time);
    buf_adds(out, ",\"datacontenttype\":\"application/json\"");
}

void ce_identity(struct event *e, struct slice source, struct slice id)
{
    XXH128_hash_t h = XXH3_128bits_withSeed(id.p, id.n, XXH3_64bits(source.p, source.n));
    e->identity[0] = h.low64;
    e->identity[1] = h.high64;
}

static int to_buf(const char *p, size_t n, void *ctx)
{
    buf_add(ctx, p, n);
    return 0;
}

static bool take(const json_t *event, const struct ce_input *in, struct event *e, struct spans *at,
                 struct buf *store)
{
    char now[CLOCK_RFC3339_LEN + 1];
    const json_t *name;
    size_t i;
    struct slice time = text(event, "time"), key = text(event, "partitionkey");
    clock_format_ms(in->now_ms, now);
    *e = (struct event){0};
    ce_identity(e, text(event, "source"), text(event, "id"));
    at->owner = in->owned ? add(store, text(event, "sluiceowner")) : (struct span){store->n, 0};
    at->key = key.n ? add(store, key) : at->owner;
    at->type = add(store, text(event, "type"));
    at->head.at = store->n;
    ce_head(store, text(event, "id"), text(event, "source"), text(event, "type"),
            time.n ? time : slice_str(now));
    json_array_foreach(in->attributes, i, name)
    {
        const char *word = json_string_value(name);
        const json_t *value = word ? json_object_get(event, word) : NULL;
        if (value && !json_is_object(value) && !json_is_array(value) && !is_known(word))
            add_attribute(store, word, value);
    }
    at->head.n = store->n - at->head.at;
    at->data.at = store->n;
    bool ok = json_dump_callback(json_object_get(event, "data"), to_buf, store, JSON_COMPACT) == 0;
    at->data.n = store->n - at->data.at;
    return ok && !store->failed;
}

static struct slice settle(const struct buf *store, struct span s)
{
    return slice_of(store->p + s.at, s.n);
}

/* Binary mode: the attributes are headers; only those a topic can pass on are looked for. */
static json_t *from_headers(const struct ce_input *in, json_t *data)
{
    static const char *const always[] = {"specversion", "id",           "source",     "type",
                                         "time",        "partitionkey", "sluiceowner"};
    json_t *event = json_object(), *name;
    char header[80];
    size_t i;
    for (i = 0; i < sizeof always / sizeof *always; i++) {
        snprintf(header, sizeof header, "ce-%s", always[i]);
        struct slice v = in->header(in->ctx, header);
        if (v.n)
            json_object_set_new(event, always[i], json_stringn(v.p, v.n));
    }
    json_array_foreach(in->attributes, i, name)
    {
        const char *word = json_string_value(name);
        snprintf(header, sizeof header, "ce-%.64s", word ? word : "");
        struct slice v = word && !is_known(word) ? in->header(in->ctx, header) : SLICE("");
        if (v.n)
            json_object_set_new(event, word, json_stringn(v.p, v.n));
    }
    json_object_set_new(event, "data", data);
    return event;
}

static json_t *read_batch(const struct ce_input *in, struct ce_fault *fault)
{
    json_t *body = json_loadb(in->body.p, in->body.n, JSON_REJECT_DUPLICATES, NULL);
    fault->detail = "the body is not JSON";
    if (!body)
        return NULL;
    if (media_is(in->content_type, "application/cloudevents-batch+json")) {
        fault->detail = "a batch is a JSON array of events";
        if (json_is_array(body) && json_array_size(body))
            return body;
        json_decref(body);
        return NULL;
    }
    if (media_is(in->content_type, "application/cloudevents+json"))
        return json_pack("[o]", body);
    if (in->header(in->ctx, "ce-specversion").n && json_media(in->content_type))
        return json_pack("[o]", from_headers(in, body));
    json_decref(body);
    fault->detail = "the content type is application/cloudevents+json or "
                    "application/cloudevents-batch+json, or ce- headers carry the attributes";
    return NULL;
}

bool ce_parse(const struct ce_input *in, struct event *events, size_t max, size_t *n,
              struct buf *store, struct ce_fault *fault)
{
    *fault = (struct ce_fault){0};
    *n = 0;
    json_t *batch = read_batch(in, fault), *event;
    if (!batch)
        return false;
    size_t count = json_array_size(batch), i;
    struct spans *at = calloc(count, sizeof *at);
    fault->detail = count > max ? "a batch has at most 1000 events" : at ? NULL : "out of memory";
    json_array_foreach(batch, i, event)
    {
        if (fault->detail)
            break;
        fault->index = i;
        fault->detail = check(event, in);
        if (!fault->detail) {
            fault->detail = guard_event(event, in, &fault->seen);
            fault->personal = fault->detail != NULL;
        }
        if (!fault->detail && !take(event, in, &events[i], &at[i], store))
            fault->detail = "the event cannot be kept";
    }
    for (i = 0; !fault->detail && i < count; i++) {
        events[i].key = settle(store, at[i].key);
        events[i].owner = settle(store, at[i].owner);
        events[i].type = settle(store, at[i].type);
        events[i].head = settle(store, at[i].head);
        events[i].data = settle(store, at[i].data);
    }
    *n = fault->detail ? 0 : count;
    free(at);
    json_decref(batch);
    return !fault->detail;
}
