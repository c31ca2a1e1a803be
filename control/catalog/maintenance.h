/* SPDX-License-Identifier: Apache-2.0 */
/* Upkeep of the resource centre and of the catalogue of services, period by period. */
#pragma once
#include "rest/resource.h"

extern const struct resource maintenance_records_resource;
enum problem maintenance_resources(struct rest_call *c); /* GET maintenance/resource-centre */
enum problem maintenance_services(struct rest_call *c);  /* GET maintenance/service-catalogue */
