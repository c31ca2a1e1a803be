/* SPDX-License-Identifier: Apache-2.0 */
#include "data/sources/attributes.h"

bool attribute_next(struct slice *rest, struct attribute *a)
{
    while (rest->n && (*rest->p == ';' || *rest->p == ' '))
        *rest = slice_of(rest->p + 1, rest->n - 1);
    if (rest->n == 0)
        return false;
    const char *end = memchr(rest->p, ';', rest->n);
    size_t n = end ? (size_t)(end - rest->p) : rest->n;
    const char *equals = memchr(rest->p, '=', n);
    size_t name_n = equals ? (size_t)(equals - rest->p) : 0;
    *a = (struct attribute){{NULL, 0}, {NULL, 0}};
    if (equals)
        a->value = slice_of(equals + 1, n - name_n - 1);
    while (name_n && rest->p[name_n - 1] == ' ')
        name_n--;
    if (equals)
        a->name = slice_of(rest->p, name_n);
    *rest = slice_of(rest->p + n, rest->n - n);
    return true;
}

struct slice attribute_unquoted(struct slice value)
{
    static const char pairs[][2] = {{'{', '}'}, {'"', '"'}, {'\'', '\''}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        if (value.n > 1 && value.p[0] == pairs[i][0] && value.p[value.n - 1] == pairs[i][1])
            return slice_of(value.p + 1, value.n - 2);
    return value;
}
