/* SPDX-License-Identifier: Apache-2.0 */
/* What every part of the control plane shares: the store, the keys, the feed's bell. Made once at
 * start; all but the bell is constant afterwards. */
#pragma once
#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>

#include "control.h"
#include "crypto/crypto.h"
#include "keyring/keyring.h"
#include "store/store.h"

#define CONTROL_FEED_KEEP 100000u

struct control {
    const struct control_config *cfg;
    struct store *store;
    struct keyring keys;              /* seal secrets at rest, of keys/master.key */
    uint8_t verifier[CRYPTO_KEY_LEN]; /* crypto/verifier.h, of keys/data.key */
    char epoch[33];                   /* the store's birth, hex */
    char *openapi;                    /* text served at /api/v1/openapi.yaml; NULL: none */
    uint64_t feed_keep;
    struct oauth *oauth; /* oauth/inner.h */
    struct live *live;   /* what nodes reported last: feed/reports.h */

    /* Rung after each commit that wrote feed entries; long polls wait on it. */
    pthread_mutex_t bell_lock;
    pthread_cond_t bell; /* CLOCK_MONOTONIC */
    _Atomic uint64_t rings;
    bool stopping;
};

/* Opens the store, makes missing keys and certificates, creates the administrator of a new store. A
 * sentence on stderr and false on failure. */
bool control_open(struct control *ctl, const struct control_config *cfg)
    __attribute__((warn_unused_result));
void control_close(struct control *ctl);    /* wipes keys */
bool control_is_trial(struct control *ctl); /* made by a first start with control_config.trial */
void control_ring(struct control *ctl);
