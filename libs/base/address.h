/* SPDX-License-Identifier: Apache-2.0 */
/* Which network addresses only the platform's own machines reach: a request there at somebody's
 * wish would knock at doors for one who cannot (SSRF). Pure. */
#pragma once
#include <stdbool.h>

struct sockaddr;
/* True also for what is neither IPv4 nor IPv6. */
bool address_is_private(const struct sockaddr *address);
