/* SPDX-License-Identifier: Apache-2.0 */
#include "base/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

static bool inside(uint32_t a, uint32_t net, unsigned bits)
{
    return bits == 0 || (a ^ net) >> (32 - bits) == 0;
}

bool address_is_private(const struct sockaddr *sa)
{
    static const struct {
        uint32_t net;
        unsigned bits;
    } nets[] = {{0x00000000, 8},  {0x0a000000, 8},  {0x64400000, 10}, {0x7f000000, 8},
                {0xa9fe0000, 16}, {0xac100000, 12}, {0xc0a80000, 16}, {0xe0000000, 3}};

    if (sa->sa_family == AF_INET6) {
        const uint8_t *b = ((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr.s6_addr;
        return (b[0] & 0xe0) != 0x20; /* only global unicast, 2000::/3 */
    }
    if (sa->sa_family != AF_INET)
        return true;
    uint32_t a = ntohl(((const struct sockaddr_in *)(const void *)sa)->sin_addr.s_addr);
    for (size_t i = 0; i < sizeof nets / sizeof *nets; i++)
        if (inside(a, nets[i].net, nets[i].bits))
            return true;
    return false;
}
