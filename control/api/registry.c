/* SPDX-License-Identifier: Apache-2.0 */
#include "access/access.h"
#include "admission/admission.h"
#include "admission/analysis.h"
#include "api/api.h"
#include "batch/batch.h"
#include "catalog/catalog.h"
#include "catalog/maintenance.h"
#include "catalog/opening.h"
#include "catalog/standards.h"
#include "classify/classify.h"
#include "consent/consent.h"
#include "events/events.h"
#include "exchange/exchange.h"
#include "exit/exit.h"
#include "identifiers/identifiers.h"
#include "identity/identity.h"
#include "incidents/cases.h"
#include "incidents/emergency_plans.h"
#include "incidents/incidents.h"
#include "keyring/replacements.h"
#include "lifecycle/lifecycle.h"
#include "notices/notices.h"
#include "peers/peers.h"
#include "sandbox/sandbox.h"
#include "sdks/sdks.h"
#include "services/entities.h"
#include "services/queries.h"
#include "services/services.h"
#include "write/write.h"

const struct resource *const resources[] = {
    /* clang-format off */
    &organisations_resource,
    &users_resource,
    &apps_resource,
    &credentials_resource,
    &sources_resource,
    &datasets_resource,
    &apis_resource,
    &subscriptions_resource,
    &grants_resource,
    &limits_resource,
    &lists_resource,
    &trusts_resource,
    &algorithms_resource,
    &schemas_resource,
    &conversions_resource,
    &compositions_resource,
    &alerts_resource,
    &notices_resource,
    &contact_points_resource,
    &session_policies_resource,
    &identity_settings_resource,
    &clients_resource,
    &credential_policies_resource,
    &certificate_requests_resource,
    &documents_resource,
    &admission_settings_resource,
    &review_steps_resource,
    &applications_resource,
    &application_versions_resource,
    &application_reviews_resource,
    &assessments_resource,
    &qualification_certificates_resource,
    &signing_keys_resource,
    &agreement_templates_resource,
    &agreements_resource,
    &filings_resource,
    &preparations_resource,
    &re_reviews_resource,
    &major_changes_resource,
    &app_versions_resource,
    &peers_resource,
    &peer_accounts_resource,
    &departments_resource,
    &posts_resource,
    &groups_resource,
    &group_members_resource,
    &roles_resource,
    &role_members_resource,
    &function_grants_resource,
    &data_grants_resource,
    &dual_controls_resource,
    &approvals_resource,
    &admin_networks_resource,
    &licences_resource,
    &grant_requests_resource,
    &closures_resource,
    &confirmations_resource,
    &audiences_resource,
    &corrections_resource,
    &purposes_resource,
    &stage_settings_resource,
    &test_reports_resource,
    &sandbox_calls_resource,
    &test_preparations_resource,
    &incidents_resource,
    &cases_resource,
    &emergency_plans_resource,
    &self_reports_resource,
    &report_duties_resource,
    &topics_resource,
    &event_subscriptions_resource,
    &exits_resource,
    &exit_notices_resource,
    &exit_duties_resource,
    &service_settings_resource,
    &service_domains_resource,
    &services_resource,
    &service_evaluations_resource,
    &service_reports_resource,
    &service_changes_resource,
    &service_terminations_resource,
    &termination_items_resource,
    &service_notices_resource,
    &retention_rules_resource,
    &service_archives_resource,
    &service_instances_resource,
    &service_configs_resource,
    &scheduled_tasks_resource,
    &exchange_nodes_resource,
    &collection_tools_resource,
    &collections_resource,
    &collection_runs_resource,
    &exchange_records_resource,
    &transfers_resource,
    &exchange_spaces_resource,
    &exports_resource,
    &mask_rules_resource,
    &declassifications_resource,
    &uploads_resource,
    &source_files_resource,
    &packages_resource,
    &identifier_settings_resource,
    &service_categories_resource,
    &api_registrations_resource,
    &dataset_lives_resource,
    &security_reports_resource,
    &classify_settings_resource,
    &security_reviews_resource,
    &entries_resource,
    &entry_versions_resource,
    &harvests_resource,
    &harvest_items_resource,
    &catalog_nodes_resource,
    &metadata_standards_resource,
    &catalog_settings_resource,
    &opening_scopes_resource,
    &opening_plan_items_resource,
    &entry_shares_resource,
    &maintenance_records_resource,
    &query_versions_resource,
    &business_entities_resource,
    &level_definitions_resource,
    &opening_classes_resource,
    &detection_patterns_resource,
    &classification_rules_resource,
    &discoveries_resource,
    &findings_resource,
    &financial_scenarios_resource,
    &risk_classes_resource,
    &delivery_targets_resource,
    &supply_keys_resource,
    &sdk_releases_resource,
    &direct_connections_resource,
    &key_replacements_resource,
    &analysis_tasks_resource,
    /* clang-format on */
};
const size_t resources_n = COUNT(resources);

const struct resource *resource_by_plural(const char *plural)
{
    for (size_t i = 0; i < resources_n; i++) {
        if (strcmp(resources[i]->plural, plural) == 0) {
            return resources[i];
        }
    }
    return NULL;
}
