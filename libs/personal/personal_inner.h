/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of personal share. */
#pragma once
#include "detect/detect.h"
#include "personal/personal.h"

bool personal_is_somebodys(size_t rule); /* of detect_rules */
