/* SPDX-License-Identifier: Apache-2.0 */
#include "outbound.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#define CONNECT_MS 3000L
#define TOTAL_MS   10000L

static size_t discard(char *p, size_t size, size_t n, void *ctx)
{
    (void)p;
    (void)ctx;
    return size * n;
}

static bool inside(uint32_t a, uint32_t net, unsigned bits)
{
    return bits == 0 || (a ^ net) >> (32 - bits) == 0;
}

/* An address that only the platform's own machines reach: a webhook there would make us knock at
 * doors for somebody who cannot. */
static bool private_address(const struct sockaddr *sa)
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
    if (sa->sa_family != AF_INET) {
        return true;
    }
    uint32_t a = ntohl(((const struct sockaddr_in *)(const void *)sa)->sin_addr.s_addr);
    for (size_t i = 0; i < sizeof nets / sizeof *nets; i++) {
        if (inside(a, nets[i].net, nets[i].bits)) {
            return true;
        }
    }
    return false;
}

static curl_socket_t open_public(void *ctx, curlsocktype purpose, struct curl_sockaddr *address)
{
    (void)ctx;
    (void)purpose;
    if (private_address(&address->addr)) {
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

void outbound_prepare(CURL *curl, const struct control_config *cfg)
{
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, TOTAL_MS);
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, discard);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, cfg->private_webhooks ? "http,https" : "https");
    if (!cfg->private_webhooks) {
        curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, open_public);
    }
}
