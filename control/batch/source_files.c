/* SPDX-License-Identifier: Apache-2.0 */
/* Files handed in for a source of files that has no folder: what was uploaded by tus goes to the
 * data service piece by piece. How far it is lies in the store, and a piece sent twice is one
 * piece, so a death on either side loses and doubles nothing. What the file is, and whether it can
 * be taken at all, shows when the source is looked at (docs/files.md). */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "api/api.h"
#include "base/clock.h"
#include "base/codec.h"
#include "batch/batch.h"
#include "data_client.h"
#include "sandbox/stage.h"

#define PIECE      (256u << 10) /* bytes sent at once */
#define TURN_MS    1500         /* of one job's turn */
#define NAME_BYTES 128          /* as tables are named */
#define RETRIES    20           /* of a data service that does not take a piece */

static const struct attr attrs[] = {
    {"source_id", ATTR_REF, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, .ref = "sources"},
    {"upload_id", ATTR_REF, AF_REQUIRED | AF_IMMUTABLE, .ref = "uploads"},
    {"organisation_id", ATTR_REF, AF_READ_ONLY | AF_FILTER, .ref = "organisations"},
    {"name", ATTR_TEXT, AF_READ_ONLY | AF_FILTER | AF_SORT},
    {"bytes", ATTR_INT, AF_READ_ONLY},
    {"sent", ATTR_INT, AF_READ_ONLY},
    {"content_sm3", ATTR_TEXT, AF_READ_ONLY},
    {"failures", ATTR_INT, AF_READ_ONLY},
    {"error", ATTR_TEXT, AF_READ_ONLY},
};

static enum problem check_source(struct rest_call *c, struct change *ch)
{
    json_t *source = NULL;
    enum problem p =
        api_load(c, ch->txn, &sources_resource, row_text(ch->row, "source_id"), &source);

    if (p == PROBLEM_OK &&
        (strcmp(row_text(source, "kind"), "files") != 0 || row_text(source, "folder")[0] ||
         strcmp(row_text(source, "state"), "ready") != 0)) {
        p = rest_fail(c, PROBLEM_STATE_CONFLICT, "/source_id",
                      "a source of files without a folder, ready, is needed");
    }
    json_object_set(ch->row, "organisation_id", json_object_get(source, "organisation_id"));
    json_decref(source);
    return p;
}

static enum problem check(struct rest_call *c, struct change *ch)
{
    json_t *upload = NULL;

    if (ch->old) {
        return PROBLEM_OK;
    }
    enum problem p = check_source(c, ch);
    if (p == PROBLEM_OK) {
        p = row_load(c, ch->txn, &uploads_resource, row_text(ch->row, "upload_id"), true, &upload);
    }
    if (p == PROBLEM_OK && (!upload || strcmp(row_text(upload, "state"), "complete") != 0)) {
        p = rest_fail(c, PROBLEM_FIELD_INVALID, "/upload_id", "a complete upload is needed");
    }
    if (p == PROBLEM_OK &&
        (strlen(row_text(upload, "name")) > NAME_BYTES || row_text(upload, "name")[0] == '.')) {
        p = rest_fail(c, PROBLEM_FIELD_INVALID, "/upload_id",
                      "its name has more than %d bytes, or begins with a dot", NAME_BYTES);
    }
    if (p == PROBLEM_OK) {
        json_object_set(ch->row, "name", json_object_get(upload, "name"));
        json_object_set(ch->row, "bytes", json_object_get(upload, "size"));
        json_object_set(ch->row, "content_sm3", json_object_get(upload, "content_sm3"));
        json_object_set_new(ch->row, "sent", json_integer(0));
        json_object_set_new(ch->row, "failures", json_integer(0));
    }
    json_decref(upload);
    return p;
}

static const struct scope scopes[] = {
    {ROLE_PROVIDER, BIND_ORGANISATION, "t.organisation_id = ?", "t.organisation_id = ?"},
};

#define KEEPER (ROLE_STAFF | ROLE_PROVIDER)
const struct resource source_files_resource = {
    .plural = "source_files",
    .kind = "source-file",
    .initial = "queued",
    .attrs = attrs,
    .n_attrs = COUNT(attrs),
    .scopes = scopes,
    .n_scopes = COUNT(scopes),
    .read_roles = KEEPER | ROLE_AUDITOR,
    .create_roles = KEEPER,
    .check = check,
};

/* Sending ---------------------------------------------------------------------------------------
 */

static uint64_t number_of(const json_t *row, const char *name)
{
    return (uint64_t)json_integer_value(json_object_get(row, name));
}

/* {name, at, data, last}, new; NULL: the upload is no longer there. */
static json_t *piece_of(const struct rest_call *c, const json_t *row)
{
    char path[UPLOAD_PATH_MAX];
    uint64_t at = number_of(row, "sent"), bytes = number_of(row, "bytes");
    size_t want = bytes - at < PIECE ? (size_t)(bytes - at) : PIECE;
    char *data = malloc(want + 1), *text = malloc(CODEC_BASE64_LEN(want) + 1);
    json_t *piece = NULL;

    upload_path(c->ctl, row_text(row, "upload_id"), path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && data && text && pread(fd, data, want, (off_t)at) == (ssize_t)want) {
        piece =
            json_pack("{s:s, s:I, s:s%, s:b}", "name", row_text(row, "name"), "at", (json_int_t)at,
                      "data", text, codec_base64(text, data, want), "last", at + want == bytes);
    }
    if (fd >= 0) {
        close(fd);
    }
    free(data);
    free(text);
    return piece;
}

static enum problem keep(struct rest_call *c, const json_t *row, json_t *now, const char *state)
{
    struct store_txn *txn = NULL;
    enum problem p = rest_begin(c, STORE_WRITE, &txn);

    if (p != PROBLEM_OK) {
        return p;
    }
    p = stage_change(c, txn, &source_files_resource, row, now, state, state ? "end" : "send");
    return rest_finish(c, &txn, p);
}

/* Not taken: from where the data service is, or in a while; then it has failed. */
static enum problem not_taken(struct rest_call *c, const json_t *row, enum problem why)
{
    json_t *now = json_deep_copy(row);
    json_int_t failures = json_integer_value(json_object_get(row, "failures")) + 1;

    json_object_set_new(now, "failures", json_integer(failures));
    json_object_set_new(now, "error", json_string(problem_row(why)->code));
    if (why == PROBLEM_STATE_CONFLICT) { /* it has less than we thought */
        json_object_set_new(now, "sent", json_integer(0));
    }
    enum problem p =
        keep(c, row, now, failures >= RETRIES || why == PROBLEM_BODY_MALFORMED ? "failed" : NULL);
    json_decref(now);
    return p;
}

static enum problem send_piece(struct rest_call *c, const json_t *row, const json_t *source,
                               bool *more)
{
    json_t *piece = piece_of(c, row), *answer = NULL, *now;

    *more = false;
    if (!piece) {
        now = json_deep_copy(row);
        json_object_set_new(now, "error", json_string("upload-gone"));
        enum problem q = keep(c, row, now, "failed");
        json_decref(now);
        return q;
    }
    bool last = json_is_true(json_object_get(piece, "last"));
    enum problem p = data_client_source(c, "put", source, piece, &answer);
    json_decref(piece);
    json_decref(answer);
    if (p != PROBLEM_OK) {
        return not_taken(c, row, p);
    }
    now = json_deep_copy(row);
    uint64_t sent = number_of(row, "sent") + PIECE;
    json_object_set_new(now, "sent",
                        last ? json_incref(json_object_get(row, "bytes"))
                             : json_integer((json_int_t)sent));
    json_object_set_new(now, "failures", json_integer(0));
    json_object_set_new(now, "error", json_null());
    p = keep(c, row, now, last ? "kept" : NULL);
    json_decref(now);
    *more = p == PROBLEM_OK && !last;
    return p;
}

static enum problem load(struct rest_call *c, const char *id, json_t **row, json_t **source)
{
    struct store_txn *txn = NULL;
    enum problem p = rest_begin(c, STORE_READ, &txn);

    if (p == PROBLEM_OK) {
        p = api_load(c, txn, &source_files_resource, id, row);
        if (p == PROBLEM_OK) {
            p = api_load(c, txn, &sources_resource, row_text(*row, "source_id"), source);
        }
        store_rollback(&txn);
    }
    return p;
}

static enum problem send_file(struct rest_call *c, const char *id, uint64_t until_us)
{
    bool more = true;
    enum problem p = PROBLEM_OK;

    while (p == PROBLEM_OK && more && clock_mono_us() < until_us) {
        json_t *row = NULL, *source = NULL;
        p = load(c, id, &row, &source);
        p = p == PROBLEM_OK ? send_piece(c, row, source, &more) : p;
        json_decref(row);
        json_decref(source);
    }
    return p;
}

static enum problem send_queued(struct rest_call *c, const char *id, void *until_us)
{
    return send_file(c, id, *(const uint64_t *)until_us);
}

enum problem source_files_job(struct rest_call *c)
{
    uint64_t until_us = clock_mono_us() + TURN_MS * 1000;

    return stage_each_id(
        c, "SELECT id FROM source_files WHERE state = 'queued' ORDER BY created_at LIMIT 20", 0,
        send_queued, &until_us);
}
