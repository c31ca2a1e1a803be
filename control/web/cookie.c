/* SPDX-License-Identifier: Apache-2.0 */
/* Two cookies of ours, both __Host-: no other host, no other path, never without TLS. */
#include "web/web.h"

#include <stdio.h>

#include "access/access.h"
#include "base/codec.h"
#include "identity/identity.h"

#define SESSION "__Host-sluice"
#define BROWSER "__Host-sluice-browser"

/* The value of one cookie; false: there is none, or one that cannot be ours. */
static bool cookie(const struct rest_call *c, const char *name, char out[static FORM_TOKEN_TEXT])
{
    const char *at = rest_request_header(c, "Cookie");
    size_t name_n = strlen(name);

    while (at) {
        at += strspn(at, " ");
        size_t n = strcspn(at, ";");
        if (n > name_n && strncmp(at, name, name_n) == 0 && at[name_n] == '=') {
            n -= name_n + 1;
            if (n != FORM_TOKEN_TEXT - 1) {
                return false;
            }
            memcpy(out, at + name_n + 1, n);
            out[n] = '\0';
            return true;
        }
        at = at[n] ? at + n + 1 : NULL;
    }
    return false;
}

static void set(struct rest_call *c, const char *name, const char *value, const char *more)
{
    char text[200];

    snprintf(text, sizeof text, "%s=%s; Path=/; Secure; HttpOnly; SameSite=Lax%s", name, value,
             more);
    rest_header(c, "Set-Cookie", text);
    crypto_wipe(text, sizeof text);
}

bool web_signed_in(struct rest_call *c)
{
    char token[FORM_TOKEN_TEXT];

    _Static_assert(FORM_TOKEN_TEXT == SESSION_TOKEN_TEXT, "both are 32 bytes as text");
    bool in = cookie(c, SESSION, token) && identity_session(c, token) == PROBLEM_OK &&
              !c->user.must_change_password;
    if (!in) {
        memset(&c->user, 0, sizeof c->user);
        access_held_free(&c->held);
        c->detail[0] = '\0';
    }
    crypto_wipe(token, sizeof token);
    return in;
}

bool web_portal_session(const struct rest_call *c, char token[static FORM_TOKEN_TEXT])
{
    const char *origin = rest_request_header(c, "Origin");

    return rest_request_header(c, "Sluice-Portal") && form_from_us(c) &&
           !(origin && strcmp(origin, "null") == 0) && cookie(c, SESSION, token);
}

void web_cookie_set(struct rest_call *c, const char *token)
{
    set(c, SESSION, token, "");
}

void web_cookie_clear(struct rest_call *c)
{
    set(c, SESSION, "", "; Max-Age=0");
}

const char *web_browser(struct rest_call *c, char value[static FORM_TOKEN_TEXT])
{
    if (!cookie(c, BROWSER, value)) {
        crypto_random_text(value);
        set(c, BROWSER, value, "");
    }
    return value;
}
