/* SPDX-License-Identifier: Apache-2.0 */
/* What an application of each kind holds: one table of forms, from which content is checked and
 * described. A draft may lack members; what is there has to be right. */
#pragma once
#include "rest/resource.h"

enum form_type {
    FORM_TEXT,
    FORM_NUMBER,
    FORM_TEXTS,      /* an array of texts */
    FORM_WORDS,      /* an array of some of `values` */
    FORM_ALL,        /* an array of all of `values`: each is accepted */
    FORM_PLANS,      /* an array of {content, plan}, content one of `values`: one for each chosen */
    FORM_LEVELS,     /* an array of data levels, never the one that stays closed */
    FORM_USCC,       /* a unified social credit code */
    FORM_PERSON,     /* {name, id_number}: the number is sealed and shown masked */
    FORM_PEOPLE,     /* an array of them */
    FORM_ADDRESSES,  /* an array of IP addresses or networks */
    FORM_DOMAINS,    /* an array of host names */
    FORM_INTERFACES, /* an array of {api_id, per_day}; where the form has `values`, content too */
    FORM_TIME
};

struct form_member {
    const char *name;
    enum form_type type;
    bool required;
    int64_t min, max; /* text: bytes; number: value; array: how many at most */
    const char *const *values;
    const char *title_zh, *title_en;
};

enum form_flag {
    FORM_IDENTITY = 1, /* the applicant's identity is verified before approval (BK-9.1.2a) */
    FORM_ASSESSED = 2, /* an assessment that counts is there before approval (BK-9.1.1d2) */
    FORM_APP = 4       /* is about an app */
};

struct form {
    const char *name, *title_zh, *title_en;
    unsigned flags;
    const struct form_member *members;
    size_t n_members;
    const char *const *documents; /* kinds that must be attached, NULL-terminated */
    const char *const *judged;    /* subjects a reviewer has to say something on, NULL-terminated */
};

const struct form *forms_find(const char *name); /* NULL: none */

/* Content against the form: JSON pointers in errors begin with /content. whole: required members
 * must be there. */
enum problem forms_check(struct rest_call *c, struct store_txn *txn, const struct form *form,
                         const json_t *content, bool whole);
/* Takes the numbers of people out of row.content into row.sealed and leaves masked ones. A masked
 * number that came back unchanged keeps what old has sealed. */
enum problem forms_seal(struct rest_call *c, const json_t *old, json_t *row);
/* A number that forms_seal() took, by its pointer ("/legal_person"); false: none. */
#define FORM_NUMBER_ROOM 64
bool forms_unseal(const struct rest_call *c, const json_t *row, const char *pointer,
                  char number[static FORM_NUMBER_ROOM]);
