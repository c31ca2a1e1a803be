/* SPDX-License-Identifier: Apache-2.0 */
/* The rules behind mask_apply(), one function each, for this module's own files. Each gets well
 * formed UTF-8 of 1 to MASK_INPUT_MAX bytes, writes at most MASK_OUT_MAX(n), and returns the bytes
 * written, or MASK_UNRECOGNISED, upon which the caller covers the value whatever was written. */
#pragma once
#include "mask/mask.h"

#define MASK_UNRECOGNISED ((size_t)-1)

struct mask_input {
    struct slice text;
    size_t chars; /* code points in text */
    const struct mask_spec *spec;
    struct mask_key *key;
};

size_t mask_rule_name(const struct mask_input *in, char *out);      /* mask_text.c */
size_t mask_rule_email(const struct mask_input *in, char *out);     /* mask_text.c */
size_t mask_rule_keep(const struct mask_input *in, char *out);      /* mask_text.c */
size_t mask_rule_address(const struct mask_input *in, char *out);   /* mask_address.c */
size_t mask_rule_phone(const struct mask_input *in, char *out);     /* mask_number.c */
size_t mask_rule_id_card(const struct mask_input *in, char *out);   /* mask_number.c */
size_t mask_rule_bank_card(const struct mask_input *in, char *out); /* mask_number.c */
size_t mask_rule_uscc(const struct mask_input *in, char *out);      /* mask_number.c */
size_t mask_rule_year(const struct mask_input *in, char *out);      /* mask_number.c */
size_t mask_rule_pseudonym(const struct mask_input *in, char *out); /* mask_pseudonym.c */

size_t mask_rule_fake_name(const struct mask_input *in, char *out);  /* mask_substitute.c */
size_t mask_rule_date_shift(const struct mask_input *in, char *out); /* mask_substitute.c */
size_t mask_rule_scale(const struct mask_input *in, char *out);      /* mask_substitute.c */

/* mask_pseudonym.c: numbers drawn from the key, the spec's domain and a value. */
#define MASK_BLOCK 32
struct mask_draws {
    struct crypto_hmac *hmac;
    uint8_t seeded[1 + MASK_BLOCK + 4]; /* 1, the seed, the number of the next block */
    uint8_t block[MASK_BLOCK];
    size_t used;
};
void mask_draws_init(struct mask_draws *d, const struct mask_input *in, struct slice value);
uint32_t mask_draw(struct mask_draws *d, uint32_t n); /* in [0, n), its bias below n / 2^32 */

static inline bool mask_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static inline bool mask_is_alpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
