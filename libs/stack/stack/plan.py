"""Decides everything about one start before anything is started: ports, passwords, addresses, environments."""

from dataclasses import dataclass

from stack import keys, ports
from stack.config import GATEWAY_PORT, Given, environments
from stack.layout import SERVICES, DataFolder
from stack.servers import SERVER_PORTS, ServersOfStack
from stack.state import State
from stack.wish import Say, Wish

# Only the gateway's address matters to anybody outside.
INNER_SERVICES = tuple(service for service in SERVICES if service != "gateway")


@dataclass(frozen=True)
class Plan:
    """`ports` of servers and services by name; `environments` hold all that each service is told."""

    folder: DataFolder
    keys: keys.Keys
    servers: ServersOfStack
    ports: dict[str, int]
    environments: dict[str, dict[str, str]]

    @property
    def port(self) -> int:
        return self.ports["gateway"]

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"


def make_plan(wish: Wish, say: Say) -> Plan:
    """PortTaken when the port that was asked for is not free; a port that had to be another is said."""
    folder = wish.folder
    secret = keys.load_or_make(folder.secrets)
    last = State.read(folder.state)
    private = ports.private_for((*SERVER_PORTS, *INNER_SERVICES), last.ports if last else {})
    chosen = private | {"gateway": gateway_port(wish.port, say)}
    of_stack = ServersOfStack.of(folder, Given.of(wish.environ), secret, chosen)
    return Plan(
        folder=folder,
        keys=secret,
        servers=of_stack,
        ports=chosen,
        environments=environments(folder, of_stack.urls, secret, chosen, wish.environ),
    )


def gateway_port(asked: int | None, say: Say) -> int:
    """The port that was asked for, else the usual one or the next that is free."""
    if asked is not None:
        return ports.exactly(asked)
    found = ports.next_free(GATEWAY_PORT)
    if found != GATEWAY_PORT:
        say(f"Port {GATEWAY_PORT} is taken by another program; using {found} instead.")
    return found
