/* SPDX-License-Identifier: Apache-2.0 */
/* Conditions: `column=not.op.value` and trees `or=(a.eq.1,and(b.gt.2,c.is.null))`. At the top a
 * value is all that follows the operator; inside a tree it ends at ',' or ')' unless it is
 * double-quoted, where '\' takes the next character as it is. */
#include "data/query/parse_internal.h"

static const struct {
    struct slice word;
    uint8_t op;
} operators[] = {
    {{"eq", 2}, QUERY_EQ},
    {{"neq", 3}, QUERY_NEQ},
    {{"gt", 2}, QUERY_GT},
    {{"gte", 3}, QUERY_GTE},
    {{"lt", 2}, QUERY_LT},
    {{"lte", 3}, QUERY_LTE},
    {{"like", 4}, QUERY_LIKE},
    {{"ilike", 5}, QUERY_ILIKE},
    {{"match", 5}, QUERY_MATCH},
    {{"imatch", 6}, QUERY_IMATCH},
    {{"in", 2}, QUERY_IN},
    {{"is", 2}, QUERY_IS},
    {{"isdistinct", 10}, QUERY_DISTINCT},
};

/* Does the text look like -12, 3.25, 1e-5? */
static bool is_number(struct slice t, bool integer)
{
    size_t i = t.n && (t.p[0] == '-' || t.p[0] == '+') ? 1 : 0, digits = 0;
    for (; i < t.n && t.p[i] >= '0' && t.p[i] <= '9'; i++)
        digits++;
    if (integer)
        return digits > 0 && digits <= 18 && i == t.n;
    if (i < t.n && t.p[i] == '.')
        for (i++; i < t.n && t.p[i] >= '0' && t.p[i] <= '9'; i++)
            digits++;
    if (digits == 0 || digits > 60)
        return false;
    if (i < t.n && (t.p[i] == 'e' || t.p[i] == 'E')) {
        struct slice exponent = slice_of(t.p + i + 1, t.n - i - 1);
        return exponent.n <= 5 && is_number(exponent, true);
    }
    return i == t.n;
}

static bool is_boolean(struct slice t)
{
    return slice_eq(t, SLICE("true")) || slice_eq(t, SLICE("false")) || slice_eq(t, SLICE("1")) ||
           slice_eq(t, SLICE("0")) || slice_eq(t, SLICE("t")) || slice_eq(t, SLICE("f"));
}

bool query_value_fits(enum query_type type, struct slice text)
{
    if (type == QUERY_INTEGER || type == QUERY_NUMBER)
        return is_number(text, type == QUERY_INTEGER);
    return type != QUERY_BOOLEAN || is_boolean(text);
}

static char peek(struct slice s)
{
    return s.n ? s.p[0] : '\0';
}

static void skip(struct slice *s, size_t n)
{
    *s = slice_of(s->p + n, s->n - n);
}

static bool take_char(struct slice *s, char c)
{
    if (s->n == 0 || s->p[0] != c)
        return false;
    skip(s, 1);
    return true;
}

static bool take_word(struct slice *s, const char *word)
{
    size_t n = strlen(word);
    if (s->n < n || memcmp(s->p, word, n) != 0)
        return false;
    skip(s, n);
    return true;
}

/* "…" with '\' escapes, into the arena. p is NULL when there is no closing quote. */
static struct slice take_quoted(struct parser *ps, struct slice *s)
{
    static const struct slice refused = {NULL, 0};
    char *out = arena_get(ps->arena, 1, s->n);
    size_t n = 0, i = 1;
    if (!out)
        return refused;
    for (; i < s->n && s->p[i] != '"'; i++) {
        if (s->p[i] == '\\' && ++i == s->n)
            return refused;
        out[n++] = s->p[i];
    }
    if (i >= s->n)
        return refused;
    skip(s, i + 1);
    return slice_of(out, n);
}

/* A value inside parentheses: quoted, or up to ',' or ')'. */
static struct slice take_value(struct parser *ps, struct slice *s)
{
    if (peek(*s) == '"') {
        struct slice value = take_quoted(ps, s);
        if (s->n && s->p[0] != ',' && s->p[0] != ')')
            value.p = NULL;
        return value;
    }
    size_t n = 0;
    while (n < s->n && s->p[n] != ',' && s->p[n] != ')')
        n++;
    struct slice value = slice_of(s->p, n);
    skip(s, n);
    return value;
}

static enum problem check_value(struct parser *ps, const struct query_node *node,
                                struct slice value)
{
    uint8_t type = node->path ? QUERY_STRING : ps->table->columns[node->column].type;
    if (value.n > QUERY_VALUE_MAX)
        return parser_fail(ps, PROBLEM_QUERY_TOO_LARGE, "a value is longer than 4 KiB");
    if (type == QUERY_BINARY || type == QUERY_JSON)
        return parser_fail(ps, PROBLEM_QUERY_MALFORMED,
                           "the field can only be compared with is.null");
    bool pattern = node->op >= QUERY_LIKE && node->op <= QUERY_IMATCH;
    if (pattern && type != QUERY_STRING)
        return parser_fail(ps, PROBLEM_QUERY_MALFORMED, "patterns need a text field");
    if (!query_value_fits((enum query_type)type, value))
        return parser_fail(ps, PROBLEM_QUERY_MALFORMED, "the value does not fit the field's type");
    return PROBLEM_OK;
}

static enum problem check_is(struct parser *ps, const struct query_node *node, struct slice value)
{
    if (slice_eq(value, SLICE("null")))
        return PROBLEM_OK;
    if (!slice_eq(value, SLICE("true")) && !slice_eq(value, SLICE("false")) &&
        !slice_eq(value, SLICE("unknown")))
        return parser_fail(ps, PROBLEM_QUERY_MALFORMED, "is: null, true, false, unknown");
    if (node->path || ps->table->columns[node->column].type != QUERY_BOOLEAN)
        return parser_fail(ps, PROBLEM_QUERY_MALFORMED,
                           "true, false, unknown need a boolean field");
    return PROBLEM_OK;
}

static enum problem take_list(struct parser *ps, struct query_node *node, struct slice *s)
{
    if (!take_char(s, '('))
        return parser_fail(ps, PROBLEM_QUERY_MALFORMED, "in needs a list: in.(a,b)");
    node->values = arena_get(ps->arena, sizeof *node->values, QUERY_LIST_MAX);
    if (!node->values)
        return parser_fail(ps, PROBLEM_QUERY_TOO_LARGE, "too many lists");
    if (take_char(s, ')'))
        return PROBLEM_OK;
    for (;;) {
        if (node->n_values == QUERY_LIST_MAX)
            return parser_fail(ps, PROBLEM_QUERY_TOO_LARGE, "a list has more than 200 values");
        struct slice value = take_value(ps, s);
        if (!value.p)
            return parser_fail(ps, PROBLEM_QUERY_MALFORMED, "a quoted value does not end");
        enum problem p = check_value(ps, node, value);
        if (p)
            return p;
        node->values[node->n_values++] = value;
        if (take_char(s, ')'))
            return PROBLEM_OK;
        if (!take_char(s, ','))
            return parser_fail(ps, PROBLEM_QUERY_MALFORMED, "a list does not end with ')'");
    }
}

/* PostgREST's wildcard is '*', since '%' has a meaning in URLs. */
static struct slice like_pattern(struct parser *ps, struct slice value)
{
    char *out = arena_get(ps->arena, 1, value.n + 1);
    for (size_t i = 0; out && i < value.n; i++)
        out[i] = value.p[i] == '*' ? '%' : value.p[i];
    return slice_of(out, value.n);
}

static enum problem take_single(struct parser *ps, struct query_node *node, struct slice *s,
                                bool nested)
{
    struct slice value = nested ? take_value(ps, s) : *s;
    if (!nested)
        skip(s, s->n);
    if (!value.p)
        return parser_fail(ps, PROBLEM_QUERY_MALFORMED, "a quoted value does not end");
    enum problem p =
        node->op == QUERY_IS ? check_is(ps, node, value) : check_value(ps, node, value);
    if (p)
        return p;
    if (node->op == QUERY_LIKE || node->op == QUERY_ILIKE)
        value = like_pattern(ps, value);
    node->values = arena_get(ps->arena, sizeof value, 1);
    if (!node->values || !value.p)
        return parser_fail(ps, PROBLEM_QUERY_TOO_LARGE, "too many values");
    node->values[node->n_values++] = value;
    return PROBLEM_OK;
}

static bool take_operator(struct query_node *node, struct slice *s)
{
    node->negate = take_word(s, "not.");
    size_t n = 0;
    while (n < s->n && s->p[n] != '.')
        n++;
    if (n == s->n)
        return false;
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++) {
        if (slice_eq(slice_of(s->p, n), operators[i].word)) {
            node->op = operators[i].op;
            skip(s, n + 1);
            return true;
        }
    }
    return false;
}

/* `op.value` after a column's name. */
static enum problem take_condition(struct parser *ps, struct slice column, struct slice *s,
                                   bool nested, struct query_node **out)
{
    if (++ps->conditions > QUERY_CONDITIONS_MAX)
        return parser_fail(ps, PROBLEM_QUERY_TOO_LARGE, "more than 100 conditions");
    struct query_node *node = arena_get(ps->arena, sizeof *node, 1);
    if (!node)
        return parser_fail(ps, PROBLEM_QUERY_TOO_LARGE, "too many conditions");
    node->kind = QUERY_CONDITION;
    enum problem p = parser_path_column(ps, column, QUERY_USE_FILTER, &node->column, &node->path);
    if (p)
        return p;
    if (node->path && !node->path->text)
        return parser_fail(ps, PROBLEM_QUERY_MALFORMED, "end the path of a condition with ->>");
    if (!take_operator(node, s))
        return parser_fail(ps, PROBLEM_QUERY_MALFORMED, "no such operator");
    if ((node->op == QUERY_MATCH || node->op == QUERY_IMATCH) && !ps->in->regex)
        return parser_fail(ps, PROBLEM_QUERY_MALFORMED, "the source has no regular expressions");
    *out = node;
    return node->op == QUERY_IN ? take_list(ps, node, s) : take_single(ps, node, s, nested);
}

static void add_child(struct query_node *parent, struct query_node *child)
{
    struct query_node **at = &parent->first;
    while (*at)
        at = &(*at)->next;
    *at = child;
}

static const struct {
    const char *word; /* with its '(' */
    uint8_t kind;
    bool negate;
} logic_words[] = {
    {"and(", QUERY_AND, false},
    {"or(", QUERY_OR, false},
    {"not.and(", QUERY_AND, true},
    {"not.or(", QUERY_OR, true},
};

static bool take_logic_word(struct slice *s, struct query_node *node)
{
    for (size_t i = 0; i < sizeof logic_words / sizeof *logic_words; i++) {
        if (take_word(s, logic_words[i].word)) {
            node->kind = logic_words[i].kind;
            node->negate = logic_words[i].negate;
            return true;
        }
    }
    return false;
}

static enum problem take_nested_condition(struct parser *ps, struct slice *s,
                                          struct query_node **out)
{
    struct slice column;
    if (peek(*s) == '"') {
        column = take_quoted(ps, s);
    } else {
        size_t n = 0;
        while (n < s->n && s->p[n] != '.' && s->p[n] != ',' && s->p[n] != ')' && s->p[n] != '(')
            n++;
        column = slice_of(s->p, n);
        skip(s, n);
    }
    if (!column.p || !take_char(s, '.'))
        return parser_fail(ps, PROBLEM_QUERY_MALFORMED, "inside and, or: column.operator.value");
    return take_condition(ps, column, s, true, out);
}

/* The inside of a tree, its '(' already read, to its ')'. */
static enum problem take_members(struct parser *ps, struct query_node *node, struct slice *s,
                                 size_t depth)
{
    if (depth > QUERY_DEPTH_MAX)
        return parser_fail(ps, PROBLEM_QUERY_TOO_LARGE, "nested deeper than 8");
    do {
        struct query_node inner = {0}, *child = NULL;
        enum problem p;
        while (take_char(s, ' '))
            ;
        if (take_logic_word(s, &inner)) {
            child = arena_get(ps->arena, sizeof *child, 1);
            if (!child)
                return parser_fail(ps, PROBLEM_QUERY_TOO_LARGE, "too many conditions");
            *child = inner;
            p = take_members(ps, child, s, depth + 1);
        } else {
            p = take_nested_condition(ps, s, &child);
        }
        if (p)
            return p;
        add_child(node, child);
        while (take_char(s, ' '))
            ;
    } while (take_char(s, ','));
    if (!take_char(s, ')'))
        return parser_fail(ps, PROBLEM_QUERY_MALFORMED, "')' is missing");
    return PROBLEM_OK;
}

enum problem filter_column(struct parser *ps, struct slice column, struct slice text)
{
    struct query_node *node = NULL;
    enum problem p = take_condition(ps, column, &text, false, &node);
    if (p)
        return p;
    if (text.n)
        return parser_fail(ps, PROBLEM_QUERY_MALFORMED, "something follows the list");
    add_child(&ps->q->where, node);
    return PROBLEM_OK;
}

enum problem filter_logic(struct parser *ps, enum query_node_kind kind, bool negate,
                          struct slice text)
{
    struct query_node *node = arena_get(ps->arena, sizeof *node, 1);
    if (!node)
        return parser_fail(ps, PROBLEM_QUERY_TOO_LARGE, "too many conditions");
    node->kind = (uint8_t)kind;
    node->negate = negate;
    if (!take_char(&text, '('))
        return parser_fail(ps, PROBLEM_QUERY_MALFORMED, "needs a list: (a.eq.1,b.eq.2)");
    enum problem p = take_members(ps, node, &text, 1);
    if (p)
        return p;
    if (text.n)
        return parser_fail(ps, PROBLEM_QUERY_MALFORMED, "something follows the list");
    add_child(&ps->q->where, node);
    return PROBLEM_OK;
}
