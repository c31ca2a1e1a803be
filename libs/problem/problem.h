/* SPDX-License-Identifier: Apache-2.0 */
/* The catalogue of problems (RFC 9457), generated from contract/errors.tsv. Static data. */
#pragma once
#include "base/buf.h"
#include "problem/codes.h" /* generated: enum problem { PROBLEM_OK, PROBLEM_ROUTE_UNKNOWN, … PROBLEM_COUNT } */

struct problem_row {
    const char *code;
    uint16_t status;
    const char *clauses; /* comma-separated, "" when none */
    const char *title_en, *title_zh;
};

const struct problem_row *
problem_row(enum problem p); /* never NULL: PROBLEM_INTERNAL for an unknown number */
enum problem problem_by_code(struct slice code); /* PROBLEM_COUNT when there is none */
/* True when an Accept-Language value prefers Chinese. */
bool problem_prefers_zh(struct slice accept_language);

#define PROBLEM_RENDER_MAX 1024
/* Writes {"type","title","status","code","detail"?,"where"?,"instance"?}; detail and where are cut
 * to 300 bytes each on a character boundary; instance is the transaction number's text. Returns the
 * length, at most PROBLEM_RENDER_MAX. */
size_t problem_render(enum problem p, bool zh, struct slice detail, struct slice where,
                      struct slice instance, char out[static PROBLEM_RENDER_MAX]);
