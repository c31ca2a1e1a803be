/* SPDX-License-Identifier: Apache-2.0 */
#include "sdk/sdk.h"

#include <stdio.h>
#include <string.h>

#include "base/codec.h"

static const char digest_key[] = ";sm3=";

const char *sdk_strerror(enum sdk_err err)
{
    static const char *const texts[] = {
        [SDK_OK] = "no error",
        [SDK_ENAME] = "a name of lower-case letters, digits and hyphens stands before the '/'",
        [SDK_EVERSION] = "a version as of Semantic Versioning stands behind the '/'",
        [SDK_EDIGEST] = "';sm3=' and 64 lower-case hex digits end it",
    };
    return (size_t)err < sizeof texts / sizeof *texts ? texts[err] : "unknown error";
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

bool sdk_name_ok(struct slice name)
{
    for (size_t i = 0; i < name.n; i++) {
        if (!is_lower(name.p[i]) && !(i > 0 && (is_digit(name.p[i]) || name.p[i] == '-'))) {
            return false;
        }
    }
    return name.n > 0 && name.n <= SDK_NAME_MAX;
}

/* Up to the first byte that is none of its digits; 0: no number, or one with a zero before it. */
static size_t number(struct slice s)
{
    size_t n = 0;
    while (n < s.n && is_digit(s.p[n])) {
        n++;
    }
    return n > 1 && s.p[0] == '0' ? 0 : n;
}

static bool identifier_byte(char c)
{
    return is_digit(c) || is_lower(c) || (c >= 'A' && c <= 'Z') || c == '-';
}

/* Identifiers with dots between them, from *at up to a '+' or the end. Of a pre-release a number
 * has no zero before it. */
static bool identifiers(struct slice s, size_t *at, bool prerelease)
{
    for (;;) {
        size_t from = *at, digits = 0;
        while (*at < s.n && identifier_byte(s.p[*at])) {
            digits += is_digit(s.p[*at]);
            ++*at;
        }
        size_t n = *at - from;
        if (n == 0 || (prerelease && digits == n && n > 1 && s.p[from] == '0')) {
            return false;
        }
        if (*at == s.n || s.p[*at] != '.') {
            return true;
        }
        ++*at;
    }
}

/* major.minor.patch[-prerelease][+build] */
bool sdk_version_ok(struct slice version)
{
    size_t at = 0;
    if (version.n > SDK_VERSION_MAX) {
        return false;
    }
    for (int part = 0; part < 3; part++) {
        size_t n = number(slice_of(version.p + at, version.n - at));
        at += n;
        if (n == 0 || (part < 2 && (at == version.n || version.p[at++] != '.'))) {
            return false;
        }
    }
    if (at < version.n && version.p[at] == '-') {
        at++;
        if (!identifiers(version, &at, true)) {
            return false;
        }
    }
    if (at < version.n && version.p[at] == '+') {
        at++;
        if (!identifiers(version, &at, false)) {
            return false;
        }
    }
    return at == version.n;
}

enum sdk_err sdk_parse_name(struct sdk_claim *claim, struct slice text)
{
    const char *slash = text.n > 0 ? memchr(text.p, '/', text.n) : NULL;
    if (slash == NULL) {
        return SDK_ENAME;
    }
    claim->text = text;
    claim->name = slice_of(text.p, (size_t)(slash - text.p));
    claim->version = slice_of(slash + 1, text.n - claim->name.n - 1);
    if (!sdk_name_ok(claim->name)) {
        return SDK_ENAME;
    }
    return sdk_version_ok(claim->version) ? SDK_OK : SDK_EVERSION;
}

static bool digest_ok(struct slice hex, uint8_t out[static SDK_DIGEST_LEN])
{
    size_t n = 0;
    for (size_t i = 0; i < hex.n; i++) {
        if (!is_digit(hex.p[i]) && !(hex.p[i] >= 'a' && hex.p[i] <= 'f')) {
            return false;
        }
    }
    return hex.n == 2 * SDK_DIGEST_LEN && codec_unhex(out, SDK_DIGEST_LEN, &n, hex.p, hex.n) &&
           n == SDK_DIGEST_LEN;
}

enum sdk_err sdk_parse(struct sdk_claim *claim, struct slice value)
{
    const size_t key_n = sizeof digest_key - 1, tail = key_n + 2 * SDK_DIGEST_LEN;
    const char *semicolon = value.n > 0 ? memchr(value.p, ';', value.n) : NULL;
    size_t n = semicolon == NULL ? value.n : (size_t)(semicolon - value.p);
    enum sdk_err err = sdk_parse_name(claim, slice_of(value.p, n));
    if (err != SDK_OK) {
        return err;
    }
    bool good = value.n - n == tail && memcmp(value.p + n, digest_key, key_n) == 0 &&
                digest_ok(slice_of(value.p + n + key_n, 2 * SDK_DIGEST_LEN), claim->sm3);
    return good ? SDK_OK : SDK_EDIGEST;
}

static struct slice member(const json_t *data, const char *name)
{
    const json_t *text = json_object_get(data, name);
    return json_is_string(text) ? slice_of(json_string_value(text), json_string_length(text))
                                : SLICE("");
}

bool sdk_release_read(struct sdk_release *release, const json_t *data)
{
    struct slice name = member(data, "name"), version = member(data, "version"),
                 state = member(data, "state");
    const json_t *from = json_object_get(data, "refused_from");
    *release = (struct sdk_release){.outdated = slice_eq(state, SLICE("outdated")),
                                    .withdrawn = slice_eq(state, SLICE("withdrawn"))};
    bool known = release->outdated || release->withdrawn || slice_eq(state, SLICE("current"));
    if (!known || !sdk_name_ok(name) || !sdk_version_ok(version) ||
        !digest_ok(member(data, "digest_sm3"), release->sm3) || json_integer_value(from) < 0) {
        return false;
    }
    release->refused_from_ms = (uint64_t)json_integer_value(from);
    snprintf(release->text, sizeof release->text, "%.*s/%.*s", SLICE_FMT(name), SLICE_FMT(version));
    return true;
}

/* A release nobody knows and one whose files are others are the same to us: not one we gave out. */
enum policy_sdk sdk_standing(const struct sdk_release *release, const uint8_t *claimed,
                             uint64_t now_ms)
{
    if (release == NULL ||
        (claimed != NULL && memcmp(release->sm3, claimed, SDK_DIGEST_LEN) != 0)) {
        return POLICY_SDK_UNKNOWN;
    }
    bool ended = release->refused_from_ms != 0 && release->refused_from_ms <= now_ms;
    if (release->withdrawn || ended) {
        return POLICY_SDK_REFUSED;
    }
    return release->outdated ? POLICY_SDK_OUTDATED : POLICY_SDK_CURRENT;
}
