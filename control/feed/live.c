/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "feed/reports.h"

#define HOUR_MS (3600ull * 1000)

struct live {
    pthread_mutex_t lock; /* guards all below */
    json_t *nodes;
};

struct live *live_new(void)
{
    struct live *live = calloc(1, sizeof *live);

    if (live) {
        pthread_mutex_init(&live->lock, NULL);
        live->nodes = json_object();
    }
    return live;
}

void live_free(struct live **live)
{
    if (*live) {
        json_decref((*live)->nodes);
        pthread_mutex_destroy(&(*live)->lock);
        free(*live);
        *live = NULL;
    }
}

static json_int_t number(const json_t *object, const char *name)
{
    return json_integer_value(json_object_get(object, name));
}

/* Names are the nodes' own: the one silent longest makes room. */
static void make_room(json_t *nodes)
{
    const char *name, *oldest = NULL;
    json_t *node;
    json_int_t least = 0;

    if (json_object_size(nodes) < REPORTS_NODES_MAX) {
        return;
    }
    json_object_foreach(nodes, name, node)
    {
        if (!oldest || number(node, "received_at") < least) {
            oldest = name;
            least = number(node, "received_at");
        }
    }
    json_object_del(nodes, oldest);
}

void live_put(struct live *live, json_t *report, uint64_t now_ms)
{
    const char *name = json_string_value(json_object_get(report, "node"));

    json_object_set_new(report, "received_at", json_integer((json_int_t)now_ms));
    pthread_mutex_lock(&live->lock);
    json_t *old = json_object_get(live->nodes, name);
    json_int_t stored_ms = old ? number(old, "keys_at") : 0;
    if (!json_equal(json_object_get(old, "keys"), json_object_get(report, "keys")) ||
        (json_int_t)now_ms - stored_ms >= (json_int_t)HOUR_MS) {
        stored_ms = (json_int_t)now_ms;
    }
    json_object_set_new(report, "keys_at", json_integer(stored_ms));
    if (!old) {
        make_room(live->nodes);
    }
    json_object_set_new(live->nodes, name, report);
    pthread_mutex_unlock(&live->lock);
}

json_t *live_view(struct live *live)
{
    pthread_mutex_lock(&live->lock);
    json_t *copy = json_deep_copy(live->nodes);
    pthread_mutex_unlock(&live->lock);
    return copy;
}

bool live_same_keys(struct live *live, const json_t *report, uint64_t now_ms)
{
    pthread_mutex_lock(&live->lock);
    json_t *old = json_object_get(live->nodes, json_string_value(json_object_get(report, "node")));
    bool same = old && json_equal(json_object_get(old, "keys"), json_object_get(report, "keys")) &&
                (json_int_t)now_ms - number(old, "keys_at") < (json_int_t)HOUR_MS;
    pthread_mutex_unlock(&live->lock);
    return same;
}
