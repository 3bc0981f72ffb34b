#include "httpc_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

struct range4 {
    uint32_t base;
    int bits;
};
#define NET4(a, b, c, d, bits) { (uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (d), bits }

/* IANA's IPv4 special-purpose registry (RFC 6890) and multicast. */
static const struct range4 special4[] = {
    NET4(0, 0, 0, 0, 8),      NET4(10, 0, 0, 0, 8),     NET4(100, 64, 0, 0, 10),   NET4(127, 0, 0, 0, 8),
    NET4(169, 254, 0, 0, 16), NET4(172, 16, 0, 0, 12),  NET4(192, 0, 0, 0, 24),    NET4(192, 0, 2, 0, 24),
    NET4(192, 88, 99, 0, 24), NET4(192, 168, 0, 0, 16), NET4(198, 18, 0, 0, 15),   NET4(198, 51, 100, 0, 24),
    NET4(203, 0, 113, 0, 24), NET4(224, 0, 0, 0, 4),    NET4(240, 0, 0, 0, 4),
};

static bool public4(uint32_t ip) {
    for (size_t i = 0; i < CHOP_COUNT(special4); i++)
        if ((ip ^ special4[i].base) >> (32 - special4[i].bits) == 0) return false;
    return true;
}

static uint32_t read4(const uint8_t *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Only global unicast (2000::/3) is public, less documentation and the special-purpose block (RFC 6890). */
static bool public6(const uint8_t *p) {
    static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
    static const uint8_t nat64[12] = { 0x00, 0x64, 0xff, 0x9b };
    if (memcmp(p, mapped, sizeof mapped) == 0 || memcmp(p, nat64, sizeof nat64) == 0) return public4(read4(p + 12));
    if (p[0] == 0x20 && p[1] == 0x02) return public4(read4(p + 2)); /* 6to4 */
    if ((p[0] & 0xe0) != 0x20) return false;
    bool special = p[0] == 0x20 && p[1] == 0x01 && p[2] < 0x02;
    bool documentation = p[0] == 0x20 && p[1] == 0x01 && p[2] == 0x0d && p[3] == 0xb8;
    return !special && !documentation;
}

bool httpc_address_public(const struct sockaddr *address) {
    if (address->sa_family == AF_INET)
        return public4(ntohl(((const struct sockaddr_in *)(const void *)address)->sin_addr.s_addr));
    if (address->sa_family == AF_INET6)
        return public6(((const struct sockaddr_in6 *)(const void *)address)->sin6_addr.s6_addr);
    return false;
}
