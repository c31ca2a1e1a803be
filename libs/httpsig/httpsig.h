/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP Message Signatures (RFC 9421) with Content-Digest (RFC 9530), of requests and of responses.
 * Reads and writes the strict subset of structured fields (RFC 8941) that the headers need, builds
 * the signature base byte for byte. No allocation; no keys here: it gives the bytes to sign and
 * takes raw signature bytes. Safe from any thread. docs/signatures.md is the same for readers
 * without this code. */
#pragma once
#include "base/slice.h"

#define HTTPSIG_COMPONENTS_MAX 16
#define HTTPSIG_SIGNATURES_MAX 2 /* of one request that are for us */
#define HTTPSIG_NONCE_MIN      8 /* characters */
#define HTTPSIG_NONCE_MAX      128
#define HTTPSIG_KEYID_MAX      256
#define HTTPSIG_ALG_MAX        64
#define HTTPSIG_SIG_MAX        512             /* bytes, decoded */
#define HTTPSIG_TIME_MAX       999999999999999 /* seconds: an integer of RFC 8941 */

enum httpsig_component { /* derived components, then fields */
                         HTTPSIG_METHOD,
                         HTTPSIG_AUTHORITY,
                         HTTPSIG_TARGET_URI,
                         HTTPSIG_REQUEST_TARGET,
                         HTTPSIG_PATH,
                         HTTPSIG_QUERY,
                         HTTPSIG_SCHEME,
                         HTTPSIG_STATUS, /* of responses alone */
                         HTTPSIG_FIELD
};

enum httpsig_err {
    HTTPSIG_OK,
    HTTPSIG_EMISSING,   /* no Signature-Input or no Signature */
    HTTPSIG_ESYNTAX,    /* not the structured field it should be; *bad_at tells where */
    HTTPSIG_ELABEL,     /* the two headers do not share exactly one label */
    HTTPSIG_ECOMPONENT, /* a component twice, unknown, or with parameters we do not do */
    HTTPSIG_EPARAMETER, /* created, keyid, alg, in a request expires or nonce missing; one of them
                           twice or out of bounds */
    HTTPSIG_ELIMIT,     /* too many components, or no room for the base */
    HTTPSIG_ECOVERAGE   /* @method, target or another demanded component is not covered */
};
const char *httpsig_strerror(enum httpsig_err err);

struct httpsig {
    struct slice label, params; /* params: from '(' to the end of the member, as received */
    uint8_t n_components;
    struct httpsig_covered {
        uint8_t kind; /* enum httpsig_component */
        bool req;     /* ";req": in a response, of the request it answers */
        struct slice name;
        struct slice key;    /* ";key": the one member of the field; empty: all of it */
        struct slice params; /* both as they stand after the name */
    } components[HTTPSIG_COMPONENTS_MAX];
    uint64_t created_s, expires_s; /* a response may leave out expires: 0, and nonce: empty */
    struct slice nonce, keyid, alg;
    uint8_t sig[HTTPSIG_SIG_MAX];
    size_t sig_n;
};

/* Slices in *s borrow from the two header values. On error *s is unspecified and *bad_at is the
 * offset of the first wrong byte in the header at fault (Signature-Input, else Signature). */
enum httpsig_err httpsig_parse(struct httpsig *s, struct slice signature_input,
                               struct slice signature, size_t *bad_at)
    __attribute__((warn_unused_result));

/* The same of a request that one or two keys sign, as an app must that proves itself by secret and
 * by key pair (BK-7.2.1a1-4): each label that both headers have, in the order of Signature-Input,
 * *n of them. A third one is ELABEL. */
enum httpsig_err httpsig_parse_several(struct httpsig s[static HTTPSIG_SIGNATURES_MAX], size_t *n,
                                       struct slice signature_input, struct slice signature,
                                       size_t *bad_at) __attribute__((warn_unused_result));

/* The same for the signature of a response: "@status", its fields, and with ";req" what a request
 * may cover; ";req;key" of Signature and Signature-Input only. A signed answer is evidence that
 * outlives the call, so expires and nonce are optional. */
enum httpsig_err httpsig_parse_response(struct httpsig *s, struct slice signature_input,
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

struct httpsig_response {
    unsigned status;                                                  /* 100 to 999 */
    bool (*field)(void *ctx, struct slice name, struct slice *value); /* as of a request */
    void *ctx;
};

/* The base of a response's signature. req: the request answered; NULL: not at hand, and then
 * ECOMPONENT if anything of it is covered. */
enum httpsig_err httpsig_base_response(const struct httpsig *s, const struct httpsig_response *res,
                                       const struct httpsig_request *req, char *out, size_t cap,
                                       size_t *n) __attribute__((warn_unused_result));

/* What a call to us must cover: @method, and @target-uri or @request-target or (@path and @query);
 * plus every name in fields[]. ECOVERAGE: *missing names the first one absent. */
enum httpsig_err httpsig_covers(const struct httpsig *s, const struct slice *fields, size_t n,
                                struct slice *missing) __attribute__((warn_unused_result));

/* What an answer must cover so that it cannot be altered, or moved to another call (BK-7.2.2b2):
 * @status, content-digest, the request's method, target and signature; plus every name in
 * fields[], each of the response itself. */
enum httpsig_err httpsig_covers_response(const struct httpsig *s, const struct slice *fields,
                                         size_t n, struct slice *missing)
    __attribute__((warn_unused_result));

/* Content-Digest: finds the strongest algorithm of ours among the members ("sm3" of ours,
 * "sha-256"). */
enum httpsig_digest { HTTPSIG_DIGEST_NONE, HTTPSIG_DIGEST_SHA256, HTTPSIG_DIGEST_SM3 };
enum httpsig_err httpsig_digest_parse(struct slice value, enum httpsig_digest *alg,
                                      uint8_t digest[static 32])
    __attribute__((warn_unused_result));

/* Writing, httpsig/write.c. A signer starts from a zeroed struct httpsig, sets label, keyid, alg
 * and created_s, and if wanted expires_s and nonce (a request needs both), adds what is covered in
 * order, writes the input, builds the base, signs it and writes the signature. Each text has no NUL
 * at its end, *n is its length; ELIMIT: no room. What is written is what httpsig_parse reads. */

/* Covers a component of the message itself. Borrows name. ECOMPONENT: no such component, or it is
 * covered already. */
enum httpsig_err httpsig_cover(struct httpsig *s, struct slice name)
    __attribute__((warn_unused_result));
/* All that an answer of Sluice covers; request_label: of the request's signature. content_type: the
 * answer has that field. */
enum httpsig_err httpsig_cover_answer(struct httpsig *s, bool content_type,
                                      struct slice request_label)
    __attribute__((warn_unused_result));

/* The value of Signature-Input. From here on s borrows from out, which must stay until the base is
 * built. EPARAMETER: label, nonce, keyid or alg cannot be written, or created_s is 0. */
enum httpsig_err httpsig_write_input(struct httpsig *s, char *out, size_t cap, size_t *n)
    __attribute__((warn_unused_result));
/* The value of Signature: label=:base64:. */
enum httpsig_err httpsig_write_signature(const struct httpsig *s, const uint8_t *sig, size_t sig_n,
                                         char *out, size_t cap, size_t *n)
    __attribute__((warn_unused_result));
/* The value of Content-Digest. Returns its length. */
#define HTTPSIG_DIGEST_TEXT_MAX 56
size_t httpsig_write_digest(enum httpsig_digest alg, const uint8_t digest[static 32],
                            char out[static HTTPSIG_DIGEST_TEXT_MAX]);
