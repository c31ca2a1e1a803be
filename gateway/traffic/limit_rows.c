/* SPDX-License-Identifier: Apache-2.0 */
/* The `limit` set compiled to one sorted array: what applies to an (app, API) pair is found by four
 * binary searches, and remembered with the verdict on the pair (limits.c). So a call's cost grows
 * with the rules that apply to it, and only by the searches with those that do not. */
#include "traffic/limit_rows.h"

#include "base/clock.h"

#define UTC_OFFSET_S 28800 /* a day is one of China's */

static struct {
    sluice_set_t set;
    uint64_t number;
    struct limit_row *rows;
    size_t n, room;
    bool refusals;
} compiled;

/* Reading -------------------------------------------------------------------------------------- */

struct word {
    const char *text;
    uint8_t value;
};

static const struct word pers[] = {{"all", 0},
                                   {"app", LIMIT_BY_APP},
                                   {"api", LIMIT_BY_API},
                                   {"app-api", LIMIT_BY_APP | LIMIT_BY_API},
                                   {"user", LIMIT_BY_USER},
                                   {"address", LIMIT_BY_ADDRESS}};
#define REFUSED LIMIT_MEASURES /* a rate, of refusals */
static const struct word measures[] = {
    {"rate", LIMIT_RATE},     {"concurrency", LIMIT_CONCURRENCY}, {"calls", LIMIT_DAY_CALLS},
    {"rows", LIMIT_DAY_ROWS}, {"bytes", LIMIT_DAY_BYTES},         {"refused", REFUSED}};
static const struct word actions[] = {
    {"alert", LIMIT_ALERT}, {"suspend", LIMIT_SUSPEND}, {"reject", LIMIT_REJECT}};

#define WORD(value, words, at) read_word(value, words, sizeof(words) / sizeof *(words), at)

static bool read_word(const json_t *value, const struct word *words, size_t n, uint8_t *at)
{
    const char *text = json_string_value(value);
    for (size_t i = 0; i < n && text; i++) {
        if (strcmp(words[i].text, text) == 0) {
            *at = words[i].value;
            return true;
        }
    }
    return false;
}

static bool read_id(const json_t *value, struct uuid *id)
{
    return !value || json_is_null(value) ||
           (json_is_string(value) &&
            uuid_parse(id, json_string_value(value), json_string_length(value)));
}

static uint64_t number(const json_t *data, const char *name, uint64_t least, uint64_t most)
{
    json_int_t given = json_integer_value(json_object_get(data, name));
    uint64_t value = given > 0 ? (uint64_t)given : 0;
    return value < least ? least : value > most ? most : value;
}

/* Numbers beyond what is counted come as the nearest that is, the stricter where there is a choice
 * (REST takes none such). */
static void read_numbers(struct limit_row *row, const json_t *data)
{
    struct limit_rule *rule = &row->rule;
    uint64_t most = rule->measure == LIMIT_RATE ? LIMIT_RATE_MAX : UINT64_MAX;
    rule->amount = number(data, "amount", 0, most);
    rule->window_ms = (uint32_t)number(data, "window_ms", LIMIT_WINDOW_MIN_MS, LIMIT_WINDOW_MAX_MS);
    rule->suspend_s = (uint32_t)number(data, "suspend_s", 1, LIMIT_SUSPEND_MAX_S);
    rule->utc_offset_s = UTC_OFFSET_S;
    rule->released_ms = number(data, "released_at", 0, UINT64_MAX);
    rule->ends_ms = number(data, "expires_at", 0, UINT64_MAX);
    row->not_before_ms = number(data, "not_before", 0, UINT64_MAX);
}

static bool read_row(struct limit_row *row, const struct uuid *id, const json_t *data)
{
    uint8_t measure, action;
    ngx_memzero(row, sizeof *row);
    if (!WORD(json_object_get(data, "per"), pers, &row->by) ||
        !WORD(json_object_get(data, "measure"), measures, &measure) ||
        !WORD(json_object_get(data, "action"), actions, &action) ||
        !read_id(json_object_get(data, "app_id"), &row->app) ||
        !read_id(json_object_get(data, "api_id"), &row->api)) {
        return false;
    }
    row->refusals = measure == REFUSED;
    row->rule.id = *id;
    row->rule.measure = row->refusals ? LIMIT_RATE : (enum limit_measure)measure;
    row->rule.action = (enum limit_action)action;
    read_numbers(row, data);
    return limit_rule_check(&row->rule) == LIMIT_OK;
}

static bool make_room(void)
{
    if (compiled.n < compiled.room) {
        return true;
    }
    size_t room = compiled.room ? compiled.room * 2 : 64;
    struct limit_row *rows = reallocarray(compiled.rows, room, sizeof *rows);
    if (rows) {
        compiled.rows = rows;
        compiled.room = room;
    }
    return rows != NULL;
}

/* One that is switched off or over is left out. */
static bool add(void *data, const struct uuid *id, uint64_t rev, struct slice json)
{
    bool *ok = data;
    (void)rev;
    json_t *record = json_loadb(json.p, json.n, 0, NULL);
    const char *state = json_string_value(json_object_get(record, "state"));
    *ok = state && make_room() && read_row(&compiled.rows[compiled.n], id, record);
    if (*ok && strcmp(state, "active") == 0) {
        uint64_t ends_ms = compiled.rows[compiled.n].rule.ends_ms;
        compiled.n += ends_ms == 0 || ends_ms > clock_wall_ms();
    }
    json_decref(record);
    return *ok;
}

/* Compiling ------------------------------------------------------------------------------------ */

static int compare_pair(const struct limit_row *a, bool refusals, const struct uuid *app,
                        const struct uuid *api)
{
    if (a->refusals != refusals) {
        return a->refusals - refusals;
    }
    int order = memcmp(a->app.b, app->b, UUID_LEN);
    return order ? order : memcmp(a->api.b, api->b, UUID_LEN);
}

static int compare(const void *one, const void *other)
{
    const struct limit_row *a = one, *b = other;
    int order = compare_pair(a, b->refusals, &b->app, &b->api);
    return order ? order : memcmp(a->rule.id.b, b->rule.id.b, UUID_LEN);
}

static bool compile(void)
{
    struct replica_reader *reader = sluice_reader();
    bool ok = true;
    compiled.n = 0;
    compiled.number++;
    if (!reader || replica_set_each(reader, REPLICA_LIMITS, add, &ok) != REPLICA_OK || !ok) {
        return false;
    }
    if (compiled.n) {
        qsort(compiled.rows, compiled.n, sizeof *compiled.rows, compare);
    }
    compiled.refusals = compiled.n && compiled.rows[compiled.n - 1].refusals;
    return true;
}

uint64_t limit_rows_current(void)
{
    if (sluice_set_changed(&compiled.set, REPLICA_LIMITS) && !compile()) {
        ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, 0, "sluice: the limits cannot be compiled");
        compiled.set.read = false;
    }
    return compiled.set.read ? compiled.number : 0;
}

void limit_rows_clear(void)
{
    free(compiled.rows);
    ngx_memzero(&compiled, sizeof compiled);
}

const struct limit_row *limit_rows(void)
{
    return compiled.rows;
}

bool limit_rows_count_refusals(void)
{
    return compiled.refusals;
}

/* Finding -------------------------------------------------------------------------------------- */

/* The first row that is not before the pair, or behind it. */
static uint32_t bound(bool refusals, const struct uuid *app, const struct uuid *api, bool behind)
{
    size_t from = 0, to = compiled.n;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        int order = compare_pair(&compiled.rows[middle], refusals, app, api);
        if (order < 0 || (behind && order == 0)) {
            from = middle + 1;
        } else {
            to = middle;
        }
    }
    return (uint32_t)from;
}

void limit_rows_find(bool refusals, const struct uuid *app, const struct uuid *api,
                     struct limit_run runs[LIMIT_RUNS])
{
    static const struct uuid nil;
    const struct uuid *apps[] = {&nil, app}, *apis[] = {&nil, api};
    for (size_t i = 0; i < LIMIT_RUNS; i++) {
        const struct uuid *of = apps[i / 2], *to = apis[i % 2];
        bool asked = of && to && (i < 2 || !uuid_is_nil(of)) && (i % 2 == 0 || !uuid_is_nil(to));
        runs[i] = (struct limit_run){0, 0};
        if (asked && compiled.n) {
            runs[i].from = bound(refusals, of, to, false);
            runs[i].to = bound(refusals, of, to, true);
        }
    }
}

void limit_parties_of(ngx_http_request_t *r, const sluice_ctx_t *ctx, struct limit_parties *p)
{
    ngx_memzero(p, sizeof *p);
    if (ctx->api) {
        p->api = ctx->api->record.policy.id;
    }
    if (ctx->authenticated) {
        p->app = ctx->caller->credential.app;
    }
    p->user = ctx->verdict ? ctx->verdict->of : SLICE("");
    p->address = sluice_client_address(r);
    p->address_text = sluice_slice(r->connection->addr_text);
}

/* Who has an IPv6 network has as many addresses as he likes, so its /64 is counted as one. */
static struct slice counted_address(struct slice address)
{
    static const char mapped[12] = {[10] = (char)0xff, [11] = (char)0xff};
    if (address.n != 16) {
        return address;
    }
    bool v4 = memcmp(address.p, mapped, sizeof mapped) == 0;
    return v4 ? slice_of(address.p + 12, 4) : slice_of(address.p, 8);
}

static void set_label(struct limit_label *label, const struct limit_row *row, uint8_t by,
                      const struct limit_parties *parties)
{
    struct slice who = by & LIMIT_BY_USER      ? parties->user
                       : by & LIMIT_BY_ADDRESS ? parties->address_text
                                               : SLICE("");
    ngx_memzero(label, sizeof *label);
    label->rule = row->rule.id;
    label->app = by & LIMIT_BY_APP ? parties->app : row->app;
    label->api = by & LIMIT_BY_API ? parties->api : row->api;
    memcpy(label->who, who.p, ngx_min(who.n, sizeof label->who));
}

bool limit_check_make(struct limit_check *check, struct limit_label *label,
                      const struct limit_row *row, uint8_t by, const struct limit_parties *parties,
                      uint64_t now_ms)
{
    const struct {
        uint8_t bit;
        struct slice value;
    } parts[] = {{LIMIT_BY_APP, {(const char *)parties->app.b, UUID_LEN}},
                 {LIMIT_BY_API, {(const char *)parties->api.b, UUID_LEN}},
                 {LIMIT_BY_USER, parties->user},
                 {LIMIT_BY_ADDRESS, counted_address(parties->address)}};
    struct slice key[2 + sizeof parts / sizeof *parts];
    bool ended = row->rule.ends_ms && now_ms >= row->rule.ends_ms;
    bool nobody = (by & LIMIT_BY_USER && parties->user.n == 0) ||
                  (by & LIMIT_BY_ADDRESS && parties->address.n == 0);
    if (ended || nobody || now_ms < row->not_before_ms) {
        return false;
    }
    size_t n = 0;
    key[n++] = slice_of((const char *)row->rule.id.b, UUID_LEN);
    key[n++] = slice_of((const char *)&by, 1);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (by & parts[i].bit) {
            key[n++] = parts[i].value;
        }
    }
    set_label(label, row, by, parties);
    *check = (struct limit_check){.key = limit_key_make(sluice_worker.limit_seed, key, n),
                                  .rule = &row->rule,
                                  .label = label};
    return true;
}
