/* SPDX-License-Identifier: Apache-2.0 */
/* A ring of fixed records in a mapped file. A writer takes a number, fills its record and then
 * writes the number into it, so a record that is half written is known as such. Kernel pages
 * outlive a killed process; after a power failure up to a second's records may be missing, as
 * nothing waits for the disk. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "oauth/inner.h"

#define MAGIC   "slissue1"
#define RECORDS 65536u

struct head {
    char magic[8];
    _Atomic uint64_t next; /* number of the record to be taken next */
    _Atomic uint64_t done; /* those below are imported */
    char pad[40];
};
struct cell {
    _Atomic uint32_t written; /* low bits of its number + 1 */
    uint32_t life_ms;
    uint64_t at_ms;
    struct uuid token, app;
    uint8_t binding, pad[15];
};
_Static_assert(sizeof(struct head) == 64 && sizeof(struct cell) == 64, "a cache line each");

struct journal {
    struct head *head;
    struct cell *cells;
};
#define BYTES (sizeof(struct head) + RECORDS * sizeof(struct cell))

static bool cell_written(const struct cell *cell, uint64_t number)
{
    return atomic_load_explicit(&cell->written, memory_order_acquire) == (uint32_t)(number + 1);
}

/* A number taken by a process that died before it wrote was never a token. */
static void repair(struct journal *j)
{
    for (uint64_t n = j->head->done; n < j->head->next; n++) {
        struct cell *cell = &j->cells[n % RECORDS];
        if (!cell_written(cell, n)) {
            *cell = (struct cell){0};
            atomic_store(&cell->written, (uint32_t)(n + 1));
        }
    }
}

struct journal *journal_open(const char *path)
{
    struct journal *j = calloc(1, sizeof *j);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    struct stat st;
    void *map = MAP_FAILED;

    if (j && fd >= 0 && fstat(fd, &st) == 0 &&
        (st.st_size == (off_t)BYTES || (st.st_size == 0 && posix_fallocate(fd, 0, BYTES) == 0))) {
        map = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    }
    if (fd >= 0) {
        close(fd);
    }
    if (map == MAP_FAILED) {
        fprintf(stderr, "sluice: control: %s: cannot be used: %s\n", path, strerror(errno));
        free(j);
        return NULL;
    }
    *j = (struct journal){map, (struct cell *)((char *)map + sizeof(struct head))};
    if (j->head->magic[0] == '\0') {
        memcpy(j->head->magic, MAGIC, sizeof j->head->magic);
    }
    if (memcmp(j->head->magic, MAGIC, sizeof j->head->magic) != 0 ||
        j->head->next - j->head->done > RECORDS) {
        fprintf(stderr, "sluice: control: %s: not a journal of tokens\n", path);
        journal_close(&j);
        return NULL;
    }
    repair(j);
    return j;
}

void journal_close(struct journal **j)
{
    if (*j) {
        munmap((*j)->head, BYTES);
        free(*j);
        *j = NULL;
    }
}

bool journal_add(struct journal *j, const struct journal_record *r)
{
    uint64_t n = atomic_load(&j->head->next);

    do {
        if (n - atomic_load(&j->head->done) >= RECORDS) {
            return false;
        }
    } while (!atomic_compare_exchange_weak(&j->head->next, &n, n + 1));
    struct cell *cell = &j->cells[n % RECORDS];
    cell->token = r->token;
    cell->app = r->app;
    cell->at_ms = r->at_ms;
    cell->life_ms = (uint32_t)(r->expires_ms - r->at_ms);
    cell->binding = r->binding;
    atomic_store_explicit(&cell->written, (uint32_t)(n + 1), memory_order_release);
    return true;
}

size_t journal_peek(struct journal *j, struct journal_record *out, size_t cap)
{
    uint64_t from = atomic_load(&j->head->done), to = atomic_load(&j->head->next);
    size_t n = 0;

    while (n < cap && from + n < to) {
        const struct cell *cell = &j->cells[(from + n) % RECORDS];
        if (!cell_written(cell, from + n)) {
            break; /* being written: next time */
        }
        out[n++] = (struct journal_record){.token = cell->token,
                                           .app = cell->app,
                                           .at_ms = cell->at_ms,
                                           .expires_ms = cell->at_ms + cell->life_ms,
                                           .binding = cell->binding};
    }
    return n;
}

void journal_done(struct journal *j, size_t n)
{
    atomic_fetch_add(&j->head->done, n);
}
