/* SPDX-License-Identifier: Apache-2.0 */
#include "node/usage.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audit/audit.h"
#include "id/uuid.h"

#define DAY_US    86400000000ull
#define SLOTS     2048 /* a power of two, well above USAGE_ROWS_MAX */
#define OWNER_MAX 128
#define PATH_ROOM 700
#define TIMES     10
static const uint32_t time_ms[TIMES - 1] = {10, 20, 50, 100, 200, 500, 1000, 2000, 5000};

struct row {
    uint64_t day_ms;
    struct uuid api, app, grant;
    uint8_t owner_n;
    char owner[OWNER_MAX];
    uint64_t calls, refused, rows, bytes;
    uint64_t failed, times[TIMES]; /* of 5xx; of what was answered, by how long it took */
};

struct usage {
    const char *audit_dir;
    char path[PATH_ROOM];
    struct audit_places places, next; /* behind what was accepted; behind the batch as well */
    json_t *pending;                  /* NULL: none */
    struct row rows[USAGE_ROWS_MAX];
    size_t n;
    uint16_t slots[SLOTS]; /* index + 1 of a row; 0: free */
};

/* The file ---------------------------------------------------------------------------------------
 */
static json_t *places_write(const struct audit_places *places)
{
    json_t *list = json_array();

    for (size_t i = 0; i < AUDIT_STREAMS && places->of[i].seq > 0; i++) {
        json_array_append_new(
            list, json_pack("[I, I]", (json_int_t)places->of[i].seq, (json_int_t)places->of[i].at));
    }
    return list;
}

static void places_read(struct audit_places *places, const json_t *list)
{
    json_t *item;
    size_t i;

    json_array_foreach(list, i, item)
    {
        if (i < AUDIT_STREAMS) {
            places->of[i].seq = (uint64_t)json_integer_value(json_array_get(item, 0));
            places->of[i].at = (uint64_t)json_integer_value(json_array_get(item, 1));
        }
    }
}

static bool write_whole(const char *path, const char *text)
{
    char fresh[PATH_ROOM + 8];
    size_t n = strlen(text);

    snprintf(fresh, sizeof fresh, "%s.new", path);
    int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) {
        return false;
    }
    bool ok = write(fd, text, n) == (ssize_t)n && fsync(fd) == 0;
    ok = close(fd) == 0 && ok;
    return ok && rename(fresh, path) == 0;
}

static bool save(struct usage *u)
{
    json_t *file = json_pack("{s:i, s:o, s:o, s:O}", "v", 1, "places", places_write(&u->places),
                             "next", places_write(&u->next), "pending", u->pending);
    char *text = file == NULL ? NULL : json_dumps(file, JSON_COMPACT);
    bool ok = text != NULL && write_whole(u->path, text);

    free(text);
    json_decref(file);
    return ok;
}

static void restore(struct usage *u)
{
    json_t *file = json_load_file(u->path, JSON_REJECT_DUPLICATES, NULL);
    json_t *pending = json_object_get(file, "pending");

    places_read(&u->places, json_object_get(file, "places"));
    places_read(&u->next, json_object_get(file, "next"));
    if (json_is_object(pending)) {
        u->pending = json_incref(pending);
    } else {
        u->next = u->places;
    }
    json_decref(file);
}

struct usage *usage_new(const char *audit_dir, const char *state_dir)
{
    struct usage *u = calloc(1, sizeof *u);

    if (u == NULL) {
        return NULL;
    }
    u->audit_dir = audit_dir;
    int n = snprintf(u->path, sizeof u->path, "%s/usage.json", state_dir);
    if (n <= 0 || (size_t)n >= sizeof u->path) {
        usage_free(&u);
        return NULL;
    }
    restore(u);
    return u;
}

void usage_free(struct usage **u)
{
    if (*u != NULL) {
        json_decref((*u)->pending);
        free(*u);
        *u = NULL;
    }
}

/* Counting ---------------------------------------------------------------------------------------
 */
static uint64_t hash_of(const struct row *key)
{
    const uint8_t *parts[] = {(const uint8_t *)&key->day_ms, key->api.b, key->app.b, key->grant.b,
                              (const uint8_t *)key->owner};
    const size_t sizes[] = {sizeof key->day_ms, sizeof key->api.b, sizeof key->app.b,
                            sizeof key->grant.b, key->owner_n};
    uint64_t h = 14695981039346656037ull; /* FNV-1a */

    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        for (size_t k = 0; k < sizes[i]; k++) {
            h = (h ^ parts[i][k]) * 1099511628211ull;
        }
    }
    return h ^ h >> 32;
}

static bool same(const struct row *a, const struct row *b)
{
    return a->day_ms == b->day_ms && uuid_eq(&a->api, &b->api) && uuid_eq(&a->app, &b->app) &&
           uuid_eq(&a->grant, &b->grant) && a->owner_n == b->owner_n &&
           memcmp(a->owner, b->owner, a->owner_n) == 0;
}

/* NULL: there is no room for another row. */
static struct row *row_of(struct usage *u, const struct row *key)
{
    size_t at = (size_t)hash_of(key) & (SLOTS - 1);

    for (; u->slots[at] != 0; at = (at + 1) & (SLOTS - 1)) {
        if (same(&u->rows[u->slots[at] - 1], key)) {
            return &u->rows[u->slots[at] - 1];
        }
    }
    if (u->n == USAGE_ROWS_MAX) {
        return NULL;
    }
    u->rows[u->n] = *key;
    u->slots[at] = (uint16_t)(u->n + 1);
    return &u->rows[u->n++];
}

/* How it was served: whether it failed, or how long it took (SW-3.8b). */
static void count_service(struct row *row, const struct audit_call *call)
{
    size_t i = 0;

    row->failed += call->status >= 500;
    if (call->status >= 400) {
        return;
    }
    while (i < TIMES - 1 && call->elapsed_us > time_ms[i] * 1000u) {
        i++;
    }
    row->times[i]++;
}

static bool count(void *ctx, const struct audit_call *call)
{
    static const struct uuid nil;
    struct row key = {.day_ms = call->at_us / DAY_US * (DAY_US / 1000),
                      .api = call->api,
                      .app = call->app,
                      .grant = call->grant};
    struct row *row;

    if (uuid_eq(&call->api, &nil)) { /* no API answers there: nothing was used */
        return true;
    }
    key.owner_n = (uint8_t)(call->owner.n < OWNER_MAX ? call->owner.n : OWNER_MAX);
    if (key.owner_n > 0) {
        memcpy(key.owner, call->owner.p, key.owner_n);
    }
    row = row_of(ctx, &key);
    if (row == NULL) {
        return false;
    }
    row->calls++;
    row->refused += call->status >= 400;
    row->rows += call->rows;
    row->bytes += call->bytes_out;
    count_service(row, call);
    return true;
}

static void put_id(json_t *out, const char *name, const struct uuid *id)
{
    static const struct uuid nil;
    char text[UUID_TEXT_LEN + 1];

    if (!uuid_eq(id, &nil)) {
        uuid_format(id, text);
        json_object_set_new(out, name, json_string(text));
    }
}

static json_t *row_write(const struct row *row)
{
    json_t *out = json_pack("{s:I, s:I, s:I, s:I, s:I}", "day", (json_int_t)row->day_ms, "calls",
                            (json_int_t)row->calls, "refused", (json_int_t)row->refused, "rows",
                            (json_int_t)row->rows, "bytes", (json_int_t)row->bytes);

    json_t *times = json_array();
    for (size_t i = 0; i < TIMES; i++) {
        json_array_append_new(times, json_integer((json_int_t)row->times[i]));
    }
    json_object_set_new(out, "failed", json_integer((json_int_t)row->failed));
    json_object_set_new(out, "times", times);
    put_id(out, "api_id", &row->api);
    put_id(out, "app_id", &row->app);
    put_id(out, "grant_id", &row->grant);
    if (row->owner_n > 0) { /* one that is no text is nobody's here */
        json_object_set_new(out, "owner", json_stringn(row->owner, row->owner_n));
    }
    return out;
}

static json_t *batch_of(const struct usage *u)
{
    char text[UUID_TEXT_LEN + 1];
    struct uuid id;
    json_t *rows = json_array();

    uuid_new(&id);
    uuid_format(&id, text);
    for (size_t i = 0; i < u->n; i++) {
        json_array_append_new(rows, row_write(&u->rows[i]));
    }
    return json_pack("{s:s, s:o}", "id", text, "rows", rows);
}

json_t *usage_take(struct usage *u)
{
    if (u->pending != NULL) {
        return json_incref(u->pending);
    }
    u->n = 0;
    memset(u->slots, 0, sizeof u->slots);
    u->next = u->places;
    if (audit_follow(u->audit_dir, &u->next, count, u) != AUDIT_OK || u->n == 0) {
        u->places = u->next; /* what is passed over counts for nothing */
        return NULL;
    }
    u->pending = batch_of(u);
    if (u->pending == NULL || !save(u)) { /* the next turn counts it anew */
        json_decref(u->pending);
        u->pending = NULL;
        u->next = u->places;
        return NULL;
    }
    return json_incref(u->pending);
}

void usage_accepted(struct usage *u)
{
    json_decref(u->pending);
    u->pending = NULL;
    u->places = u->next;
}
