/* SPDX-License-Identifier: Apache-2.0 */
/* The field plan: what happens to each field of a JSON document of any size as it streams
 * (EC-5.2d, EC-6.1.4.2). A field is a path of member names joined by '.', arrays are transparent:
 * "data.companyList.uniscId". What no path names is dropped. A document that is not RFC 8259 JSON
 * in valid UTF-8 is an error: nothing more may be sent.
 *
 * A container (object or array of objects) on the way to a kept or masked field is kept. A leaf is
 * a string, number, boolean, null or an array of those; a leaf path whose value turns out to be an
 * object is dropped unless its type is PLAN_JSON. A masked number or boolean becomes the masked
 * text of its literal, as a string; null stays null. Arrays of arrays are transparent too.
 * Duplicate members of one object: the first counts, the rest are dropped. A document that is a
 * bare scalar is dropped to null. A PLAN_JSON field with longer paths below it is a container: only
 * what those name is given. A path named twice has the stricter outcome. Output is compact, names
 * are written as the plan spells them; a subtree kept by PLAN_JSON is copied byte for byte. How the
 * input is cut into feeds never changes the output or the error. */
#pragma once
#include "mask/mask.h"

enum plan_outcome { PLAN_DROP, PLAN_KEEP, PLAN_MASK };
enum plan_type { PLAN_SCALAR, PLAN_JSON /* PLAN_KEEP keeps the whole subtree */ };

#define PLAN_FIELDS_MAX 512
#define PLAN_DEPTH_MAX  64
#define PLAN_PATH_MAX   255  /* bytes */
#define PLAN_NEED_MAX   1024 /* most that plan_out.more() is asked for at once */

struct plan_field {
    struct slice path;
    uint8_t outcome, type;
    struct mask_spec mask;
};

/* Immutable once made; any number of streams in any threads may share one (each with its own
 * mask_key). Copies what it needs. NULL: out of memory, or a limit above exceeded. */
struct plan;
struct plan *plan_new(const struct plan_field *fields, size_t n);
void plan_free(struct plan **plan);
size_t plan_size_bytes(const struct plan *plan);

enum plan_err {
    PLAN_OK,
    PLAN_ESYNTAX,
    PLAN_EUTF8,
    PLAN_EDEPTH,
    PLAN_ETRAILING,
    PLAN_ETRUNCATED,
    PLAN_EMEMORY
};
const char *plan_strerror(enum plan_err err);

/* Where output goes: bytes are written at pos and pos moves. When fewer than `need` bytes are left
 * before end, more() is called: it must make room for at least `need` or return false
 * (PLAN_EMEMORY). */
struct plan_out {
    char *pos, *end;
    bool (*more)(struct plan_out *out, size_t need);
};

/* One document. Errors stick until the next reset; what was written before one is no whole
 * document. Memory: about 7 KB, and while masking buffers that grow to at most four times
 * MASK_INPUT_MAX and stay. */
struct plan_stream;
struct plan_stream *plan_stream_new(const struct plan *plan,
                                    struct mask_key *key); /* NULL: no memory */
void plan_stream_reset(struct plan_stream *s, const struct plan *plan,
                       struct mask_key *key); /* for the next document */
void plan_stream_free(struct plan_stream **s);
enum plan_err plan_stream_feed(struct plan_stream *s, struct slice in, struct plan_out *out)
    __attribute__((warn_unused_result));
enum plan_err plan_stream_end(struct plan_stream *s, struct plan_out *out)
    __attribute__((warn_unused_result));

/* What left, for the audit record. seen: bit i set = field i was emitted (kept or masked) at least
 * once, PLAN_FIELDS_MAX bits. rows: objects that are elements of the outermost array that holds
 * objects, or 1 for a single object with any field. */
const uint64_t *plan_stream_seen(const struct plan_stream *s);
uint64_t plan_stream_rows(const struct plan_stream *s);
