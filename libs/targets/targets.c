/* SPDX-License-Identifier: Apache-2.0 */
/* The breaker. HALF_OPEN is no state of the file: it is OPEN whose time is over, so nobody has to
 * be there when that happens, and only a report moves a target between the two that are stored. */
#include "targets/targets.h"

#include "base/clock.h"
#include "targets/table.h"

#define BACKOFF_MAX 20 /* doublings: beyond any open_max_ms */

enum targets_err targets_config_check(const struct targets_config *c)
{
    bool ratio = c->ratio_percent <= 100 && c->outlier_percent <= 100 && c->ratio_calls >= 1 &&
                 c->window_ms >= 1000 && c->window_ms <= 600000;
    bool times = c->open_ms >= 100 && c->open_max_ms >= c->open_ms && c->open_max_ms <= 3600000 &&
                 c->probe_ms >= 100;
    return ratio && times && c->rise >= 1 && c->fall >= 1 ? TARGETS_OK : TARGETS_EINVAL;
}

/* The window. */

static void clear_window(struct target *g)
{
    memset(g->calls, 0, sizeof g->calls);
    memset(g->failures, 0, sizeof g->failures);
}

static void advance(struct target *g, uint64_t window_us, uint64_t now_us)
{
    uint64_t part_us = (window_us + PARTS - 1) / PARTS;
    g->latest_us = now_us > g->latest_us ? now_us : g->latest_us;
    uint64_t part = part_us == 0 ? 0 : g->latest_us / part_us;
    if (g->window_us != window_us || part >= g->newest + PARTS) {
        clear_window(g);
    } else {
        for (uint64_t b = g->newest + 1; b <= part; b++) {
            g->calls[b % PARTS] = g->failures[b % PARTS] = 0;
        }
    }
    g->window_us = window_us;
    g->newest = part;
}

static uint64_t sum(const uint32_t parts[static PARTS])
{
    uint64_t all = 0;
    for (size_t i = 0; i < PARTS; i++) {
        all += parts[i];
    }
    return all;
}

/* States. */

static void note_change(struct target *g)
{
    g->changed_ms = clock_wall_ms();
}

static void open_it(struct target *g, const struct targets_config *config)
{
    uint64_t max_us = (uint64_t)config->open_max_ms * 1000;
    bool calm = g->state == TARGETS_CLOSED && g->latest_us - g->closed_us >= max_us;
    g->opens = calm ? 0 : g->opens;
    uint64_t open_us = ((uint64_t)config->open_ms * 1000) << g->opens;
    g->opens += g->opens < BACKOFF_MAX;
    g->open_until_us = g->latest_us + (open_us < max_us ? open_us : max_us);
    g->probe_us = 0;
    g->state = TARGETS_OPEN;
    note_change(g);
}

static void close_it(struct target *g)
{
    g->closed_us = g->latest_us;
    g->in_a_row = 0;
    g->probe_us = 0;
    clear_window(g);
    g->state = TARGETS_CLOSED;
    note_change(g);
}

/* A probe may go: it is time, and no other is under way. */
static bool is_probe_due(const struct target *g, uint64_t probe_us, uint64_t now_us)
{
    return g->state == TARGETS_OPEN && now_us >= g->open_until_us &&
           (g->probe_us == 0 || now_us >= g->probe_us + probe_us);
}

static bool is_bad(const struct target *g, const struct targets_config *config)
{
    if (config->failures != 0 && g->in_a_row >= config->failures) {
        return true;
    }
    uint64_t calls = sum(g->calls), failures = sum(g->failures);
    return config->ratio_percent != 0 && calls >= config->ratio_calls &&
           failures * 100 >= calls * config->ratio_percent;
}

/* Calls. */

static void inflight_add(struct targets *t, struct target *g)
{
    uint16_t *mine = &g->inflight[t->file.owner];
    if (*mine != UINT16_MAX) {
        (*mine)++;
        g->inflight_sum++;
    }
}

static void inflight_sub(struct targets *t, struct target *g)
{
    uint16_t *mine = &g->inflight[t->file.owner];
    if (*mine > 0) {
        (*mine)--;
        g->inflight_sum--;
    }
}

enum targets_verdict targets_admit(struct targets *t, uint64_t id, const char *label,
                                   const struct targets_config *config, uint64_t now_us,
                                   uint32_t *ticket)
{
    *ticket = 0;
    struct target *g = target_get(t, id, label, now_us);
    if (g == NULL) {
        return TARGETS_YES;
    }
    enum targets_verdict verdict = TARGETS_YES;
    advance(g, (uint64_t)config->window_ms * 1000, now_us);
    if (is_probe_due(g, (uint64_t)config->probe_ms * 1000, g->latest_us)) {
        g->ticket += g->ticket == UINT32_MAX ? 2 : 1; /* never 0 */
        g->probe_us = g->latest_us;
        g->probe_owner = t->file.owner;
        *ticket = g->ticket;
        verdict = TARGETS_PROBE;
    } else if (g->state == TARGETS_OPEN) {
        g->refused++;
        verdict = TARGETS_NO;
    }
    if (verdict != TARGETS_NO) {
        inflight_add(t, g);
    }
    target_unlock(g);
    return verdict;
}

static void count(struct target *g, bool failed)
{
    g->calls_sum++;
    g->failures_sum += failed;
    g->calls[g->newest % PARTS]++;
    g->failures[g->newest % PARTS] += failed;
    g->in_a_row = failed ? g->in_a_row + (g->in_a_row != UINT32_MAX) : 0;
}

/* While open only the probe that is under way decides: calls from before say nothing new. */
static enum targets_event decide_open(struct target *g, const struct targets_config *config,
                                      uint32_t ticket, enum targets_outcome outcome)
{
    if (ticket == 0 || ticket != g->ticket || g->probe_us == 0) {
        return TARGETS_NO_EVENT;
    }
    if (outcome == TARGETS_UNDECIDED) {
        g->probe_us = 0; /* the next call is the probe */
        return TARGETS_NO_EVENT;
    }
    if (outcome == TARGETS_WELL) {
        close_it(g);
        return TARGETS_RECLOSED;
    }
    open_it(g, config);
    return TARGETS_REOPENED;
}

enum targets_event targets_report(struct targets *t, uint64_t id,
                                  const struct targets_config *config, uint32_t ticket,
                                  enum targets_outcome outcome, uint64_t now_us)
{
    struct target *g = target_find(t, id);
    if (g == NULL) {
        return TARGETS_NO_EVENT;
    }
    enum targets_event event = TARGETS_NO_EVENT;
    inflight_sub(t, g);
    advance(g, (uint64_t)config->window_ms * 1000, now_us);
    if (outcome != TARGETS_UNDECIDED) {
        count(g, outcome == TARGETS_FAILED);
    }
    if (g->state == TARGETS_OPEN) {
        event = decide_open(g, config, ticket, outcome);
    } else if (outcome == TARGETS_FAILED && is_bad(g, config)) {
        open_it(g, config);
        event = TARGETS_OPENED;
    }
    target_unlock(g);
    return event;
}

enum targets_event targets_health_set(struct targets *t, uint64_t id, const char *label,
                                      const struct targets_config *config, bool is_well,
                                      uint64_t now_us)
{
    struct target *g = target_get(t, id, label, now_us);
    if (g == NULL) {
        return TARGETS_NO_EVENT;
    }
    enum targets_event event = TARGETS_NO_EVENT;
    g->latest_us = now_us > g->latest_us ? now_us : g->latest_us;
    bool same = g->health == (is_well ? TARGETS_UP : TARGETS_DOWN);
    g->health_row = same ? 0 : g->health_row + 1; /* in a row that say otherwise */
    if (g->health == TARGETS_UNKNOWN && is_well) {
        g->health = TARGETS_UP; /* it was taken for well: nothing changed */
        g->health_row = 0;
    } else if (!same && g->health_row >= (is_well ? config->rise : config->fall)) {
        g->health = is_well ? TARGETS_UP : TARGETS_DOWN;
        g->health_row = 0;
        note_change(g);
        event = is_well ? TARGETS_WENT_UP : TARGETS_WENT_DOWN;
    }
    target_unlock(g);
    return event;
}

/* Sets. */

void targets_look(struct targets *t, const uint64_t *ids, size_t n, uint64_t now_us,
                  struct targets_look *looks)
{
    bool down[TARGETS_SET_MAX] = {false};
    size_t n_down = 0;
    n = n > TARGETS_SET_MAX ? TARGETS_SET_MAX : n;
    for (size_t i = 0; i < n; i++) {
        looks[i] = (struct targets_look){.usable = true};
        struct target *g = target_find(t, ids[i]);
        if (g == NULL) {
            continue;
        }
        /* Whether a probe is under way is for admit to say: it knows how long one may take. */
        looks[i].usable = g->state == TARGETS_CLOSED || now_us >= g->open_until_us;
        looks[i].inflight = g->inflight_sum;
        down[i] = g->health == TARGETS_DOWN;
        n_down += down[i];
        target_unlock(g);
    }
    for (size_t i = 0; i < n && n_down < n; i++) {
        looks[i].usable = looks[i].usable && !down[i];
    }
}

struct tally {
    uint64_t calls, failures;
    bool live;
};

static void eject_one(struct targets *t, uint64_t id, const struct targets_config *config,
                      enum targets_event *event)
{
    struct target *g = target_find(t, id);
    if (g != NULL && g->state == TARGETS_CLOSED) {
        open_it(g, config);
        *event = TARGETS_EJECTED;
    }
    if (g != NULL) {
        target_unlock(g);
    }
}

static void tally_set(struct targets *t, const uint64_t *ids, size_t n,
                      const struct targets_config *config, uint64_t now_us, struct tally *tallies)
{
    for (size_t i = 0; i < n; i++) {
        tallies[i] = (struct tally){.live = true};
        struct target *g = target_find(t, ids[i]);
        if (g != NULL) {
            advance(g, (uint64_t)config->window_ms * 1000, now_us);
            tallies[i] = (struct tally){sum(g->calls), sum(g->failures),
                                        g->state == TARGETS_CLOSED && g->health != TARGETS_DOWN};
            target_unlock(g);
        }
    }
}

/* Beside all in the set but i, and the live ones only: the ejected must not make the rest look
 * well. Without a call to another live one there is nothing to compare with, nor one to spare. */
static bool is_outlier(const struct tally *tallies, size_t n, size_t i,
                       const struct targets_config *config)
{
    uint64_t calls = 0, failures = 0, own = tallies[i].calls;
    for (size_t k = 0; k < n; k++) {
        if (k != i && tallies[k].live) {
            calls += tallies[k].calls;
            failures += tallies[k].failures;
        }
    }
    if (!tallies[i].live || own == 0 || own < config->ratio_calls || calls == 0) {
        return false;
    }
    return tallies[i].failures * 100 / own >= failures * 100 / calls + config->outlier_percent;
}

void targets_eject(struct targets *t, const uint64_t *ids, size_t n,
                   const struct targets_config *config, uint64_t now_us, enum targets_event *events)
{
    struct tally tallies[TARGETS_SET_MAX];
    memset(events, 0, n * sizeof *events);
    /* One at a time, or two could each take the other's last. */
    if (config->outlier_percent == 0 || n > TARGETS_SET_MAX ||
        mapfile_lock(&t->file, mapfile_lock_word(&t->file)) == MAPFILE_BUSY) {
        return;
    }
    tally_set(t, ids, n, config, now_us, tallies);
    for (size_t i = 0; i < n; i++) {
        if (is_outlier(tallies, n, i, config)) {
            eject_one(t, ids[i], config, &events[i]);
            tallies[i].live = false;
        }
    }
    mapfile_unlock(mapfile_lock_word(&t->file));
}

/* The view. */

static void show(const struct target *g, uint64_t now_us, struct targets_view *view)
{
    uint64_t left_us = g->open_until_us > now_us ? g->open_until_us - now_us : 0;
    bool open = g->state == TARGETS_OPEN;
    *view = (struct targets_view){
        .id = g->id,
        .state = !open         ? TARGETS_CLOSED
                 : left_us > 0 ? TARGETS_OPEN
                               : TARGETS_HALF_OPEN,
        .health = g->health,
        .inflight = g->inflight_sum,
        .in_a_row = g->in_a_row,
        .window_calls = (uint32_t)sum(g->calls),
        .window_failures = (uint32_t)sum(g->failures),
        .calls = g->calls_sum,
        .failures = g->failures_sum,
        .refused = g->refused,
        .changed_ms = g->changed_ms,
        .open_left_ms = open ? (uint32_t)((left_us + 999) / 1000) : 0,
    };
    memcpy(view->label, g->label, sizeof view->label);
    view->label[TARGETS_LABEL_LEN - 1] = '\0';
}

/* Of a copy, brought to the time. */
static void show_now(struct target *g, uint64_t now_us, struct targets_view *view)
{
    struct target copy;
    size_t from = offsetof(struct target, id);
    memcpy((char *)&copy + from, (const char *)g + from, sizeof copy - from);
    target_unlock(g);
    advance(&copy, copy.window_us, now_us);
    show(&copy, now_us, view);
}

enum targets_err targets_get(struct targets *t, uint64_t id, uint64_t now_us,
                             struct targets_view *view)
{
    struct target *g = target_find(t, id);
    if (g == NULL) {
        return TARGETS_EMISSING;
    }
    show_now(g, now_us, view);
    return TARGETS_OK;
}

bool targets_next(struct targets *t, size_t *cursor, uint64_t now_us, struct targets_view *view)
{
    while (*cursor <= t->mask) {
        struct target *g = target_at(t, (*cursor)++);
        if (g != NULL) {
            show_now(g, now_us, view);
            return true;
        }
    }
    return false;
}

static void take_back(struct target *g, unsigned owner)
{
    uint32_t held = g->inflight[owner];
    g->inflight_sum -= held < g->inflight_sum ? held : g->inflight_sum;
    g->inflight[owner] = 0;
    if (g->probe_owner == owner) {
        g->probe_us = 0;
    }
}

void targets_tick(struct targets *t)
{
    for (unsigned owner = 0; owner < MAPFILE_OWNERS; owner++) {
        if (!mapfile_owner_is_dead(&t->file, owner)) {
            continue;
        }
        bool all = true;
        for (size_t at = 0; at <= t->mask; at++) {
            struct target *g = target_at(t, at);
            all = all && (g != NULL || atomic_load(&t->ids[at]) == 0);
            if (g != NULL) {
                take_back(g, owner);
                target_unlock(g);
            }
        }
        if (all) {
            mapfile_owner_free(&t->file, owner);
        }
    }
    mapfile_keep_time(&t->file);
}
