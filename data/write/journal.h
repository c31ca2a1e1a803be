/* SPDX-License-Identifier: Apache-2.0 */
/* The journal of writes: one SQLite file, its images sealed with SM4-GCM. An operation is
 * `prepared` here, durably and with its images, before its transaction in the source is committed,
 * and `done` or `failed` afterwards; what a crash leaves prepared is settled by the images
 * (recover.c). One mutex: any thread. */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "crypto/crypto.h"
#include "id/uuid.h"

#define JOURNAL_WORD_MAX    128          /* bytes of a batch's or idempotency key's name */
#define JOURNAL_KEY_KEPT_MS 172800000ull /* an idempotency key */
#define JOURNAL_DAYS        1095u        /* an operation with its images, unless configured */
#define JOURNAL_DAYS_MIN    7u
#define JOURNAL_TRIES       10 /* of a delivery, the last about 17 minutes after the first */

enum journal_err {
    JOURNAL_OK,
    JOURNAL_EFULL,   /* no room on the disk: nothing was written */
    JOURNAL_EKEY,    /* the app has an operation with this idempotency key */
    JOURNAL_EABSENT, /* there is no such operation */
    JOURNAL_EIO
};

struct journal;
/* dir is made. NULL: it cannot be opened. */
struct journal *wjournal_open(const char *dir, const uint8_t link_key[static CRYPTO_KEY_LEN]);
void wjournal_close(struct journal **j);
/* How long operations are kept; 0: JOURNAL_DAYS. Fewer than JOURNAL_DAYS_MIN are that many. */
void wjournal_retain(struct journal *j, unsigned days);

struct journal_op { /* texts "" when there is none */
    char id[UUID_TEXT_LEN + 1], dataset[UUID_TEXT_LEN + 1], source[UUID_TEXT_LEN + 1],
        api[UUID_TEXT_LEN + 1], app[UUID_TEXT_LEN + 1], grant[UUID_TEXT_LEN + 1],
        txn[UUID_TEXT_LEN + 1];
    char batch[JOURNAL_WORD_MAX + 1], key[JOURNAL_WORD_MAX + 1];
    char owner[JOURNAL_WORD_MAX + 1];     /* whose rows */
    char actor[JOURNAL_WORD_MAX + 1];     /* the user behind a rollback, the key of a supply */
    char kind[16];                        /* insert, update, delete, supply, rollback */
    uint8_t fingerprint[CRYPTO_HASH_LEN]; /* of the request that the idempotency key stands for */
    unsigned status;                      /* of the answer */
    bool deliver;                         /* its business unit is to be told */
    uint64_t at_ms;
    json_t *shape, *rows; /* rows: [{"key", "before", "after"}], images or null */
    json_t *undoes;       /* ids of the operations that it takes back; NULL: none */
    struct slice answer;  /* kept with the idempotency key */
};

/* Durable when it returns. */
enum journal_err wjournal_prepare(struct journal *j, const struct journal_op *op)
    __attribute__((warn_unused_result));
/* done: also marks what it undoes and queues deliveries; else failed, and its idempotency key is
 * free again. An operation that is not `prepared` stays as it is. */
enum journal_err wjournal_finish(struct journal *j, const char *id, bool done, const char *reason);
/* This process does not know what became of it: recovery has to find out. */
void wjournal_doubt(struct journal *j, const char *id);

struct journal_kept { /* what an idempotency key stands for */
    char id[UUID_TEXT_LEN + 1], state[16];
    uint8_t fingerprint[CRYPTO_HASH_LEN];
    unsigned status;
    struct buf *answer; /* the caller's, filled */
};
enum journal_err wjournal_kept(struct journal *j, const char *app, const char *key,
                               struct journal_kept *kept) __attribute__((warn_unused_result));

/* Objects with all members of an operation but its images: newest first. filter: texts `operation`,
 * `dataset`, `batch`, `app`, `state`, `kind`, `transaction`, `owner`; whole numbers `since`,
 * `until` (ms), `before` (sequence), `limit`; datasets (array): of these alone. NULL: it cannot be
 * read. */
json_t *wjournal_list(struct journal *j, const json_t *filter);
/* [{"key","before","after"}]; NULL: it cannot be read. */
json_t *wjournal_rows(struct journal *j, const char *id);
/* Operations that are prepared and not this process's own; dataset NULL: of any. */
json_t *wjournal_unsettled(struct journal *j, const char *dataset);
/* Later done operations on the row than `id`, newest first: an array of their ids. */
json_t *wjournal_later(struct journal *j, const char *id, const char *dataset, const json_t *key);

/* Takes out what was settled before before_ms, at most max operations of the oldest: how many. What
 * is not settled and what a delivery is due of stays, and so does all that is newer: whatever is
 * there can be rolled back as before, since only later operations count for that. */
size_t wjournal_prune(struct journal *j, uint64_t before_ms, unsigned max);
void wjournal_keep(struct journal *j, uint64_t now_ms); /* now and then, by what is to be kept */
/* When the newest operation that was taken out was made; 0: none was. */
uint64_t wjournal_pruned(struct journal *j);

/* Deliveries that are due, at most 16, of each row the oldest alone. */
json_t *wjournal_due(struct journal *j, uint64_t now_ms);
/* outcome: [{"id", "ok", "reason"}]. */
enum journal_err wjournal_delivered(struct journal *j, const json_t *outcome, uint64_t now_ms);
/* Of the datasets; state "" any. */
json_t *wjournal_deliveries(struct journal *j, const json_t *filter);
/* Makes given-up ones due again. */
enum journal_err wjournal_redeliver(struct journal *j, const char *dataset, int64_t id);
