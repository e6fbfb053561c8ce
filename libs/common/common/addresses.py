"""Which network addresses a download may connect to: the public internet, and what the operator opened."""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import Annotated

from pydantic import AfterValidator

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# Written out, because what `ipaddress` calls global differs between Python versions.
# Sources: the IANA special-purpose registries; 168.63.129.16 is Azure's metadata service.
_CLOSED_V4 = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "168.63.129.16/32",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
)
# Everything that is routed today lies in one block; loopback, link-local, ULA and the rest lie outside it.
_OPEN_V6 = IPv6Network("2000::/3")
_CLOSED_V6 = tuple(IPv6Network(network) for network in ("2001::/23", "2001:db8::/32", "3fff::/20"))
_MAPPED = IPv6Network("::ffff:0:0/96")
_NAT64 = IPv6Network("64:ff9b::/96")
_6TO4 = IPv6Network("2002::/16")
_ISATAP_INTERFACES = (0x00005EFE, 0x02005EFE)


def embedded_v4(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that a packet to this IPv6 address ends up at, for every form that carries one."""
    number = int(address)
    if address in _MAPPED or address in _NAT64:
        return IPv4Address(number & 0xFFFFFFFF)
    if address in _6TO4:
        return IPv4Address(number >> 80 & 0xFFFFFFFF)
    if number >> 32 & 0xFFFFFFFF in _ISATAP_INTERFACES:
        return IPv4Address(number & 0xFFFFFFFF)
    return None


def is_public(address: Address) -> bool:
    """False for private, loopback, link-local, multicast, unspecified, carrier NAT, metadata and reserved ones."""
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _CLOSED_V4)
    inner = embedded_v4(address)
    if inner is not None and not is_public(inner):
        return False
    if address in _MAPPED or address in _NAT64:
        return True
    return address in _OPEN_V6 and not any(address in network for network in _CLOSED_V6)


@dataclass(frozen=True)
class AddressPolicy:
    """Public addresses, and those of ``also``: networks that the operator opened on purpose."""

    also: tuple[Network, ...] = ()

    def permits(self, address: Address) -> bool:
        return is_public(address) or self._opened(address)

    def _opened(self, address: Address) -> bool:
        target = embedded_v4(address) or address if isinstance(address, IPv6Address) else address
        return any(target.version == network.version and target in network for network in self.also)


EVERYWHERE: tuple[Network, ...] = (IPv4Network("0.0.0.0/0"), IPv6Network("::/0"))


def parse_networks(text: str) -> tuple[Network, ...]:
    """Of CIDR networks, comma separated. Raises ValueError for what is no network."""
    return tuple(ip_network(part.strip()) for part in text.split(",") if part.strip())


def _checked(text: str) -> str:
    parse_networks(text)
    return text


# A setting that `parse_networks` takes.
Networks = Annotated[str, AfterValidator(_checked)]


def policy(allow_private_hosts: bool, networks: str) -> AddressPolicy:
    """What the operator's two settings mean."""
    return AddressPolicy(EVERYWHERE if allow_private_hosts else parse_networks(networks))
