/* SPDX-License-Identifier: Apache-2.0 */
/* The OAuth server's periodic work: the journal into the store, what is over out of it. */
#include <stdio.h>

#include "base/codec.h"
#include "oauth/engine.h"
#include "oauth/inner.h"

#define BATCH          4096u
#define ISSUES_KEEP_MS (90ll * 86400 * 1000)
#define OVER_KEEP_MS   (86400ll * 1000) /* a used code or refresh token is known as such so long */

static enum problem insert_issue(struct rest_call *c, struct store_txn *txn,
                                 const struct journal_record *r)
{
    char id[UUID_TEXT_LEN + 1], app[UUID_TEXT_LEN + 1];

    uuid_format(&r->token, id);
    uuid_format(&r->app, app);
    const struct store_value v[] = {store_text(id), store_text(app), store_int((int64_t)r->at_ms),
                                    store_int((int64_t)r->expires_ms), store_int(r->binding)};
    return rest_store_problem(
        c, store_exec(txn,
                      "INSERT INTO token_issues (id, app_id, at_ms, expires_at, binding) VALUES "
                      "(?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING",
                      v, COUNT(v), NULL));
}

/* One operation a batch, with the digest of its ids: so the chain vouches for each of them. */
static enum problem import_batch(struct rest_call *c, struct store_txn *txn,
                                 const struct journal_record *records, size_t n)
{
    char hex[CODEC_HEX_LEN(CRYPTO_HASH_LEN) + 1], id[UUID_TEXT_LEN + 1] = "";
    uint8_t digest[CRYPTO_HASH_LEN];
    struct crypto_hasher h;
    enum problem p = PROBLEM_OK;
    json_int_t count = 0;

    crypto_hasher_init(&h, CRYPTO_SM3);
    for (size_t i = 0; i < n && p == PROBLEM_OK; i++) {
        if (uuid_is_nil(&records[i].token)) {
            continue; /* taken by a process that was killed before it wrote: never a token */
        }
        crypto_hasher_add(&h, records[i].token.b, UUID_LEN);
        uuid_format(&records[i].token, id);
        p = insert_issue(c, txn, &records[i]);
        count++;
    }
    crypto_hasher_end(&h, digest);
    crypto_hasher_fini(&h);
    hex[codec_hex(hex, digest, sizeof digest)] = '\0';
    return p == PROBLEM_OK && count > 0
               ? oauth_log(c, txn, "", "issue", "token", id,
                           json_pack("{s:s, s:I, s:s}", "by", "client_credentials", "count", count,
                                     "sm3", hex))
               : p;
}

enum problem oauth_job_issues(struct rest_call *c)
{
    static struct journal_record records[BATCH]; /* the jobs' thread alone */
    struct journal *j = c->ctl->oauth->journal;
    struct store_txn *txn = NULL;
    enum problem p = PROBLEM_OK;
    size_t n = 0;

    while (p == PROBLEM_OK && (n = journal_peek(j, records, BATCH)) > 0) {
        p = rest_begin(c, STORE_WRITE, &txn);
        if (p == PROBLEM_OK) {
            p = rest_finish(c, &txn, import_batch(c, txn, records, n));
        }
        if (p == PROBLEM_OK) {
            journal_done(j, n);
        }
    }
    return p;
}

enum problem oauth_job_expire(struct rest_call *c)
{
    static const char *const gone[] = {
        "DELETE FROM oauth_codes WHERE expires_at <= ?",
        "DELETE FROM oauth_refresh_tokens WHERE expires_at <= ?",
        "DELETE FROM oauth_families WHERE expires_at <= ?",
    };
    const struct store_value over = store_int((int64_t)c->now_ms - OVER_KEEP_MS),
                             now = store_int((int64_t)c->now_ms),
                             issues = store_int((int64_t)c->now_ms - ISSUES_KEEP_MS);
    struct store_txn *txn = NULL;
    enum problem p = rest_begin(c, STORE_WRITE, &txn);

    for (size_t i = 0; i < COUNT(gone) && p == PROBLEM_OK; i++) {
        p = rest_store_problem(c, store_exec(txn, gone[i], &over, 1, NULL));
    }
    if (p == PROBLEM_OK) { /* anybody can make these: not kept any longer */
        p = rest_store_problem(
            c, store_exec(txn, "DELETE FROM oauth_requests WHERE expires_at <= ?", &now, 1, NULL));
    }
    if (p == PROBLEM_OK) {
        p = rest_store_problem(
            c, store_exec(txn, "DELETE FROM token_issues WHERE expires_at <= ?", &issues, 1, NULL));
    }
    if (p == PROBLEM_OK) {
        p = revocations_expire(c, txn);
    }
    return txn ? rest_finish(c, &txn, p) : p;
}
