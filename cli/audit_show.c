/* SPDX-License-Identifier: Apache-2.0 */
/* sluice audit show: the records of the call log to people (table) and scripts (JSON lines). */
#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "audit.h"
#include "audit/audit.h"
#include "base/clock.h"
#include "base/codec.h"
#include "problem/problem.h"

struct shown {
    uint64_t at_us;
    json_t *record;
};

struct show {
    const struct audit_options *o;
    struct shown *rows;
    size_t n, cap;
    json_t *tags;
    bool no_memory;
};

static bool id_matches(const struct uuid *want, const struct uuid *got)
{
    return uuid_is_nil(want) || uuid_eq(want, got);
}

static bool wanted(const struct audit_options *o, const struct audit_call *c)
{
    uint64_t at_ms = c->at_us / 1000;
    return id_matches(&o->app, &c->app) && id_matches(&o->api, &c->api) &&
           id_matches(&o->txn, &c->txn) && id_matches(&o->grant, &c->grant) &&
           (o->owner == NULL || slice_eq(slice_str(o->owner), c->owner)) &&
           (o->since_ms == 0 || at_ms >= o->since_ms) &&
           (o->until_ms == 0 || at_ms < o->until_ms) &&
           (!o->refused || (c->kind == AUDIT_CALL && c->reason != PROBLEM_OK));
}

static void set_id(json_t *out, const char *name, const struct uuid *id)
{
    char text[UUID_TEXT_LEN + 1];
    uuid_format(id, text);
    json_object_set_new(out, name, uuid_is_nil(id) ? json_null() : json_string(text));
}

/* Text from outside may be no UTF-8; then it is shown as hex rather than not at all. */
static void set_text(json_t *out, const char *name, struct slice text)
{
    json_t *value = text.n == 0 ? json_null() : json_stringn(text.p, text.n);
    if (value == NULL) {
        char hex[2 * 512 + 1];
        size_t n = codec_hex(hex, text.p, text.n <= 512 ? text.n : 512);
        value = json_sprintf("hex:%.*s", (int)n, hex);
    }
    json_object_set_new(out, name, value);
}

static void set_client(json_t *out, struct slice client)
{
    char text[INET6_ADDRSTRLEN];
    bool ok = (client.n == 4 || client.n == 16) &&
              inet_ntop(client.n == 4 ? AF_INET : AF_INET6, client.p, text, sizeof text) != NULL;
    json_object_set_new(out, "client", ok ? json_string(text) : json_null());
}

/* Only fields that left, by name, each with its level and what was done to it. */
static json_t *fields_of(const struct audit_call *c, const json_t *plan)
{
    json_t *out = json_array(), *fields = json_object_get(plan, "fields");
    for (uint32_t i = 0; i < c->n_fields; i++) {
        if ((c->seen[i / 64] >> (i % 64) & 1) == 0) {
            continue;
        }
        json_t *field = json_array_get(fields, i);
        json_t *item = field == NULL
                           ? json_pack("{s:i}", "field", (int)i)
                           : json_pack("{s:O,s:O,s:O}", "path", json_object_get(field, "path"),
                                       "level", json_object_get(field, "level"), "outcome",
                                       json_object_get(field, "outcome"));
        const char *mask = json_string_value(json_object_get(field, "mask"));
        if (mask != NULL && *mask != 0) {
            json_object_set_new(item, "mask", json_string(mask));
        }
        json_array_append_new(out, item);
    }
    return out;
}

static const char *method_text(uint8_t method)
{
    static const struct {
        uint8_t bit;
        const char *text;
    } methods[] = {
        {POLICY_GET, "GET"}, {POLICY_HEAD, "HEAD"},   {POLICY_POST, "POST"},
        {POLICY_PUT, "PUT"}, {POLICY_PATCH, "PATCH"}, {POLICY_DELETE, "DELETE"},
    };
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        if (methods[i].bit == method) {
            return methods[i].text;
        }
    }
    return "other";
}

json_t *cli_audit_record(const struct audit_record *rec, const json_t *plan)
{
    const struct audit_call *c = &rec->call;
    const struct problem_row *reason = problem_row((enum problem)c->reason);
    char at[CLOCK_RFC3339_LEN + 1];
    clock_format_ms(c->at_us / 1000, at);
    json_t *out =
        json_pack("{s:s,s:s,s:I}", "at", at, "kind", c->kind == AUDIT_CALL ? "call" : "open",
                  "elapsed_us", (json_int_t)c->elapsed_us);
    set_id(out, "transaction", &c->txn);
    set_id(out, "app", &c->app);
    set_id(out, "api", &c->api);
    json_object_set_new(out, "api_revision", json_integer((json_int_t)c->api_rev));
    json_object_set_new(out, "class",
                        c->class_ == 0 ? json_null() : json_sprintf("A%u", c->class_));
    set_id(out, "credential", &c->credential);
    set_id(out, "grant", &c->grant);
    set_id(out, "token", &c->token);
    set_id(out, "user", &c->user);
    set_id(out, "purpose", &c->purpose);
    set_text(out, "sdk", c->sdk);
    set_text(out, "owner", c->owner);
    set_client(out, c->client);
    json_object_set_new(out, "method", json_string(method_text(c->method)));
    set_text(out, "target", c->target);
    json_object_set_new(out, "status", json_integer(c->status));
    json_object_set_new(
        out, "result",
        json_string(c->reason == PROBLEM_OK && c->status < 400 ? "success" : "failure"));
    json_object_set_new(out, "reason", json_string(reason->code));
    json_object_set_new(out, "reason_text", json_string(reason->title_en));
    json_object_set_new(out, "rows", json_integer((json_int_t)c->rows));
    json_object_set_new(out, "bytes_out", json_integer((json_int_t)c->bytes_out));
    json_object_set_new(out, "bytes_in", json_integer((json_int_t)c->bytes_in));
    json_object_set_new(out, "fields", fields_of(c, plan));
    json_object_set_new(out, "segment", json_string(rec->segment));
    json_object_set_new(out, "record", json_integer((json_int_t)rec->index));
    return out;
}

static int by_time(const void *a, const void *b)
{
    const struct shown *x = a, *y = b;
    return x->at_us < y->at_us ? -1 : x->at_us > y->at_us;
}

/* Sorts and keeps the newest. */
static void trim(struct show *s, size_t keep)
{
    if (s->n > 1) {
        qsort(s->rows, s->n, sizeof *s->rows, by_time);
    }
    size_t drop = s->n > keep ? s->n - keep : 0;
    for (size_t i = 0; i < drop; i++) {
        json_decref(s->rows[i].record);
    }
    if (drop > 0) {
        memmove(s->rows, s->rows + drop, (s->n - drop) * sizeof *s->rows);
        s->n -= drop;
    }
}

static bool collect(void *ctx, const struct audit_record *rec, const json_t *plan)
{
    struct show *s = ctx;
    if (!wanted(s->o, &rec->call)) {
        return true;
    }
    json_t *record = cli_audit_record(rec, plan);
    if (!cli_audit_tag(record, s->tags, s->o->tag)) {
        json_decref(record);
        return true;
    }
    if (s->o->limit > 0 && s->n >= 2 * s->o->limit) {
        trim(s, s->o->limit); /* memory stays bounded however long the log */
    }
    if (s->n == s->cap) {
        size_t cap = s->cap == 0 ? 256 : s->cap * 2;
        struct shown *more = reallocarray(s->rows, cap, sizeof *more);
        if (more == NULL) {
            json_decref(record);
            s->no_memory = true;
            return false;
        }
        s->rows = more;
        s->cap = cap;
    }
    s->rows[s->n++] = (struct shown){rec->call.at_us, record};
    return true;
}

static void count_finding(void *ctx, const struct audit_finding *f)
{
    (void)ctx;
    fprintf(stderr, "sluice audit: DEFECT %s, record %" PRIu64 ": %s\n", f->segment, f->index,
            f->text);
}

static const char *text_of(const json_t *record, const char *name)
{
    const char *text = json_string_value(json_object_get(record, name));
    return text == NULL ? "-" : text;
}

/* Control characters of a hostile path must not reach a terminal. */
static void print_clean(const char *label, const char *text)
{
    printf(" %s=", label);
    for (; *text != 0; text++) {
        putchar((unsigned char)*text < 0x20 || *text == 0x7f ? '?' : *text);
    }
}

static void print_fields(const json_t *record)
{
    size_t i;
    json_t *field;
    json_array_foreach(json_object_get(record, "fields"), i, field)
    {
        const char *mask = json_string_value(json_object_get(field, "mask"));
        printf("%s%s L%" JSON_INTEGER_FORMAT " %s%s%s", i == 0 ? "    fields: " : ", ",
               text_of(field, "path"), json_integer_value(json_object_get(field, "level")),
               text_of(field, "outcome"), mask == NULL ? "" : " by ", mask == NULL ? "" : mask);
    }
    if (json_array_size(json_object_get(record, "fields")) > 0) {
        putchar('\n');
    }
}

static void print_table_row(const json_t *r)
{
    printf("%s %-4s %-6s %3" JSON_INTEGER_FORMAT " %-20s %8" JSON_INTEGER_FORMAT
           " us %6" JSON_INTEGER_FORMAT " rows %9" JSON_INTEGER_FORMAT " bytes\n",
           text_of(r, "at"), text_of(r, "kind"), text_of(r, "method"),
           json_integer_value(json_object_get(r, "status")), text_of(r, "reason"),
           json_integer_value(json_object_get(r, "elapsed_us")),
           json_integer_value(json_object_get(r, "rows")),
           json_integer_value(json_object_get(r, "bytes_out")));
    printf("    txn=%s app=%s api=%s\n    grant=%s", text_of(r, "transaction"), text_of(r, "app"),
           text_of(r, "api"), text_of(r, "grant"));
    print_clean("owner", text_of(r, "owner"));
    print_clean("client", text_of(r, "client"));
    print_clean("target", text_of(r, "target"));
    putchar('\n');
    print_fields(r);
}

int cli_audit_show(const struct audit_options *o)
{
    struct show s = {.o = o, .tags = cli_audit_tags(o->store)};
    struct audit_summary sum;
    enum audit_err err = audit_walk(o->dir, NULL, collect, count_finding, &s, &sum);
    json_decref(s.tags);
    if (err == AUDIT_EIO || s.no_memory) {
        fprintf(stderr, "sluice audit: %s: %s\n", o->dir,
                s.no_memory ? "out of memory; give --limit" : audit_strerror(err));
        trim(&s, 0);
        free(s.rows);
        return 2;
    }
    trim(&s, o->limit == 0 ? s.n : o->limit);
    for (size_t i = 0; i < s.n; i++) {
        if (o->json) {
            json_dumpf(s.rows[i].record, stdout, JSON_COMPACT);
            putchar('\n');
        } else {
            print_table_row(s.rows[i].record);
        }
    }
    trim(&s, 0);
    free(s.rows);
    return 0;
}
