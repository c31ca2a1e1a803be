/* SPDX-License-Identifier: Apache-2.0 */
/* The table of a resource, from which list, read, create, change and actions follow. A row in
 * memory is a JSON object with every stored attribute under its own name, hidden ones too; times
 * are RFC 3339 text there and milliseconds in the store. */
#pragma once
#include "rest/rest.h"
#include "store/log.h"

enum attr_type { ATTR_TEXT, ATTR_INT, ATTR_BOOL, ATTR_TIME, ATTR_JSON, ATTR_REF };
enum attr_flag {
    AF_REQUIRED = 1,
    AF_IMMUTABLE = 2,
    AF_WRITE_ONLY = 4, /* accepted, has no column: a hook takes it; never shown or logged */
    AF_READ_ONLY = 8,  /* stored and shown, not accepted */
    AF_HIDDEN = 16,    /* stored, neither accepted nor shown */
    AF_FILTER = 32,
    AF_SORT = 64,
    AF_REF_ANY = 128, /* the resource referred to need not be visible to the caller */
    AF_LINES = 256    /* text may hold line ends */
};

struct attr {
    const char *name;
    enum attr_type type;
    unsigned flags;
    int64_t min, max;          /* text: bytes; int: value */
    const char *const *values; /* NULL-terminated, text only */
    const char *ref;           /* plural */
    const char *fallback;      /* JSON text of the value when creation leaves it out; NULL: null */
    enum problem (*check)(struct rest_call *c, const char *where, const json_t *value);
};

/* Whose rows a role sees and may change; a role without a row sees all that read_roles allows. `?`
 * in the text stands for the bound value, each time. */
enum scope_bind { BIND_ORGANISATION, BIND_USER, BIND_SUBJECT };
struct scope {
    unsigned roles;
    enum scope_bind bind;
    const char *read, *write;
};

struct resource;
struct change { /* what a hook is told */
    const struct resource *res;
    struct store_txn *txn; /* NULL in `prepare` */
    const json_t *old;     /* NULL: creation */
    json_t *row;           /* the new row, may be edited before it is stored */
    const char *action;    /* NULL: creation or change */
    void *arg;             /* of row_each */
};
typedef enum problem (*resource_hook)(struct rest_call *c, struct change *ch);

struct transition {
    const char *from;        /* states between '|' */
    const char *action, *to; /* to NULL: the state stays */
    unsigned roles;
    const char *body_text; /* member the action's body needs (a text) and stores; NULL: no body */
    bool body_time;        /* that member is a time, and may be left out */
    bool body_optional;    /* that member is a text, and may be left out */
    resource_hook prepare; /* outside a transaction, may be slow; NULL */
    resource_hook hook;    /* inside, before the row is stored; NULL */
};

struct resource {
    const char *plural, *kind, *initial;
    const struct attr *attrs;
    size_t n_attrs;
    const struct transition *transitions;
    size_t n_transitions;
    const struct scope *scopes;
    size_t n_scopes;
    unsigned read_roles, create_roles, patch_roles;
    resource_hook prepare; /* creation, outside a transaction */
    resource_hook
        amend; /* change likewise; what it sets in the row is what is checked and stored */
    resource_hook check; /* creation and change, inside, before the row is stored */
    resource_hook after; /* every change, inside, after it: ripples */
    /* The feed's data of a row: *data NULL means the nodes should not have it. NULL: not fed. */
    enum problem (*feed)(struct rest_call *c, struct store_txn *txn, const json_t *row,
                         json_t **data);
    const char *feed_kind;
    const char *feed_id; /* the attribute whose value is the entry's id; NULL: the row's id */
    unsigned depth;      /* of a body; 0: REST_DEPTH_MAX */
    /* Takes from a row about to be answered what this caller is not told. NULL: nothing. */
    void (*show)(const struct rest_call *c, json_t *shown);
};

/* What the platform makes by itself: a new row with an id, the first state, and every attribute as
 * if it had been left out. fill adds what a row lacks of that. */
json_t *resource_row(const struct resource *res);
void resource_fill(const struct resource *res, json_t *row);
/* A new row of c->body, checked and stored as POST does it, where `prepare` is not needed. */
enum problem resource_make(struct rest_call *c, struct store_txn *txn, const struct resource *res,
                           json_t *row);

/* api/registry.c */
extern const struct resource *const resources[];
extern const size_t resources_n;
const struct resource *resource_by_plural(const char *plural);

/* rest/row.c: rows by hand-over of ownership; NULL *row when there is none (or none visible). */
enum problem row_load(struct rest_call *c, struct store_txn *txn, const struct resource *res,
                      const char *id, bool scoped, json_t **row);
enum problem row_insert(struct rest_call *c, struct store_txn *txn, const struct resource *res,
                        const json_t *row);
enum problem row_update(struct rest_call *c, struct store_txn *txn, const struct resource *res,
                        const json_t *row);
bool row_writable(struct rest_call *c, struct store_txn *txn, const struct resource *res,
                  const char *id);
json_t *row_public(const struct resource *res, const json_t *row); /* new reference */
/* As this caller is shown it: new reference. */
json_t *row_shown(const struct rest_call *c, const struct resource *res, const json_t *row);
/* Each row of res with column = value, oldest first; column is from a table. */
enum problem row_each(struct rest_call *c, struct store_txn *txn, const struct resource *res,
                      const char *column, const char *value,
                      enum problem (*visit)(struct rest_call *c, struct change *ch), void *arg);
void row_columns(const struct resource *res, struct buf *sql);
json_t *row_read(const struct resource *res, struct store_rows *rows);
/* Which rows the caller's permission reaches, as " AND (…)" with its values appended: the scopes
 * above, function grants of an app or a unit, data grants of datasets and APIs (access/rows.c). */
void scope_sql(const struct rest_call *c, const struct resource *res, bool write, struct buf *sql,
               struct store_value *v, size_t *n);
#define SCOPE_VALUES_MAX 16

/* rest/change.c: a whole change inside txn: store, operation, feed entry. old NULL: insert. The row
 * gets its revision and updated_at. */
enum problem change_store(struct rest_call *c, struct store_txn *txn, const struct resource *res,
                          const json_t *old, json_t *row, const char *action);
enum problem change_feed(struct rest_call *c, struct store_txn *txn, const struct resource *res,
                         const json_t *row);
/* The row of an action or change under If-Match; must: it has to be there. */
enum problem change_precondition(struct rest_call *c, const json_t *row, bool must);
enum problem resource_answer(struct rest_call *c, const struct resource *res, const json_t *row,
                             unsigned status);

/* rest/attr.c: body onto row. */
enum problem attr_apply(struct rest_call *c, struct store_txn *txn, const struct resource *res,
                        json_t *row, bool create);
enum problem attr_text_check(struct rest_call *c, const char *where, const json_t *v, int64_t min,
                             int64_t max, bool lines);

static inline const char *row_text(const json_t *row, const char *name)
{
    const char *s = json_string_value(json_object_get(row, name));
    return s ? s : "";
}
