/* SPDX-License-Identifier: Apache-2.0 */
/* Pseudonyms: every character is replaced by one of its own kind, drawn from a stream that depends
 * on the key, the domain and the whole value:
 *     seed  = HMAC-SM3(key, 0 || domain, zero-padded to 32 bytes || SM3(value))
 *     block = HMAC-SM3(key, 1 || seed || number of the block)
 * It is no cipher: a short output keeps nothing from which the value could be computed, even with
 * the key; and without the key a guess cannot be checked (EC-3.15b). Equal values in a domain give
 * equal pseudonyms, so joins go on working (SW-9.8-exc4); values that prove themselves by a check
 * digit give values that do so too (SW-9.8-exc5). */
#include <stdlib.h>

#include "crypto/crypto.h"
#include "id/idnum.h"
#include "mask/mask_rules.h"
#include "mask/mask_utf8.h"

struct mask_key {
    struct crypto_hmac *hmac;
};

struct mask_key *mask_key_new(const uint8_t key[static 32])
{
    struct mask_key *made = calloc(1, sizeof *made);
    if (made != NULL) {
        made->hmac = crypto_hmac_new(CRYPTO_SM3, key, CRYPTO_KEY_LEN);
    }
    return made;
}

void mask_key_free(struct mask_key **key)
{
    if (*key != NULL) {
        crypto_hmac_free(&(*key)->hmac);
        free(*key);
        *key = NULL;
    }
}

/* The stream ----------------------------------------------------------------------------------- */
#define DOMAIN_BYTES (MASK_DOMAIN_MAX + 1)

_Static_assert(MASK_BLOCK == CRYPTO_HASH_LEN, "a block is a digest");

void mask_draws_init(struct mask_draws *d, const struct mask_input *in, struct slice value)
{
    uint8_t message[1 + DOMAIN_BYTES + CRYPTO_HASH_LEN] = {0};
    memcpy(message + 1, in->spec->domain, strnlen(in->spec->domain, MASK_DOMAIN_MAX));
    crypto_hash(CRYPTO_SM3, value.p, value.n, message + 1 + DOMAIN_BYTES);
    memset(d, 0, sizeof *d);
    d->hmac = in->key->hmac;
    d->used = CRYPTO_HASH_LEN;
    d->seeded[0] = 1;
    crypto_hmac_sign(d->hmac, message, sizeof message, d->seeded + 1);
    crypto_wipe(message, sizeof message);
}

uint32_t mask_draw(struct mask_draws *d, uint32_t n)
{
    if (d->used == CRYPTO_HASH_LEN) {
        crypto_hmac_sign(d->hmac, d->seeded, sizeof d->seeded, d->block);
        for (size_t i = sizeof d->seeded; i-- > 1 + CRYPTO_HASH_LEN && ++d->seeded[i] == 0;) {
        }
        d->used = 0;
    }
    uint32_t x;
    memcpy(&x, d->block + d->used, sizeof x);
    d->used += sizeof x;
    return (uint32_t)(((uint64_t)__builtin_bswap32(x) * n) >> 32);
}

static void draw_digits(struct mask_draws *d, char *out, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        out[i] = (char)('0' + mask_draw(d, 10));
    }
}

/* `width` digits of a number in [from, from + n) */
static void draw_number(struct mask_draws *d, char *out, size_t width, uint32_t from, uint32_t n)
{
    uint32_t value = from + mask_draw(d, n);
    for (size_t i = width; i-- > 0; value /= 10) {
        out[i] = (char)('0' + value % 10);
    }
}

/* Values that prove themselves -------------------------------------------------------------------
 */
/* A division code of the right shape in a province that exists (GB/T 2260). */
static void draw_division(struct mask_draws *d, char out[static 6])
{
    static const char provinces[][3] = {"11", "12", "13", "14", "15", "21", "22", "23",
                                        "31", "32", "33", "34", "35", "36", "37", "41",
                                        "42", "43", "44", "45", "46", "50", "51", "52",
                                        "53", "54", "61", "62", "63", "64", "65"};
    memcpy(out, provinces[mask_draw(d, sizeof provinces / sizeof *provinces)], 2);
    draw_number(d, out + 2, 2, 1, 20);
    draw_number(d, out + 4, 2, 1, 28);
}

static size_t id_card(struct mask_draws *d, const struct mask_input *in, char *out)
{
    bool old = in->text.n == 15;
    char *date = out + 6;
    draw_division(d, out);
    if (old) {
        draw_number(d, date, 2, 40, 60);
    } else {
        draw_number(d, date, 4, 1940, 70);
    }
    date += old ? 2 : 4;
    draw_number(d, date, 2, 1, 12);
    draw_number(d, date + 2, 2, 1, 28);
    draw_digits(d, date + 4, 3);
    if (!old) {
        out[17] = idnum_id_card_check(out);
    }
    return in->text.n;
}

static size_t uscc(struct mask_draws *d, const struct mask_input *in, char *out)
{
    static const char alphabet[] = "0123456789ABCDEFGHJKLMNPQRTUWXY"; /* GB 32100 */
    memcpy(out, in->text.p, 2); /* the kind of organisation, which names nobody */
    draw_division(d, out + 2);
    for (size_t i = 8; i < 17; i++) {
        out[i] = alphabet[mask_draw(d, sizeof alphabet - 1)];
    }
    out[17] = idnum_uscc_check(out);
    return IDNUM_USCC_LEN;
}

#define CARD_MAX 19

/* The digits of a bank card, possibly written in groups; false when it is none. */
static bool read_card(struct slice text, char digits[static CARD_MAX], size_t *n)
{
    *n = 0;
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == ' ' || text.p[i] == '-') {
            continue;
        }
        if (!mask_is_digit(text.p[i]) || *n == CARD_MAX) {
            return false;
        }
        digits[(*n)++] = text.p[i];
    }
    return idnum_is_bank_card(slice_of(digits, *n));
}

/* The first digit tells the trade (6: banks), not the holder; it stays, so no card begins with 0.
 */
static size_t bank_card(struct mask_draws *d, const struct mask_input *in, char *digits, size_t n,
                        char *out)
{
    draw_digits(d, digits + 1, n - 2);
    digits[n - 1] = idnum_luhn_check(slice_of(digits, n - 1));
    for (size_t i = 0; i < in->text.n; i++) {
        out[i] = mask_is_digit(in->text.p[i]) ? *digits++ : in->text.p[i];
    }
    return in->text.n;
}

static bool is_mobile(struct slice text)
{
    if (text.n != 11 || text.p[0] != '1' || text.p[1] < '3') {
        return false;
    }
    for (size_t i = 0; i < text.n; i++) {
        if (!mask_is_digit(text.p[i])) {
            return false;
        }
    }
    return true;
}

static size_t mobile(struct mask_draws *d, char *out)
{
    out[0] = '1';
    draw_number(d, out + 1, 1, 3, 7);
    draw_digits(d, out + 2, 9);
    return 11;
}

/* Everything else, character by character ---------------------------------------------------------
 */
/* A character in [from, to] becomes one in [low, high]; one in no row, a CJK ideograph. low 0: it
 * stays, for it is a sign that carries format alone. */
static const struct {
    uint32_t from, to, low, high;
} kinds[] = {
    {'0', '9', '0', '9'},
    {'A', 'Z', 'A', 'Z'},
    {'a', 'z', 'a', 'z'},
    {0x0000, 0x007f, 0, 0},
    {0x4e00, 0x9fff, 0x4e00, 0x9fa5}, /* CJK; the end of the block is not in every font */
    {0x00a0, 0x00a9, 0, 0},
    {0x00ab, 0x00b1, 0, 0},
    {0x00b7, 0x00b7, 0, 0},
    {0x00c0, 0x00de, 0x00c0, 0x00d6},
    {0x00df, 0x00ff, 0x00df, 0x00f6},
    {0x0370, 0x03ff, 0x03b1, 0x03c9}, /* Greek */
    {0x0400, 0x042f, 0x0410, 0x042f}, /* Cyrillic */
    {0x0430, 0x045f, 0x0430, 0x044f},
    {0x2010, 0x205e, 0, 0},
    {0x3000, 0x3003, 0, 0},
    {0x3008, 0x301f, 0, 0},
    {0x3041, 0x3096, 0x3041, 0x3096}, /* kana */
    {0x30a1, 0x30fa, 0x30a1, 0x30fa},
    {0x30fb, 0x30fb, 0, 0},
    {0xac00, 0xd7a3, 0xac00, 0xd7a3}, /* Hangul */
    {0xff01, 0xff0f, 0, 0},
    {0xff10, 0xff19, 0xff10, 0xff19}, /* full width */
    {0xff1a, 0xff20, 0, 0},
    {0xff21, 0xff3a, 0xff21, 0xff3a},
    {0xff3b, 0xff40, 0, 0},
    {0xff41, 0xff5a, 0xff41, 0xff5a},
    {0xff5b, 0xff65, 0, 0},
};

static uint32_t replace(struct mask_draws *d, uint32_t c, bool *changed)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (c < kinds[i].from || c > kinds[i].to) {
            continue;
        }
        if (kinds[i].low == 0) {
            return c;
        }
        *changed = true;
        return kinds[i].low + mask_draw(d, kinds[i].high - kinds[i].low + 1);
    }
    *changed = true;
    return 0x4e00 + mask_draw(d, 0x9fa5 - 0x4e00 + 1);
}

static size_t any_text(struct mask_draws *d, const struct mask_input *in, char *out)
{
    size_t n = 0, width;
    bool changed = false;
    for (size_t at = 0; at < in->text.n; at += width) {
        n += utf8_write(replace(d, utf8_read(in->text, at, &width), &changed), out + n);
    }
    return changed ? n : MASK_UNRECOGNISED; /* signs alone would come out as they went in */
}

size_t mask_rule_pseudonym(const struct mask_input *in, char *out)
{
    struct mask_draws d;
    char card[CARD_MAX];
    size_t card_n, n;
    if (in->key == NULL) {
        return MASK_UNRECOGNISED;
    }
    mask_draws_init(&d, in, in->text);
    if (idnum_is_id_card(in->text)) {
        n = id_card(&d, in, out);
    } else if (idnum_is_uscc(in->text)) {
        n = uscc(&d, in, out);
    } else if (read_card(in->text, card, &card_n)) {
        n = bank_card(&d, in, card, card_n, out);
    } else if (is_mobile(in->text)) {
        n = mobile(&d, out);
    } else {
        n = any_text(&d, in, out);
    }
    crypto_wipe(&d, sizeof d);
    crypto_wipe(card, sizeof card);
    return n;
}
