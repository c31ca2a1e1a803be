/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers of people in an application: sealed under the store's key, masked wherever a row is shown
 * or logged (BK-9.1.2b). */
#include <stdio.h>

#include "admission/forms.h"
#include "admission/inner.h"
#include "identity/identity.h"

#define POINTER_MAX 64

/* The first four and the last two stay, so that a clerk can tell one from another. */
static void mask(const char *number, char out[static FORM_NUMBER_ROOM])
{
    size_t n = strlen(number);

    for (size_t i = 0; i < n && i < FORM_NUMBER_ROOM - 1; i++) {
        out[i] = i < 4 || i + 2 >= n ? number[i] : '*';
    }
    out[n < FORM_NUMBER_ROOM ? n : FORM_NUMBER_ROOM - 1] = '\0';
}

bool forms_unseal(const struct rest_call *c, const json_t *row, const char *pointer,
                  char number[static FORM_NUMBER_ROOM])
{
    size_t n = 0;
    json_t *holder = json_pack("{s:s, s:O}", "id", row_text(row, "id"), pointer,
                               json_object_get(json_object_get(row, "sealed"), pointer)
                                   ? json_object_get(json_object_get(row, "sealed"), pointer)
                                   : json_null());
    bool ok = holder && secret_open(c, holder, pointer, number, FORM_NUMBER_ROOM, &n);

    json_decref(holder);
    return ok;
}

/* Whether some number that is sealed already masks to this text; its cipher text is kept. */
static const json_t *kept(const struct rest_call *c, const json_t *old, const char *masked,
                          char number[static FORM_NUMBER_ROOM])
{
    const char *pointer;
    char shown[FORM_NUMBER_ROOM];
    json_t *v;

    json_object_foreach(json_object_get(old, "sealed"), pointer, v)
    {
        if (forms_unseal(c, old, pointer, number)) {
            mask(number, shown);
            if (strcmp(shown, masked) == 0) {
                return v;
            }
        }
    }
    return NULL;
}

static enum problem seal_person(struct rest_call *c, const json_t *old, const char *id,
                                json_t *person, const char *pointer, json_t *sealed)
{
    const char *given = row_text(person, "id_number");
    char number[FORM_NUMBER_ROOM], shown[FORM_NUMBER_ROOM], where[POINTER_MAX + 24];

    snprintf(number, sizeof number, "%s", given);
    if (strchr(given, '*') && !kept(c, old, given, number)) {
        crypto_wipe(number, sizeof number);
        snprintf(where, sizeof where, "/content%s/id_number", pointer);
        return rest_fail(c, PROBLEM_FIELD_INVALID, where,
                         "a masked number that is not on record: send the number");
    }
    mask(number, shown);
    json_object_set_new(sealed, pointer, secret_seal(c, id, pointer, slice_str(number)));
    json_object_set_new(person, "id_number", json_string(shown));
    crypto_wipe(number, sizeof number);
    return PROBLEM_OK;
}

static enum problem seal_people(struct rest_call *c, const json_t *old, const char *id,
                                json_t *people, const char *name, json_t *sealed)
{
    enum problem p = PROBLEM_OK;
    char pointer[POINTER_MAX];
    json_t *person;
    size_t i;

    json_array_foreach(people, i, person)
    {
        snprintf(pointer, sizeof pointer, "/%.32s/%zu", name, i);
        p = p == PROBLEM_OK ? seal_person(c, old, id, person, pointer, sealed) : p;
    }
    return p;
}

enum problem forms_seal(struct rest_call *c, const json_t *old, json_t *row)
{
    const struct form *form = forms_find(row_text(row, "form_kind"));
    json_t *content = json_deep_copy(json_object_get(row, "content")), *sealed = json_object();
    enum problem p = PROBLEM_OK;
    char pointer[POINTER_MAX];

    for (size_t i = 0; form && i < form->n_members && p == PROBLEM_OK; i++) {
        const struct form_member *m = &form->members[i];
        json_t *v = json_object_get(content, m->name);
        if (m->type == FORM_PERSON && json_is_object(v)) {
            snprintf(pointer, sizeof pointer, "/%.40s", m->name);
            p = seal_person(c, old, row_text(row, "id"), v, pointer, sealed);
        } else if (m->type == FORM_PEOPLE) {
            p = seal_people(c, old, row_text(row, "id"), v, m->name, sealed);
        }
    }
    json_object_set_new(row, "content", content);
    json_object_set_new(row, "sealed", sealed);
    return p;
}
