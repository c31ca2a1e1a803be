/* SPDX-License-Identifier: Apache-2.0 */
/* Offline packages (SW-9.7-1b). Out: an export, sealed to the encryption key that its app has
 * registered and signed by the data service; fetched in pieces, and receipted. In: a file handed in
 * (uploads.c) that an organisation has sealed to the platform and signed with a key it registered:
 * verified, opened, and on record. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "api/api.h"
#include "api/credentials.h"
#include "api/keys.h"
#include "base/clock.h"
#include "base/codec.h"
#include "batch/batch.h"
#include "crypto/keystore.h"
#include "data_client.h"
#include "feed/reports.h"
#include "package/package.h"

#define PIECE_MAX (3u << 20) /* bytes: as JSON it fits an answer of the data service */

static const struct attr attrs[] = {
    {"export_id", ATTR_REF, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, .ref = "exports"},
    {"credential_id", ATTR_REF, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, .ref = "credentials"},
    {"app_id", ATTR_TEXT, AF_READ_ONLY | AF_FILTER},
    {"bytes", ATTR_INT, AF_READ_ONLY},
    {"sm3", ATTR_TEXT, AF_READ_ONLY | AF_FILTER},
    {"made_by", ATTR_TEXT, AF_READ_ONLY},
    {"receipt", ATTR_TEXT, AF_READ_ONLY},
    {"received_by", ATTR_TEXT, AF_READ_ONLY},
    {"received_at", ATTR_TIME, AF_READ_ONLY},
};

static enum problem load_both(struct rest_call *c, const json_t *row, json_t **export,
                              json_t **credential)
{
    struct store_txn *txn = NULL;
    enum problem p = rest_begin(c, STORE_READ, &txn);

    if (p == PROBLEM_OK) {
        p = row_load(c, txn, &exports_resource, row_text(row, "export_id"), true, export);
    }
    if (p == PROBLEM_OK) {
        p = row_load(c, txn, &credentials_resource, row_text(row, "credential_id"), true,
                     credential);
    }
    store_rollback(&txn);
    return p;
}

static enum problem check_both(struct rest_call *c, const json_t *export, const json_t *credential)
{
    if (!export || strcmp(row_text(export, "state"), "ready") != 0) {
        return rest_fail(c, PROBLEM_STATE_CONFLICT, "/export_id",
                         "an export that is ready is needed");
    }
    if (!credential || strcmp(row_text(credential, "use"), "encryption") != 0 ||
        strcmp(row_text(credential, "state"), "active") != 0 ||
        strcmp(row_text(credential, "app_id"), row_text(export, "app_id")) != 0) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/credential_id",
                         "an active encryption key of the export's app is needed");
    }
    return PROBLEM_OK;
}

static enum problem make(struct rest_call *c, json_t *row, const json_t *credential)
{
    struct crypto_key *key = NULL;
    json_t *body = NULL, *answer = NULL;

    keys_load_public(json_object_get(credential, "public_key"), &key);
    if (!key) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/credential_id", "its key cannot be read");
    }
    body = json_pack("{s:s, s:o, s:s}", "id", row_text(row, "export_id"), "public_key",
                     keys_base64url(crypto_key_spki(key)), "kid", row_text(credential, "id"));
    enum problem p = data_client_post(c, "/internal/v1/exports/package", body, &answer);
    if (p == PROBLEM_OK) {
        json_object_set(row, "bytes", json_object_get(answer, "bytes"));
        json_object_set(row, "sm3", json_object_get(answer, "sm3"));
    }
    json_decref(body);
    json_decref(answer);
    crypto_key_free(&key);
    return p;
}

static enum problem prepare(struct rest_call *c, struct change *ch)
{
    json_t *export = NULL, *credential = NULL;
    enum problem p = load_both(c, ch->row, &export, &credential);

    p = p == PROBLEM_OK ? check_both(c, export, credential) : p;
    p = p == PROBLEM_OK ? make(c, ch->row, credential) : p;
    if (p == PROBLEM_OK) {
        json_object_set(ch->row, "app_id", json_object_get(export, "app_id"));
        json_object_set_new(ch->row, "made_by", json_string(c->user.login));
    }
    json_decref(export);
    json_decref(credential);
    return p;
}

/* The receipt is the SM3 of what came: another is no receipt. */
static enum problem receive(struct rest_call *c, struct change *ch)
{
    char now[CLOCK_RFC3339_LEN + 1];

    if (strcmp(row_text(ch->row, "receipt"), row_text(ch->row, "sm3")) != 0) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/receipt", "the SM3 of the package is needed");
    }
    clock_format_ms(c->now_ms, now);
    json_object_set_new(ch->row, "received_by", json_string(c->user.login));
    json_object_set_new(ch->row, "received_at", json_string(now));
    return PROBLEM_OK;
}

#define PARTIES (ROLE_STAFF | ROLE_DEVELOPER)
static const struct transition transitions[] = {
    {"made", "receive", "received", ROLE_DEVELOPER, .body_text = "receipt", .hook = receive},
};

#define OWN "t.app_id IN (SELECT id FROM apps WHERE organisation_id = ?)"
static const struct scope scopes[] = {{ROLE_DEVELOPER, BIND_ORGANISATION, OWN, OWN}};

const struct resource packages_resource = {
    .plural = "packages",
    .kind = "package",
    .initial = "made",
    .attrs = attrs,
    .n_attrs = COUNT(attrs),
    .transitions = transitions,
    .n_transitions = COUNT(transitions),
    .scopes = scopes,
    .n_scopes = COUNT(scopes),
    .read_roles = PARTIES | ROLE_AUDITOR,
    .create_roles = PARTIES,
    .prepare = prepare,
};

static enum problem add_piece(struct rest_call *c, const json_t *answer)
{
    const json_t *data = json_object_get(answer, "data");
    size_t n = json_string_length(data), got = 0;
    struct buf *out = &c->resp->body;

    if (!buf_reserve(out, n + 1) ||
        !codec_unbase64((uint8_t *)out->p, n, &got, json_string_value(data), n)) {
        return PROBLEM_INTERNAL;
    }
    out->n = got;
    c->resp->status = 200;
    c->resp->content_type = "application/octet-stream";
    return PROBLEM_OK;
}

static enum problem read_offset(struct rest_call *c, uint64_t *offset)
{
    static const char *const names[] = {"offset"};
    const char *text = rest_query(c, "offset");
    enum problem p = rest_query_known(c, names, 1, "offset is understood");

    *offset = 0;
    if (p == PROBLEM_OK && text) {
        if (!text[0] || strlen(text) > 12 || strspn(text, "0123456789") != strlen(text)) {
            return rest_fail(c, PROBLEM_QUERY_MALFORMED, "offset", "a number of bytes is needed");
        }
        *offset = strtoull(text, NULL, 10);
    }
    return p;
}

/* GET packages/{id}/content?offset=: the next piece; empty at the end. */
enum problem package_content(struct rest_call *c)
{
    struct store_txn *txn = NULL;
    json_t *row = NULL, *export = NULL, *body = NULL, *answer = NULL;
    struct uuid id;
    uint64_t offset;
    enum problem p = read_offset(c, &offset);

    if (p == PROBLEM_OK && !uuid_parse(&id, c->segment[1], strlen(c->segment[1]))) {
        p = PROBLEM_NOT_FOUND;
    }
    p = p == PROBLEM_OK ? rest_begin(c, STORE_READ, &txn) : p;
    if (p != PROBLEM_OK) {
        return p;
    }
    p = row_load(c, txn, &packages_resource, c->segment[1], true, &row);
    p = p == PROBLEM_OK && !row ? PROBLEM_NOT_FOUND : p;
    /* it leaves only while the export may still be had by this caller */
    p = p == PROBLEM_OK
            ? row_load(c, txn, &exports_resource, row_text(row, "export_id"), true, &export)
            : p;
    store_rollback(&txn);
    if (p == PROBLEM_OK && (!export || strcmp(row_text(export, "state"), "ready") != 0)) {
        p = PROBLEM_EXPORT_GONE;
    }
    body = json_pack("{s:s, s:s, s:I, s:i}", "id", row_text(row, "export_id"), "of", "package",
                     "offset", (json_int_t)offset, "bytes", (int)PIECE_MAX);
    p = p == PROBLEM_OK ? data_client_post(c, "/internal/v1/exports/piece", body, &answer) : p;
    p = p == PROBLEM_OK ? add_piece(c, answer) : p;
    json_decref(row);
    json_decref(export);
    json_decref(body);
    json_decref(answer);
    return p;
}

/* Into the platform ------------------------------------------------------------------------------
 */

/* The key packages for the platform are sealed to; made once, shown among its keys. */
static struct crypto_key *platform_key(const struct control *ctl)
{
    char path[UPLOAD_PATH_MAX];
    struct crypto_key *key = NULL;

    snprintf(path, sizeof path, "%s/keys/packages.pem", ctl->cfg->data_dir);
    if (crypto_key_load_file(&key, CRYPTO_KEY_PAIR, path) == CRYPTO_OK || errno != ENOENT) {
        return key;
    }
    key = crypto_key_new(CRYPTO_KEY_SM2);
    char *pem = crypto_key_private_pem(key);
    if (!pem || crypto_keystore_write(path, false, slice_str(pem)) != CRYPTO_OK) {
        crypto_key_free(&key);
    }
    if (pem) {
        crypto_wipe(pem, strlen(pem));
    }
    free(pem);
    return key;
}

enum problem packages_keep_key(struct rest_call *c)
{
    struct store_txn *txn = NULL;
    struct crypto_key *key = platform_key(c->ctl);
    char *text = key ? crypto_key_jwk(key) : NULL;
    json_t *jwk = text ? json_loads(text, 0, NULL) : NULL;
    enum problem p = jwk ? rest_begin(c, STORE_WRITE, &txn) : PROBLEM_INTERNAL;

    if (p == PROBLEM_OK) {
        json_object_set_new(jwk, "kid", json_string(crypto_key_id(key)));
        json_object_set_new(jwk, "use", json_string("enc"));
        json_object_set_new(jwk, "purpose", json_string("packages"));
        p = rest_finish(c, &txn, reports_keep_key(c, txn, jwk, "platform"));
    }
    json_decref(jwk);
    free(text);
    crypto_key_free(&key);
    return p;
}

struct incoming {
    struct crypto_hasher hasher;
    json_t *manifest;
    uint64_t bytes;
    package_each each; /* NULL: none */
    void *ctx;
    FILE *out; /* NULL: nobody wants it */
};

static bool take(void *ctx, uint64_t part, const char *cty, struct slice plain)
{
    struct incoming *in = ctx;

    if (part == 0) {
        in->manifest =
            strcmp(cty, PACKAGE_JSON) == 0 ? json_loadb(plain.p, plain.n, 0, NULL) : NULL;
        return json_is_object(in->manifest);
    }
    crypto_hasher_add(&in->hasher, plain.p, plain.n);
    in->bytes += plain.n;
    if (in->each) {
        in->each(in->ctx, plain);
    }
    return !in->out || fwrite(plain.p, 1, plain.n, in->out) == plain.n;
}

/* The signing key that the uploader's organisation has registered under this name. */
static enum problem find_signer(struct rest_call *c, const json_t *row, const char *kid,
                                struct crypto_key **key)
{
    static const char sql[] = "SELECT public_key FROM signing_keys WHERE organisation_id = ? AND "
                              "key_id = ? AND state = 'active'";
    const struct store_value v[] = {store_text(row_text(row, "organisation_id")), store_text(kid)};
    struct store_txn *txn = NULL;
    struct store_rows *rows = NULL;
    enum problem p = rest_begin(c, STORE_READ, &txn);

    if (p != PROBLEM_OK) {
        return p;
    }
    enum store_err err = store_query(txn, sql, v, COUNT(v), &rows);
    if (err == STORE_OK && store_next(rows)) {
        const char *text = store_get_text(rows, 0);
        json_t *json = text ? json_loads(text, JSON_DECODE_ANY, NULL) : NULL;
        json = json ? json : json_string(text ? text : "");
        keys_load_public(json, key);
        json_decref(json);
    }
    err = err == STORE_OK ? store_rows_end(&rows) : err;
    store_rollback(&txn);
    if (err == STORE_OK && !*key) {
        return rest_fail(c, PROBLEM_SEAL_INVALID, "",
                         "it is signed by no active signing key of its organisation");
    }
    return rest_store_problem(c, err);
}

static enum problem open_package(struct rest_call *c, FILE *f, struct incoming *in)
{
    struct crypto_key *key = platform_key(c->ctl);
    char id[CRYPTO_KEY_ID_LEN + 1];

    if (!key) {
        return PROBLEM_INTERNAL;
    }
    snprintf(id, sizeof id, "%s", crypto_key_id(key));
    struct jwe_key *own = jwe_key_take(&key, slice_str(id));
    enum package_err err =
        own ? package_open(f, own, (int64_t)c->now_ms, take, in) : PACKAGE_EMEMORY;
    jwe_key_free(&own);
    return err == PACKAGE_OK ? PROBLEM_OK
                             : rest_fail(c, PROBLEM_SEAL_INVALID, "", "%s", package_strerror(err));
}

static enum problem note(json_t *row, struct incoming *in, const char *kid)
{
    uint8_t sm3[CRYPTO_HASH_LEN];
    char hex[CODEC_HEX_LEN(CRYPTO_HASH_LEN) + 1];
    const json_t *file = json_array_get(json_object_get(in->manifest, "files"), 0);

    crypto_hasher_end(&in->hasher, sm3);
    hex[codec_hex(hex, sm3, sizeof sm3)] = '\0';
    if (strcmp(row_text(file, "sm3"), hex) != 0) {
        return PROBLEM_SEAL_INVALID;
    }
    json_object_set_new(row, "package",
                        json_pack("{s:s, s:s, s:I, s:O}", "signed_by", kid, "sm3", hex, "bytes",
                                  (json_int_t)in->bytes, "files",
                                  json_object_get(in->manifest, "files")));
    return PROBLEM_OK;
}

/* Of an upload whose bytes are all there and say they are a package. */
enum problem package_judge(struct rest_call *c, json_t *row, const char *path, package_each each,
                           void *ctx)
{
    char kid[PACKAGE_KID_MAX + 1];
    struct crypto_key *signer = NULL;
    struct incoming in = {.each = each, .ctx = ctx};
    uint64_t parts;
    FILE *f = fopen(path, "re");
    enum package_err err = f ? package_look(f, kid, &parts) : PACKAGE_EIO;
    enum problem p = err == PACKAGE_OK        ? find_signer(c, row, kid, &signer)
                     : err == PACKAGE_EFORMAT ? PROBLEM_FILE_TYPE_MISMATCH
                                              : PROBLEM_INTERNAL;

    crypto_hasher_init(&in.hasher, CRYPTO_SM3);
    if (p == PROBLEM_OK) {
        err = package_verify(f, signer);
        p = err == PACKAGE_OK ? PROBLEM_OK
                              : rest_fail(c, PROBLEM_SEAL_INVALID, "", "%s", package_strerror(err));
    }
    p = p == PROBLEM_OK ? open_package(c, f, &in) : p;
    p = p == PROBLEM_OK ? note(row, &in, kid) : p;
    crypto_hasher_fini(&in.hasher);
    json_decref(in.manifest);
    crypto_key_free(&signer);
    if (f) {
        fclose(f);
    }
    return p;
}

/* What was verified when it came lies in our own folder since; its digest is compared again. */
static enum problem write_plain(struct rest_call *c, const json_t *row, const char *from,
                                const char *to)
{
    int fd = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    struct incoming in = {.out = fd >= 0 ? fdopen(fd, "w") : NULL};
    FILE *f = fopen(from, "re");
    json_t *again = json_object();
    enum problem p = f && in.out ? PROBLEM_OK : PROBLEM_INTERNAL;

    if (fd >= 0 && !in.out) {
        close(fd);
    }
    crypto_hasher_init(&in.hasher, CRYPTO_SM3);
    p = p == PROBLEM_OK ? open_package(c, f, &in) : p;
    p = p == PROBLEM_OK ? note(again, &in, "") : p;
    crypto_hasher_fini(&in.hasher);
    if (p == PROBLEM_OK && strcmp(row_text(json_object_get(again, "package"), "sm3"),
                                  row_text(json_object_get(row, "package"), "sm3")) != 0) {
        p = PROBLEM_SEAL_INVALID;
    }
    bool full = in.out && (fflush(in.out) != 0 || fdatasync(fileno(in.out)) != 0);
    if (in.out) {
        fclose(in.out);
    }
    if (f) {
        fclose(f);
    }
    json_decref(in.manifest);
    json_decref(again);
    return full ? PROBLEM_STORAGE_FULL : p;
}

enum problem package_unseal(struct rest_call *c, const json_t *upload)
{
    char sealed[UPLOAD_PATH_MAX], plain[UPLOAD_PATH_MAX], tmp[UPLOAD_PATH_MAX + 8];

    upload_path(c->ctl, row_text(upload, "id"), sealed);
    upload_plain_path(c->ctl, row_text(upload, "id"), plain);
    if (access(plain, F_OK) == 0) {
        return PROBLEM_OK;
    }
    snprintf(tmp, sizeof tmp, "%s.tmp", plain);
    enum problem p = write_plain(c, upload, sealed, tmp);
    if (p == PROBLEM_OK && rename(tmp, plain) != 0) {
        p = PROBLEM_INTERNAL;
    }
    if (p != PROBLEM_OK) {
        unlink(tmp);
    }
    return p;
}
