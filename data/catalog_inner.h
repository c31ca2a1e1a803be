/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files of the catalog only. */
#pragma once
#include "data/catalog.h"

struct slice catalog_text(const json_t *object, const char *member); /* "" when it is no text */
/* `"name":` */
bool catalog_member(struct arena *arena, struct slice name, struct slice *member);

/* catalog_more.c: bytes of the arena it needs, and what it fills. */
size_t catalog_more_room(const json_t *dataset, size_t json_n);
bool catalog_more(struct catalog_api *api, const json_t *dataset)
    __attribute__((warn_unused_result));
