"""Every form in which an address of an inner network can be written down."""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from common.addresses import EVERYWHERE, AddressPolicy, embedded_v4, is_public
from hypothesis import given
from hypothesis import strategies as st

INNER = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "10.255.255.255",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.8.9.10",
    "168.63.129.16",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.192",
    "192.168.1.1",
    "198.18.0.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:0:127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a00:1",
    "64:ff9b:1::808:808",
    "100::1",
    "2001::1",
    "2001:0:53aa:64c:1422:3b6:80ff:fffe",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::1",
    "2606:4700::5efe:10.0.0.1",
    "2606:4700::200:5efe:192.168.0.1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fec0::1",
    "ff02::1",
]
OUTER = [
    "1.1.1.1",
    "8.8.8.8",
    "93.184.216.34",
    "100.63.255.255",
    "100.128.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
    "2002:808:808::1",
    "2001:4860:4860::8888",
    "2606:4700:4700::1111",
    "2a00:1450:4001:82a::200e",
]


@pytest.mark.parametrize("address", INNER)
def test_inner_addresses_are_refused(address: str) -> None:
    assert not is_public(ip_address(address))
    assert not AddressPolicy().permits(ip_address(address))


@pytest.mark.parametrize("address", OUTER)
def test_the_public_internet_is_open(address: str) -> None:
    assert AddressPolicy().permits(ip_address(address))


@given(st.ip_addresses(v=4))
def test_every_form_of_a_v4_address_is_judged_like_the_address_itself(address: IPv4Address) -> None:
    number = int(address)
    forms = [
        IPv6Address(0xFFFF << 32 | number),
        IPv6Address(0x0064FF9B << 96 | number),
        IPv6Address(0x2002 << 112 | number << 80 | 1),
    ]
    assert [embedded_v4(form) for form in forms] == [address] * 3
    assert {is_public(form) for form in forms} == {is_public(address)}


@given(st.ip_addresses())
def test_what_python_calls_loopback_private_or_multicast_is_never_public(address: IPv4Address | IPv6Address) -> None:
    if address.is_loopback or address.is_link_local or address.is_multicast or address.is_unspecified:
        assert not is_public(address)


def test_opened_networks_are_open_in_every_form_and_no_others() -> None:
    policy = AddressPolicy((ip_network("127.0.0.1/32"), ip_network("fd00::/8")))
    assert policy.permits(ip_address("127.0.0.1"))
    assert policy.permits(ip_address("::ffff:127.0.0.1"))
    assert policy.permits(ip_address("fd00::5"))
    assert not policy.permits(ip_address("127.0.0.2"))
    assert not policy.permits(ip_address("::ffff:127.0.0.2"))
    assert not policy.permits(ip_address("::1"))


@pytest.mark.parametrize("address", INNER)
def test_everywhere_is_everywhere(address: str) -> None:
    assert AddressPolicy(EVERYWHERE).permits(ip_address(address))
