/* SPDX-License-Identifier: Apache-2.0 */
/* Files handed in piece by piece by tus 1.0 (core, creation, expiration, termination, checksum): an
 * upload that broke off goes on at the byte the platform has (SW-9.8-tra3). The bytes lie in a file
 * of the control plane; the row's offset is what is on the disk, so what was acknowledged outlives
 * a kill. When all is there the file must be what it says it is, and what it unpacks to is bounded
 * before anybody reads it. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/api.h"
#include "base/clock.h"
#include "base/codec.h"
#include "base/utf8.h"
#include "batch/batch.h"
#include "sandbox/stage.h"

#define UPLOAD_MAX   (256u << 20) /* bytes of one */
#define UPLOADS_OPEN 20           /* of an organisation, or a person without one */
#define PIECE_MAX    (4u << 20)   /* bytes of one PATCH: what a raw body may have */
#define LIFE_MS      (24 * 3600 * 1000ull)
#define META_MAX     2048
#define TUS          "1.0.0"

static const struct attr attrs[] = {
    {"name", ATTR_TEXT, AF_READ_ONLY | AF_FILTER},
    {"media_type", ATTR_TEXT, AF_READ_ONLY | AF_FILTER},
    {"size", ATTR_INT, AF_READ_ONLY | AF_SORT},
    {"offset", ATTR_INT, AF_READ_ONLY},
    {"organisation_id", ATTR_TEXT, AF_READ_ONLY | AF_FILTER},
    {"user_id", ATTR_TEXT, AF_READ_ONLY},
    {"content_sm3", ATTR_TEXT, AF_READ_ONLY | AF_FILTER},
    {"error", ATTR_TEXT, AF_READ_ONLY},
    {"package", ATTR_JSON, AF_READ_ONLY},
    {"personal", ATTR_JSON, AF_READ_ONLY},
    {"expires_at", ATTR_TIME, AF_READ_ONLY | AF_SORT},
};

static const struct scope scopes[] = {
    {ROLE_PROVIDER | ROLE_DEVELOPER, BIND_ORGANISATION, "t.organisation_id = ?",
     "t.organisation_id = ?"},
};

#define HANDERS (ROLE_STAFF | ROLE_PROVIDER | ROLE_DEVELOPER)
const struct resource uploads_resource = {
    .plural = "uploads",
    .kind = "upload",
    .initial = "open",
    .attrs = attrs,
    .n_attrs = COUNT(attrs),
    .scopes = scopes,
    .n_scopes = COUNT(scopes),
    .read_roles = HANDERS | ROLE_AUDITOR,
    .create_roles = HANDERS,
    .patch_roles = HANDERS,
};

void upload_path(const struct control *ctl, const char *id, char path[static UPLOAD_PATH_MAX])
{
    snprintf(path, UPLOAD_PATH_MAX, "%s/control/uploads/%s", ctl->cfg->data_dir, id);
}

void upload_plain_path(const struct control *ctl, const char *id, char path[static UPLOAD_PATH_MAX])
{
    snprintf(path, UPLOAD_PATH_MAX, "%s/control/uploads/%s.plain", ctl->cfg->data_dir, id);
}

static enum problem io_problem(struct rest_call *c, int error)
{
    return error == ENOSPC || error == EDQUOT || error == EFBIG
               ? rest_fail(c, PROBLEM_STORAGE_FULL, "", "nothing of the piece was kept")
               : PROBLEM_INTERNAL;
}

/* What tus wants in each answer, and of each question. */
static enum problem begin(struct rest_call *c)
{
    const char *version = rest_request_header(c, "Tus-Resumable");

    rest_header(c, "Tus-Resumable", TUS);
    if (version && strcmp(version, TUS) == 0) {
        return PROBLEM_OK;
    }
    rest_header(c, "Tus-Version", TUS);
    return rest_fail(c, PROBLEM_PRECONDITION_FAILED, "", "Tus-Resumable: " TUS " is needed");
}

/* A header of digits; false: absent or anything else. */
static bool number_header(struct rest_call *c, const char *name, uint64_t *n)
{
    const char *text = rest_request_header(c, name);
    char *end = NULL;

    if (!text || !text[0] || strlen(text) > 15 || strspn(text, "0123456789") != strlen(text)) {
        return false;
    }
    *n = strtoull(text, &end, 10);
    return *end == '\0';
}

/* Making one ------------------------------------------------------------------------------------
 */

/* `key base64value, key base64value`: the value of key, or "". False: it cannot be read. */
static bool metadata(struct rest_call *c, const char *key, char *out, size_t size)
{
    const char *text = rest_request_header(c, "Upload-Metadata");
    size_t key_n = strlen(key), n = 0;

    out[0] = '\0';
    if (text && strlen(text) > META_MAX) {
        return false;
    }
    for (const char *at = text; at && *at; at = strchr(at, ',')) {
        at += strspn(at, ", ");
        size_t pair = strcspn(at, ",");
        if (pair <= key_n || strncmp(at, key, key_n) != 0 || at[key_n] != ' ') {
            continue;
        }
        bool ok = codec_unbase64(out, size - 1, &n, at + key_n + 1, pair - key_n - 1);
        out[ok ? n : 0] = '\0';
        return ok && strlen(out) == n && utf8_valid(slice_of(out, n));
    }
    return true;
}

static const char *const media_types[] = {"text/csv",
                                          "application/x-ndjson",
                                          "application/xml",
                                          "application/gzip",
                                          "application/jose",
                                          UPLOAD_ANYTHING,
                                          NULL};

static bool known_type(const char *type)
{
    for (size_t i = 0; media_types[i]; i++) {
        if (strcmp(media_types[i], type) == 0) {
            return true;
        }
    }
    return false;
}

static enum problem read_creation(struct rest_call *c, json_t *row)
{
    char name[201], type[65], personal[17];
    uint64_t size;

    if (!number_header(c, "Upload-Length", &size) || size == 0) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "Upload-Length", "the size in bytes is needed");
    }
    if (size > UPLOAD_MAX) {
        return rest_fail(c, PROBLEM_FILE_TOO_LARGE, "Upload-Length", "at most %u bytes",
                         UPLOAD_MAX);
    }
    if (!metadata(c, "filename", name, sizeof name) ||
        !metadata(c, "filetype", type, sizeof type) ||
        !metadata(c, "personal", personal, sizeof personal) || strpbrk(name, "/\\\"\r\n") ||
        (personal[0] && strcmp(personal, "meant") != 0)) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "Upload-Metadata",
                         "filename, filetype and personal (meant), in base64, are understood");
    }
    if (!known_type(type)) {
        return rest_fail(
            c, PROBLEM_MEDIA_TYPE_UNSUPPORTED, "Upload-Metadata",
            "a filetype of CSV, NDJSON, XML, gzip, a sealed package or, of what is to be "
            "a source's, " UPLOAD_ANYTHING " is needed");
    }
    json_object_set_new(row, "name", json_string(name[0] ? name : "upload"));
    json_object_set_new(row, "media_type", json_string(type));
    json_object_set_new(row, "size", json_integer((json_int_t)size));
    if (personal[0]) {
        json_object_set_new(row, "personal", json_pack("{s:b}", "meant", 1));
    }
    return PROBLEM_OK;
}

static json_t *fresh(const struct rest_call *c)
{
    char id[UUID_TEXT_LEN + 1], until[CLOCK_RFC3339_LEN + 1];
    const char *organisation = c->user.organisation;

    uuid_new_text(id);
    clock_format_ms(c->now_ms + LIFE_MS, until);
    return json_pack("{s:s, s:s, s:i, s:s?, s:s, s:s, s:n, s:n, s:n, s:n}", "id", id, "state",
                     "open", "offset", 0, "organisation_id", organisation[0] ? organisation : NULL,
                     "user_id", c->user.id, "expires_at", until, "content_sm3", "error", "package",
                     "personal");
}

static enum problem few_open(struct rest_call *c, struct store_txn *txn)
{
    bool own = c->user.organisation[0] == '\0';
    const struct store_value v = store_text(own ? c->user.id : c->user.organisation);
    struct store_rows *rows = NULL;
    enum store_err err = store_query(
        txn,
        own ? "SELECT COUNT(*) FROM uploads WHERE state = 'open' AND user_id = ?"
            : "SELECT COUNT(*) FROM uploads WHERE state = 'open' AND organisation_id = ?",
        &v, 1, &rows);
    bool many = err == STORE_OK && store_next(rows) && store_get_int(rows, 0) >= UPLOADS_OPEN;

    err = err == STORE_OK ? store_rows_end(&rows) : err;
    return many ? rest_fail(c, PROBLEM_CONCURRENCY_LIMITED, "", "%d uploads are open", UPLOADS_OPEN)
                : rest_store_problem(c, err);
}

static enum problem make_file(struct rest_call *c, const char *id)
{
    char dir[UPLOAD_PATH_MAX], path[UPLOAD_PATH_MAX];

    snprintf(dir, sizeof dir, "%s/control/uploads", c->ctl->cfg->data_dir);
    if (mkdir(dir, 0700) != 0 && errno != EEXIST) {
        return io_problem(c, errno);
    }
    upload_path(c->ctl, id, path);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        return io_problem(c, errno);
    }
    close(fd);
    return PROBLEM_OK;
}

static enum problem insert(struct rest_call *c, struct store_txn *txn, json_t *row)
{
    enum problem p = few_open(c, txn);

    p = p == PROBLEM_OK ? make_file(c, row_text(row, "id")) : p;
    return p == PROBLEM_OK ? change_store(c, txn, &uploads_resource, NULL, row, "create") : p;
}

enum problem upload_create(struct rest_call *c)
{
    struct store_txn *txn = NULL;
    json_t *row = fresh(c);
    enum problem p = begin(c);

    p = p == PROBLEM_OK ? read_creation(c, row) : p;
    p = p == PROBLEM_OK ? rest_begin(c, STORE_WRITE, &txn) : p;
    if (txn) {
        p = rest_finish(c, &txn, p == PROBLEM_OK ? insert(c, txn, row) : p);
    }
    if (p == PROBLEM_OK) {
        c->resp->status = 201;
        snprintf(c->resp->location, sizeof c->resp->location, "/api/v1/uploads/%s",
                 row_text(row, "id"));
        rest_header(c, "Upload-Offset", "0");
    }
    json_decref(row);
    return p;
}

/* One that is there ----------------------------------------------------------------------------
 */

static enum problem load(struct rest_call *c, struct store_txn *txn, bool write, json_t **row)
{
    struct uuid id;

    if (!uuid_parse(&id, c->segment[1], strlen(c->segment[1]))) {
        return PROBLEM_NOT_FOUND;
    }
    enum problem p = row_load(c, txn, &uploads_resource, c->segment[1], true, row);
    if (p == PROBLEM_OK &&
        (!*row || (write && !row_writable(c, txn, &uploads_resource, c->segment[1])))) {
        p = PROBLEM_NOT_FOUND;
    }
    return p;
}

static uint64_t number_of(const json_t *row, const char *name)
{
    return (uint64_t)json_integer_value(json_object_get(row, name));
}

static void say_place(struct rest_call *c, const json_t *row)
{
    char text[24];

    snprintf(text, sizeof text, "%llu", (unsigned long long)number_of(row, "offset"));
    rest_header(c, "Upload-Offset", text);
    snprintf(text, sizeof text, "%llu", (unsigned long long)number_of(row, "size"));
    rest_header(c, "Upload-Length", text);
}

enum problem upload_head(struct rest_call *c)
{
    struct store_txn *txn = NULL;
    json_t *row = NULL;
    enum problem p = begin(c);

    p = p == PROBLEM_OK ? rest_begin(c, STORE_READ, &txn) : p;
    p = p == PROBLEM_OK ? load(c, txn, false, &row) : p;
    store_rollback(&txn);
    if (p == PROBLEM_OK) {
        const char *state = row_text(row, "state");
        p = strcmp(state, "open") == 0 || strcmp(state, "complete") == 0 ? PROBLEM_OK
                                                                         : PROBLEM_EXPORT_GONE;
    }
    if (p == PROBLEM_OK) {
        c->resp->status = 200;
        say_place(c, row);
    }
    json_decref(row);
    return p;
}

/* sha256 and sm3; a piece that arrived altered is as if it had not come. */
static enum problem check_sum(struct rest_call *c)
{
    const char *text = rest_request_header(c, "Upload-Checksum");
    uint8_t wanted[CRYPTO_HASH_LEN], is[CRYPTO_HASH_LEN];
    size_t name = text ? strcspn(text, " ") : 0, n = 0;

    if (!text) {
        return PROBLEM_OK;
    }
    bool sm3 = name == 3 && strncmp(text, "sm3", 3) == 0;
    bool sha = name == 6 && strncmp(text, "sha256", 6) == 0;
    if ((!sm3 && !sha) || text[name] != ' ' ||
        !codec_unbase64(wanted, sizeof wanted, &n, text + name + 1, strlen(text + name + 1)) ||
        n != sizeof wanted) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "Upload-Checksum", "sha256 or sm3, in base64");
    }
    crypto_hash(sm3 ? CRYPTO_SM3 : CRYPTO_SHA256, c->req->body.p, c->req->body.n, is);
    return crypto_equal(is, wanted, sizeof is) ? PROBLEM_OK : PROBLEM_UPLOAD_CHECKSUM;
}

static enum problem write_piece(struct rest_call *c, int fd, uint64_t at)
{
    struct slice left = c->req->body;

    while (left.n) {
        ssize_t n = pwrite(fd, left.p, left.n, (off_t)at);
        if (n <= 0) {
            break;
        }
        left = slice_of(left.p + n, left.n - (size_t)n);
        at += (uint64_t)n;
    }
    int why = errno;
    return left.n == 0 && fdatasync(fd) == 0 ? PROBLEM_OK : io_problem(c, why);
}

static enum problem move_on(struct rest_call *c, const json_t *row, json_t *now)
{
    const struct store_value v[] = {store_int(json_integer_value(json_object_get(now, "offset"))),
                                    store_text(row_text(row, "id")),
                                    store_int(json_integer_value(json_object_get(row, "offset")))};
    struct store_txn *txn = NULL;
    int64_t changed = 0;
    bool last = number_of(now, "offset") == number_of(now, "size");
    enum problem judged = last ? upload_judge(c, now) : PROBLEM_OK;
    enum problem p = judged == PROBLEM_INTERNAL ? judged : rest_begin(c, STORE_WRITE, &txn);

    if (p != PROBLEM_OK) {
        return p;
    }
    p = rest_store_problem(c, store_exec(txn,
                                         "UPDATE uploads SET offset = ? WHERE id = ? AND "
                                         "state = 'open' AND offset = ?",
                                         v, COUNT(v), &changed));
    if (p == PROBLEM_OK && changed != 1) {
        p = rest_fail(c, PROBLEM_STATE_CONFLICT, "Upload-Offset", "another piece came first");
    }
    if (p == PROBLEM_OK && last) {
        p = change_store(c, txn, &uploads_resource, row, now, "complete");
    }
    p = rest_finish(c, &txn, p);
    return p == PROBLEM_OK ? judged : p;
}

static enum problem check_piece(struct rest_call *c, const json_t *row)
{
    const char *type = rest_request_header(c, "Content-Type");
    uint64_t at = 0, offset = number_of(row, "offset");

    if (!type || strcmp(type, "application/offset+octet-stream") != 0) {
        return rest_fail(c, PROBLEM_MEDIA_TYPE_UNSUPPORTED, "Content-Type",
                         "application/offset+octet-stream is needed");
    }
    if (strcmp(row_text(row, "state"), "open") != 0) {
        return PROBLEM_EXPORT_GONE;
    }
    if (!number_header(c, "Upload-Offset", &at) || at != offset) {
        return rest_fail(c, PROBLEM_STATE_CONFLICT, "Upload-Offset", "the platform has %llu bytes",
                         (unsigned long long)offset);
    }
    if (c->req->body.n > PIECE_MAX || c->req->body.n > number_of(row, "size") - offset) {
        return rest_fail(c, PROBLEM_FILE_TOO_LARGE, "",
                         "at most %u bytes at once, and no more than was announced", PIECE_MAX);
    }
    return check_sum(c);
}

/* The file, held by this piece alone: two at once would write over each other. -1: *p says why. */
static int hold(struct rest_call *c, enum problem *p)
{
    char path[UPLOAD_PATH_MAX];
    struct uuid id;

    *p = PROBLEM_NOT_FOUND;
    if (!uuid_parse(&id, c->segment[1], strlen(c->segment[1]))) {
        return -1;
    }
    upload_path(c->ctl, c->segment[1], path);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    *p = fd >= 0 ? PROBLEM_OK : PROBLEM_NOT_FOUND;
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0) {
        *p = rest_fail(c, PROBLEM_STATE_CONFLICT, "Upload-Offset", "another piece is coming in");
        close(fd);
        return -1;
    }
    return fd;
}

static enum problem take_piece(struct rest_call *c, int fd)
{
    struct store_txn *txn = NULL;
    json_t *row = NULL, *now = NULL;
    enum problem p = rest_begin(c, STORE_READ, &txn);

    p = p == PROBLEM_OK ? load(c, txn, true, &row) : p;
    store_rollback(&txn);
    p = p == PROBLEM_OK ? check_piece(c, row) : p;
    p = p == PROBLEM_OK ? write_piece(c, fd, number_of(row, "offset")) : p;
    if (p == PROBLEM_OK) {
        now = json_deep_copy(row);
        json_object_set_new(now, "offset",
                            json_integer((json_int_t)(number_of(row, "offset") + c->req->body.n)));
        p = move_on(c, row, now);
    }
    if (p == PROBLEM_OK) {
        c->resp->status = 204;
        say_place(c, now);
    }
    json_decref(row);
    json_decref(now);
    return p;
}

enum problem upload_patch(struct rest_call *c)
{
    enum problem p = begin(c);
    int fd = p == PROBLEM_OK ? hold(c, &p) : -1;

    if (fd < 0) {
        return p;
    }
    p = take_piece(c, fd);
    close(fd); /* and with it the hold */
    return p;
}

/* The end of one --------------------------------------------------------------------------------
 */

static enum problem end_with(struct rest_call *c, struct store_txn *txn, json_t *row,
                             const char *state)
{
    char path[UPLOAD_PATH_MAX];
    json_t *old = json_deep_copy(row);

    json_object_set_new(row, "state", json_string(state));
    enum problem p = change_store(c, txn, &uploads_resource, old, row,
                                  strcmp(state, "expired") == 0 ? "expire" : "terminate");
    json_decref(old);
    if (p == PROBLEM_OK) {
        upload_path(c->ctl, row_text(row, "id"), path);
        unlink(path);
        upload_plain_path(c->ctl, row_text(row, "id"), path);
        unlink(path);
    }
    return p;
}

enum problem upload_delete(struct rest_call *c)
{
    struct store_txn *txn = NULL;
    json_t *row = NULL;
    enum problem p = begin(c);

    p = p == PROBLEM_OK ? rest_begin(c, STORE_WRITE, &txn) : p;
    if (p != PROBLEM_OK) {
        return p;
    }
    p = load(c, txn, true, &row);
    if (p == PROBLEM_OK && strcmp(row_text(row, "state"), "terminated") != 0) {
        p = end_with(c, txn, row, "terminated");
    }
    p = rest_finish(c, &txn, p);
    c->resp->status = p == PROBLEM_OK ? 204 : c->resp->status;
    json_decref(row);
    return p;
}

static enum problem expire(struct rest_call *c, struct store_txn *txn, json_t *row)
{
    return end_with(c, txn, row, "expired");
}

enum problem uploads_job(struct rest_call *c)
{
    return stage_each_due(
        c, "SELECT id FROM uploads WHERE state IN ('open', 'complete') AND expires_at <= ?", 0,
        &uploads_resource, expire);
}
