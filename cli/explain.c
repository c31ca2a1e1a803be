/* SPDX-License-Identifier: Apache-2.0 */
/* `sluice explain`: the gateway's own decision on the gateway's own records, put in words. It takes
 * the app's credential as good unless --credential names one. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/utf8.h"
#include "cli.h"
#include "plan/plan.h"
#include "policy/policy.h"
#include "policy/purpose.h"
#include "replica/replica.h"
#include "sdk/sdk.h"
#include "settings.h"
#include "unknown.h"

static const char usage_text[] =
    "usage: sluice explain --app ID --api ID|PATH [options]\n\n"
    "  --owner VALUE        with the live grant of this owner\n"
    "  --grant ID           with this grant\n"
    "  --method METHOD      GET\n"
    "  --credential ID      with this credential instead of a good one of --proof\n"
    "  --proof LIST         what the call proves: of secret, key, certificate (secret; with\n"
    "                       --credential: what its algorithm proves)\n"
    "  --user-factors N     how many kinds of proof the user of its token gave (0: no user)\n"
    "  --purpose TEXT       what the call says it is for\n"
    "  --sdk NAME/VERSION   the SDK it comes through; without: directly\n"
    "  --data-dir DIR       of the gateway (" SETTINGS_DATA_DIR ")\n"
    "  --lang zh|en         en\n"
    "  --json               the verdict as JSON\n\n"
    "Ends with 0 when the call would be allowed, 1 when refused, 2 when it cannot be told.\n\n"
    "example:\n"
    "  sluice explain --app 0190… --api /trade/orders/v1 --owner M0000001 --lang zh\n";

struct options {
    const char *app, *api, *owner, *grant, *method, *credential, *proof, *data_dir, *lang,
        *user_factors, *purpose, *sdk;
    bool json;
};

/* Everything one explanation looks at. Slices borrow from the replica's snapshot. */
struct lookup {
    struct replica *replica;
    struct replica_reader *reader;
    uint64_t synced_ms;
    struct replica_api api;
    struct replica_app app;
    struct replica_credential credential;
    struct policy_subscription subscription;
    struct policy_grant grant;
    struct policy_field fields[POLICY_FIELDS_MAX];
    struct policy_call call;
    struct policy_verdict verdict;
};

static int read_options(struct options *o, int argc, char **argv)
{
    const struct {
        const char *name, **value;
    } rows[] = {
        {"--app", &o->app},         {"--api", &o->api},
        {"--owner", &o->owner},     {"--grant", &o->grant},
        {"--method", &o->method},   {"--credential", &o->credential},
        {"--lang", &o->lang},       {"--data-dir", &o->data_dir},
        {"--proof", &o->proof},     {"--user-factors", &o->user_factors},
        {"--purpose", &o->purpose}, {"--sdk", &o->sdk},
    };
    for (int i = 1; i < argc; i++) {
        size_t k = 0, n = sizeof rows / sizeof *rows;
        if (strcmp(argv[i], "--help") == 0) {
            return 0;
        }
        if (strcmp(argv[i], "--json") == 0) {
            o->json = true;
            continue;
        }
        while (k < n && strcmp(rows[k].name, argv[i]) != 0) {
            k++;
        }
        if (k == n) {
            cli_unknown_option("explain", argv[i], &rows[0].name, n, sizeof *rows);
            return 2;
        }
        if (i + 1 == argc) {
            fprintf(stderr, "sluice explain: '%s' needs a value after it\n", argv[i]);
            return 2;
        }
        *rows[k].value = argv[++i];
    }
    return -1;
}

static bool read_id(const char *what, const char *text, struct uuid *id)
{
    if (uuid_parse(id, text, strlen(text))) {
        return true;
    }
    fprintf(stderr, "sluice explain: %s '%s' is not an id (a UUID)\n", what, text);
    return false;
}

static bool fine(const char *what, enum replica_err err)
{
    if (err != REPLICA_OK) {
        fprintf(stderr, "sluice explain: %s: %s\n", what, replica_strerror(err));
    }
    return err == REPLICA_OK;
}

static bool open_replica(struct lookup *l, const char *data_dir)
{
    char dir[1024];
    uint64_t version;
    int n = snprintf(dir, sizeof dir, "%s/gateway/replica", data_dir);
    if (access(data_dir, R_OK | X_OK) != 0) {
        perror(data_dir);
        return false;
    }
    return n > 0 && (size_t)n < sizeof dir && fine(dir, replica_open_reader(&l->replica, dir)) &&
           fine(dir, replica_reader_new(&l->reader, l->replica)) &&
           fine(dir, replica_read_begin(l->reader, &version, &l->synced_ms));
}

/* What is not there is left NULL: the decision says what that means. */
static bool find_api(struct lookup *l, const char *text)
{
    struct uuid id;
    enum replica_err err;
    if (text[0] == '/') {
        err = replica_route(l->reader, slice_str(text), &l->api, l->fields);
    } else if (read_id("--api", text, &id)) {
        err = replica_get_api(l->reader, &id, &l->api, l->fields);
    } else {
        return false;
    }
    l->call.api = err == REPLICA_OK ? &l->api.policy : NULL;
    return err == REPLICA_OK || err == REPLICA_ENOTFOUND || fine("API", err);
}

static const struct {
    uint8_t bit;
    const char *word, *en, *zh;
} proof_rows[] = {
    {POLICY_PROOF_SECRET, "secret", "a MAC by a shared secret", "共享密钥"},
    {POLICY_PROOF_KEY, "key", "a signature by a private key", "私钥签名"},
    {POLICY_PROOF_CERTIFICATE, "certificate", "the app's client certificate", "客户端证书"},
};
enum { PROOF_ROWS = sizeof proof_rows / sizeof *proof_rows };

/* "key,certificate" */
static bool read_proofs(const char *text, uint8_t *proofs)
{
    for (const char *at = text; *at != '\0';) {
        size_t n = strcspn(at, ","), i = 0;
        while (i < PROOF_ROWS &&
               (strlen(proof_rows[i].word) != n || memcmp(at, proof_rows[i].word, n) != 0)) {
            i++;
        }
        if (i == PROOF_ROWS) {
            break;
        }
        *proofs |= proof_rows[i].bit;
        if (at[n] == '\0') {
            return true;
        }
        at += n + 1;
    }
    fprintf(stderr, "sluice explain: --proof '%s' is not of secret, key, certificate\n", text);
    return false;
}

static bool find_app(struct lookup *l, const struct options *o)
{
    struct uuid id;
    if (!read_id("--app", o->app, &id)) {
        return false;
    }
    enum replica_err err = replica_get_app(l->reader, &id, &l->app);
    l->call.app = err == REPLICA_OK ? &l->app.policy : NULL;
    uint8_t proofs = 0;
    if (o->proof != NULL && !read_proofs(o->proof, &proofs)) {
        return false;
    }
    bool pair = (proofs & (POLICY_PROOF_KEY | POLICY_PROOF_CERTIFICATE)) != 0;
    l->credential.policy = (struct policy_credential){
        .app = id, .state = POLICY_ACTIVE, .alg = pair ? POLICY_SM2_SM3 : POLICY_HMAC_SM3};
    l->call.proofs = proofs;
    const char *factors = o->user_factors == NULL ? "0" : o->user_factors;
    if (factors[0] < '0' || factors[0] > '3' || factors[1] != '\0') {
        fprintf(stderr, "sluice explain: --user-factors '%s' is not 0 to 3\n", factors);
        return false;
    }
    l->call.user_factors = (uint8_t)(factors[0] - '0');
    l->call.credential = &l->credential.policy;
    if (err == REPLICA_OK && l->call.api != NULL &&
        replica_get_subscription(l->reader, &id, l->call.api, &l->subscription) == REPLICA_OK) {
        l->call.subscription = &l->subscription;
    }
    if (o->credential != NULL) {
        struct uuid key;
        if (!read_id("--credential", o->credential, &key)) {
            return false;
        }
        enum replica_err found = replica_get_credential(l->reader, &key, &l->credential);
        l->call.credential = found == REPLICA_OK ? &l->credential.policy : NULL;
    }
    return err == REPLICA_OK || err == REPLICA_ENOTFOUND || fine("app", err);
}

static bool find_grant(struct lookup *l, const struct options *o)
{
    struct uuid id;
    enum replica_err err = REPLICA_ENOTFOUND;
    if (l->call.api == NULL || l->call.app == NULL) {
        return true;
    }
    if (o->grant != NULL) {
        if (!read_id("--grant", o->grant, &id)) {
            return false;
        }
        err = replica_get_grant(l->reader, &id, l->call.api, &l->grant);
        l->call.grant_named = true;
    } else if (o->owner != NULL) {
        err = replica_find_grant(l->reader, &l->app.policy.id, l->call.api, slice_str(o->owner),
                                 &l->grant);
        l->call.grant_named = err == REPLICA_OK;
    }
    l->call.grant = err == REPLICA_OK ? &l->grant : NULL;
    return err == REPLICA_OK || err == REPLICA_ENOTFOUND || fine("grant", err);
}

struct sought {
    struct slice text;
    struct sdk_release release;
    bool found;
};

static bool see_release(void *ctx, const struct uuid *id, uint64_t rev, struct slice json)
{
    struct sought *s = ctx;
    json_t *row = json_loadb(json.p, json.n, 0, NULL);
    (void)id;
    (void)rev;
    s->found = row != NULL && sdk_release_read(&s->release, row) &&
               slice_eq(slice_str(s->release.text), s->text);
    json_decref(row);
    return !s->found;
}

/* As if its files were those that were registered. */
static bool find_sdk(struct lookup *l, const struct options *o)
{
    struct sought s = {.text = slice_str(o->sdk == NULL ? "" : o->sdk)};
    struct sdk_claim claim;
    if (o->sdk == NULL) {
        return true;
    }
    if (sdk_parse_name(&claim, s.text) != SDK_OK) {
        fputs("sluice explain: --sdk is name/version of a release, as js/1.0.0\n", stderr);
        return false;
    }
    enum replica_err err = replica_set_each(l->reader, REPLICA_SDK_RELEASES, see_release, &s);
    l->call.sdk = (uint8_t)sdk_standing(s.found ? &s.release : NULL, NULL, clock_wall_ms());
    return fine("SDK releases", err);
}

static uint8_t method_bit(const char *name)
{
    static const struct {
        const char *name;
        uint8_t bit;
    } rows[] = {{"GET", POLICY_GET}, {"HEAD", POLICY_HEAD},   {"POST", POLICY_POST},
                {"PUT", POLICY_PUT}, {"PATCH", POLICY_PATCH}, {"DELETE", POLICY_DELETE}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (strcmp(rows[i].name, name) == 0) {
            return rows[i].bit;
        }
    }
    return 0;
}

/* Words
 * ---------------------------------------------------------------------------------------------- */

static const char *outcome_text(uint8_t outcome)
{
    return outcome == PLAN_KEEP ? "keep" : outcome == PLAN_MASK ? "mask" : "drop";
}

static const char *mask_text(const struct mask_spec *mask, char out[static MASK_SPEC_TEXT_MAX])
{
    out[0] = '\0';
    if (mask->rule != MASK_NONE && mask->rule < MASK_RULES) {
        mask_format(mask, out);
    }
    return out;
}

/* Columns on a terminal: a Chinese character takes two. */
static int columns(struct slice text)
{
    int n = 0;
    while (text.n > 0) {
        size_t bytes = utf8_char(text);
        bytes = bytes == 0 ? 1 : bytes;
        n += bytes >= 3 ? 2 : 1;
        text = slice_of(text.p + bytes, text.n - bytes);
    }
    return n;
}

static void print_fields(const struct lookup *l, bool zh)
{
    int width = zh ? 4 : 5;
    for (uint32_t i = 0; i < l->verdict.n_fields; i++) {
        int n = columns(l->fields[i].path);
        width = n > width ? n : width;
    }
    const char *path = zh ? "字段" : "field",
               *rest = zh ? "结果  级别  脱敏规则      原因 [条款]"
                          : "gets  level  mask          why [clauses]";
    printf("\n%s%*s  %s\n", path, width - columns(slice_str(path)), "", rest);
    for (uint32_t i = 0; i < l->verdict.n_fields; i++) {
        const struct policy_field *f = &l->fields[i];
        char mask[MASK_SPEC_TEXT_MAX];
        enum policy_field_why why = l->verdict.why[i];
        printf("%.*s%*s  %-4s  L%-4u  %-12s  %s [%s]\n", SLICE_FMT(f->path),
               width - columns(f->path), "", outcome_text(l->verdict.outcome[i]), f->level,
               mask_text(&f->mask, mask), policy_why_text(why, zh), policy_why_clauses(why));
    }
}

/* What would lift the call over the scheme gate, and whose rows it is about. */
static void print_proofs(const struct lookup *l, bool zh)
{
    const char *lead = zh ? "还需证明" : "also needs";
    for (size_t i = 0; i < PROOF_ROWS; i++) {
        if (l->verdict.needs & proof_rows[i].bit) {
            printf("%s: %s\n", lead, zh ? proof_rows[i].zh : proof_rows[i].en);
        }
    }
    if (l->verdict.own) {
        printf("%s: %.*s\n", zh ? "本机构自有数据" : "the app's own organisation's data",
               SLICE_FMT(l->app.subject));
    }
}

static json_t *needs_json(uint8_t needs)
{
    json_t *list = json_array();
    for (size_t i = 0; i < PROOF_ROWS; i++) {
        if (needs & proof_rows[i].bit) {
            json_array_append_new(list, json_string(proof_rows[i].word));
        }
    }
    return list;
}

/* Which rows alone, and who says so; borrowed from the replica, which is open. */
static size_t row_filters(const struct lookup *l, const char *of[static 2],
                          struct slice said[static 2])
{
    const struct slice all[] = {l->verdict.rows_subscription, l->verdict.rows_grant};
    size_t n = 0;
    for (size_t i = 0; i < 2; i++) {
        if (all[i].n > 0) {
            of[n] = i ? "grant" : "subscription";
            said[n++] = all[i];
        }
    }
    return n;
}

static void print_rows(const struct lookup *l, bool zh)
{
    const char *of[2];
    struct slice said[2];
    size_t n = row_filters(l, of, said);
    for (size_t i = 0; i < n; i++) {
        printf("%s (%s): %.*s\n", zh ? "仅限下列行" : "only rows where", of[i], SLICE_FMT(said[i]));
    }
}

static json_t *rows_json(const struct lookup *l)
{
    const char *of[2];
    struct slice said[2];
    size_t n = row_filters(l, of, said);
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++) {
        json_array_append_new(list,
                              json_pack("{s:s,s:s%}", "of", of[i], "filter", said[i].p, said[i].n));
    }
    return list;
}

static void print_text(const struct lookup *l, bool zh)
{
    const struct problem_row *row = problem_row(l->verdict.reason);
    bool ok = l->verdict.reason == PROBLEM_OK;
    char at[CLOCK_RFC3339_LEN + 1];
    printf("%s: %s (%s)", zh ? (ok ? "允许" : "拒绝") : (ok ? "allowed" : "refused"),
           zh ? row->title_zh : row->title_en, row->code);
    printf("%s%s%s\n", row->clauses[0] ? " [" : "", row->clauses, row->clauses[0] ? "]" : "");
    clock_format_ms(l->synced_ms, at);
    printf("%s %s\n", zh ? "策略数据时间" : "policy as of", at);
    print_proofs(l, zh);
    print_rows(l, zh);
    if (l->verdict.n_fields > 0) {
        print_fields(l, zh);
    }
}

static int print_json(const struct lookup *l, bool zh)
{
    const struct problem_row *row = problem_row(l->verdict.reason);
    json_t *fields = json_array();
    for (uint32_t i = 0; i < l->verdict.n_fields; i++) {
        const struct policy_field *f = &l->fields[i];
        enum policy_field_why why = l->verdict.why[i];
        char mask[MASK_SPEC_TEXT_MAX];
        json_array_append_new(
            fields, json_pack("{s:s%,s:i,s:s,s:s,s:s,s:s}", "path", f->path.p, f->path.n, "level",
                              f->level, "outcome", outcome_text(l->verdict.outcome[i]), "mask",
                              mask_text(&f->mask, mask), "why", policy_why_text(why, zh), "clauses",
                              policy_why_clauses(why)));
    }
    json_t *verdict =
        json_pack("{s:o,s:b,s:s,s:s,s:s,s:o,s:b,s:o}", "row_filters", rows_json(l), "allowed",
                  l->verdict.reason == PROBLEM_OK, "code", row->code, "title",
                  zh ? row->title_zh : row->title_en, "clauses", row->clauses, "needs",
                  needs_json(l->verdict.needs), "own", l->verdict.own, "fields", fields);
    int rc = verdict == NULL ? -1 : json_dumpf(verdict, stdout, JSON_INDENT(2));
    json_decref(verdict);
    putchar('\n');
    return rc;
}

static int explain(struct lookup *l, const struct options *o)
{
    bool zh = strcmp(o->lang, "zh") == 0;
    l->call.method = method_bit(o->method);
    l->call.now_ms = clock_wall_ms();
    if (o->purpose != NULL && !purpose_id(slice_str(o->purpose), &l->call.purpose)) {
        fputs("sluice explain: --purpose is one line of text\n", stderr);
        return 2;
    }
    if (!open_replica(l, o->data_dir) || !find_api(l, o->api) || !find_app(l, o) ||
        !find_grant(l, o) || !find_sdk(l, o)) {
        return 2;
    }
    policy_decide(&l->call, &l->verdict);
    if (o->json && print_json(l, zh) != 0) {
        return 2;
    }
    if (!o->json) {
        print_text(l, zh);
    }
    return l->verdict.reason == PROBLEM_OK ? 0 : 1;
}

int cli_explain(int argc, char **argv)
{
    struct options o = {.method = "GET", .data_dir = SETTINGS_DATA_DIR, .lang = "en"};
    int rc = read_options(&o, argc, argv);
    if (rc < 0 && (o.app == NULL || o.api == NULL || (o.owner != NULL && o.grant != NULL))) {
        fputs("sluice explain: --app and --api are needed, --owner or --grant may be given\n",
              stderr);
        rc = 2;
        fputs(usage_text, stderr);
    }
    if (rc == 0) {
        fputs(usage_text, stdout);
    }
    if (rc >= 0) {
        return rc;
    }
    struct lookup *l = calloc(1, sizeof *l);
    rc = l == NULL ? 2 : explain(l, &o);
    if (l != NULL) {
        replica_reader_free(&l->reader);
        replica_close(&l->replica);
    }
    free(l);
    return rc;
}
