/* SPDX-License-Identifier: Apache-2.0 */
/* Making a plan: paths become a tree of names, and each name's children a hash table. One block
 * of memory holds it all. */
#include "plan/plan.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/utf8.h"
#include "plan/plan_inner.h"

const char *plan_strerror(enum plan_err err)
{
    switch (err) {
    case PLAN_OK:
        return "no error";
    case PLAN_ESYNTAX:
        return "the document is not JSON";
    case PLAN_EUTF8:
        return "the document is not UTF-8, or escapes half of a surrogate pair";
    case PLAN_EDEPTH:
        return "the document is nested too deep";
    case PLAN_ETRAILING:
        return "something follows the document";
    case PLAN_ETRUNCATED:
        return "the document ends too early";
    case PLAN_EMEMORY:
        return "out of memory, or no room for output";
    }
    return "unknown plan error";
}

/* Memory: the bump pointers while a plan is made. */
struct maker {
    struct plan *plan;
    char *text;
    uint16_t *slots;
};

static size_t count_segments(struct slice path)
{
    size_t n = 1;
    for (size_t i = 0; i < path.n; i++) {
        n += path.p[i] == '.';
    }
    return n;
}

static size_t escape_name(char *out, struct slice name)
{
    size_t n = 0;
    out[n++] = '"';
    for (size_t i = 0; i < name.n; i++) {
        uint8_t c = (uint8_t)name.p[i];
        if (c == '"' || c == '\\') {
            out[n++] = '\\';
        }
        if (c < 0x20) {
            n += (size_t)sprintf(out + n, "\\u%04x", c);
        } else {
            out[n++] = (char)c;
        }
    }
    out[n++] = '"';
    out[n++] = ':';
    return n;
}

static struct plan_node *child_of(struct maker *m, uint16_t parent, struct slice name)
{
    struct plan_node *nodes = m->plan->nodes;
    for (uint16_t i = nodes[parent].first; i != 0; i = nodes[i].next) {
        if (slice_eq(slice_of(nodes[i].name, nodes[i].name_n), name)) {
            return &nodes[i];
        }
    }
    uint16_t at = m->plan->n_nodes++;
    struct plan_node *node = &nodes[at];
    node->field = -1;
    node->self = at;
    node->parent = parent;
    node->bit = nodes[parent].count++;
    node->next = nodes[parent].first;
    nodes[parent].first = at;
    node->name = m->text;
    node->name_n = (uint32_t)name.n;
    if (name.n > 0) {
        memcpy(m->text, name.p, name.n);
    }
    m->text += name.n;
    plan_name_words((const uint8_t *)node->name, name.n, &node->head, &node->tail);
    node->label = m->text;
    node->label_n = (uint32_t)escape_name(m->text, name);
    m->text += node->label_n;
    return node;
}

static void add_path(struct maker *m, const struct plan_field *field, size_t index)
{
    static const uint8_t severity[] = {[PLAN_DROP] = 2, [PLAN_KEEP] = 0, [PLAN_MASK] = 1};
    struct plan_node *nodes = m->plan->nodes, *node = nodes;
    struct slice left = field->path;
    for (bool more = true; more;) {
        const char *dot = left.n > 0 ? memchr(left.p, '.', left.n) : NULL;
        size_t n = dot != NULL ? (size_t)(dot - left.p) : left.n;
        node = child_of(m, (uint16_t)(node - nodes), slice_of(left.p, n));
        more = dot != NULL;
        left = more ? slice_of(dot + 1, left.n - n - 1) : left;
    }
    uint8_t outcome = field->outcome <= PLAN_MASK ? field->outcome : PLAN_DROP;
    if (node->field >= 0 && severity[outcome] <= severity[node->outcome]) {
        return; /* named twice: the stricter counts */
    }
    node->field = (int16_t)index;
    node->outcome = outcome;
    node->type = field->type;
    node->mask = field->mask;
}

static void fill_slots(struct maker *m, struct plan_node *node)
{
    struct plan_node *nodes = m->plan->nodes;
    size_t size = 2;
    if (node->count == 0) {
        return;
    }
    node->shift = 63;
    while (size < (size_t)node->count * 2) {
        size *= 2;
        node->shift--;
    }
    uint16_t *slots = m->slots;
    m->slots += size;
    for (uint16_t i = node->first; i != 0; i = nodes[i].next) {
        size_t at = plan_name_hash(nodes[i].head, nodes[i].tail, nodes[i].name_n) >> node->shift;
        while (slots[at] != 0) {
            at = (at + 1) & (size - 1);
        }
        slots[at] = i;
    }
    node->slots = slots;
}

/* Children were made after their parents, so one walk from the end settles who leads somewhere. */
static void finish(struct maker *m)
{
    struct plan_node *nodes = m->plan->nodes;
    for (size_t i = m->plan->n_nodes - 1u; i > 0; i--) {
        bool own = nodes[i].field >= 0 && nodes[i].outcome != PLAN_DROP;
        nodes[nodes[i].parent].below |= own || nodes[i].below;
    }
    for (size_t i = 0; i < m->plan->n_nodes; i++) {
        fill_slots(m, &nodes[i]);
    }
}

struct plan *plan_new(const struct plan_field *fields, size_t n)
{
    size_t segments = 0, bytes = 0;
    if (n > PLAN_FIELDS_MAX) {
        return NULL;
    }
    for (size_t i = 0; i < n; i++) {
        size_t depth = count_segments(fields[i].path);
        if (fields[i].path.n > PLAN_PATH_MAX || depth > PLAN_DEPTH_MAX) {
            return NULL;
        }
        segments += depth;
        bytes += fields[i].path.n;
    }
    /* names once plain and once escaped, at most \u00XX a byte, with quotes and colon; a table
     * has fewer than four slots a child */
    size_t text = bytes * 7 + segments * 3 + PLAN_COPY_STEP;
    size_t slots = (segments * 4 + 2) * sizeof(uint16_t);
    size_t nodes = (segments + 1) * sizeof(struct plan_node);
    struct plan *plan = calloc(1, sizeof *plan + nodes + slots + text);
    if (plan == NULL) {
        return NULL;
    }
    plan->size = sizeof *plan + nodes + slots + text;
    plan->nodes = (struct plan_node *)(void *)(plan + 1);
    plan->n_nodes = 1;
    plan->nodes[0].field = -1;
    struct maker m = {.plan = plan, .slots = (uint16_t *)(void *)(plan->nodes + segments + 1)};
    m.text = (char *)m.slots + slots;
    for (size_t i = 0; i < n; i++) {
        if (utf8_valid(fields[i].path)) { /* else no document can name it */
            add_path(&m, &fields[i], i);
        }
    }
    finish(&m);
    return plan;
}

void plan_free(struct plan **plan)
{
    free(*plan);
    *plan = NULL;
}

size_t plan_size_bytes(const struct plan *plan)
{
    return plan->size;
}
