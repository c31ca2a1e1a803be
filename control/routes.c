/* SPDX-License-Identifier: Apache-2.0 */
/* Every address of the control plane: below /api/v1/ REST, beside it the web's. The first row that
 * fits answers, so a fixed word stands above a `*`. Each row is described in contract/openapi.yaml.
 */
#include "api/credentials.h"
#include "ca/ca.h"
#include "documents/documents.h"
#include "exit/exit.h"
#include "identity/identity.h"
#include "incidents/incidents.h"
#include "notices/notices.h"
#include "oauth/engine.h"
#include "rest/catalogue.h"
#include "rest/rest.h"
#include "sandbox/sandbox.h"
#include "web/web.h"

const struct rest_route rest_routes[] = {
    {"GET", "health", ROUTE_OPEN, rest_health},
    {"GET", "openapi.yaml", ROUTE_OPEN, rest_openapi},
    {"POST", "sessions", ROUTE_OPEN, rest_session_create},
    {"DELETE", "sessions/current", ROUTE_ONE_TIME, rest_session_delete},
    {"GET", "users/me", ROUTE_ONE_TIME, rest_me_get},
    {"PUT", "users/me/password", ROUTE_ONE_TIME, rest_me_password},
    {"GET", "operations", 0, rest_operations},
    {"GET", "explain", 0, rest_explain},
    {"GET", "sources/*/tables", 0, rest_source_tables},
    {"GET", "sources/*/tables/*", 0, rest_source_table},
    {"POST", "datasets/*/publish", 0, rest_dataset_publish},
    {"GET", "keys", ROUTE_OPEN, rest_keys},
    {"GET", "live/nodes", 0, rest_live_nodes},
    {"GET", "live/limits", 0, rest_live_limits},
    {"GET", "live/targets", 0, rest_live_targets},
    {"POST", "alerts/*/limit", 0, rest_alert_limit},
    {"GET", "operation-kinds", 0, rest_operation_kinds},
    {"GET", "notice-kinds", 0, rest_notice_kinds},
    {"POST", "notices/test", 0, rest_notice_test},
    {"POST", "captchas", ROUTE_OPEN, rest_captcha_create},
    {"GET", "login-key", ROUTE_OPEN, rest_login_key},
    {"GET", "sessions", ROUTE_ONE_TIME, rest_sessions_list},
    {"POST", "sessions/current/factors", ROUTE_ONE_TIME, rest_session_factors},
    {"DELETE", "sessions/*", 0, rest_session_end},
    {"DELETE", "users/*/sessions", 0, rest_user_sessions_end},
    {"POST", "users/me/totp", ROUTE_ONE_TIME, rest_totp_begin},
    {"POST", "users/me/totp/confirm", ROUTE_ONE_TIME, rest_totp_confirm},
    {"POST", "users/me/totp/remove", 0, rest_totp_remove},
    {"GET", "users/me/identity", ROUTE_ONE_TIME, rest_me_identity},
    {"POST", "users/me/verification", ROUTE_ONE_TIME, rest_me_verification},
    {"POST", "users/verify-fields", 0, rest_verify_fields},
    {"POST", "registrations", ROUTE_OPEN, rest_register},
    {"POST", "users/*/approve", 0, rest_registration_approve},
    {"POST", "users/*/refuse", 0, rest_registration_refuse},
    {"GET", "token-keys", 0, oauth_keys_list},
    {"POST", "token-keys", 0, oauth_keys_rotate},
    {"POST", "credentials/*/rotate", 0, credential_rotate},
    {"POST", "documents", ROUTE_RAW, rest_document_create},
    {"GET", "documents/*/content", 0, rest_document_content},
    {"POST", "apps/*/test-report", 0, sandbox_test_report},
    {"POST", "incidents/*/contain", 0, incident_contain},
    {"POST", "exits/*/receipt", 0, exit_receipt},
    {"GET", "*", 0, rest_list},
    {"POST", "*", 0, rest_create},
    {"GET", "*/*", 0, rest_get},
    {"PATCH", "*/*", 0, rest_patch},
    {"POST", "*/*/*", 0, rest_action},
};
const size_t rest_routes_n = sizeof rest_routes / sizeof *rest_routes;

const struct rest_route web_routes[] = {
    {"GET", "health", 0, rest_health},
    {"GET", "login", 0, web_login_get},
    {"POST", "login", 0, web_login_post},
    {"GET", "oauth/authorize", 0, web_authorize},
    {"GET", "consent", 0, web_consent_get},
    {"POST", "consent", 0, web_consent_post},
    {"GET", "authorizations", 0, web_authorizations_get},
    {"POST", "authorizations", 0, web_authorizations_post},
    {"GET", "oauth/logout", 0, web_logout_get},
    {"POST", "oauth/logout", 0, web_logout_post},
    {"GET", "assets/*", 0, web_asset},
    {"POST", "credit/account/getPublicKey", 0, credit_public_key},
    {"POST", "credit/account/modifyPassword", 0, credit_modify_password},
    {"POST", "credit/account/getToken", 0, credit_token},
    {"GET", ".well-known/openid-configuration", 0, oauth_metadata},
    {"GET", ".well-known/oauth-authorization-server", 0, oauth_metadata},
    {"GET", "oauth/jwks", 0, oauth_jwks_get},
    {"POST", "oauth/token", 0, oauth_token},
    {"POST", "oauth/par", 0, oauth_par},
    {"POST", "oauth/introspect", 0, oauth_introspect},
    {"POST", "oauth/revoke", 0, oauth_revoke_token},
    {"GET", "oauth/userinfo", 0, oauth_userinfo},
    {"POST", "oauth/userinfo", 0, oauth_userinfo},
    {"GET", "pki/apps.crt", 0, ca_certificate},
    {"GET", "pki/apps-sm2.crt", 0, ca_certificate_sm2},
    {"GET", "pki/apps.crl", 0, ca_crl},
    {"GET", "pki/apps-sm2.crl", 0, ca_crl_sm2},
    {"POST", "pki/ocsp", 0, ca_ocsp_post},
    {"GET", "pki/ocsp/*", 0, ca_ocsp_get},
};
const size_t web_routes_n = sizeof web_routes / sizeof *web_routes;
