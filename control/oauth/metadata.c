/* SPDX-License-Identifier: Apache-2.0 */
/* What a stock client needs to know (RFC 8414, OpenID Connect Discovery), and the keys. */
#include <stdio.h>

#include "oauth/engine.h"
#include "oauth/inner.h"

static const struct {
    const char *name, *path;
} addresses[] = {
    {"authorization_endpoint", "/oauth/authorize"},
    {"token_endpoint", "/oauth/token"},
    {"pushed_authorization_request_endpoint", "/oauth/par"},
    {"introspection_endpoint", "/oauth/introspect"},
    {"revocation_endpoint", "/oauth/revoke"},
    {"userinfo_endpoint", "/oauth/userinfo"},
    {"jwks_uri", "/oauth/jwks"},
    {"end_session_endpoint", "/oauth/logout"},
    {"peer_users_endpoint", "/peers/users"},
    {"peer_registrations_endpoint", "/peers/registrations"},
    {"peer_verifications_endpoint", "/peers/verifications"},
    {"peer_logout_endpoint", "/peers/logout"},
};

static const char *const signing[] = {"ES256", "PS256", "PS512", NULL};
static const struct {
    const char *name;
    const char *const *words;
} lists[] = {
    {"scopes_supported", (const char *const[]){"openid", "profile", NULL}},
    {"response_types_supported", (const char *const[]){"code", NULL}},
    {"response_modes_supported", (const char *const[]){"query", NULL}},
    {"grant_types_supported",
     (const char *const[]){"client_credentials", "authorization_code", "refresh_token", NULL}},
    {"token_endpoint_auth_methods_supported", client_auth_names},
    {"introspection_endpoint_auth_methods_supported", client_auth_names},
    {"revocation_endpoint_auth_methods_supported", client_auth_names},
    {"token_endpoint_auth_signing_alg_values_supported", signing},
    {"introspection_endpoint_auth_signing_alg_values_supported", signing},
    {"revocation_endpoint_auth_signing_alg_values_supported", signing},
    {"dpop_signing_alg_values_supported", signing},
    {"code_challenge_methods_supported", (const char *const[]){"S256", NULL}},
    {"subject_types_supported", (const char *const[]){"public", NULL}},
    {"id_token_signing_alg_values_supported", (const char *const[]){"ES256", NULL}},
    {"authorization_details_types_supported", (const char *const[]){"sluice_data", NULL}},
    {"acr_values_supported", (const char *const[]){"1", "2", NULL}},
    {"prompt_values_supported",
     (const char *const[]){"none", "login", "consent", "select_account", NULL}},
    {"claims_supported", (const char *const[]){"sub", "name", "preferred_username", "auth_time",
                                               "acr", "amr", "nonce", "sid", NULL}},
};
static const char *const yes[] = {
    "tls_client_certificate_bound_access_tokens",
    "authorization_response_iss_parameter_supported",
    "backchannel_logout_supported",
    "backchannel_logout_session_supported",
    "frontchannel_logout_supported",
    "frontchannel_logout_session_supported",
};

static json_t *words_json(const char *const *words)
{
    json_t *list = json_array();

    for (size_t i = 0; words[i]; i++) {
        json_array_append_new(list, json_string(words[i]));
    }
    return list;
}

enum problem oauth_metadata(struct rest_call *c)
{
    const char *issuer = oauth_issuer(c->ctl);
    json_t *v = json_pack("{s:s}", "issuer", issuer), *aliases = json_object();
    char url[300];

    for (size_t i = 0; i < COUNT(addresses); i++) {
        snprintf(url, sizeof url, "%s%s", issuer, addresses[i].path);
        json_object_set_new(v, addresses[i].name, json_string(url));
        if (i >= 1 && i <= 5) { /* one port asks for certificates and takes calls without */
            json_object_set_new(aliases, addresses[i].name, json_string(url));
        }
    }
    for (size_t i = 0; i < COUNT(lists); i++) {
        json_object_set_new(v, lists[i].name, words_json(lists[i].words));
    }
    for (size_t i = 0; i < COUNT(yes); i++) {
        json_object_set_new(v, yes[i], json_true());
    }
    json_object_set_new(v, "mtls_endpoint_aliases", aliases);
    json_object_set_new(v, "request_parameter_supported", json_false());
    json_object_set_new(v, "request_uri_parameter_supported", json_false());
    json_object_set_new(v, "require_pushed_authorization_requests", json_false());
    return rest_answer(c, 200, v);
}

enum problem oauth_jwks_get(struct rest_call *c)
{
    return rest_answer(c, 200, oauth_jwks(c));
}
