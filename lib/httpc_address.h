/* httpc_address: which resolved addresses outbound HTTP may reach. */
#pragma once
#include "base.h"

struct sockaddr;
/* Whether the address is one of the public internet: not loopback, private, link-local, shared (RFC 6598), multicast,
 * documentation, benchmark, reserved, nor an IPv6 form that embeds such an IPv4 address (mapped, NAT64, 6to4). */
bool httpc_address_public(const struct sockaddr *address);
