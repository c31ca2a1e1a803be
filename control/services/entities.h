/* SPDX-License-Identifier: Apache-2.0 */
/* Business data entities: tables of the directory as one thing with names of the business. */
#pragma once
#include "rest/resource.h"

extern const struct resource business_entities_resource;
