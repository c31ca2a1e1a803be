/* SPDX-License-Identifier: Apache-2.0 */
/* Every address of the control plane: below /api/v1/ REST, beside it the web's. The first row that
 * fits answers, so a fixed word stands above a `*`. Each row is described in contract/openapi.yaml.
 */
#include "api/credentials.h"
#include "ca/ca.h"
#include "rest/rest.h"

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
    {"POST", "credentials/*/rotate", 0, credential_rotate},
    {"GET", "*", 0, rest_list},
    {"POST", "*", 0, rest_create},
    {"GET", "*/*", 0, rest_get},
    {"PATCH", "*/*", 0, rest_patch},
    {"POST", "*/*/*", 0, rest_action},
};
const size_t rest_routes_n = sizeof rest_routes / sizeof *rest_routes;

const struct rest_route web_routes[] = {
    {"GET", "health", 0, rest_health},
    {"GET", "pki/apps.crt", 0, ca_certificate},
    {"GET", "pki/apps-sm2.crt", 0, ca_certificate_sm2},
    {"GET", "pki/apps.crl", 0, ca_crl},
    {"GET", "pki/apps-sm2.crl", 0, ca_crl_sm2},
    {"POST", "pki/ocsp", 0, ca_ocsp_post},
    {"GET", "pki/ocsp/*", 0, ca_ocsp_get},
};
const size_t web_routes_n = sizeof web_routes / sizeof *web_routes;
