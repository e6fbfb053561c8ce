"""Decides everything about one start before anything is started: ports, passwords, addresses, environments."""

from dataclasses import dataclass

from stack import keys, servers, services
from stack.config import DEFAULT_PORTS, Given, environments
from stack.layout import DataFolder
from stack.servers import ServersOfStack
from stack.state import State
from stack.wish import Say, Wish


@dataclass(frozen=True)
class Plan:
    """`service_ports` and `private_ports` are by name; `environments` hold all that each service is told."""

    folder: DataFolder
    keys: keys.Keys
    servers: ServersOfStack
    service_ports: dict[str, int]
    private_ports: dict[str, int]
    environments: dict[str, dict[str, str]]

    @property
    def port(self) -> int:
        return self.service_ports["gateway"]

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"


def make_plan(wish: Wish, say: Say) -> Plan:
    """PortTaken when the port that was asked for is not free; a port that had to be another is said."""
    folder = wish.folder
    secret = keys.load_or_make(folder.secrets)
    last = State.read(folder.state)
    private = servers.choose_ports(last.ports if last else {})
    public = services.choose_ports(wish.port, private)
    for service, port in public.items():
        if port != DEFAULT_PORTS[service] and not (service == "gateway" and wish.port):
            say(f"Port {DEFAULT_PORTS[service]} is taken; {service} uses {port} instead.")
    of_stack = ServersOfStack.of(folder, Given.of(wish.environ), secret, private)
    return Plan(
        folder=folder,
        keys=secret,
        servers=of_stack,
        service_ports=public,
        private_ports=private,
        environments=environments(folder, of_stack.urls, secret, public, wish.environ),
    )
