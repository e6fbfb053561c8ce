"""What main.py wires is what the registry promises: nobody is deaf to what it must hear, nobody hears more."""

import importlib
from typing import Any

import pytest
from common import topology
from common.identity import new_key_pair
from common.service import Service


def build(name: str) -> Service:
    settings = importlib.import_module(f"{name}.settings")
    values: Any = {"database_url": "postgresql://u:p@localhost/x", "identity_private_key": new_key_pair()[0]}
    made: Service = importlib.import_module(f"{name}.main").build(
        getattr(settings, f"{name.capitalize()}Settings")(**values)
    )
    return made


@pytest.mark.parametrize("name", [service for service in topology.SERVICES if service != "gateway"])
def test_a_service_handles_exactly_what_the_registry_says(name: str) -> None:
    assert set(build(name).consumer.handlers) == {hearing.message.type for hearing in topology.hearings(name)}


def test_the_gateway_handles_what_moves_a_job_forward() -> None:
    handled = set(build("gateway").consumer.handlers)
    assert {
        "recording.fetched.v1",
        "transcript.completed.v1",
        "transcript.revised.v1",
        "asset.indexed.v1",
        "processing.failed.v1",
        "asset.purged.v1",
        "ingestion.requested.v1",
    } <= handled


@pytest.mark.parametrize("name", topology.SERVICES)
def test_building_a_service_opens_nothing(name: str) -> None:
    service = build(name)
    with pytest.raises(RuntimeError, match="not open"):
        _ = service.db.pool
