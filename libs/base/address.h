/* SPDX-License-Identifier: Apache-2.0 */
/* Which addresses somebody else may have us connect to. */
#pragma once
#include <stdbool.h>
#include <sys/socket.h>

/* True of an address that only the platform's own machines reach, and of what is no IP address: a
 * webhook there would make us knock at doors for somebody who cannot. */
bool address_private(const struct sockaddr *sa);
