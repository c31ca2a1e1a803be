/* SPDX-License-Identifier: Apache-2.0 */
/* Every address of the control plane: below /api/v1/ REST, beside it the web's. The first row that
 * fits answers, so a fixed word stands above a `*`. Each row is described in contract/openapi.yaml.
 */
#include "access/access.h"
#include "admission/admission.h"
#include "api/credentials.h"
#include "ca/ca.h"
#include "documents/documents.h"
#include "exit/exit.h"
#include "identity/identity.h"
#include "incidents/incidents.h"
#include "notices/notices.h"
#include "oauth/engine.h"
#include "peers/peers.h"
#include "rest/catalogue.h"
#include "rest/rest.h"
#include "sandbox/sandbox.h"
#include "web/web.h"

const struct rest_route rest_routes[] = {
    {"GET", "health", ROUTE_OPEN, rest_health},
    {"GET", "openapi.yaml", ROUTE_OPEN, rest_openapi},
    {"POST", "sessions", ROUTE_OPEN, rest_session_create},
    {"DELETE", "sessions/current", ROUTE_ONE_TIME, rest_session_delete, "account.sign-out",
     ROLE_ANY},
    {"GET", "users/me", ROUTE_ONE_TIME, rest_me_get, "account.read", ROLE_ANY},
    {"PUT", "users/me/password", ROUTE_ONE_TIME, rest_me_password, "account.change-password",
     ROLE_ANY},
    {"GET", "operations", 0, rest_operations, "operations.read", ROLE_STAFF | ROLE_AUDITOR},
    {"GET", "explain", 0, rest_explain, "explain.read", ROLE_ALL},
    {"GET", "sources/*/tables", 0, rest_source_tables, "sources.inspect",
     ROLE_STAFF | ROLE_PROVIDER},
    {"GET", "sources/*/tables/*", 0, rest_source_table, "sources.inspect",
     ROLE_STAFF | ROLE_PROVIDER},
    {"POST", "datasets/*/publish", 0, rest_dataset_publish, "datasets.publish",
     ROLE_STAFF | ROLE_PROVIDER},
    {"GET", "keys", ROUTE_OPEN, rest_keys},
    {"GET", "live/nodes", 0, rest_live_nodes, "live.nodes", ROLE_STAFF | ROLE_AUDITOR},
    {"GET", "live/limits", 0, rest_live_limits, "live.read",
     ROLE_STAFF | ROLE_AUDITOR | ROLE_PROVIDER},
    {"GET", "live/targets", 0, rest_live_targets, "live.read",
     ROLE_STAFF | ROLE_AUDITOR | ROLE_PROVIDER},
    {"POST", "alerts/*/limit", 0, rest_alert_limit, "alerts.limit", ROLE_STAFF},
    {"GET", "operation-kinds", 0, rest_operation_kinds, "operation-kinds.read",
     ROLE_STAFF | ROLE_AUDITOR},
    {"GET", "notice-kinds", 0, rest_notice_kinds, "account.notice-kinds", ROLE_ANY},
    {"POST", "notices/test", 0, rest_notice_test, "notices.test", ROLE_STAFF},
    {"POST", "captchas", ROUTE_OPEN, rest_captcha_create},
    {"GET", "login-key", ROUTE_OPEN, rest_login_key},
    {"GET", "sessions", ROUTE_ONE_TIME, rest_sessions_list, "account.sessions", ROLE_ANY},
    {"POST", "sessions/current/factors", ROUTE_ONE_TIME, rest_session_factors,
     "account.prove-factor", ROLE_ANY},
    {"DELETE", "sessions/*", 0, rest_session_end, "account.end-session", ROLE_ANY},
    {"DELETE", "users/*/sessions", 0, rest_user_sessions_end, "sessions.end", ROLE_ADMIN},
    {"POST", "users/me/totp", ROUTE_ONE_TIME, rest_totp_begin, "account.factors", ROLE_ANY},
    {"POST", "users/me/totp/confirm", ROUTE_ONE_TIME, rest_totp_confirm, "account.factors",
     ROLE_ANY},
    {"POST", "users/me/totp/remove", 0, rest_totp_remove, "account.factors", ROLE_ANY},
    {"GET", "users/me/identity", ROUTE_ONE_TIME, rest_me_identity, "account.read", ROLE_ANY},
    {"POST", "users/me/verification", ROUTE_ONE_TIME, rest_me_verification, "account.verify",
     ROLE_ANY},
    {"POST", "users/verify-fields", 0, rest_verify_fields, "users.verify-fields",
     ROLE_STAFF | ROLE_PROVIDER | ROLE_DEVELOPER},
    {"POST", "registrations", ROUTE_OPEN, rest_register},
    {"POST", "users/*/approve", 0, rest_registration_approve, "users.approve", ROLE_STAFF},
    {"POST", "users/*/refuse", 0, rest_registration_refuse, "users.refuse", ROLE_STAFF},
    {"GET", "token-keys", 0, oauth_keys_list, "token-keys.read", ROLE_STAFF | ROLE_AUDITOR},
    {"POST", "token-keys", 0, oauth_keys_rotate, "token-keys.rotate", ROLE_ADMIN},
    {"POST", "credentials/*/rotate", 0, credential_rotate, "credentials.rotate",
     ROLE_STAFF | ROLE_DEVELOPER},
    {"GET", "access/explain", 0, rest_access_explain, "access.explain", ROLE_ANY},
    {"GET", "access/operations", 0, rest_access_operations, "access.operations", ROLE_ANY},
    {"GET", "access/self-check", 0, rest_access_self_check, "access.self-check",
     ROLE_STAFF | ROLE_AUDITOR},
    {"POST", "approvals/*/approve", 0, rest_approval_approve, "approvals.approve", ROLE_STAFF},
    {"POST", "documents", ROUTE_RAW, rest_document_create, "documents.create",
     ROLE_STAFF | ROLE_PROVIDER | ROLE_DEVELOPER | ROLE_OWNER},
    {"GET", "documents/*/content", 0, rest_document_content, "documents.read", ROLE_ALL},
    {"GET", "form-kinds", 0, rest_form_kinds, "form-kinds.read", ROLE_ALL},
    {"GET", "assessment-criteria", 0, rest_assessment_criteria, "assessment-criteria.read",
     ROLE_ALL},
    {"GET", "agreement-clauses", 0, rest_agreement_clauses, "agreement-clauses.read", ROLE_ALL},
    {"GET", "apps/*/admission", 0, rest_app_admission, "apps.read", ROLE_ALL},
    {"POST", "applications/*/verify-identity", 0, rest_application_verify,
     "applications.verify-identity", ROLE_STAFF},
    {"POST", "agreements/*/sign", 0, rest_agreement_sign, "agreements.sign",
     ROLE_STAFF | ROLE_PROVIDER | ROLE_DEVELOPER},
    {"POST", "apps/*/test-report", 0, sandbox_test_report, "test_reports.count",
     ROLE_STAFF | ROLE_DEVELOPER},
    {"POST", "incidents/*/contain", 0, incident_contain, "incidents.contain", ROLE_STAFF},
    {"POST", "exits/*/receipt", 0, exit_receipt, "exits.receipt", ROLE_DEVELOPER},
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
    {"GET", "peers/sign-on", 0, peers_sign_on},
    {"GET", "peers/callback", 0, peers_callback},
    {"POST", "peers/logout", 0, peers_logout},
    {"POST", "peers/users", 0, peers_users},
    {"POST", "peers/registrations", 0, peers_registrations},
    {"POST", "peers/verifications", 0, peers_verifications},
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
