/* SPDX-License-Identifier: Apache-2.0 */
/* Sources of real-name verification (GS-6.4a-1). The check digits are looked at always; an outside
 * source of the operator's is asked on top when the setting identity-source has its address. */
#include <stdlib.h>

#include "id/idnum.h"
#include "identity/inner.h"
#include "outbound.h"
#include "peers/peers.h"

#define ANSWER_MAX 4096 /* bytes */
#define TIMEOUT_MS 5000L

/* Built in: the number is one, and of the right sort. */
static enum problem check_digits(struct rest_call *c, const char *where,
                                 const struct identity_claim *claim, bool *match)
{
    struct slice number = slice_str(claim->id_number);

    (void)c;
    (void)where;
    *match =
        strcmp(claim->kind, "organisation") == 0 ? idnum_is_uscc(number) : idnum_is_id_card(number);
    return PROBLEM_OK;
}

/* HTTP -----------------------------------------------------------------------------------------
 */
/* {kind, name, id_number} out, {match} back; anything else is no answer. */
static enum problem ask(struct rest_call *c, const char *where, const struct identity_claim *claim,
                        bool *match)
{
    json_t *body = json_pack("{s:s, s:s, s:s}", "kind", claim->kind, "name", claim->name,
                             "id_number", claim->id_number);
    char *request = json_dumps(body, JSON_COMPACT);
    struct buf answer;

    json_decref(body);
    buf_init(&answer);
    const struct outbound o = {.url = where,
                               .content_type = "application/json",
                               .body = slice_str(request ? request : ""),
                               .administrators = true,
                               .timeout_ms = TIMEOUT_MS,
                               .answer_max = ANSWER_MAX,
                               .answer = &answer};
    long status = request ? outbound_exchange(c->ctl->cfg, &o) : 0;
    json_t *json = status == 200 ? json_loadb(answer.p ? answer.p : "", answer.n, 0, NULL) : NULL;
    const json_t *verdict = json_object_get(json, "match");
    bool told = json_is_boolean(verdict);
    *match = told && json_is_true(verdict);
    json_decref(json);
    buf_wipe(&answer);
    if (request) {
        crypto_wipe(request, strlen(request));
    }
    free(request);
    return told ? PROBLEM_OK
                : rest_fail(c, PROBLEM_SOURCE_UNAVAILABLE, "",
                            "the source of real-name verification gives no answer");
}

static enum problem ask_peer(struct rest_call *c, const char *where,
                             const struct identity_claim *claim, bool *match)
{
    return peers_verify(c, where + sizeof "peer:" - 1, claim->kind, claim->name, claim->id_number,
                        match);
}

static const struct identity_source sources[] = {
    {"checksum", check_digits},
    {"http://", ask},
    {"https://", ask},
    {"peer:", ask_peer},
};
#define N_SOURCES (sizeof sources / sizeof *sources)

static const struct identity_source *source_of(const char *setting)
{
    for (size_t i = 0; i < N_SOURCES; i++) {
        if (strncmp(setting, sources[i].scheme, strlen(sources[i].scheme)) == 0) {
            return &sources[i];
        }
    }
    return NULL;
}

bool realname_setting_ok(const char *value)
{
    const struct identity_source *s = source_of(value);

    if (!s) {
        return false;
    }
    size_t scheme = strlen(s->scheme);
    return s == sources ? value[scheme] == '\0'
                        : value[scheme] != '\0' && !strpbrk(value, " \"<>\\^`{|}@");
}

static enum problem read_setting(struct rest_call *c, char value[static SETTING_MAX])
{
    struct store_txn *txn = NULL;
    enum problem p = rest_begin(c, STORE_READ, &txn);

    if (p != PROBLEM_OK) {
        return p;
    }
    p = setting_get(c, txn, "identity-source", value);
    store_rollback(&txn);
    return p;
}

enum problem realname_check(struct rest_call *c, const struct identity_claim *claim)
{
    char setting[SETTING_MAX];
    bool match = false;
    enum problem p = read_setting(c, setting);
    const struct identity_source *source = p == PROBLEM_OK ? source_of(setting) : NULL;

    if (p == PROBLEM_OK && !source) {
        p = rest_fail(c, PROBLEM_SOURCE_UNAVAILABLE, "", "no source of verification is set");
    }
    if (p == PROBLEM_OK) {
        p = check_digits(c, "", claim, &match);
    }
    if (p == PROBLEM_OK && match && source && source != sources) {
        p = source->check(c, setting, claim, &match);
    }
    return p == PROBLEM_OK && !match ? PROBLEM_IDENTITY_MISMATCH : p;
}
