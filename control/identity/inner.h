/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of identity/ share and nobody else needs. */
#pragma once
#include "identity/identity.h"
#include "token/token.h"

#define PASSWORD_MAX   1024 /* bytes */
#define TOKEN_BYTES    32
#define VERIFY_DAYS_MS (24ull * 3600 * 1000)

/* failures.c: wrong attempts, counted under a digest in the store. ---------------------------- */
#define FAILURES_CAPTCHA         3  /* of a login: a captcha is needed from then on */
#define FAILURES_CAPTCHA_ADDRESS 10 /* of an address, behind which many may sit */

struct failures {
    uint8_t key[CRYPTO_HASH_LEN];
    int64_t count;
    uint64_t until_ms;
};
/* Whose failures: a login, or `realm` and a name, which no login can be confused with. */
void failures_of_login(struct failures *f, const char *login);
void failures_of(struct failures *f, const char *realm, const char *name);
enum problem failures_load(struct rest_call *c, struct store_txn *txn, struct failures *f);
/* In a transaction of its own. waits: the next attempts are put off, longer and longer. actor: who
 * the operation says has failed, NULL: none is written. */
enum problem failures_note(struct rest_call *c, const struct failures *f, bool waits,
                           const char *actor);
/* What a login that has failed often enough would wait, found out without leaving a trace. */
enum problem failures_try(struct rest_call *c, uint64_t *wait_ms);
enum problem failures_clear(struct rest_call *c, struct store_txn *txn, const struct failures *f);
/* PROBLEM_TOO_MANY_ATTEMPTS while the wait lasts. */
enum problem failures_wait(struct rest_call *c, const struct failures *f);

/* settings.c */
#define SETTING_MAX 513
enum problem setting_get(struct rest_call *c, struct store_txn *txn, const char *name,
                         char value[static SETTING_MAX]);
struct session_times {
    uint64_t idle_ms, absolute_ms;
};
/* PROBLEM_FIELD_INVALID at /scenario when there is no such one. */
enum problem session_times_get(struct rest_call *c, struct store_txn *txn, const char *scenario,
                               struct session_times *t);

/* password.c */
/* argon2 at the same cost whether there is a hash or not. */
bool password_verify(const char *phc, const char *password);
/* Stores a new password and ends the user's other sessions; the rules have been checked. */
enum problem password_store(struct rest_call *c, const char *user_id, const char *password);
/* Refuses one of the last ones. */
enum problem password_check_history(struct rest_call *c, const char *user_id, const char *where,
                                    const char *password);

/* accounts.c: the verifier of a password just seen; null when the account may not call by it. */
json_t *account_verifier(const struct rest_call *c, const json_t *user, const char *password);
/* Keeps it up after a sign-in with that password. */
enum problem account_seen(struct rest_call *c, struct store_txn *txn, json_t *user,
                          const char *password);

/* sealed.c: a password as the browser seals it: "<wall ms>.<nonce>.<password>". */
#define SEALED_TEXT_MAX  1024
#define SEALED_LIFE_MS   120000u
#define SEALED_NONCE_MIN 16
#define SEALED_NONCE_MAX 64
struct sealed_text {
    uint64_t at_ms;
    struct slice nonce, password;
};
bool sealed_parse(struct sealed_text *s, struct slice plain) __attribute__((warn_unused_result));

/* login_key.c */
/* Opens a sealed password once; *ok false: it is none, too old or used. kid NULL: any key. */
enum problem sealed_open(struct rest_call *c, const char *kid, const char *text,
                         char password[static SEALED_TEXT_MAX], bool *ok);
enum problem login_key_current(struct rest_call *c, json_t **answer); /* {kid, key, alg} */

/* captcha.c */
enum problem captcha_take(struct rest_call *c, const char *id, const char *answer, bool *ok);
/* captcha_image.c: a PNG of the text; malloc'd by libgd. NULL: no memory. */
#define CAPTCHA_CHARS 5
void *captcha_image(const char text[static CAPTCHA_CHARS + 1], int *n);
void captcha_image_free(void *png);

/* factors.c */
enum problem otp_use(struct rest_call *c, const json_t *user, const char *code, bool *ok);
/* certificate_factor.c */
enum problem certificate_matches(struct rest_call *c, const json_t *user, bool *ok);

/* sign_in.c */
struct attempt {
    const struct sign_in *in;
    const char *accessid; /* has to be the user's; NULL: not asked */
    struct failures login, address;
    json_t *user; /* NULL: unknown, or not active */
    char captcha_rule[SETTING_MAX];
    unsigned factors;
    struct session_times times;
};
enum problem attempt_load(struct rest_call *c, struct attempt *a);
/* Everything up to the session: captcha, password, factors. Counts failures. */
enum problem attempt_prove(struct rest_call *c, struct attempt *a);
enum problem attempt_finish(struct rest_call *c, struct attempt *a,
                            char token[static SESSION_TOKEN_TEXT]);
void attempt_fini(struct attempt *a);

/* sessions.c */
json_t *factor_names(unsigned factors);
/* Stores a session and fills c->user's session and factors of it. */
enum problem session_start(struct rest_call *c, struct store_txn *txn, const struct attempt *a,
                           const char *token);

/* realname.c: a source answers *match, or a problem when it cannot. */
struct identity_source {
    const char *scheme; /* of the setting identity-source, which follows it */
    enum problem (*check)(struct rest_call *c, const char *where,
                          const struct identity_claim *claim, bool *match);
};
bool realname_setting_ok(const char *value);

/* identities.c: notes whose identity this is, so that it is found again; in txn. */
enum problem identity_note(struct rest_call *c, struct store_txn *txn, const char *user_id,
                           const struct identity_claim *claim);
