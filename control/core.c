/* SPDX-License-Identifier: Apache-2.0 */
#include "core.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "api/api.h"
#include "base/clock.h"
#include "base/codec.h"
#include "ca/ca.h"
#include "crypto/verifier.h"
#include "feed/feed.h"
#include "feed/reports.h"
#include "link/ring.h"
#include "oauth/engine.h"
#include "rest/strict.h"

#define ONE_TIME_BYTES 15 /* 20 characters */
#define OPENAPI_MAX    (8l << 20)

static bool complain(const char *what, const char *why)
{
    fprintf(stderr, "sluice: control: %s: %s\n", what, why);
    return false;
}

static bool make_folder(const char *data_dir, const char *name, char path[static PATH_MAX])
{
    int n = snprintf(path, PATH_MAX, "%s/%s", data_dir, name);

    if (n < 0 || n >= PATH_MAX - 64) {
        return complain(data_dir, "the path is too long");
    }
    if (mkdir(path, 0700) != 0 && errno != EEXIST) {
        return complain(path, strerror(errno));
    }
    return true;
}

static bool load_key(const char *folder, const char *name, uint8_t key[static CRYPTO_KEY_LEN])
{
    char path[PATH_MAX + 32];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    enum crypto_err err = crypto_keyfile_create(path, key);
    return err == CRYPTO_OK ||
           complain(path, err == CRYPTO_EIO ? strerror(errno) : crypto_strerror(err));
}

/* The link keys there are; and keys/data.key, the link key of a platform's first start, of which is
 * made what stays when the link key is replaced: pseudonyms, verifiers, what the data service
 * keeps.
 */
static bool load_link(const char *folder, const uint8_t link[static CRYPTO_KEY_LEN],
                      uint8_t data[static CRYPTO_KEY_LEN])
{
    char path[PATH_MAX + 32];

    snprintf(path, sizeof path, "%s/link.key", folder);
    enum crypto_err err = link_ring_load(path);
    if (err == CRYPTO_OK) {
        snprintf(path, sizeof path, "%s/data.key", folder);
        err = link_data_key(path, link, data);
    }
    return err == CRYPTO_OK ||
           complain(path, err == CRYPTO_EIO ? strerror(errno) : crypto_strerror(err));
}

static bool load_keys(struct control *ctl)
{
    static const char *const names[] = {"control"};
    uint8_t link[CRYPTO_KEY_LEN], data[CRYPTO_KEY_LEN];
    char folder[PATH_MAX];

    if (mkdir(ctl->cfg->data_dir, 0700) != 0 && errno != EEXIST) {
        return complain(ctl->cfg->data_dir, strerror(errno));
    }
    if (!make_folder(ctl->cfg->data_dir, "keys", folder) || !keyring_load(ctl, folder) ||
        !load_key(folder, "link.key", link) || !load_link(folder, link, data)) {
        return false;
    }
    crypto_derive(data, CRYPTO_VERIFIER_LABEL, ctl->verifier);
    crypto_wipe(data, sizeof data);
    crypto_wipe(link, sizeof link);
    if (!make_folder(ctl->cfg->data_dir, "pki", folder)) {
        return false;
    }
    enum crypto_err err = crypto_pki_ensure(
        folder, names, 1, ctl->cfg->listen_host ? ctl->cfg->listen_host : "127.0.0.1");
    return err == CRYPTO_OK || complain(folder, crypto_strerror(err));
}

static void load_openapi(struct control *ctl)
{
    FILE *f = ctl->cfg->openapi_path ? fopen(ctl->cfg->openapi_path, "rb") : NULL;

    if (!f) {
        return; /* the address answers not-found then */
    }
    if (fseek(f, 0, SEEK_END) == 0 && ftell(f) > 0 && ftell(f) < OPENAPI_MAX) {
        size_t n = (size_t)ftell(f);
        rewind(f);
        ctl->openapi = calloc(1, n + 1);
        if (ctl->openapi && fread(ctl->openapi, 1, n, f) != n) {
            free(ctl->openapi);
            ctl->openapi = NULL;
        }
    }
    fclose(f);
}

static enum store_err read_text(struct store_txn *txn, const char *sql, char *out, size_t room)
{
    struct store_rows *rows = NULL;
    enum store_err err = store_query(txn, sql, NULL, 0, &rows);

    out[0] = '\0';
    if (err == STORE_OK && store_next(rows)) {
        snprintf(out, room, "%s", store_get_text(rows, 0));
    }
    return err == STORE_OK ? store_rows_end(&rows) : err;
}

static bool make_epoch(struct control *ctl, struct store_txn *txn)
{
    uint8_t random[16];

    if (read_text(txn, "SELECT value FROM meta WHERE key = 'epoch'", ctl->epoch,
                  sizeof ctl->epoch) != STORE_OK) {
        return false;
    }
    if (ctl->epoch[0]) {
        return true;
    }
    crypto_random(random, sizeof random);
    ctl->epoch[codec_hex(ctl->epoch, random, sizeof random)] = '\0';
    const struct store_value v = store_text(ctl->epoch);
    return store_exec(txn, "INSERT INTO meta (key, value) VALUES ('epoch', ?)", &v, 1, NULL) ==
           STORE_OK;
}

static json_t *admin_row(const char *password, bool must_change)
{
    char phc[CRYPTO_PASSWORD_MAX], id[UUID_TEXT_LEN + 1];
    struct uuid u;

    uuid_new(&u);
    uuid_format(&u, id);
    crypto_password_hash(slice_str(password), phc);
    return json_pack("{s:s, s:s, s:s, s:s, s:b, s:s, s:s, s:n, s:n}", "id", id, "state", "active",
                     "login", "admin", "password_hash", phc, "password_change_required",
                     must_change, "display_name", "Administrator", "role", "admin",
                     "organisation_id", "subject");
}

/* The first user. Printed only after the commit, so a password that is shown is one that works. */
static bool make_admin(struct control *ctl, struct store_txn **txn)
{
    uint8_t random[ONE_TIME_BYTES];
    char generated[CODEC_BASE64URL_LEN(ONE_TIME_BYTES) + 1], any[8];
    struct rest_response resp;
    struct rest_request req = {0};
    struct rest_call c = {.ctl = ctl, .req = &req, .resp = &resp, .now_ms = clock_wall_ms()};
    const char *given = ctl->cfg->admin_password;

    if (read_text(*txn, "SELECT 'yes' FROM users LIMIT 1", any, sizeof any) != STORE_OK) {
        return false;
    }
    if (any[0]) {
        return store_commit(txn) == STORE_OK;
    }
    if (ctl->cfg->trial && strict_trial(&c, *txn) != PROBLEM_OK) {
        return false;
    }
    crypto_random(random, sizeof random);
    generated[codec_base64url(generated, random, sizeof random)] = '\0';
    json_t *row = admin_row(given ? given : generated, !given);
    enum problem p = change_store(&c, *txn, resource_by_plural("users"), NULL, row, "create");
    json_decref(row);
    bool ok = p == PROBLEM_OK && store_commit(txn) == STORE_OK;
    if (ok && !given) {
        printf("sluice: administrator admin, one-time password %s\n", generated);
        fflush(stdout);
    }
    crypto_wipe(generated, sizeof generated);
    return ok;
}

static bool first_start(struct control *ctl)
{
    struct store_txn *txn = NULL;

    if (ctl->cfg->admin_password && strlen(ctl->cfg->admin_password) < 12) {
        return complain("the administrator's password", "at least 12 characters are needed");
    }
    if (store_begin(ctl->store, STORE_WRITE, &txn) != STORE_OK) {
        return complain("store", "cannot be written");
    }
    bool ok = make_epoch(ctl, txn) && make_admin(ctl, &txn);
    store_rollback(&txn);
    return ok || complain("store", "cannot be prepared");
}

bool control_is_trial(struct control *ctl)
{
    struct store_txn *txn = NULL;
    char trial[8] = "";

    if (store_begin(ctl->store, STORE_READ, &txn) != STORE_OK) {
        return false;
    }
    bool read = read_text(txn, "SELECT value FROM meta WHERE key = 'trial'", trial, sizeof trial) ==
                STORE_OK;
    store_rollback(&txn);
    return read && trial[0];
}

static bool seed_algorithms(struct control *ctl)
{
    struct rest_request req = {0};
    struct rest_call c = {.ctl = ctl, .req = &req, .now_ms = clock_wall_ms()};

    return algorithms_seed(&c) == PROBLEM_OK || complain("store", "cannot take the algorithms");
}

static bool seed_authorities(struct control *ctl)
{
    struct rest_request req = {0};
    struct rest_call c = {.ctl = ctl, .req = &req, .now_ms = clock_wall_ms()};

    return ca_seed(&c) == PROBLEM_OK || complain("store", "cannot take the CAs for apps");
}

/* Behind what tells that the master key is the store's. */
static bool load_kept_keys(struct control *ctl)
{
    struct store_txn *txn = NULL;

    if (store_begin(ctl->store, STORE_WRITE, &txn) != STORE_OK) {
        return complain("store", "cannot be written");
    }
    bool ok = keyring_load_kept(ctl, txn) && store_commit(&txn) == STORE_OK;
    store_rollback(&txn);
    return ok;
}

/* A new link key seals nothing before the job says so: other machines may not have it yet, and what
 * nodes were told is told anew by the job, without their beginning from the start. */
static bool hold_link_key(struct control *ctl)
{
    struct store_txn *txn = NULL;
    char held[8] = "";

    if (store_begin(ctl->store, STORE_READ, &txn) != STORE_OK) {
        return complain("store", "cannot be read");
    }
    enum store_err err = read_text(txn,
                                   "SELECT 'yes' FROM key_replacements WHERE \"key\" = 'link' AND "
                                   "state IN ('requested', 'held', 'resealing')",
                                   held, sizeof held);
    store_rollback(&txn);
    link_ring_hold(held[0] != '\0');
    return err == STORE_OK || complain("store", "cannot be read");
}

static bool open_store(struct control *ctl)
{
    char folder[PATH_MAX], path[PATH_MAX + 16], why[STORE_WHY_MAX];

    if (!make_folder(ctl->cfg->data_dir, "control", folder)) {
        return false;
    }
    snprintf(path, sizeof path, "%s/store.db", folder);
    if (store_open(&ctl->store, path, why) != STORE_OK) {
        return complain(path, why);
    }
    return true;
}

bool control_open(struct control *ctl, const struct control_config *cfg)
{
    pthread_condattr_t attr;

    *ctl = (struct control){.cfg = cfg,
                            .feed_keep = cfg->feed_keep ? cfg->feed_keep : CONTROL_FEED_KEEP};
    pthread_mutex_init(&ctl->bell_lock, NULL);
    pthread_rwlock_init(&ctl->keys.lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&ctl->bell, &attr);
    pthread_condattr_destroy(&attr);
    load_openapi(ctl);
    ctl->live = live_new();
    if (!ctl->live || !load_keys(ctl) || !open_store(ctl) || !first_start(ctl) ||
        !hold_link_key(ctl) || !feed_check_key(ctl) || !seed_algorithms(ctl) || !oauth_open(ctl) ||
        !load_kept_keys(ctl) || !seed_authorities(ctl)) {
        control_close(ctl);
        return false;
    }
    return true;
}

void control_close(struct control *ctl)
{
    oauth_close(ctl);
    store_close(&ctl->store);
    live_free(&ctl->live);
    free(ctl->openapi);
    ctl->openapi = NULL;
    keyring_wipe(ctl);
    pthread_rwlock_destroy(&ctl->keys.lock);
    crypto_wipe(ctl->verifier, sizeof ctl->verifier);
    pthread_mutex_destroy(&ctl->bell_lock);
    pthread_cond_destroy(&ctl->bell);
}

void control_ring(struct control *ctl)
{
    pthread_mutex_lock(&ctl->bell_lock);
    ctl->rings++;
    pthread_cond_broadcast(&ctl->bell);
    pthread_mutex_unlock(&ctl->bell_lock);
}
