/* SPDX-License-Identifier: Apache-2.0 */
#include "documents/documents.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/codec.h"

#define CONTEXT_MAX 64

static const struct attr attrs[] = {
    {"name", ATTR_TEXT, AF_IMMUTABLE | AF_FILTER | AF_SORT, 1, DOCUMENT_NAME_MAX},
    {"purpose", ATTR_TEXT, AF_FILTER, 1, 200},
    {"media_type", ATTR_TEXT, AF_READ_ONLY | AF_FILTER},
    {"size", ATTR_INT, AF_READ_ONLY | AF_SORT},
    {"content_sm3", ATTR_TEXT, AF_READ_ONLY | AF_FILTER},
    {"organisation_id", ATTR_REF, AF_READ_ONLY | AF_FILTER, .ref = "organisations"},
    {"user_id", ATTR_REF, AF_READ_ONLY | AF_FILTER, .ref = "users"},
    {"reason", ATTR_TEXT, AF_READ_ONLY},
};

/* The row's id is bound in: the sealed bytes of one document do not open as another's. */
static struct slice context_of(const char *id, char out[static CONTEXT_MAX])
{
    return slice_of(out, (size_t)snprintf(out, CONTEXT_MAX, "document/%s", id));
}

static enum problem check_name(struct rest_call *c, const char *where, const char *name)
{
    json_t *v = json_string(name);
    enum problem p = attr_text_check(c, where, v, 1, DOCUMENT_NAME_MAX, false);

    json_decref(v);
    if (p == PROBLEM_OK && strpbrk(name, "/\\\"")) {
        p = rest_fail(c, PROBLEM_FIELD_INVALID, where, "a file's name alone is needed, no path");
    }
    return p;
}

static enum problem check_query(struct rest_call *c)
{
    static const char *const known[] = {"name", "purpose"};

    return rest_query_known(c, known, COUNT(known), "name and purpose are understood");
}

static enum problem check_names(struct rest_call *c, const char *name, const char *purpose)
{
    if (!name) {
        return rest_fail(c, PROBLEM_QUERY_MALFORMED, "",
                         "the file's name is needed: ?name=licence.pdf");
    }
    enum problem p = check_name(c, "/name", name);
    return p == PROBLEM_OK && purpose ? check_name(c, "/purpose", purpose) : p;
}

static enum problem check_body(struct rest_call *c, const char **media_type)
{
    *media_type = document_media_type(rest_request_header(c, "Content-Type"));
    if (!*media_type) {
        return rest_fail(c, PROBLEM_MEDIA_TYPE_UNSUPPORTED, "",
                         "a Content-Type of PDF, PNG, JPEG, plain text or JSON is needed");
    }
    if (c->req->body.n == 0) {
        return rest_fail(c, PROBLEM_BODY_MISSING, "", "the file's bytes are the body");
    }
    if (c->req->body.n > DOCUMENT_MAX) {
        return rest_fail(c, PROBLEM_FILE_TOO_LARGE, "", "at most %u bytes", DOCUMENT_MAX);
    }
    enum problem p = document_check_content(*media_type, c->req->body);
    return p == PROBLEM_OK
               ? p
               : rest_fail(c, p, "", "the bytes are no whole file of the type %s", *media_type);
}

static json_t *row_of(const struct rest_call *c, const char *media_type, const char *name,
                      const char *purpose)
{
    char id[UUID_TEXT_LEN + 1], hex[CODEC_HEX_LEN(CRYPTO_HASH_LEN)];
    uint8_t digest[CRYPTO_HASH_LEN];
    struct uuid uuid;

    uuid_new(&uuid);
    uuid_format(&uuid, id);
    crypto_hash(CRYPTO_SM3, c->req->body.p, c->req->body.n, digest);
    return json_pack("{s:s, s:s, s:s, s:s?, s:s, s:I, s:s%, s:s?, s:s, s:n}", "id", id, "state",
                     "stored", "name", name, "purpose", purpose, "media_type", media_type, "size",
                     (json_int_t)c->req->body.n, "content_sm3", hex,
                     codec_hex(hex, digest, sizeof digest), "organisation_id",
                     c->user.organisation[0] ? c->user.organisation : NULL, "user_id", c->user.id,
                     "reason");
}

static enum problem within_total(struct rest_call *c, struct store_txn *txn)
{
    bool own = c->user.organisation[0] == '\0';
    const struct store_value v = store_text(own ? c->user.id : c->user.organisation);
    struct store_rows *rows = NULL;
    int64_t total = 0;
    enum store_err err = store_query(
        txn,
        own ? "SELECT COALESCE(SUM(size), 0) FROM documents WHERE user_id = ? AND "
              "organisation_id IS NULL AND state = 'stored'"
            : "SELECT COALESCE(SUM(size), 0) FROM documents WHERE organisation_id = ? AND state = "
              "'stored'",
        &v, 1, &rows);

    if (err == STORE_OK && store_next(rows)) {
        total = store_get_int(rows, 0);
    }
    if (err == STORE_OK) {
        err = store_rows_end(&rows);
    }
    if (err != STORE_OK) {
        return rest_store_problem(c, err);
    }
    return total + (int64_t)c->req->body.n <= DOCUMENT_TOTAL_MAX
               ? PROBLEM_OK
               : rest_fail(c, PROBLEM_FILE_TOO_LARGE, "",
                           "with it more than %u bytes would be kept; have some erased",
                           DOCUMENT_TOTAL_MAX);
}

static enum problem store_content(struct rest_call *c, struct store_txn *txn, const char *id)
{
    size_t n = c->req->body.n + CRYPTO_SEAL_EXTRA;
    uint8_t *sealed = malloc(n);
    char context[CONTEXT_MAX];

    if (!sealed) {
        return PROBLEM_INTERNAL;
    }
    keyring_seal(c->ctl, context_of(id, context), c->req->body.p, c->req->body.n, sealed);
    const struct store_value v[] = {store_text(id), store_blob(sealed, n)};
    enum store_err err = store_exec(
        txn, "INSERT INTO document_contents (document_id, sealed) VALUES (?, ?)", v, 2, NULL);
    free(sealed);
    return rest_store_problem(c, err);
}

enum problem document_keep(struct rest_call *c, struct store_txn *txn, json_t *row)
{
    enum problem p = within_total(c, txn);

    if (p == PROBLEM_OK) {
        p = change_store(c, txn, &documents_resource, NULL, row, "create");
    }
    return p == PROBLEM_OK ? store_content(c, txn, row_text(row, "id")) : p;
}

enum problem document_take(struct rest_call *c, const char *name, const char *purpose, json_t **row)
{
    const char *media_type = NULL;
    enum problem p = check_names(c, name, purpose);

    p = p == PROBLEM_OK ? check_body(c, &media_type) : p;
    *row = p == PROBLEM_OK ? row_of(c, media_type, name, purpose) : NULL;
    return p == PROBLEM_OK && !*row ? PROBLEM_INTERNAL : p;
}

enum problem rest_document_create(struct rest_call *c)
{
    struct store_txn *txn = NULL;
    json_t *row = NULL;
    enum problem p = check_query(c);

    p = p == PROBLEM_OK ? document_take(c, rest_query(c, "name"), rest_query(c, "purpose"), &row)
                        : p;
    p = p == PROBLEM_OK ? rest_begin(c, STORE_WRITE, &txn) : p;
    if (p == PROBLEM_OK) {
        p = rest_finish(c, &txn, document_keep(c, txn, row));
    }
    if (p == PROBLEM_OK) {
        p = resource_answer(c, &documents_resource, row, 201);
    }
    json_decref(row);
    return p;
}

static enum problem open_sealed(const struct rest_call *c, const char *id, struct slice sealed,
                                struct buf *out)
{
    char context[CONTEXT_MAX];
    size_t n = sealed.n - CRYPTO_SEAL_EXTRA;

    if (sealed.n < CRYPTO_SEAL_EXTRA || !buf_reserve(out, n) ||
        keyring_open(c->ctl, context_of(id, context), sealed.p, sealed.n,
                     (uint8_t *)out->p + out->n) != CRYPTO_OK) {
        fprintf(stderr,
                "sluice: control: document %s cannot be opened: the store was altered, or "
                "has another key\n",
                id);
        return PROBLEM_INTERNAL;
    }
    out->n += n;
    return PROBLEM_OK;
}

enum problem document_content(struct rest_call *c, struct store_txn *txn, const char *id,
                              struct buf *out)
{
    const struct store_value v = store_text(id);
    struct store_rows *rows = NULL;
    enum problem p = rest_store_problem(
        c, store_query(txn, "SELECT sealed FROM document_contents WHERE document_id = ?", &v, 1,
                       &rows));

    if (p != PROBLEM_OK) {
        return p;
    }
    p = store_next(rows) ? open_sealed(c, id, store_get_blob(rows, 0), out) : PROBLEM_NOT_FOUND;
    enum store_err err = store_rows_end(&rows);
    return p == PROBLEM_OK ? rest_store_problem(c, err) : p;
}

/* A name may hold any letter: RFC 6266 with RFC 8187's encoding. */
static void say_name(struct rest_call *c, const char *name)
{
    struct buf line;

    buf_init(&line);
    buf_adds(&line, "attachment; filename*=UTF-8''");
    for (const char *s = name; *s; s++) {
        bool plain =
            strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_", *s);
        buf_addf(&line, plain ? "%c" : "%%%02X", (unsigned char)*s);
    }
    buf_addc(&line, '\0');
    if (!line.failed) {
        rest_header(c, "Content-Disposition", line.p);
    }
    buf_fini(&line);
}

/* Who looked into it is kept, in the transaction that reads. */
static enum problem read_document(struct rest_call *c, struct store_txn *txn, json_t **row)
{
    struct uuid id;

    if (!uuid_parse(&id, c->segment[1], strlen(c->segment[1]))) {
        return PROBLEM_NOT_FOUND;
    }
    enum problem p = row_load(c, txn, &documents_resource, c->segment[1], true, row);
    if (p == PROBLEM_OK && !*row) {
        p = PROBLEM_NOT_FOUND;
    }
    if (p == PROBLEM_OK) {
        p = document_content(c, txn, c->segment[1], &c->resp->body);
    }
    const struct operation op = {.at_ms = c->now_ms,
                                 .actor = c->user.login,
                                 .action = "read",
                                 .kind = "document",
                                 .id = c->segment[1]};
    return p == PROBLEM_OK ? rest_store_problem(c, log_operation(txn, &op)) : p;
}

enum problem rest_document_content(struct rest_call *c)
{
    struct store_txn *txn = NULL;
    json_t *row = NULL;
    enum problem p = rest_query_known(c, NULL, 0, "no parameters are understood");

    if (p == PROBLEM_OK) {
        p = rest_begin(c, STORE_WRITE, &txn);
    }
    if (p == PROBLEM_OK) {
        p = rest_finish(c, &txn, read_document(c, txn, &row));
    }
    if (p == PROBLEM_OK) {
        c->resp->status = 200;
        c->resp->content_type = document_media_type(row_text(row, "media_type"));
        rest_header(c, "Content-Security-Policy", "default-src 'none'; sandbox");
        say_name(c, row_text(row, "name"));
    }
    json_decref(row);
    return p;
}

/* The bytes go; what they were, by digest, stays. */
static enum problem erase(struct rest_call *c, struct change *ch)
{
    const struct store_value v = store_text(row_text(ch->row, "id"));

    return rest_store_problem(
        c, store_exec(ch->txn, "DELETE FROM document_contents WHERE document_id = ?", &v, 1, NULL));
}

static const struct transition transitions[] = {
    {"stored", "erase", "erased", ROLE_STAFF, .body_text = "reason", .hook = erase},
};

static const struct scope scopes[] = {
    {ROLE_PROVIDER | ROLE_DEVELOPER, BIND_ORGANISATION, "t.organisation_id = ?", "1 = 0"},
    {ROLE_OWNER, BIND_USER, "t.user_id = ?", "1 = 0"},
};

const struct resource documents_resource = {
    .plural = "documents",
    .kind = "document",
    .initial = "stored",
    .attrs = attrs,
    .n_attrs = COUNT(attrs),
    .transitions = transitions,
    .n_transitions = COUNT(transitions),
    .scopes = scopes,
    .n_scopes = COUNT(scopes),
    .read_roles = ROLE_ALL,
    .create_roles = ROLE_STAFF | ROLE_PROVIDER | ROLE_DEVELOPER | ROLE_OWNER,
};
