/* SPDX-License-Identifier: Apache-2.0 */
/* The first byte says which mode; what is taken must be JSON in both its parts. */
#include <stdlib.h>

#include "data/events/cloudevents.h"

static struct slice header(void *ctx, const char *name)
{
    (void)ctx;
    return strcmp(name, "ce-specversion") == 0 ? SLICE("1.0")
           : strcmp(name, "ce-id") == 0        ? SLICE("1")
           : strcmp(name, "ce-source") == 0    ? SLICE("/s")
           : strcmp(name, "ce-type") == 0      ? SLICE("t")
                                               : SLICE("");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct slice types[] = {{"application/cloudevents+json", 28},
                                         {"application/cloudevents-batch+json", 34},
                                         {"application/json", 16}};
    static struct event events[LOG_BATCH_MAX];
    struct ce_fault fault;
    struct buf store;
    size_t n = 0;
    if (size == 0)
        return 0;
    json_t *attributes = json_pack("[s, s]", "trace", "subject");
    json_t *guarded =
        json_pack("{s:s, s:[s]}", "do", data[0] & 16 ? "mask" : "refuse", "meant", "phone");
    const struct ce_input in = {.content_type = types[data[0] % 3],
                                .body = slice_of((const char *)data + 1, size - 1),
                                .header = header,
                                .attributes = attributes,
                                .guarded = data[0] & 8 ? guarded : NULL,
                                .owned = data[0] & 4,
                                .now_ms = 1};
    buf_init(&store);
    if (ce_parse(&in, events, LOG_BATCH_MAX, &n, &store, &fault)) {
        for (size_t i = 0; i < n; i++) {
            struct buf whole;
            buf_init(&whole);
            buf_add(&whole, events[i].head.p, events[i].head.n);
            buf_adds(&whole, ",\"data\":");
            buf_add(&whole, events[i].data.p, events[i].data.n);
            buf_addc(&whole, '}');
            json_t *json = json_loadb(whole.p, whole.n, JSON_REJECT_DUPLICATES, NULL);
            if (!json)
                abort();
            json_decref(json);
            buf_fini(&whole);
        }
    } else if (!fault.detail) {
        abort();
    }
    buf_fini(&store);
    json_decref(attributes);
    json_decref(guarded);
    return 0;
}
