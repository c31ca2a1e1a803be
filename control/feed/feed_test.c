/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/codec.h"
#include "feed/feed.h"
#include "link/ring.h"
#include "test/fixture.h"

static struct fixture f;

static int setup(void **state)
{
    (void)state;
    fixture_open(&f);
    fixture_people(&f);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fixture_close(&f);
    return 0;
}

static json_t *ask(const char *epoch, int64_t after, const char *kinds, uint32_t wait_ms)
{
    struct feed_query q = {.after = after, .wait_ms = wait_ms};
    struct buf out;

    snprintf(q.epoch, sizeof q.epoch, "%s", epoch);
    assert_true(feed_parse_kinds(&q, kinds));
    buf_init(&out);
    assert_int_equal(feed_answer(&f.ctl, &q, &out), STORE_OK);
    json_t *json = json_loadb(out.p, out.n, 0, NULL);
    assert_non_null(json);
    buf_fini(&out);
    return json;
}

static int64_t last_of(const json_t *answer)
{
    return json_integer_value(json_object_get(answer, "last"));
}

static size_t count_of(const json_t *answer)
{
    return json_array_size(json_object_get(answer, "entries"));
}

static int64_t now_at(void)
{
    json_t *answer = ask("", 0, "api", 0);
    int64_t last = last_of(answer);
    json_decref(answer);
    return last;
}

static const char *make_app(const char *name)
{
    const char *id =
        fixture_ok(&f, DEVELOPER, "POST", "apps",
                   text("{\"name\":\"%s\",\"organisation_id\":\"%s\",\"environment\":\"general\"}",
                        name, f.third),
                   "id");
    fixture_ok(&f, OPERATOR, "POST", text("apps/%s/admit", id), NULL, NULL);
    return id;
}

static void kinds(void **state)
{
    (void)state;
    struct feed_query q;
    static const char *const bad[] = {"x", "app,", "app,x", "App", "app;api", "user", "store"};
    char many[(FEED_KINDS_MAX + 1) * 4 + 1] = "";
    for (size_t i = 0; i < COUNT(bad); i++) {
        if (i != 1) {
            assert_false(feed_parse_kinds(&q, bad[i]));
        }
    }
    for (size_t i = 0; i <= FEED_KINDS_MAX; i++) {
        strcat(many, i ? ",app" : "app");
    }
    assert_false(feed_parse_kinds(&q, many));
    assert_true(feed_parse_kinds(&q, "api,app,credential,subscription,grant"));
    assert_int_equal(q.n_kinds, 5);
}

static void an_empty_store_is_not_asked_for_ever(void **state)
{
    (void)state;
    struct feed_query q = {0};
    json_t *first = ask("", 0, "api", 0);
    assert_true(json_is_true(json_object_get(first, "reset")));
    assert_true(last_of(first) > 0);
    (void)q;
    json_t *next = ask(f.ctl.epoch, last_of(first), "api", 0);
    assert_true(json_is_false(json_object_get(next, "reset")));
    assert_int_equal(count_of(next), 0);
    json_decref(first);
    json_decref(next);
}

static void resumes(void **state)
{
    (void)state;
    int64_t from = now_at();
    const char *id = make_app("resumes");
    json_t *answer = ask(f.ctl.epoch, from, "app", 0);
    assert_false(json_is_true(json_object_get(answer, "reset")));
    assert_int_equal(count_of(answer), 2); /* applied: inactive; admitted: active */
    json_t *second = json_array_get(json_object_get(answer, "entries"), 1);
    assert_string_equal(row_text(second, "id"), id);
    assert_string_equal(row_text(json_object_get(second, "data"), "state"), "active");
    assert_int_equal(json_integer_value(json_object_get(second, "seq")), last_of(answer));
    json_decref(answer);
    answer =
        ask(f.ctl.epoch, from, "api,grant", 0); /* other kinds: nothing, but the cursor moves */
    assert_int_equal(count_of(answer), 0);
    assert_true(last_of(answer) > from);
    json_decref(answer);
}

static void resets(void **state)
{
    (void)state;
    int64_t last = now_at();
    const struct {
        const char *epoch;
        int64_t after;
    } rows[] = {{f.ctl.epoch, 0},
                {"00000000000000000000000000000000", last},
                {"", last},
                {f.ctl.epoch, last + 1},
                {"x' OR 1=1", last}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        json_t *answer = ask(rows[i].epoch, rows[i].after, "", 0);
        assert_true(json_is_true(json_object_get(answer, "reset")));
        assert_int_equal(last_of(answer), last);
        json_decref(answer);
    }
}

/* What the feed no longer keeps answers with the whole state, every record once, as of now. */
static void too_old(void **state)
{
    (void)state;
    int64_t from = now_at();
    char id[40];
    snprintf(id, sizeof id, "%s", make_app("renamed"));
    f.ctl.feed_keep = 20;
    for (int i = 0; i < 150; i++) {
        fixture_ok(&f, DEVELOPER, "PATCH", text("apps/%s", id),
                   text("{\"name\":\"renamed %d\"}", i), NULL);
    }
    f.ctl.feed_keep = CONTROL_FEED_KEEP;
    json_t *answer = ask(f.ctl.epoch, from, "app", 0), *entry;
    size_t i, seen = 0;
    assert_true(json_is_true(json_object_get(answer, "reset")));
    json_array_foreach(json_object_get(answer, "entries"), i, entry)
    {
        seen += strcmp(row_text(entry, "id"), id) == 0;
    }
    assert_int_equal(seen, 1);
    json_decref(answer);
    answer = ask(f.ctl.epoch, now_at() - 5, "app", 0);
    assert_false(json_is_true(json_object_get(answer, "reset")));
    assert_int_equal(count_of(answer), 5);
    json_decref(answer);
}

static void suspended_organisation(void **state)
{
    (void)state;
    const char *id = make_app("of suspended");
    int64_t from = now_at();
    fixture_ok(&f, OPERATOR, "POST", text("organisations/%s/suspend", f.third), NULL, NULL);
    json_t *answer = ask(f.ctl.epoch, from, "app", 0), *entry;
    size_t i, found = 0;
    json_array_foreach(json_object_get(answer, "entries"), i, entry)
    {
        assert_string_equal(row_text(json_object_get(entry, "data"), "state"), "inactive");
        found += strcmp(row_text(entry, "id"), id) == 0;
    }
    assert_int_equal(found, 1);
    json_decref(answer);
    fixture_ok(&f, OPERATOR, "POST", text("organisations/%s/resume", f.third), NULL, NULL);
}

static void nothing_is_told_of_what_failed(void **state)
{
    (void)state;
    int64_t from = now_at();
    fixture_refused(
        &f, DEVELOPER, "POST", "apps", NULL,
        text("{\"name\":\"resumes\",\"organisation_id\":\"%s\",\"environment\":\"general\"}",
             f.third),
        "already-exists");
    fixture_ok(&f, ADMIN, "POST", "organisations", "{\"name\":\"silent\",\"kind\":\"holder\"}",
               NULL);
    assert_int_equal(now_at(), from);
}

struct waiter {
    int64_t from;
    uint64_t woke_us;
    size_t entries;
};

static void *wait_for_news(void *arg)
{
    struct waiter *w = arg;
    json_t *answer = ask(f.ctl.epoch, w->from, "app", 5000);
    w->woke_us = clock_mono_us();
    w->entries = count_of(answer);
    json_decref(answer);
    return NULL;
}

static void wakes_at_once(void **state)
{
    (void)state;
    struct waiter w = {.from = now_at()};
    pthread_t thread;
    pthread_create(&thread, NULL, wait_for_news, &w);
    usleep(50000);
    make_app("wakes");
    uint64_t done_us = clock_mono_us();
    pthread_join(thread, NULL);
    assert_true(w.entries >= 1);
    assert_true(w.woke_us < done_us + 100000);
}

static void waits_in_vain(void **state)
{
    (void)state;
    uint64_t began = clock_mono_us();
    json_t *answer = ask(f.ctl.epoch, now_at(), "", 200);
    assert_int_equal(count_of(answer), 0);
    assert_in_range(clock_mono_us() - began, 190000, 2000000);
    json_decref(answer);
}

/* Secrets in the feed open with the link key and the id, with nothing else. */
static void secrets(void **state)
{
    (void)state;
    const char *app = text("%s", make_app("secrets"));
    int64_t from = now_at();
    const char *secret =
        fixture_ok(&f, DEVELOPER, "POST", "credentials",
                   text("{\"app_id\":\"%s\",\"algorithm\":\"hmac-sm3\"}", app), "secret");
    json_t *answer = ask(f.ctl.epoch, from, "credential", 0);
    json_t *entry = json_array_get(json_object_get(answer, "entries"), 0);
    const char *sealed = row_text(json_object_get(entry, "data"), "secret_sealed"),
               *id = row_text(entry, "id");
    uint8_t bytes[128], plain[128];
    size_t n = 0;
    char shown[CODEC_BASE64URL_LEN(32) + 1] = "";
    assert_true(codec_unbase64url(bytes, sizeof bytes, &n, sealed, strlen(sealed)));
    assert_int_equal(n, 32 + CRYPTO_SEAL_EXTRA);
    assert_int_equal(keyring_open(&f.ctl, slice_str(id), bytes, n, plain), CRYPTO_EVERIFY);
    assert_int_equal(link_ring_open(NULL, SLICE("another id"), bytes, n, plain), CRYPTO_EVERIFY);
    assert_int_equal(link_ring_open(NULL, slice_str(id), bytes, n, plain), CRYPTO_OK);
    codec_base64url(shown, plain, 32);
    assert_string_equal(shown, secret);
    json_decref(answer);
}

static void replace_link_key(void)
{
    uint8_t key[CRYPTO_KEY_LEN];
    const char *path = text("%s/keys/link.key", f.dir);
    crypto_random(key, sizeof key);
    int fd = open(path, O_WRONLY | O_TRUNC);
    assert_int_equal(write(fd, key, sizeof key), sizeof key);
    close(fd);
}

static void a_new_link_key(void **state)
{
    (void)state;
    char epoch[33];
    int64_t last = now_at();
    snprintf(epoch, sizeof epoch, "%s", f.ctl.epoch);
    fixture_reopen(&f);
    assert_string_equal(f.ctl.epoch, epoch); /* the same key: the same epoch */
    assert_int_equal(now_at(), last);
    replace_link_key();
    fixture_reopen(&f);
    assert_string_not_equal(f.ctl.epoch, epoch);
    json_t *answer = ask(epoch, last, "credential", 0);
    assert_true(json_is_true(json_object_get(answer, "reset")));
    json_t *entry = json_array_get(json_object_get(answer, "entries"), 0);
    const char *sealed = row_text(json_object_get(entry, "data"), "secret_sealed"),
               *id = row_text(entry, "id");
    uint8_t bytes[128], plain[128];
    size_t n = 0;
    assert_true(codec_unbase64url(bytes, sizeof bytes, &n, sealed, strlen(sealed)));
    assert_int_equal(link_ring_open(NULL, slice_str(id), bytes, n, plain), CRYPTO_OK);
    json_decref(answer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"kinds that are not known", kinds, NULL, NULL, NULL},
        {"an empty store is in step after one answer", an_empty_store_is_not_asked_for_ever, NULL,
         NULL, NULL},
        {"a node resumes where it was", resumes, NULL, NULL, NULL},
        {"another epoch, no cursor, one from the future: the whole state", resets, NULL, NULL,
         NULL},
        {"a cursor too old: the whole state", too_old, NULL, NULL, NULL},
        {"[EC-6.1.4.4a] a suspended organisation's apps stop", suspended_organisation, NULL, NULL,
         NULL},
        {"what failed is not told", nothing_is_told_of_what_failed, NULL, NULL, NULL},
        {"a waiting node hears at once", wakes_at_once, NULL, NULL, NULL},
        {"a wait without news ends", waits_in_vain, NULL, NULL, NULL},
        {"secrets are sealed for the nodes", secrets, NULL, NULL, NULL},
        {"a new link key makes a new epoch", a_new_link_key, NULL, NULL, NULL},
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
