/* SPDX-License-Identifier: Apache-2.0 */
#include "data/events/block.h"

#include <unistd.h>
#include <xxhash.h>

#define MAGIC      0x56454c53u /* "SLEV" */
#define EVENT_HEAD 30

struct wire { /* 40 bytes, no holes */
    uint32_t magic, sealed_n;
    uint64_t first, at_ms;
    uint32_t count, zero;
    uint64_t check; /* of what stands before it */
};
_Static_assert(sizeof(struct wire) == BLOCK_HEAD, "the header has no holes");

void block_add(struct buf *plain, const struct event *e)
{
    const uint16_t key_n = (uint16_t)e->key.n, owner_n = (uint16_t)e->owner.n,
                   type_n = (uint16_t)e->type.n;
    const uint32_t head_n = (uint32_t)e->head.n, data_n = (uint32_t)e->data.n;
    buf_add(plain, e->identity, sizeof e->identity);
    buf_add(plain, &key_n, 2);
    buf_add(plain, &owner_n, 2);
    buf_add(plain, &type_n, 2);
    buf_add(plain, &head_n, 4);
    buf_add(plain, &data_n, 4);
    buf_add(plain, e->key.p, e->key.n);
    buf_add(plain, e->owner.p, e->owner.n);
    buf_add(plain, e->type.p, e->type.n);
    buf_add(plain, e->head.p, e->head.n);
    buf_add(plain, e->data.p, e->data.n);
}

static struct slice part(const char **p, size_t n)
{
    struct slice s = slice_of(*p, n);
    *p += n;
    return s;
}

bool block_event(struct slice plain, size_t *at, struct event *e)
{
    uint16_t n16[3];
    uint32_t n32[2];
    if (plain.n < EVENT_HEAD || *at > plain.n - EVENT_HEAD)
        return false;
    const char *p = plain.p + *at;
    memset(e, 0, sizeof *e);
    memcpy(e->identity, p, 16);
    memcpy(n16, p + 16, sizeof n16);
    memcpy(n32, p + 22, sizeof n32);
    size_t n = (size_t)n16[0] + n16[1] + n16[2] + n32[0] + n32[1];
    if (n > plain.n - *at - EVENT_HEAD)
        return false;
    p += EVENT_HEAD;
    e->key = part(&p, n16[0]);
    e->owner = part(&p, n16[1]);
    e->type = part(&p, n16[2]);
    e->head = part(&p, n32[0]);
    e->data = part(&p, n32[1]);
    *at += EVENT_HEAD + n;
    return true;
}

static struct slice aad_of(const struct block_key *key, uint64_t first, uint64_t at_ms,
                           uint8_t out[static 32])
{
    memcpy(out, key->topic.b, UUID_LEN);
    memcpy(out + 16, &first, 8);
    memcpy(out + 24, &at_ms, 8);
    return slice_of((const char *)out, 32);
}

bool block_seal(const struct block_key *key, uint64_t first, uint64_t at_ms, size_t count,
                const struct buf *plain, struct buf *out)
{
    uint8_t aad[32];
    struct wire w = {.magic = MAGIC, .first = first, .at_ms = at_ms, .count = (uint32_t)count};
    if (plain->n > BLOCK_BYTES)
        return false;
    w.sealed_n = (uint32_t)(plain->n + CRYPTO_SEAL_EXTRA);
    w.check = XXH3_64bits(&w, offsetof(struct wire, check));
    buf_clear(out);
    buf_add(out, &w, sizeof w);
    if (!buf_reserve(out, w.sealed_n))
        return false;
    crypto_seal(key->key, aad_of(key, first, at_ms, aad), plain->p, plain->n,
                (uint8_t *)out->p + out->n);
    out->n += w.sealed_n;
    return true;
}

static bool read_at(int fd, uint64_t offset, void *p, size_t n)
{
    char *at = p;
    while (n) {
        ssize_t got = pread(fd, at, n, (off_t)offset);
        if (got <= 0)
            return false;
        at += got;
        offset += (uint64_t)got;
        n -= (size_t)got;
    }
    return true;
}

static bool head_of(const struct wire *w, struct block_head *head)
{
    if (w->magic != MAGIC || w->check != XXH3_64bits(w, offsetof(struct wire, check)) ||
        w->sealed_n < CRYPTO_SEAL_EXTRA || w->sealed_n > BLOCK_BYTES + CRYPTO_SEAL_EXTRA ||
        w->count == 0 || w->first == 0)
        return false;
    *head = (struct block_head){w->sealed_n, w->count, w->first, w->at_ms};
    return true;
}

bool block_read_head(int fd, uint64_t offset, struct block_head *head)
{
    struct wire w;
    return read_at(fd, offset, &w, sizeof w) && head_of(&w, head);
}

bool block_parse_head(struct slice block, struct block_head *head)
{
    struct wire w;
    struct block_head h;
    if (block.n < sizeof w)
        return false;
    memcpy(&w, block.p, sizeof w);
    if (!head_of(&w, &h) || block.n != sizeof w + h.sealed_n)
        return false;
    *head = h;
    return true;
}

static bool open_sealed(const char *sealed, const struct block_head *head,
                        const struct block_key *key, struct buf *plain)
{
    uint8_t aad[32];
    size_t n = head->sealed_n - CRYPTO_SEAL_EXTRA;
    buf_clear(plain);
    if (!buf_reserve(plain, n + 1) ||
        crypto_open(key->key, aad_of(key, head->first, head->at_ms, aad), sealed, head->sealed_n,
                    (uint8_t *)plain->p) != CRYPTO_OK)
        return false;
    plain->n = n;
    return true;
}

bool block_open(struct slice block, const struct block_head *head, const struct block_key *key,
                struct buf *plain)
{
    return open_sealed(block.p + BLOCK_HEAD, head, key, plain);
}

bool block_read(int fd, uint64_t offset, const struct block_head *head, const struct block_key *key,
                struct buf *raw, struct buf *plain)
{
    buf_clear(raw);
    return buf_reserve(raw, head->sealed_n) &&
           read_at(fd, offset + BLOCK_HEAD, raw->p, head->sealed_n) &&
           open_sealed(raw->p, head, key, plain);
}
