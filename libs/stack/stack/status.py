"""Looks at a stack from outside: which of its processes live, how ready they are, how much memory they hold."""

import asyncio
from collections.abc import Iterable
from urllib.parse import urlsplit

import httpx
import psutil

from stack import leash, ports, postgres, rabbitmq, state
from stack.layout import SERVICES, DataFolder
from stack.results import ServiceState, ServiceStatus, StackStatus
from stack.services import ASK_SECONDS, ask_ready
from stack.state import State


def status(folder: DataFolder) -> StackStatus:
    """Everything as stopped when no supervisor holds the folder."""
    found = state.live(folder)
    if found is None:
        return StackStatus(folder.path, None, None)
    services = asyncio.run(_services(folder, found))
    servers = [
        _server(folder, found, "postgres", found.database_url),
        _server(folder, found, "rabbitmq", found.rabbitmq_url),
    ]
    return StackStatus(folder.path, found.url, found.started, (*servers, *services))


async def _services(folder: DataFolder, found: State) -> list[ServiceStatus]:
    async with httpx.AsyncClient(timeout=ASK_SECONDS) as client:
        return list(await asyncio.gather(*(_service(client, folder, found, name) for name in SERVICES)))


async def _service(client: httpx.AsyncClient, folder: DataFolder, found: State, name: str) -> ServiceStatus:
    process = leash.marked(folder.mark_of(name))
    port = found.ports[name]
    ready, words = await ask_ready(client, port)
    return ServiceStatus(
        name=name,
        state=_state(process is not None, ready, found),
        address=f"http://{ports.LOOPBACK}:{port}",
        pid=process.pid if process else None,
        memory_bytes=_memory(leash.with_children(process)) if process else None,
        detail=None if ready else words,
    )


def _server(folder: DataFolder, found: State, name: str, url: str) -> ServiceStatus:
    place = urlsplit(url)
    address = f"{place.scheme}://{place.hostname}:{place.port or ''}".rstrip(":")
    if name not in found.embedded:
        return ServiceStatus(name, _given_state(place.hostname, place.port), address, detail="not ours")
    process = postgres.postmaster(folder.postgres) if name == "postgres" else rabbitmq.node(folder.rabbitmq)
    answers = ports.answers(found.ports[name])
    return ServiceStatus(
        name=name,
        state=_state(process is not None, answers, found),
        address=address,
        pid=process.pid if process else None,
        memory_bytes=_memory(leash.with_children(process)) if process else None,
    )


def _given_state(host: str | None, port: int | None) -> ServiceState:
    # A server on the network: the services' own readiness says more than we could find out here.
    return "ready" if host and (port is None or ports.answers(port, host)) else "not ready"


def _state(alive: bool, ready: bool, found: State) -> ServiceState:
    if not alive:
        return "stopped"
    if ready:
        return "ready"
    return "starting" if found.phase == "starting" else "not ready"


def _memory(processes: Iterable[psutil.Process]) -> int:
    """Proportional set size where the system tells it (shared pages counted once), else resident set size."""
    total = 0
    for process in processes:
        try:
            facts = process.memory_full_info()
            total += int(getattr(facts, "pss", 0) or facts.rss)
        except psutil.Error:
            continue
    return total
