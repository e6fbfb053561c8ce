"""Connections to checked addresses only: resolved once, and the address checked is the address connected to."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable
from ipaddress import ip_address
from typing import cast

import httpcore
from common.addresses import Address, AddressPolicy

from fetcher.domain import problems

Resolve = Callable[[str, int], Awaitable[list[Address]]]
SocketOption = tuple[int, int, int] | tuple[int, int, bytes | bytearray] | tuple[int, int, None, int]

# A name with more addresses than this gains nothing from trying them all within one attempt.
_MOST_ADDRESSES = 4


async def resolve_by_system(host: str, port: int) -> list[Address]:
    """Addresses of a name, or of a number in any notation that the system understands. Raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = [ip_address(str(entry[4][0]).split("%")[0]) for entry in found]
    return list(dict.fromkeys(addresses))


class CheckedNetwork(httpcore.AsyncNetworkBackend):
    """What httpcore connects through; above it everything (Host, SNI, certificates) keeps using the name."""

    def __init__(self, policy: AddressPolicy, resolve: Resolve = resolve_by_system) -> None:
        self._policy = policy
        self._resolve = resolve
        self._inner = cast("httpcore.AsyncNetworkBackend", httpcore.AnyIOBackend())

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[SocketOption] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Raises CannotProcess when the host is unknown or any of its addresses is not for us."""
        deadline = asyncio.get_running_loop().time() + (timeout or 10.0)
        addresses = await self._permitted(host, port)
        for left in range(len(addresses), 0, -1):
            share = max(0.5, (deadline - asyncio.get_running_loop().time()) / left)
            try:
                return await self._inner.connect_tcp(str(addresses[-left]), port, share, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if left == 1:
                    raise
        raise problems.unknown_host(host)

    async def _permitted(self, host: str, port: int) -> list[Address]:
        try:
            addresses = await self._resolve(host, port)
        except socket.gaierror as error:
            if error.errno == socket.EAI_AGAIN:
                # The name service is away; the next attempt may find it.
                raise httpcore.ConnectError(error) from error
            raise problems.unknown_host(host) from error
        except (OSError, UnicodeError) as error:
            raise problems.unknown_host(host) from error
        # One closed address among open ones is an attack or a mistake; either way it is not for us.
        if not all(self._policy.permits(address) for address in addresses):
            raise problems.forbidden_address(host, redirected=False)
        return addresses[:_MOST_ADDRESSES]

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,
        socket_options: Iterable[SocketOption] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        raise problems.unsupported_url("Sockets of this machine cannot be fetched from.")

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
