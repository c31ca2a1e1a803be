/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP Message Signatures (RFC 9421) with Content-Digest (RFC 9530), the request side. Reads the
 * strict subset of structured fields (RFC 8941) that the two headers need, builds the signature
 * base byte for byte. No allocation; no keys here. Safe from any thread. */
#pragma once
#include "base/slice.h"

#define HTTPSIG_COMPONENTS_MAX 16
#define HTTPSIG_NONCE_MIN      8 /* characters */
#define HTTPSIG_NONCE_MAX      128
#define HTTPSIG_SIG_MAX        512 /* bytes, decoded */

enum httpsig_component { /* derived components, then fields */
                         HTTPSIG_METHOD,
                         HTTPSIG_AUTHORITY,
                         HTTPSIG_TARGET_URI,
                         HTTPSIG_REQUEST_TARGET,
                         HTTPSIG_PATH,
                         HTTPSIG_QUERY,
                         HTTPSIG_SCHEME,
                         HTTPSIG_FIELD
};

enum httpsig_err {
    HTTPSIG_OK,
    HTTPSIG_EMISSING,   /* no Signature-Input or no Signature */
    HTTPSIG_ESYNTAX,    /* not the structured field it should be; *bad_at tells where */
    HTTPSIG_ELABEL,     /* the two headers do not share exactly one label */
    HTTPSIG_ECOMPONENT, /* a component twice, unknown, or with parameters we do not do */
    HTTPSIG_EPARAMETER, /* created, expires, nonce, keyid or alg missing, twice or out of bounds */
    HTTPSIG_ELIMIT,     /* too many components, or no room for the base */
    HTTPSIG_ECOVERAGE   /* @method, target or another demanded component is not covered */
};
const char *httpsig_strerror(enum httpsig_err err);

struct httpsig {
    struct slice label, params; /* params: from '(' to the end of the member, as received */
    uint8_t n_components;
    struct {
        uint8_t kind;
        struct slice name;
    } components[HTTPSIG_COMPONENTS_MAX];
    uint64_t created_s, expires_s;
    struct slice nonce, keyid, alg;
    uint8_t sig[HTTPSIG_SIG_MAX];
    size_t sig_n;
};

/* Slices in *s borrow from the two header values. On error *s is unspecified and *bad_at is the
 * offset of the first wrong byte in the header at fault (Signature-Input, else Signature). */
enum httpsig_err httpsig_parse(struct httpsig *s, struct slice signature_input,
                               struct slice signature, size_t *bad_at)
    __attribute__((warn_unused_result));

struct httpsig_request { /* the parts as received */
    struct slice method, scheme,
        authority;       /* authority: Host, lower-cased by the callee where needed */
    struct slice target; /* path and query as on the request line */
    /* The value of a field by lower-case name, several lines joined with ", " and trimmed. False:
     * absent. */
    bool (*field)(void *ctx, struct slice name, struct slice *value);
    void *ctx;
};

/* Writes the signature base of RFC 9421 section 2.5 into out; *n its length. ECOMPONENT: a covered
 * field is absent from the request. */
enum httpsig_err httpsig_base(const struct httpsig *s, const struct httpsig_request *req, char *out,
                              size_t cap, size_t *n) __attribute__((warn_unused_result));

/* What a call to us must cover: @method, and @target-uri or @request-target or (@path and @query);
 * plus every name in fields[]. ECOVERAGE: *missing names the first one absent. */
enum httpsig_err httpsig_covers(const struct httpsig *s, const struct slice *fields, size_t n,
                                struct slice *missing) __attribute__((warn_unused_result));

/* Content-Digest: finds the strongest algorithm of ours among the members ("sm3" of ours,
 * "sha-256"). */
enum httpsig_digest { HTTPSIG_DIGEST_NONE, HTTPSIG_DIGEST_SHA256, HTTPSIG_DIGEST_SM3 };
enum httpsig_err httpsig_digest_parse(struct slice value, enum httpsig_digest *alg,
                                      uint8_t digest[static 32])
    __attribute__((warn_unused_result));
