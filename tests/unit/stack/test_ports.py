"""Which ports are taken for free."""

import socket

import pytest
from stack import plan, ports
from stack.errors import PortTaken
from stack.plan import gateway_port


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
        gateway_port(listener, print)
    assert "--port" in (caught.value.remedy or "")


def test_a_usual_port_that_is_taken_gives_way_to_the_next_and_that_is_said(
    listener: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "GATEWAY_PORT", listener)
    said: list[str] = []
    found = gateway_port(None, said.append)
    assert found > listener
    (line,) = said
    assert f"Port {listener} is taken" in line
    assert str(found) in line


def test_private_ports_differ_and_lie_below_the_kernels_own_range() -> None:
    found = ports.private(40)
    assert len(set(found)) == 40
    assert all(ports.FIRST_PRIVATE <= port < ports.LAST_PRIVATE < 32_768 for port in found)


def test_ports_of_the_last_time_stay_while_they_are_free(listener: int) -> None:
    free = ports.private(1)[0]
    chosen = ports.private_for(("a", "b", "c"), {"a": free, "b": listener})
    assert chosen["a"] == free
    assert len({listener, *chosen.values()}) == 4
