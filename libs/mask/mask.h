/* SPDX-License-Identifier: Apache-2.0 */
/* Mask rules for one value: what a level-3 field becomes on its way to third-party software
 * (EC-6.1.4.2, EC-3.15, BK-7.2.2c2-2). Pure functions, no allocation, safe from any thread. Text is
 * UTF-8; a rule counts characters, not bytes, and never splits one. A value its rule does not
 * recognise (a "phone" without digits), one that is not UTF-8, and one longer than MASK_INPUT_MAX
 * is covered whole by MASK_COVER: when in doubt, hide. An empty value stays empty. */
#pragma once
#include "base/slice.h"

/* Numbers reach replica and audit records: append only. */
enum mask_rule {
    MASK_NONE,       /* none: no rule; a value masked by it is covered whole */
    MASK_NAME,       /* name: 张**, J*** S*** : the first character of each word of two or more */
    MASK_PHONE,      /* phone: 138****5678, 010-****5678, 0351-****567: the four after the area
                        code or the network's three digits, and an extension */
    MASK_EMAIL,      /* email: z***@example.com */
    MASK_ADDRESS,    /* address: kept to the district (区县旗市), the rest becomes **** */
    MASK_ID_CARD,    /* id_card: first 6 and last 2 of 18 or 15: birth date hidden */
    MASK_BANK_CARD,  /* bank_card: first 6 and last 4 of 13 to 19 digits */
    MASK_USCC,       /* uscc: first 8 and last 2 */
    MASK_KEEP,       /* keep:N:M : first N and last M characters, unless that were all */
    MASK_YEAR,       /* year: 1987-**-**, 1987年**月**日, 1987**** ; times too */
    MASK_NULL,       /* null: JSON null */
    MASK_PSEUDONYM,  /* pseudonym[:DOMAIN]: keyed, equal in gives equal out in a domain, format and
                        check digits kept */
    MASK_FAKE_NAME,  /* fake_name[:DOMAIN]: another name of as many characters; else a pseudonym */
    MASK_DATE_SHIFT, /* date_shift:DAYS[:DOMAIN]: all dates of a domain by the same number of days,
                        1 to DAYS either way: order and intervals stay */
    MASK_SCALE, /* scale[:DOMAIN]: all numbers of a domain times the same factor of 1.10 to 9.99,
                   exactly: order, ratios and sums stay. Who knows one original knows them all */
    MASK_RULES
};

#define MASK_DOMAIN_MAX 31    /* bytes */
#define MASK_INPUT_MAX  65536 /* bytes of one value; a longer one is covered by MASK_COVER */
#define MASK_COVER      "***"
#define MASK_DAYS_MAX   3650
#define MASK_OUT_MAX(n) ((n)*3 + 8) /* room mask_apply may need for n bytes of input */

struct mask_spec {
    uint8_t rule;                     /* enum mask_rule */
    uint8_t first, last;              /* MASK_KEEP */
    uint16_t days;                    /* MASK_DATE_SHIFT: 1 to MASK_DAYS_MAX */
    char domain[MASK_DOMAIN_MAX + 1]; /* of keyed rules; "" is the platform-wide domain */
};

enum mask_err { MASK_OK, MASK_ERULE, MASK_EARGUMENT };
const char *mask_strerror(enum mask_err err);

bool mask_rule_keyed(uint8_t rule); /* it needs the key */

/* Reads "phone", "keep:3:4", "pseudonym:orders.phone". On error *spec is unchanged. */
enum mask_err mask_parse(struct mask_spec *spec, struct slice text)
    __attribute__((warn_unused_result));
/* Writes the same form, NUL-terminated, and returns its length. */
#define MASK_SPEC_TEXT_MAX 64
size_t mask_format(const struct mask_spec *spec, char out[static MASK_SPEC_TEXT_MAX]);

/* The key of MASK_PSEUDONYM and the rules after it; irreversible and not guessable without it
 * (EC-3.15b). */
struct mask_key;
struct mask_key *mask_key_new(const uint8_t key[static 32]);
void mask_key_free(struct mask_key **key); /* wipes */

/* Masks in[0..n) into out, which has room for MASK_OUT_MAX(in.n); returns the bytes written.
 * MASK_NULL writes nothing and the caller puts null. key may be NULL for rules before
 * MASK_PSEUDONYM (with a NULL key those after cover the value). One thread at a time per key. */
size_t mask_apply(const struct mask_spec *spec, struct mask_key *key, struct slice in, char *out);
