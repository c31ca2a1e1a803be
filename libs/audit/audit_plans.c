/* SPDX-License-Identifier: Apache-2.0 */
/* Plans a writer has been given, by key and by handle. A handle is a slot and the slot's stamp; the
 * stamp changes when the slot is given to another plan, so a handle never means the wrong plan. */
#include <stdlib.h>

#include "audit/audit_format.h"

#define BUCKETS (PLANS_MAX * 2)
#define NONE    UINT32_MAX

struct slot {
    struct plans_entry entry;
    uint32_t newer, older; /* neighbours in the order of use */
    uint32_t next;         /* in the bucket, or in the free list */
    uint16_t stamp;
};

struct plans {
    struct slot *slots; /* grows by doubling up to PLANS_MAX */
    uint32_t n_slots, free, newest, oldest;
    size_t bytes;
    uint32_t buckets[BUCKETS];
};

struct plans *plans_new(void)
{
    struct plans *p = calloc(1, sizeof *p);
    if (p == NULL) {
        return NULL;
    }
    p->free = p->newest = p->oldest = NONE;
    memset(p->buckets, 0xff, sizeof p->buckets);
    return p;
}

void plans_free(struct plans **p)
{
    if (*p == NULL) {
        return;
    }
    for (uint32_t i = 0; i < (*p)->n_slots; i++) {
        free((*p)->slots[i].entry.payload);
    }
    free((*p)->slots);
    free(*p);
    *p = NULL;
}

static uint32_t *bucket_of(struct plans *p, uint64_t key)
{
    return &p->buckets[(key * 0x9e3779b97f4a7c15u >> 32) %
                       BUCKETS]; /* callers' keys may be counters */
}

static void unlink_use(struct plans *p, uint32_t i)
{
    struct slot *s = &p->slots[i];
    *(s->newer == NONE ? &p->newest : &p->slots[s->newer].older) = s->older;
    *(s->older == NONE ? &p->oldest : &p->slots[s->older].newer) = s->newer;
}

static void link_newest(struct plans *p, uint32_t i)
{
    struct slot *s = &p->slots[i];
    s->newer = NONE;
    s->older = p->newest;
    *(p->newest == NONE ? &p->oldest : &p->slots[p->newest].newer) = i;
    p->newest = i;
}

static uint32_t handle_of(const struct plans *p, uint32_t i)
{
    return (uint32_t)p->slots[i].stamp << 16 | (i + 1);
}

struct plans_entry *plans_find(struct plans *p, uint64_t key, uint32_t *handle)
{
    uint32_t i = *bucket_of(p, key);
    while (i != NONE && p->slots[i].entry.key != key) {
        i = p->slots[i].next;
    }
    if (i == NONE) {
        return NULL;
    }
    if (i != p->newest) {
        unlink_use(p, i);
        link_newest(p, i);
    }
    *handle = handle_of(p, i);
    return &p->slots[i].entry;
}

struct plans_entry *plans_at(struct plans *p, uint32_t handle)
{
    uint32_t i = (handle & 0xffff) - 1;
    if (i >= p->n_slots || p->slots[i].stamp != handle >> 16 || p->slots[i].entry.payload == NULL) {
        return NULL;
    }
    return &p->slots[i].entry;
}

static void drop_oldest(struct plans *p)
{
    uint32_t i = p->oldest;
    struct slot *s = &p->slots[i];
    uint32_t *at = bucket_of(p, s->entry.key);
    while (*at != i) {
        at = &p->slots[*at].next;
    }
    *at = s->next;
    unlink_use(p, i);
    p->bytes -= s->entry.n;
    free(s->entry.payload);
    s->entry = (struct plans_entry){0};
    s->stamp++;
    s->next = p->free;
    p->free = i;
}

static bool grow(struct plans *p)
{
    uint32_t n = p->n_slots == 0 ? 64 : p->n_slots * 2;
    struct slot *slots = n > PLANS_MAX ? NULL : reallocarray(p->slots, n, sizeof *slots);
    if (slots == NULL) {
        return false;
    }
    memset(slots + p->n_slots, 0, (n - p->n_slots) * sizeof *slots);
    for (uint32_t i = p->n_slots; i < n; i++) {
        slots[i].next = p->free;
        p->free = i;
    }
    p->slots = slots;
    p->n_slots = n;
    return true;
}

struct plans_entry *plans_add(struct plans *p, uint64_t key, const uint8_t *payload, size_t n,
                              uint32_t *handle)
{
    while (p->oldest != NONE && p->bytes + n > PLANS_BYTES_MAX) {
        drop_oldest(p);
    }
    if (p->free == NONE && !grow(p)) {
        if (p->oldest == NONE) {
            return NULL;
        }
        drop_oldest(p);
    }
    uint8_t *copy = malloc(n > 0 ? n : 1);
    if (copy == NULL) {
        return NULL;
    }
    memcpy(copy, payload, n);
    uint32_t i = p->free;
    struct slot *s = &p->slots[i];
    p->free = s->next;
    s->entry = (struct plans_entry){.key = key, .n = (uint32_t)n, .payload = copy};
    uint32_t *bucket = bucket_of(p, key);
    s->next = *bucket;
    *bucket = i;
    link_newest(p, i);
    p->bytes += n;
    *handle = handle_of(p, i);
    return &s->entry;
}
