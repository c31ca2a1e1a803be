/* SPDX-License-Identifier: Apache-2.0 */
/* Reading Signature-Input and Signature. Stricter than RFC 8941 in white space: the inner list must
 * already stand in its canonical form, so that the bytes received are the bytes that were signed.
 */
#include "httpsig/httpsig.h"

#include "base/codec.h"
#include "httpsig/sf.h"

#define LABELS_MAX   4 /* signatures of one request, ours and those of proxies on the way */
#define NAME_MAX_LEN 64
#define KEYID_MAX    256
#define ALG_MAX      64

const char *httpsig_strerror(enum httpsig_err err)
{
    static const char *const texts[] = {
        [HTTPSIG_OK] = "no error",
        [HTTPSIG_EMISSING] = "Signature-Input or Signature is missing",
        [HTTPSIG_ESYNTAX] = "not a canonical structured field (RFC 8941)",
        [HTTPSIG_ELABEL] = "Signature-Input and Signature must share exactly one label",
        [HTTPSIG_ECOMPONENT] = "a covered component is unknown, twice, absent or has parameters",
        [HTTPSIG_EPARAMETER] = "created, expires, nonce, keyid and alg are each needed once",
        [HTTPSIG_ELIMIT] = "too many components or signatures, or too long",
        [HTTPSIG_ECOVERAGE] = "the signature does not cover what it must",
    };
    return (size_t)err < sizeof texts / sizeof *texts ? texts[err] : "unknown error";
}

static const struct slice derived[] = {
    [HTTPSIG_METHOD] = {"@method", 7},
    [HTTPSIG_AUTHORITY] = {"@authority", 10},
    [HTTPSIG_TARGET_URI] = {"@target-uri", 11},
    [HTTPSIG_REQUEST_TARGET] = {"@request-target", 15},
    [HTTPSIG_PATH] = {"@path", 5},
    [HTTPSIG_QUERY] = {"@query", 6},
    [HTTPSIG_SCHEME] = {"@scheme", 7},
};

static bool is_field_name(struct slice name)
{
    if (name.n == 0 || name.n > NAME_MAX_LEN) {
        return false;
    }
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        bool good = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
        if (!good) {
            return false;
        }
    }
    return true;
}

static enum httpsig_err add_component(struct httpsig *s, const struct sf_item *item)
{
    if (s->n_components == HTTPSIG_COMPONENTS_MAX) {
        return HTTPSIG_ELIMIT;
    }
    uint8_t kind = item->text.n > 0 && item->text.p[0] == '@' ? 0 : HTTPSIG_FIELD;
    while (kind < HTTPSIG_FIELD && !slice_eq(item->text, derived[kind])) {
        kind++;
    }
    if (kind == HTTPSIG_FIELD && !is_field_name(item->text)) {
        return HTTPSIG_ECOMPONENT;
    }
    for (size_t i = 0; i < s->n_components; i++) {
        if (slice_eq(s->components[i].name, item->text)) {
            return HTTPSIG_ECOMPONENT;
        }
    }
    s->components[s->n_components].kind = kind;
    s->components[s->n_components].name = item->text;
    s->n_components++;
    return HTTPSIG_OK;
}

/* Keeps the first error that is not one of syntax: a label that turns out to be another party's may
 * use what we do not do. */
static void note(enum httpsig_err *first, const char **at, enum httpsig_err err, const char *here)
{
    if (*first == HTTPSIG_OK && err != HTTPSIG_OK) {
        *first = err;
        *at = here;
    }
}

/* What one member of Signature-Input came to. */
struct member {
    enum httpsig_err err;
    const char *at; /* of err */
    unsigned seen;  /* bits of the parameters table */
};

static bool read_components(struct sf *c, struct httpsig *s, struct member *m)
{
    struct sf_item item;
    if (!sf_take(c, '(')) {
        return false;
    }
    while (!sf_is(c, ')')) {
        const char *here = c->at;
        if (!sf_string(c, &item)) {
            return false;
        }
        note(&m->err, &m->at, item.escaped ? HTTPSIG_ECOMPONENT : add_component(s, &item), here);
        while (sf_take(c, ';')) { /* ;sf ;key= ;bs ;tr ;req: not done, so never guessed at */
            struct slice key;
            note(&m->err, &m->at, HTTPSIG_ECOMPONENT, c->at);
            if (!sf_key(c, &key) || (sf_take(c, '=') && !sf_item(c, &item))) {
                return false;
            }
        }
        if (sf_is(c, ')')) {
            break;
        }
        if (!sf_take(c, ' ') || sf_is(c, ')')) {
            return false;
        }
    }
    return sf_take(c, ')');
}

enum { CREATED, EXPIRES, NONCE, KEYID, ALG, PARAMETERS };
static const struct {
    struct slice name;
    enum sf_kind kind;
    size_t min, max; /* of a string, in characters */
} parameters[] = {
    [CREATED] = {{"created", 7}, SF_INTEGER, 0, 0},
    [EXPIRES] = {{"expires", 7}, SF_INTEGER, 0, 0},
    [NONCE] = {{"nonce", 5}, SF_STRING, HTTPSIG_NONCE_MIN, HTTPSIG_NONCE_MAX},
    [KEYID] = {{"keyid", 5}, SF_STRING, 1, KEYID_MAX},
    [ALG] = {{"alg", 3}, SF_STRING, 1, ALG_MAX},
};

static enum httpsig_err set_parameter(struct httpsig *s, struct member *m, struct slice key,
                                      const struct sf_item *item)
{
    unsigned i = 0;
    while (i < PARAMETERS && !slice_eq(key, parameters[i].name)) {
        i++;
    }
    if (i == PARAMETERS) {
        return HTTPSIG_OK; /* signed with the rest, and nothing to us */
    }
    bool fits = item->kind != SF_STRING || (!item->escaped && item->text.n >= parameters[i].min &&
                                            item->text.n <= parameters[i].max);
    if (m->seen & 1u << i || item->kind != parameters[i].kind || !fits) {
        return HTTPSIG_EPARAMETER;
    }
    m->seen |= 1u << i;
    switch (i) {
    case CREATED:
        s->created_s = item->number;
        break;
    case EXPIRES:
        s->expires_s = item->number;
        break;
    case NONCE:
        s->nonce = item->text;
        break;
    case KEYID:
        s->keyid = item->text;
        break;
    default:
        s->alg = item->text;
        break;
    }
    return HTTPSIG_OK;
}

static bool read_member(struct sf *c, struct httpsig *s, struct member *m)
{
    const char *start = c->at;
    s->n_components = 0;
    if (!read_components(c, s, m)) {
        return false;
    }
    while (sf_take(c, ';')) {
        const char *here = c->at;
        struct slice key;
        struct sf_item item = {.kind = SF_OTHER};
        if (!sf_key(c, &key) || (sf_take(c, '=') && !sf_item(c, &item))) {
            return false;
        }
        note(&m->err, &m->at, set_parameter(s, m, key, &item), here);
    }
    s->params = slice_of(start, (size_t)(c->at - start));
    bool all = m->seen == (1u << PARAMETERS) - 1;
    if (!all || s->expires_s <= s->created_s) {
        note(&m->err, &m->at, HTTPSIG_EPARAMETER, c->at);
    }
    return true;
}

/* The members of Signature. */
struct signatures {
    size_t n;
    struct {
        struct slice label, base64;
    } list[LABELS_MAX];
};

static enum httpsig_err read_signatures(struct slice text, struct signatures *found, size_t *bad_at)
{
    struct sf c = sf_of(text);
    enum httpsig_err err = HTTPSIG_ESYNTAX;
    bool more = true;
    sf_skip_spaces(&c);
    for (found->n = 0; more; found->n++) {
        struct slice label;
        struct sf_item item;
        if (!sf_key(&c, &label) || !sf_take(&c, '=') || !sf_bytes(&c, &item)) {
            goto bad;
        }
        err = found->n == LABELS_MAX ? HTTPSIG_ELIMIT : HTTPSIG_ELABEL;
        for (size_t i = 0; i < found->n; i++) {
            if (slice_eq(found->list[i].label, label)) {
                goto bad;
            }
        }
        if (err == HTTPSIG_ELIMIT) {
            goto bad;
        }
        found->list[found->n].label = label;
        found->list[found->n].base64 = item.text;
        err = HTTPSIG_ESYNTAX;
        if (!sf_next_member(&c, &more)) {
            goto bad;
        }
    }
    return HTTPSIG_OK;
bad:
    *bad_at = (size_t)(c.at - c.start);
    return err;
}

static const struct slice *find_signature(const struct signatures *found, struct slice label)
{
    for (size_t i = 0; i < found->n; i++) {
        if (slice_eq(found->list[i].label, label)) {
            return &found->list[i].base64;
        }
    }
    return NULL;
}

static enum httpsig_err read_inputs(struct httpsig *s, struct sf *c, const struct signatures *found,
                                    struct slice *base64)
{
    struct httpsig other;
    bool more = true;
    size_t shared = 0, members = 0;
    struct member ours = {0};
    sf_skip_spaces(c);
    while (more) {
        struct slice label;
        const char *here = c->at;
        if (!sf_key(c, &label) || !sf_take(c, '=')) {
            return HTTPSIG_ESYNTAX;
        }
        const struct slice *signature = find_signature(found, label);
        struct member m = {0};
        if (!read_member(c, signature != NULL ? s : &other, &m)) {
            return HTTPSIG_ESYNTAX;
        }
        if (++members > LABELS_MAX) {
            return HTTPSIG_ELIMIT;
        }
        if (signature != NULL) {
            if (++shared > 1) {
                c->at = here;
                return HTTPSIG_ELABEL;
            }
            s->label = label;
            *base64 = *signature;
            ours = m;
        }
        if (!sf_next_member(c, &more)) {
            return HTTPSIG_ESYNTAX;
        }
    }
    if (shared == 0) {
        return HTTPSIG_ELABEL;
    }
    if (ours.err != HTTPSIG_OK) {
        c->at = ours.at;
    }
    return ours.err;
}

enum httpsig_err httpsig_parse(struct httpsig *s, struct slice signature_input,
                               struct slice signature, size_t *bad_at)
{
    *bad_at = 0;
    if (signature_input.n == 0 || signature.n == 0) {
        return HTTPSIG_EMISSING;
    }
    struct signatures found;
    enum httpsig_err err = read_signatures(signature, &found, bad_at);
    if (err != HTTPSIG_OK) {
        return err;
    }
    struct sf c = sf_of(signature_input);
    struct slice base64;
    err = read_inputs(s, &c, &found, &base64);
    if (err != HTTPSIG_OK) {
        *bad_at = (size_t)(c.at - c.start);
        return err;
    }
    *bad_at = (size_t)(base64.p - signature.p);
    if (base64.n > CODEC_BASE64_LEN(HTTPSIG_SIG_MAX)) {
        return HTTPSIG_ELIMIT;
    }
    if (base64.n == 0 || !codec_unbase64(s->sig, sizeof s->sig, &s->sig_n, base64.p, base64.n)) {
        return HTTPSIG_ESYNTAX;
    }
    return HTTPSIG_OK;
}

enum httpsig_err httpsig_digest_parse(struct slice value, enum httpsig_digest *alg,
                                      uint8_t digest[static 32])
{
    struct sf c = sf_of(value);
    bool more = true;
    unsigned seen = 0;
    enum httpsig_digest best = HTTPSIG_DIGEST_NONE;
    sf_skip_spaces(&c);
    while (more) {
        struct slice key;
        struct sf_item item;
        if (!sf_key(&c, &key) || !sf_take(&c, '=') || !sf_bytes(&c, &item) ||
            !sf_next_member(&c, &more)) {
            return HTTPSIG_ESYNTAX;
        }
        enum httpsig_digest kind = slice_eq(key, SLICE("sm3"))       ? HTTPSIG_DIGEST_SM3
                                   : slice_eq(key, SLICE("sha-256")) ? HTTPSIG_DIGEST_SHA256
                                                                     : HTTPSIG_DIGEST_NONE;
        if (kind == HTTPSIG_DIGEST_NONE) {
            continue; /* another algorithm beside ours does no harm */
        }
        uint8_t bytes[36];
        size_t n;
        if (seen & 1u << kind ||
            !codec_unbase64(bytes, sizeof bytes, &n, item.text.p, item.text.n) || n != 32) {
            return HTTPSIG_ESYNTAX;
        }
        seen |= 1u << kind;
        if (kind > best) {
            best = kind;
            memcpy(digest, bytes, 32);
        }
    }
    *alg = best;
    return HTTPSIG_OK;
}
