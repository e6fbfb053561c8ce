"""What yt-dlp's process may reach: checked addresses, and no program but one."""

import sys
from ipaddress import ip_address
from typing import Any, cast

from common.addresses import AddressPolicy

_CONNECTING = ("socket.connect", "socket.sendto", "socket.sendmsg")
_STARTING = ("subprocess.Popen", "os.exec", "os.posix_spawn", "os.spawn", "os.system", "os.fork", "os.forkpty")


class Refused(OSError):
    """Not for us. An OSError, so that libraries take it for a connection that failed."""


class Guard:
    """Hears of every connection before it is made (PEP 578), whatever library makes it, and cannot be taken off again.

    Names are resolved before that, so that the address checked is the address connected to. ``proxies``: addresses
    and ports that the operator chose. ``program``: the one that may be started.
    """

    def __init__(self, policy: AddressPolicy, proxies: set[tuple[str, int]], program: str | None) -> None:
        self._policy = policy
        self._proxies = proxies
        self._program = program
        self._asked = ""
        # The name that led to a refused address.
        self.refused_host: str | None = None

    def install(self) -> None:
        sys.addaudithook(self._hear)

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "socket.getaddrinfo":
            self._asked = str(arguments[0])
        elif event in _CONNECTING and not self._permits(arguments[1]):
            self.refused_host = self._asked
            raise Refused("not on the public internet")
        elif event in _STARTING and (self._program is None or arguments[0] != self._program):
            raise Refused("no other programs")

    def _permits(self, address: object) -> bool:
        if address is None:
            # A message over a connection that was made, and checked, before.
            return True
        if not isinstance(address, tuple):
            return False
        host, port = cast("tuple[Any, Any]", address[:2])
        try:
            return (host, port) in self._proxies or self._policy.permits(ip_address(str(host).partition("%")[0]))
        except ValueError:
            return False
