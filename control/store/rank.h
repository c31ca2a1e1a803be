/* SPDX-License-Identifier: Apache-2.0 */
/* SQL's word_rank(table, weight…): how well a row of a full-text table fits its MATCH, a whole
 * number, smaller is better; a weight for each column, and words of a column without one count
 * nothing. Unlike bm25() it looks at the row alone, so its cost does not grow with how many rows
 * have the word. */
#pragma once
#include <sqlite3.h>
#include <stdbool.h>

bool rank_register(sqlite3 *db);
