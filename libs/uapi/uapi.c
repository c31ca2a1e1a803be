/* SPDX-License-Identifier: Apache-2.0 */
#include "uapi/uapi.h"

#include <stdio.h>
#include <string.h>

#define FIXED    "OP"
#define RESERVED "00"

enum { AT_INSTITUTION = 2, AT_TYPE = 8, AT_CATEGORY = 10, AT_SEQUENCE = 16, AT_RESERVED = 22 };

static bool digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

static bool digits(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!digit(s.p[i]))
            return false;
    return s.n > 0;
}

static bool zeros(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] != '0')
            return false;
    return true;
}

static bool institution_part_ok(struct slice s)
{
    return s.n == UAPI_INSTITUTION_LEN && upper(s.p[0]) && digits(slice_of(s.p + 1, s.n - 1));
}

bool uapi_institution_ok(struct slice code)
{
    if (code.n != UAPI_INSTITUTION_MAX ||
        !institution_part_ok(slice_of(code.p, UAPI_INSTITUTION_LEN)))
        return false;
    for (size_t i = UAPI_INSTITUTION_LEN; i < code.n; i++)
        if (!digit(code.p[i]) && !upper(code.p[i]))
            return false;
    return true;
}

bool uapi_category_ok(struct slice category)
{
    return category.n == UAPI_CATEGORY_LEN && digits(category) && !zeros(slice_of(category.p, 2)) &&
           !zeros(slice_of(category.p + 2, 4));
}

static enum uapi_err shape(struct slice text)
{
    for (size_t i = 0; i < text.n; i++)
        if ((unsigned char)text.p[i] < ' ' || (unsigned char)text.p[i] > '~')
            return UAPI_EASCII;
    return text.n == UAPI_LEN ? UAPI_OK : UAPI_ELENGTH;
}

static uint8_t type_of(const char *p)
{
    return p[0] == '0' && (p[1] == '1' || p[1] == '2') ? (uint8_t)(p[1] - '0') : 0;
}

static uint32_t number(const char *p, size_t n)
{
    uint32_t value = 0;
    for (size_t i = 0; i < n; i++)
        value = value * 10 + (uint32_t)(p[i] - '0');
    return value;
}

enum uapi_err uapi_parse(struct uapi_id *id, struct slice text)
{
    enum uapi_err err = shape(text);
    if (err)
        return err;
    const char *p = text.p;
    struct slice sequence = slice_of(p + AT_SEQUENCE, AT_RESERVED - AT_SEQUENCE);
    if (memcmp(p, FIXED, sizeof FIXED - 1) != 0)
        return UAPI_EFIXED;
    if (!institution_part_ok(slice_of(p + AT_INSTITUTION, UAPI_INSTITUTION_LEN)))
        return UAPI_EINSTITUTION;
    id->type = type_of(p + AT_TYPE);
    if (!id->type)
        return UAPI_ETYPE;
    if (!uapi_category_ok(slice_of(p + AT_CATEGORY, UAPI_CATEGORY_LEN)))
        return UAPI_ECATEGORY;
    if (!digits(sequence) || zeros(sequence))
        return UAPI_ESEQUENCE;
    if (memcmp(p + AT_RESERVED, RESERVED, sizeof RESERVED - 1) != 0)
        return UAPI_ERESERVED;
    snprintf(id->institution, sizeof id->institution, "%.*s", UAPI_INSTITUTION_LEN,
             p + AT_INSTITUTION);
    snprintf(id->category, sizeof id->category, "%.*s", UAPI_CATEGORY_LEN, p + AT_CATEGORY);
    id->sequence = number(sequence.p, sequence.n);
    return UAPI_OK;
}

bool uapi_format(const struct uapi_id *id, char out[static UAPI_LEN + 1])
{
    struct uapi_id again;
    if (id->type > UAPI_A2 || id->sequence > UAPI_SEQUENCE_MAX)
        return false;
    int n = snprintf(out, UAPI_LEN + 1, FIXED "%s%02u%s%06u" RESERVED, id->institution, id->type,
                     id->category, id->sequence);
    return n == UAPI_LEN && uapi_parse(&again, slice_of(out, UAPI_LEN)) == UAPI_OK;
}

const char *uapi_strerror(enum uapi_err err)
{
    static const char *const texts[] = {
        [UAPI_OK] = "fine",
        [UAPI_EASCII] = "it holds something else than printable ASCII",
        [UAPI_ELENGTH] = "it has to have 24 characters",
        [UAPI_EFIXED] = "characters 1-2 have to be OP",
        [UAPI_EINSTITUTION] = "characters 3-8 are no institution code: a letter and five digits",
        [UAPI_ETYPE] = "characters 9-10 have to be 01 (class A1) or 02 (class A2)",
        [UAPI_ECATEGORY] = "characters 11-16 are no service category: 01-99, then 0001-9999",
        [UAPI_ESEQUENCE] = "characters 17-22 have to be 000001 to 999999",
        [UAPI_ERESERVED] = "characters 23-24 have to be 00",
    };
    return (size_t)err < sizeof texts / sizeof *texts ? texts[err] : "unknown";
}
