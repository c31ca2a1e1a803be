/* SPDX-License-Identifier: Apache-2.0 */
/* U_API_ID, the code under which an API of a bank is registered with the industry (JR/T 0185-2020,
 * Appendix B). 24 characters of ASCII, from left to right:
 *
 *   1-2    "OP"                                                     B.3.2
 *   3-8    the institution: first six characters of its code        B.3.3 (JR/T 0124-2014)
 *   9-10   the type: 01 is class A1, 02 is class A2                 B.3.4
 *   11-16  the service category: two digits and four, none of 0     B.3.5
 *   17-22  the sequence within the four above, from 000001          B.3.6
 *   23-24  "00"                                                     B.3.7
 *
 * Pure functions, any thread. */
#pragma once
#include "base/slice.h"

#define UAPI_LEN             24
#define UAPI_INSTITUTION_LEN 6  /* what a code holds of it */
#define UAPI_INSTITUTION_MAX 14 /* a whole institution code of JR/T 0124-2014 */
#define UAPI_CATEGORY_LEN    6
#define UAPI_SEQUENCE_MAX    999999

enum uapi_type { UAPI_A1 = 1, UAPI_A2 = 2 };

struct uapi_id {
    char institution[UAPI_INSTITUTION_LEN + 1];
    uint8_t type; /* enum uapi_type */
    char category[UAPI_CATEGORY_LEN + 1];
    uint32_t sequence; /* 1 .. UAPI_SEQUENCE_MAX */
};

enum uapi_err {
    UAPI_OK,
    UAPI_EASCII,
    UAPI_ELENGTH,
    UAPI_EFIXED,
    UAPI_EINSTITUTION,
    UAPI_ETYPE,
    UAPI_ECATEGORY,
    UAPI_ESEQUENCE,
    UAPI_ERESERVED
};
const char *uapi_strerror(enum uapi_err err); /* names the characters that are wrong */

/* On error *id is unspecified. */
enum uapi_err uapi_parse(struct uapi_id *id, struct slice text) __attribute__((warn_unused_result));
/* Writes UAPI_LEN characters and a NUL. False: a part is none that uapi_parse would take. */
bool uapi_format(const struct uapi_id *id, char out[static UAPI_LEN + 1])
    __attribute__((warn_unused_result));

/* A whole institution code: an upper-case letter, five digits, eight digits or upper-case letters.
 * Its check character is not computed. */
bool uapi_institution_ok(struct slice code);
/* Six digits: a first-level mark of 01 to 99, a second-level mark of 0001 to 9999. */
bool uapi_category_ok(struct slice category);
