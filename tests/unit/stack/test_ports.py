"""Which ports are taken for free."""

import socket

import pytest
from stack import ports
from stack.errors import PortTaken
from stack.services import choose_ports


@pytest.fixture
def listener():
    with socket.socket() as server:
        server.bind(("127.0.0.1", ports.private(1)[0]))
        server.listen()
        yield server.getsockname()[1]


def test_a_port_that_is_listened_on_is_not_free(listener: int) -> None:
    assert not ports.is_free(listener)
    assert ports.answers(listener)


def test_a_listener_on_the_other_loopback_address_counts_too() -> None:
    port = ports.private(1)[0]
    with socket.socket(socket.AF_INET6) as server:
        server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        try:
            server.bind(("::1", port))
        except OSError:
            pytest.skip("this machine has no IPv6")
        server.listen()
        assert not ports.is_free(port)


def test_the_next_free_port_is_taken_and_ports_of_others_are_left_out(listener: int) -> None:
    found = ports.next_free(listener, taken={listener + 1})
    assert found > listener + 1
    assert ports.is_free(found)


def test_an_explicit_port_that_is_taken_is_an_error(listener: int) -> None:
    with pytest.raises(PortTaken, match=str(listener)) as caught:
        choose_ports(listener, {})
    assert "--port" in (caught.value.remedy or "")


def test_private_ports_differ_and_lie_below_the_kernels_own_range() -> None:
    found = ports.private(40)
    assert len(set(found)) == 40
    assert all(ports.FIRST_PRIVATE <= port < ports.LAST_PRIVATE < 32_768 for port in found)


def test_every_service_gets_a_port_of_its_own() -> None:
    chosen = choose_ports(None, {"postgres": 8102})
    assert len({*chosen.values(), 8102}) == 6
    assert chosen["gateway"] >= 8000
