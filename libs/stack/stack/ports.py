"""Finds TCP ports that nobody listens on, below the range from which the kernel hands out its own."""

import errno
import random
import socket
from collections.abc import Collection, Mapping

from stack.errors import PortTaken

LOOPBACK = "127.0.0.1"
FIRST_PRIVATE = 15_000
LAST_PRIVATE = 32_000
NEXT_PORTS_TRIED = 200
_ADDRESS_ABSENT = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


def is_free(port: int) -> bool:
    """True when both loopback addresses could be listened on; one that this machine lacks is not asked."""
    return _can_listen(socket.AF_INET, LOOPBACK, port) and _can_listen(socket.AF_INET6, "::1", port)


def _can_listen(family: socket.AddressFamily, address: str, port: int) -> bool:
    try:
        probe = socket.socket(family, socket.SOCK_STREAM)
    except OSError:
        return True
    with probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
            probe.listen(1)
        except OSError as error:
            return error.errno in _ADDRESS_ABSENT
    return True


def next_free(preferred: int, taken: Collection[int] = ()) -> int:
    """`preferred`, or the first free port after it that is not in `taken`."""
    for port in range(preferred, min(preferred + NEXT_PORTS_TRIED, 65_536)):
        if port not in taken and is_free(port):
            return port
    raise PortTaken(
        f"No free port between {preferred} and {preferred + NEXT_PORTS_TRIED}.", remedy="Give another --port."
    )


def exactly(port: int) -> int:
    """`port` itself; PortTaken when something listens there."""
    if not is_free(port):
        raise PortTaken(f"Port {port} is taken by another program.", remedy="Give another --port, or none.")
    return port


def private(count: int, taken: Collection[int] = ()) -> list[int]:
    """`count` different free ports at random places, for servers whose address only we need to know."""
    chosen: list[int] = []
    while len(chosen) < count:
        port = random.randrange(FIRST_PRIVATE, LAST_PRIVATE)  # noqa: S311 - not a secret
        if port not in chosen and port not in taken and is_free(port):
            chosen.append(port)
    return chosen


def private_for(names: Collection[str], last: Mapping[str, int]) -> dict[str, int]:
    """A private port for each name: the one it had last time if that is still free, so that addresses stay."""
    kept = {name: last[name] for name in names if name in last and is_free(last[name])}
    fresh = iter(private(len(names) - len(kept), kept.values()))
    return {name: kept.get(name) or next(fresh) for name in names}


def answers(port: int, address: str = LOOPBACK) -> bool:
    """True when something accepts connections there."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        return probe.connect_ex((address, port)) == 0
