/* SPDX-License-Identifier: Apache-2.0 */
#include "oauth/engine.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/codec.h"
#include "oauth/inner.h"

#define REPLAY_BYTES (16u << 20) /* 1,400,000 live ids: 4,600 assertions a second of 5 minutes */

bool oauth_refuse(struct oauth_error *e, const char *code, const char *format, ...)
{
    va_list args;

    e->code = code;
    va_start(args, format);
    vsnprintf(e->text, sizeof e->text, format, args);
    va_end(args);
    return false;
}

bool oauth_refuse_problem(struct rest_call *c, struct oauth_error *e, enum problem p)
{
    (void)c;
    return p == PROBLEM_STORAGE_FULL
               ? oauth_refuse(e, "temporarily_unavailable", "the platform's storage is full")
               : oauth_refuse(e, "server_error", "the platform failed");
}

enum problem oauth_answer_error(struct rest_call *c, const struct oauth_error *e)
{
    static const struct {
        const char *code;
        unsigned status;
    } statuses[] = {{"invalid_client", 401},
                    {"invalid_token", 401},
                    {"insufficient_scope", 403},
                    {"server_error", 500},
                    {"temporarily_unavailable", 503}};
    unsigned status = 400;

    for (size_t i = 0; i < COUNT(statuses); i++) {
        status = strcmp(statuses[i].code, e->code) == 0 ? statuses[i].status : status;
    }
    if (strcmp(e->code, "invalid_client") == 0) {
        rest_header(c, "WWW-Authenticate", "Basic realm=\"oauth\"");
    }
    return rest_answer(c, status,
                       json_pack("{s:s, s:s}", "error", e->code, "error_description", e->text));
}

bool oauth_once(struct rest_call *c, const char *scope, const char *jti, uint64_t expires_s,
                struct oauth_error *e)
{
    switch (replay_use(c->ctl->oauth->replay, slice_str(scope), slice_str(jti), c->now_ms / 1000,
                       expires_s)) {
    case REPLAY_OK:
        return true;
    case REPLAY_EFULL:
        return oauth_refuse(e, "temporarily_unavailable", "too many single-use ids at once");
    case REPLAY_EUSED:
    case REPLAY_EIO:
    case REPLAY_EFORMAT:
    case REPLAY_ELIFE:
        break;
    }
    return oauth_refuse(e, "invalid_request", "its jti has been used");
}

bool oauth_used_once(struct rest_call *c, const char *scope, const char *jti, uint64_t expires_s)
{
    struct oauth_error e = {0};

    return oauth_once(c, scope, jti, expires_s, &e);
}

const char *oauth_issuer(const struct control *ctl)
{
    return ctl->oauth->issuer;
}

static bool open_files(struct oauth *o, const struct control *ctl)
{
    char path[PATH_MAX];

    snprintf(path, sizeof path, "%s/control/replay", ctl->cfg->data_dir);
    enum replay_err err = replay_open(&o->replay, path, REPLAY_BYTES);
    if (err != REPLAY_OK) {
        fprintf(stderr, "sluice: control: %s: %s\n", path,
                err == REPLAY_EIO ? strerror(errno) : replay_strerror(err));
        return false;
    }
    snprintf(path, sizeof path, "%s/control/issues", ctl->cfg->data_dir);
    o->journal = journal_open(path);
    return o->journal != NULL;
}

bool oauth_open(struct control *ctl)
{
    struct oauth *o = calloc(1, sizeof *o);
    struct rest_request req = {0};
    struct rest_call c = {.ctl = ctl, .req = &req, .now_ms = clock_wall_ms()};

    if (!o) {
        return false;
    }
    ctl->oauth = o;
    pthread_mutex_init(&o->clients_lock, NULL);
    pthread_rwlock_init(&o->keys_lock, NULL);
    if (ctl->cfg->public_url) {
        snprintf(o->issuer, sizeof o->issuer, "%s", ctl->cfg->public_url);
    } else {
        snprintf(o->issuer, sizeof o->issuer, "https://%s:%u",
                 ctl->cfg->listen_host ? ctl->cfg->listen_host : "127.0.0.1", ctl->cfg->port);
    }
    o->revocations = revocations_new();
    if (!o->revocations || !open_files(o, ctl)) {
        return false;
    }
    if (oauth_keys_ensure(&c) != PROBLEM_OK) {
        fprintf(stderr, "sluice: control: the keys of tokens cannot be opened: is keys/master.key "
                        "the store's?\n");
        return false;
    }
    return true;
}

void oauth_close(struct control *ctl)
{
    struct oauth *o = ctl->oauth;

    if (!o) {
        return;
    }
    clients_flush(o);
    free(o->clients);
    revocations_free(&o->revocations);
    replay_close(&o->replay);
    journal_close(&o->journal);
    crypto_wipe(o->access, sizeof o->access);
    for (size_t i = 0; i < o->n_jwt; i++) {
        crypto_key_free(&o->jwt[i].key);
        json_decref(o->jwt[i].jwk);
    }
    pthread_mutex_destroy(&o->clients_lock);
    pthread_rwlock_destroy(&o->keys_lock);
    free(o);
    ctl->oauth = NULL;
}
