/* SPDX-License-Identifier: Apache-2.0 */
/* What the two halves of the compiler share. Each err_t is CONVERT_OK or has filled the error. */
#pragma once
#include "convert/convert_inner.h"

typedef enum convert_err err_t;

struct compiler {
    struct convert *c;
    struct convert_error *error;
    char where[CONVERT_WHERE_MAX];
    size_t where_n;
    const json_t *namespaces, *types;
    struct convert_type *named; /* as many as types, in its order */
    struct slice attribute_prefix, default_ns;
    bool nillable;
};

err_t compiler_bad(struct compiler *k, const char *text);
err_t compiler_no_memory(struct compiler *k);
/* Puts a step on the way to here; what it returns goes to compiler_leave(). index SIZE_MAX: none.
 */
size_t compiler_enter(struct compiler *k, const char *name, size_t index);
void compiler_leave(struct compiler *k, size_t was);

bool compiler_keys_known(const json_t *object, const char *const *known);
bool compiler_flag_ok(const json_t *o, const char *key);
bool compiler_name_ok(struct slice s);
bool compiler_key_ok(struct slice s);
struct slice compiler_text(const json_t *value); /* p NULL: not a string */
int compiler_kind(const json_t *type);           /* -1: not a scalar type */

/* Text that lives as long as the convert; p NULL: no memory. */
struct slice compiler_copy(struct compiler *k, struct slice s);
struct slice compiler_member(struct compiler *k, struct slice key);
struct slice compiler_tag(struct compiler *k, const char *before, struct slice prefix,
                          struct slice name, const char *after);

err_t compiler_type(struct compiler *k, const json_t *o, struct convert_type *t, unsigned depth);
err_t compiler_field(struct compiler *k, const json_t *o, struct convert_field *f, unsigned depth);
