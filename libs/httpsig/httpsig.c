/* SPDX-License-Identifier: Apache-2.0 */
/* Reading Signature-Input and Signature. Stricter than RFC 8941 in white space: the inner list must
 * already stand in its canonical form, so that the bytes received are the bytes that were signed.
 */
#include "base/codec.h"
#include "httpsig/inner.h"

#define LABELS_MAX 4 /* signatures of one message, ours and those of proxies on the way */

const char *httpsig_strerror(enum httpsig_err err)
{
    static const char *const texts[] = {
        [HTTPSIG_OK] = "no error",
        [HTTPSIG_EMISSING] = "Signature-Input or Signature is missing",
        [HTTPSIG_ESYNTAX] = "not a canonical structured field (RFC 8941)",
        [HTTPSIG_ELABEL] = "Signature-Input and Signature must share exactly one label",
        [HTTPSIG_ECOMPONENT] = "a covered component is unknown, twice, absent or has parameters",
        [HTTPSIG_EPARAMETER] =
            "created, keyid and alg, in a request expires and nonce, are each needed once",
        [HTTPSIG_ELIMIT] = "too many components or signatures, or too long",
        [HTTPSIG_ECOVERAGE] = "the signature does not cover what it must",
    };
    return (size_t)err < sizeof texts / sizeof *texts ? texts[err] : "unknown error";
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
    bool response;
};

static bool read_components(struct sf *c, struct httpsig *s, struct member *m)
{
    if (!sf_take(c, '(')) {
        return false;
    }
    while (!sf_is(c, ')')) {
        const char *here = c->at;
        enum httpsig_err err = HTTPSIG_OK;
        if (!httpsig_read_component(c, s, m->response, &err)) {
            return false;
        }
        note(&m->err, &m->at, err, here);
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
    [KEYID] = {{"keyid", 5}, SF_STRING, 1, HTTPSIG_KEYID_MAX},
    [ALG] = {{"alg", 3}, SF_STRING, 1, HTTPSIG_ALG_MAX},
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

static bool parameters_suffice(const struct httpsig *s, const struct member *m)
{
    unsigned all = (1u << PARAMETERS) - 1;
    unsigned needed = m->response ? all & ~(1u << EXPIRES | 1u << NONCE) : all;
    bool has_end = m->seen & 1u << EXPIRES;
    return (m->seen & needed) == needed && (!has_end || s->expires_s > s->created_s);
}

static bool read_member(struct sf *c, struct httpsig *s, struct member *m)
{
    const char *start = c->at;
    s->n_components = 0;
    s->created_s = s->expires_s = 0;
    s->nonce = s->keyid = s->alg = SLICE("");
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
    if (!parameters_suffice(s, m)) {
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

/* The signatures that are for us. */
struct taken {
    struct httpsig *s;
    size_t cap, n;
    struct slice base64[HTTPSIG_SIGNATURES_MAX];
};

static bool is_taken(const struct taken *t, struct slice label)
{
    for (size_t i = 0; i < t->n; i++) {
        if (slice_eq(t->s[i].label, label)) {
            return true;
        }
    }
    return false;
}

static enum httpsig_err read_inputs(struct taken *t, struct sf *c, const struct signatures *found,
                                    bool response)
{
    struct httpsig other;
    bool more = true;
    size_t members = 0;
    enum httpsig_err err = HTTPSIG_OK;
    const char *at = NULL;
    sf_skip_spaces(c);
    while (more) {
        struct slice label;
        const char *here = c->at;
        if (!sf_key(c, &label) || !sf_take(c, '=')) {
            return HTTPSIG_ESYNTAX;
        }
        const struct slice *signature = find_signature(found, label);
        bool fits = t->n < t->cap && !is_taken(t, label);
        struct httpsig *s = &other;
        if (signature != NULL && fits) {
            s = &t->s[t->n];
        }
        struct member m = {.response = response};
        if (!read_member(c, s, &m)) {
            return HTTPSIG_ESYNTAX;
        }
        if (++members > LABELS_MAX) {
            return HTTPSIG_ELIMIT;
        }
        if (signature != NULL && !fits) {
            c->at = here;
            return HTTPSIG_ELABEL;
        }
        if (signature != NULL) {
            s->label = label;
            t->base64[t->n++] = *signature;
            note(&err, &at, m.err, m.at);
        }
        if (!sf_next_member(c, &more)) {
            return HTTPSIG_ESYNTAX;
        }
    }
    if (t->n == 0) {
        return HTTPSIG_ELABEL;
    }
    if (err != HTTPSIG_OK) {
        c->at = at;
    }
    return err;
}

static enum httpsig_err decode(struct httpsig *s, struct slice base64)
{
    if (base64.n > CODEC_BASE64_LEN(HTTPSIG_SIG_MAX)) {
        return HTTPSIG_ELIMIT;
    }
    if (base64.n == 0 || !codec_unbase64(s->sig, sizeof s->sig, &s->sig_n, base64.p, base64.n)) {
        return HTTPSIG_ESYNTAX;
    }
    return HTTPSIG_OK;
}

static enum httpsig_err parse(struct taken *t, struct slice signature_input, struct slice signature,
                              size_t *bad_at, bool response)
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
    err = read_inputs(t, &c, &found, response);
    if (err != HTTPSIG_OK) {
        *bad_at = (size_t)(c.at - c.start);
        return err;
    }
    for (size_t i = 0; i < t->n && err == HTTPSIG_OK; i++) {
        *bad_at = (size_t)(t->base64[i].p - signature.p);
        err = decode(&t->s[i], t->base64[i]);
    }
    return err;
}

enum httpsig_err httpsig_parse(struct httpsig *s, struct slice signature_input,
                               struct slice signature, size_t *bad_at)
{
    struct taken one = {.s = s, .cap = 1};
    return parse(&one, signature_input, signature, bad_at, false);
}

enum httpsig_err httpsig_parse_several(struct httpsig s[static HTTPSIG_SIGNATURES_MAX], size_t *n,
                                       struct slice signature_input, struct slice signature,
                                       size_t *bad_at)
{
    struct taken some = {.s = s, .cap = HTTPSIG_SIGNATURES_MAX};
    enum httpsig_err err = parse(&some, signature_input, signature, bad_at, false);
    *n = some.n;
    return err;
}

enum httpsig_err httpsig_parse_response(struct httpsig *s, struct slice signature_input,
                                        struct slice signature, size_t *bad_at)
{
    struct taken one = {.s = s, .cap = 1};
    return parse(&one, signature_input, signature, bad_at, true);
}

bool httpsig_signature_member(struct slice value, struct slice label, struct slice *member)
{
    struct signatures found;
    size_t bad_at;
    if (read_signatures(value, &found, &bad_at) != HTTPSIG_OK) {
        return false;
    }
    const struct slice *base64 = find_signature(&found, label);
    if (base64 == NULL) {
        return false;
    }
    *member = slice_of(base64->p - 1, base64->n + 2); /* with its colons */
    return true;
}

bool httpsig_input_member(struct slice value, struct slice label, struct slice *member)
{
    struct sf c = sf_of(value);
    bool more = true, found = false;
    sf_skip_spaces(&c);
    while (more) {
        struct slice key;
        struct httpsig other;
        struct member m = {0};
        if (!sf_key(&c, &key) || !sf_take(&c, '=') || !read_member(&c, &other, &m)) {
            return false;
        }
        bool ours = slice_eq(key, label);
        if ((ours && found) || !sf_next_member(&c, &more)) {
            return false;
        }
        *member = ours ? other.params : *member;
        found = found || ours;
    }
    return found;
}
