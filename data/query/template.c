/* SPDX-License-Identifier: Apache-2.0 */
#include "data/query/template.h"

#include <strings.h>

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool begins_with(struct slice text, const char *word)
{
    size_t n = strlen(word);
    return text.n > n && strncasecmp(text.p, word, n) == 0 && !is_letter(text.p[n]) &&
           !is_digit(text.p[n]);
}

static char at(struct slice text, size_t i)
{
    return i < text.n ? text.p[i] : '\0';
}

static const char *forbidden(struct slice text, size_t i)
{
    char c = text.p[i], next = at(text, i + 1);
    if (c == ';' || c == '?' || c == '\\' || c == '$' || c == '`' || c == '#' ||
        (c < ' ' && c != '\n' && c != '\t' && c != '\r'))
        return "; ? \\ $ ` # and control characters have no place in it";
    return (c == '-' && next == '-') || (c == '/' && next == '*') ? "comments have no place in it"
                                                                  : NULL;
}

/* i is behind the ':'; moves behind the name. */
static const char *take_name(struct slice text, size_t *i, const struct query_argument *arguments,
                             size_t n, uint16_t marks[static TEMPLATE_MARKS_MAX], size_t *n_marks)
{
    size_t start = *i;
    while (is_letter(at(text, *i)) || is_digit(at(text, *i)))
        ++*i;
    struct slice name = slice_of(text.p + start, *i - start);
    for (size_t k = 0; k < n; k++) {
        if (!slice_eq(arguments[k].name, name))
            continue;
        if (*n_marks == TEMPLATE_MARKS_MAX)
            return "more than 64 places of parameters";
        marks[(*n_marks)++] = (uint16_t)k;
        return NULL;
    }
    return "it names a parameter that is not declared";
}

const char *template_compile(struct slice text, const struct query_argument *arguments, size_t n,
                             struct buf *out, uint16_t marks[static TEMPLATE_MARKS_MAX],
                             size_t *n_marks)
{
    char quote = 0;
    *n_marks = 0;
    buf_clear(out);
    if (text.n > TEMPLATE_BYTES_MAX)
        return "it is longer than 8 KiB";
    if (!begins_with(text, "select") && !begins_with(text, "with"))
        return "it begins with SELECT or WITH";
    for (size_t i = 0; i < text.n;) {
        char c = text.p[i];
        const char *why = c == '\\' || c == '?' || !quote ? forbidden(text, i) : NULL;
        if (why)
            return why;
        if (!quote && c == ':' && at(text, i + 1) == ':') {
            buf_adds(out, "::");
            i += 2;
            continue;
        }
        if (!quote && c == ':' && is_letter(at(text, i + 1))) {
            i++;
            why = take_name(text, &i, arguments, n, marks, n_marks);
            if (why)
                return why;
            buf_addc(out, '?');
            continue;
        }
        if (quote)
            quote = c == quote ? 0 : quote;
        else if (c == '\'' || c == '"')
            quote = c;
        buf_addc(out, c);
        i++;
    }
    return quote ? "a quote does not end" : out->failed ? "no memory" : NULL;
}
