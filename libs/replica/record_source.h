/* SPDX-License-Identifier: Apache-2.0 */
/* What the packers share: one member of the feed's JSON is read, checked and written by one call. A
 * sticky `bad` in the source lets each packer read as the list of the record's members. `null` and
 * absent are one: the member's default where it has one, bad where it is required. */
#pragma once
#include "replica/record.h"

#define RECORD_NAME_MAX 512
#define RECORD_TEXT_MAX 1024
#define RECORD_TIME_MAX (1ll << 52) /* past any date; what a double can hold exactly */

struct source {
    const json_t *data;
    struct buf *out;
    bool bad;
};

struct word {
    const char *text;
    uint8_t number;
}; /* lists end with a NULL text */

extern const struct word record_state_words[], record_proof_words[];

/* Text without NUL of at most max bytes. */
bool record_text_of(const json_t *value, size_t max, struct slice *text);
const struct word *record_find_word(const json_t *value, const struct word *words);
/* NULL when absent or null. */
const json_t *record_member(const struct source *s, const char *key);

void record_begin(struct source *s, struct buf *out, uint64_t rev, const json_t *data);
#define RECORD_APIS_MAX 4096 /* that one user's record names */
bool record_end(const struct source *s);

void record_put_uint(struct buf *out, uint64_t value, int n_bytes);
void record_put_text(struct buf *out, struct slice text);
uint8_t record_word(struct source *s, const char *key, const struct word *words);
uint8_t record_word_or(struct source *s, const char *key, const struct word *words,
                       uint8_t otherwise);
/* Bits of a list of words. */
uint8_t record_bits_of(struct source *s, const json_t *list, const struct word *words);
void record_uuid(struct source *s, const char *key, bool required);
void record_uint(struct source *s, const char *key, uint64_t max, int n_bytes); /* 0 */
uint64_t record_uint_or(struct source *s, const char *key, uint64_t min, uint64_t max,
                        uint64_t otherwise, int n_bytes);
void record_time(struct source *s, const char *key);
void record_text(struct source *s, const char *key, size_t max, bool required);
bool record_bool_or(struct source *s, const char *key, bool otherwise); /* writes nothing */
