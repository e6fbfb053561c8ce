"""The messaging tests again, on the servers of production as containers, where a container engine answers."""

import shutil
import subprocess
from collections.abc import Generator
from dataclasses import dataclass

import pytest
from testcontainers.community.postgres import PostgresContainer
from testcontainers.core.container import DockerContainer
from testcontainers.core.wait_strategies import LogMessageWaitStrategy

# The same tests; only the fixtures below are others.
from tests.integration.common.test_messaging import *  # noqa: F403

POSTGRES = "pgvector/pgvector:pg17"
RABBITMQ = "rabbitmq:4-management"


@dataclass(frozen=True)
class Broker:
    url: str


def need_engine() -> None:
    """Skips where none answers; asked by its own command, because the Python client leaves sockets open."""
    docker = shutil.which("docker")
    if docker is None:
        pytest.skip("no container engine: docker is not installed")
    done = subprocess.run([docker, "info"], capture_output=True, text=True, timeout=30, check=False)
    if done.returncode != 0:
        pytest.skip("no container engine answers to docker info")


@pytest.fixture(scope="session")
def postgres_url() -> Generator[str]:
    need_engine()
    with PostgresContainer(POSTGRES, driver=None) as server:
        yield server.get_connection_url()


@pytest.fixture(scope="session")
def rabbit() -> Generator[Broker]:
    need_engine()
    container = DockerContainer(RABBITMQ).with_exposed_ports(5672)
    with container.waiting_for(LogMessageWaitStrategy("Server startup complete")) as server:
        place = f"{server.get_container_host_ip()}:{server.get_exposed_port(5672)}"
        yield Broker(f"amqp://guest:guest@{place}/")
