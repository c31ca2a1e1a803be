/* SPDX-License-Identifier: Apache-2.0 */
/* The words of entries. Chinese has no blanks, so a run of its characters goes in as its pairs and
 * its last character: a word of two characters is one pair, a longer one a phrase of pairs, one
 * character the beginning of a pair. Exact values (a tag, a department, a node) are marks: words
 * that begin with `_`, which no word of a text does. */
#include <ctype.h>
#include <stdio.h>

#include "api/api.h"
#include "base/utf8.h"
#include "catalog/catalog.h"

#define INDEX_TEXT_MAX 20000 /* bytes of one column of the index */
#define NODES_DEPTH    16

enum letter { NO_LETTER, WORD, HAN };

/* Blocks of scripts written without blanks (Unicode): kana, ideographs, hangul stays a word. */
static enum letter kind_of(const char *p, size_t n)
{
    unsigned char a = (unsigned char)p[0], b = n > 1 ? (unsigned char)p[1] : 0;

    if (n == 1) {
        return isalnum(a) ? WORD : NO_LETTER;
    }
    if (n == 2) {
        return a == 0xc2 ? NO_LETTER : WORD; /* U+0080 to U+00BF: signs */
    }
    if (n == 3 && (a == 0xe2 || (a == 0xe3 && b == 0x80) || (a == 0xef && b >= 0xbc))) {
        return NO_LETTER; /* punctuation, its wide forms */
    }
    bool kana = n == 3 && a == 0xe3 && b >= 0x81;
    bool han = (n == 3 && a >= 0xe4 && a <= 0xe9) || (n == 4 && a == 0xf0 && b >= 0xa0);
    return kana || han ? HAN : WORD;
}

static size_t run_of(const char *at, const char *end, enum letter *kind)
{
    const char *p = at;

    *kind = NO_LETTER;
    while (p < end) {
        size_t n = utf8_char(slice_of(p, (size_t)(end - p)));
        enum letter k = n ? kind_of(p, n) : NO_LETTER;
        n = n ? n : 1;
        if (p == at) {
            *kind = k;
        }
        if (k != *kind || (k == NO_LETTER && p > at)) {
            break;
        }
        p += n;
    }
    return (size_t)(p - at);
}

/* "进口货" → "进口 口货 货"; without last: "进口 口货". */
static void add_pairs(struct buf *out, const char *at, size_t n, bool last)
{
    const char *end = at + n;
    bool first = true;

    while (at < end) {
        size_t a = utf8_char(slice_of(at, (size_t)(end - at)));
        size_t b = at + a < end ? utf8_char(slice_of(at + a, (size_t)(end - at) - a)) : 0;
        if (b || last) {
            buf_adds(out, first ? "" : " ");
            buf_add(out, at, a + b);
            first = false;
        }
        at += a;
    }
}

void index_words(struct buf *out, const char *text)
{
    const char *end = text + strlen(text);

    end = end - text > INDEX_TEXT_MAX ? text + INDEX_TEXT_MAX : end;
    while (text < end) {
        enum letter kind;
        size_t n = run_of(text, end, &kind);
        if (kind == HAN) {
            add_pairs(out, text, n, true);
        } else if (kind == WORD) {
            buf_add(out, text, n);
        }
        buf_addc(out, ' ');
        text += n;
    }
}

/* Only letters and digits come between the quotes, so nothing in them is the index's grammar. */
bool index_query(struct buf *out, const char *text)
{
    const char *end = text + strlen(text);
    bool any = false;

    while (text < end) {
        enum letter kind;
        size_t n = run_of(text, end, &kind);
        if (kind != NO_LETTER) {
            bool one = kind == HAN && utf8_char(slice_of(text, n)) == n;
            buf_adds(out, any ? " AND \"" : "\"");
            if (kind == HAN) {
                add_pairs(out, text, n, one);
            } else {
                buf_add(out, text, n);
            }
            buf_adds(out, kind == WORD || one ? "\"*" : "\"");
            any = true;
        }
        text += n;
    }
    return any;
}

void index_mark(struct buf *out, char kind, const char *value)
{
    buf_addf(out, "_%c", kind);
    for (; *value; value++) {
        buf_addf(out, "%02x", (unsigned char)tolower((unsigned char)*value));
    }
}

static void add_mark(struct buf *out, char kind, const char *value)
{
    if (value[0]) {
        index_mark(out, kind, value);
        buf_addc(out, ' ');
    }
}

static void add_texts(struct buf *words, struct buf *marks, char kind, const json_t *list)
{
    json_t *v;
    size_t i;

    json_array_foreach(list, i, v)
    {
        index_words(words, json_string_value(v));
        if (kind) {
            add_mark(marks, kind, json_string_value(v));
        }
    }
}

/* A node and what it stands below: who looks below a theme finds what is deeper down. */
static enum problem add_node(struct rest_call *c, struct store_txn *txn, const char *id,
                             struct buf *words, struct buf *marks)
{
    json_t *node = NULL;
    char at[UUID_TEXT_LEN + 1];
    enum problem p = PROBLEM_OK;

    snprintf(at, sizeof at, "%s", id);
    for (int i = 0; i < NODES_DEPTH && at[0] && p == PROBLEM_OK; i++) {
        p = row_load(c, txn, &catalog_nodes_resource, at, false, &node);
        if (p == PROBLEM_OK && node) {
            index_words(words, row_text(node, "name"));
            index_words(words, row_text(node, "name_en"));
            add_mark(marks, 'n', at);
        }
        snprintf(at, sizeof at, "%s", row_text(node, "parent_id"));
        json_decref(node);
        node = NULL;
    }
    return p;
}

static enum problem add_nodes(struct rest_call *c, struct store_txn *txn, const json_t *entry,
                              struct buf *words, struct buf *marks)
{
    static const char *const named[] = {"theme_id", "category_id", "application_id"};
    enum problem p = PROBLEM_OK;
    json_t *v;
    size_t i;

    for (i = 0; i < COUNT(named) && p == PROBLEM_OK; i++) {
        p = add_node(c, txn, row_text(entry, named[i]), words, marks);
    }
    json_array_foreach(json_object_get(entry, "node_ids"), i, v)
    {
        p = p == PROBLEM_OK ? add_node(c, txn, json_string_value(v), words, marks) : p;
    }
    return p;
}

static void add_fields(struct buf *words, const json_t *fields)
{
    static const char *const told[] = {"name", "title", "description"};
    json_t *f;
    size_t i;

    json_array_foreach(fields, i, f)
    {
        for (size_t k = 0; k < COUNT(told); k++) {
            index_words(words, row_text(f, told[k]));
        }
    }
}

enum { NAME, LABELS, ABOUT, BODY, MARKS, COLUMNS };

static void join_tags(const json_t *list, struct buf *out)
{
    json_t *v;
    size_t i;

    json_array_foreach(list, i, v)
    {
        buf_addf(out, "%s%s", i ? INDEX_DIVIDER : "", json_string_value(v));
    }
}

/* What a search reads of each hit stands in one narrow row, in the order of its words. */
static enum store_err store_doc(struct store_txn *txn, const json_t *entry)
{
    static const char sql[] =
        "INSERT INTO entry_docs (id, state, decision, organisation_id, department, theme_id, "
        "category_id, application_id, tags, name_bytes) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON "
        "CONFLICT (id) DO UPDATE SET state = excluded.state, decision = excluded.decision, "
        "organisation_id = excluded.organisation_id, department = excluded.department, theme_id = "
        "excluded.theme_id, category_id = excluded.category_id, application_id = "
        "excluded.application_id, tags = excluded.tags, name_bytes = excluded.name_bytes";
    static const char *const members[] = {
        "id",         "state",    "decision",    "organisation_id",
        "department", "theme_id", "category_id", "application_id"};
    struct store_value v[COUNT(members) + 2];
    struct buf tags;

    buf_init(&tags);
    join_tags(json_object_get(entry, "tags"), &tags);
    for (size_t i = 0; i < COUNT(members); i++) {
        v[i] = store_text(row_text(entry, members[i]));
    }
    v[COUNT(members)] = (struct store_value){.type = STORE_TEXT, .s = buf_slice(&tags)};
    v[COUNT(members)].s.p = tags.p ? tags.p : "";
    v[COUNT(members) + 1] = store_int((int64_t)strlen(row_text(entry, "name")));
    enum store_err err = tags.failed ? STORE_EIO : store_exec(txn, sql, v, COUNT(v), NULL);
    buf_fini(&tags);
    return err;
}

static enum problem store_words(struct rest_call *c, struct store_txn *txn, const json_t *entry,
                                const struct buf *b, bool drop)
{
    static const char drop_sql[] =
        "DELETE FROM entry_words WHERE rowid = (SELECT doc FROM entry_docs WHERE id = ?)";
    static const char add_sql[] = "INSERT INTO entry_words (rowid, name, labels, about, body, "
                                  "marks) VALUES ((SELECT doc FROM "
                                  "entry_docs WHERE id = ?), ?, ?, ?, ?, ?)";
    struct store_value v[COLUMNS + 1] = {store_text(row_text(entry, "id"))};
    enum store_err err = store_doc(txn, entry);

    if (err == STORE_OK) {
        err = store_exec(txn, drop_sql, v, 1, NULL);
    }
    for (size_t i = 0; i < COLUMNS; i++) {
        v[i + 1] = (struct store_value){.type = STORE_TEXT, .s = buf_slice(&b[i])};
        v[i + 1].s.p = b[i].p ? b[i].p : "";
    }
    if (err == STORE_OK && !drop) {
        err = store_exec(txn, add_sql, v, COLUMNS + 1, NULL);
    }
    return rest_store_problem(c, err);
}

/* Marks that let a search skip what its caller would not be shown. */
static enum problem add_seen(struct rest_call *c, struct store_txn *txn, const json_t *entry,
                             struct buf *marks)
{
    static const char sql[] =
        "SELECT receiver_id FROM entry_shares WHERE entry_id = ? AND state = 'active'";
    const struct store_value v = store_text(row_text(entry, "id"));
    struct store_rows *rows = NULL;
    enum store_err err = store_query(txn, sql, &v, 1, &rows);

    add_mark(marks, 'v', entry_listed(entry) ? "open" : "");
    add_mark(marks, 'o', row_text(entry, "organisation_id"));
    while (err == STORE_OK && store_next(rows)) {
        add_mark(marks, 'r', store_get_text(rows, 0));
    }
    return rest_store_problem(c, err == STORE_OK ? store_rows_end(&rows) : err);
}

enum problem index_entry(struct rest_call *c, struct store_txn *txn, const json_t *entry)
{
    struct buf b[COLUMNS];
    bool failed = false;

    for (size_t i = 0; i < COLUMNS; i++) {
        buf_init(&b[i]);
    }
    index_words(&b[NAME], row_text(entry, "name"));
    add_texts(&b[LABELS], &b[MARKS], 't', json_object_get(entry, "tags"));
    add_texts(&b[LABELS], &b[MARKS], 0, json_object_get(entry, "keywords"));
    index_words(&b[ABOUT], row_text(entry, "department"));
    add_mark(&b[MARKS], 'd', row_text(entry, "department"));
    index_words(&b[BODY], row_text(entry, "summary"));
    add_fields(&b[BODY], json_object_get(entry, "fields"));
    enum problem p = add_nodes(c, txn, entry, &b[ABOUT], &b[MARKS]);
    p = p == PROBLEM_OK ? add_seen(c, txn, entry, &b[MARKS]) : p;
    for (size_t i = 0; i < COLUMNS; i++) {
        failed = failed || b[i].failed;
    }
    if (p == PROBLEM_OK) {
        p = failed
                ? PROBLEM_INTERNAL
                : store_words(c, txn, entry, b, strcmp(row_text(entry, "state"), "withdrawn") == 0);
    }
    for (size_t i = 0; i < COLUMNS; i++) {
        buf_fini(&b[i]);
    }
    return p;
}
