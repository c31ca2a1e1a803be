/* SPDX-License-Identifier: Apache-2.0 */
/* The software kit a call says it came through (BK-5d2, BK-9.3.5c): header Sluice-Sdk, whose value
 * is `name/version;sm3=digest`, and the releases the platform has registered. The digest is SM3 of
 * the release's manifest of files, 64 lower-case hex digits. The signature of the call covers the
 * header, so what is read here is what the app's key signed; it proves which app said so and that
 * the release is a registered one, and no more than that (docs/sdk-access.md). Allocates nothing;
 * safe from any thread. */
#pragma once
#include <jansson.h>

#include "base/slice.h"
#include "policy/policy.h"

#define SDK_HEADER      "Sluice-Sdk"
#define SDK_NAME_MAX    24
#define SDK_VERSION_MAX 39
#define SDK_TEXT_MAX    (SDK_NAME_MAX + 1 + SDK_VERSION_MAX) /* "name/version" */
#define SDK_DIGEST_LEN  32

enum sdk_err { SDK_OK, SDK_ENAME, SDK_EVERSION, SDK_EDIGEST };
const char *sdk_strerror(enum sdk_err err); /* static */

struct sdk_claim {
    struct slice text, name, version; /* text: "name/version"; all borrow from the header */
    uint8_t sm3[SDK_DIGEST_LEN];
};

/* name: a lower-case letter, then letters, digits and hyphens; version: as of Semantic Versioning
 * 2.0.0. On error *claim is unspecified. */
enum sdk_err sdk_parse(struct sdk_claim *claim, struct slice value)
    __attribute__((warn_unused_result));
/* Only "name/version", as an operator writes it; claim->sm3 is left alone. */
enum sdk_err sdk_parse_name(struct sdk_claim *claim, struct slice text)
    __attribute__((warn_unused_result));
bool sdk_name_ok(struct slice name);
bool sdk_version_ok(struct slice version);

/* A registered release (feed kind `sdk-release`). */
struct sdk_release {
    char text[SDK_TEXT_MAX + 1]; /* "name/version" */
    uint8_t sm3[SDK_DIGEST_LEN];
    bool outdated, withdrawn;
    uint64_t refused_from_ms; /* 0: never */
};
/* False: not such a record; *release is unspecified then. */
bool sdk_release_read(struct sdk_release *release, const json_t *data)
    __attribute__((warn_unused_result));

/* What decide() is told of a call. release: the registered one of that name and version, NULL when
 * there is none; claimed: its digest as the call has it, NULL when it is not asked. */
enum policy_sdk sdk_standing(const struct sdk_release *release, const uint8_t *claimed,
                             uint64_t now_ms);
