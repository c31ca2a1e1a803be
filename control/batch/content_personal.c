/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <unistd.h>

#include "api/api.h"
#include "batch/content.h"
#include "classify/classify.h"

enum problem content_personal_policy(struct rest_call *c, const json_t *row,
                                     enum personal_guard *guard)
{
    char value[CLASSIFY_SETTING_MAX] = "off";
    struct store_txn *txn = NULL;
    enum problem p = PROBLEM_OK;

    *guard = PERSONAL_OFF;
    if (json_is_true(json_object_get(json_object_get(row, "personal"), "meant"))) {
        return PROBLEM_OK;
    }
    p = rest_begin(c, STORE_READ, &txn);
    p = p == PROBLEM_OK ? classify_setting(c, txn, "submitted-personal", value) : p;
    store_rollback(&txn);
    *guard = personal_guard_named(value);
    return p;
}

static bool fill(int fd, const struct personal_hit *hit)
{
    char *stars = malloc(hit->n);
    bool ok = stars != NULL;

    if (ok) {
        personal_fill(stars, hit->n, hit->literal);
        ok = pwrite(fd, stars, hit->n, (off_t)hit->at) == (ssize_t)hit->n;
    }
    free(stars);
    return ok;
}

static void on_hit(void *ctx, const struct personal_hit *hit)
{
    struct content_personal *look = ctx;
    json_int_t before = json_integer_value(json_object_get(look->found, hit->kind));

    json_object_set_new(look->found, hit->kind, json_integer(before + 1));
    look->line = look->hits++ ? look->line : hit->line;
    if (look->guard == PERSONAL_MASK && look->fd >= 0) {
        look->failed |= !fill(look->fd, hit);
    }
}

bool content_personal_begin(struct content_personal *look, enum personal_guard guard, int fd)
{
    *look = (struct content_personal){.guard = guard, .fd = fd};
    if (guard == PERSONAL_OFF) {
        return true;
    }
    look->found = json_object();
    look->stream = personal_stream_new(on_hit, look);
    return look->stream != NULL;
}

void content_personal_add(void *ctx, struct slice plain)
{
    struct content_personal *look = ctx;

    if (look->stream) {
        personal_stream_add(look->stream, plain);
    }
}

/* What was packed or sealed stays as its sender made it, or does not come in. */
static enum problem judge(struct rest_call *c, const struct content_personal *look)
{
    char line[40];

    if (look->failed) {
        return PROBLEM_STORAGE_FULL;
    }
    if (look->hits == 0 || (look->guard == PERSONAL_MASK && look->fd >= 0)) {
        return PROBLEM_OK;
    }
    snprintf(line, sizeof line, "line %llu", (unsigned long long)look->line);
    return rest_fail(c, PROBLEM_SENSITIVE_FIELD, line,
                     "%s, %llu times: hand it in without personal information, or with the "
                     "metadata personal (meant) if it is meant to hold it",
                     json_object_iter_key(json_object_iter(look->found)),
                     (unsigned long long)look->hits);
}

enum problem content_personal_end(struct rest_call *c, struct content_personal *look, json_t *row,
                                  bool *covered)
{
    enum problem p = PROBLEM_OK;

    *covered = false;
    if (look->stream) {
        personal_stream_end(look->stream);
        p = judge(c, look);
        *covered = p == PROBLEM_OK && look->hits > 0;
        json_object_set_new(row, "personal",
                            json_pack("{s:b, s:O, s:s}", "meant", 0, "found", look->found, "done",
                                      look->hits == 0 ? "none"
                                      : *covered      ? "covered"
                                                      : "refused"));
    }
    if (*covered && fdatasync(look->fd) != 0) {
        p = PROBLEM_STORAGE_FULL;
    }
    personal_stream_free(&look->stream);
    json_decref(look->found);
    look->found = NULL;
    return p;
}
