"""The promise of the message schemas: committed, up to date, and every example ever written still parses."""

import json
from pathlib import Path

import pytest
import yaml
from common import topology
from common.contracts import asyncapi, contract_files
from common.events import MESSAGES, Fact

ROOT = Path(__file__).parents[2]
SCHEMAS = ROOT / "schemas"
EXAMPLES = sorted((SCHEMAS / "examples").glob("*.json"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_every_example_ever_committed_still_parses(path: Path) -> None:
    message = MESSAGES[path.name.removesuffix(".json")]
    parsed = message.parse(path.read_bytes())
    # Nothing of an old message is lost on the way in: what it says is what we read.
    said = json.loads(path.read_text())
    read = parsed.model_dump(mode="json")
    assert {key: read[key] for key in said if not isinstance(said[key], dict | list)} == {
        key: value for key, value in said.items() if not isinstance(value, dict | list)
    }


def test_every_message_has_an_example() -> None:
    assert {path.name.removesuffix(".json") for path in EXAMPLES} == set(MESSAGES)


def test_committed_contracts_are_what_the_code_says() -> None:
    for name, content in contract_files().items():
        if not name.startswith("examples/"):
            assert (SCHEMAS / name).read_text(encoding="utf-8") == content, f"run: make schemas ({name})"


def test_asyncapi_refers_only_to_what_exists() -> None:
    document = asyncapi()
    channels = document["channels"]
    for operation in document["operations"].values():
        assert operation["channel"]["$ref"].removeprefix("#/channels/") in channels
    for message in document["components"]["messages"].values():
        assert (SCHEMAS / message["payload"]["$ref"]).is_file()
    assert yaml.safe_load((SCHEMAS / "asyncapi.yaml").read_text(encoding="utf-8")) == document


def test_every_message_is_said_and_heard() -> None:
    said = {message for messages in topology.SAYS.values() for message in messages}
    outsiders = {message for message in MESSAGES.values() if message.type == "ingestion.requested.v1"}
    assert said | outsiders == set(MESSAGES.values())
    # What is heard by nobody but the gateway is told to people only.
    heard = {hearing.message for hearing in topology.HEARINGS}
    told = {
        "asset.indexed.v1",
        "summary.completed.v1",
        "processing.failed.v1",
        "asset.purged.v1",
        "ingestion.requested.v1",
    }
    assert {message.type for message in set(MESSAGES.values()) - heard} == told


def test_queues_are_named_after_their_hearer_and_bound_to_what_it_hears() -> None:
    queues = topology.work_queues()
    for hearing in topology.HEARINGS:
        for queue, keys in hearing.queues.items():
            assert queue.startswith(f"{hearing.service}.{hearing.message.type}")
            assert queues[queue] == keys
            assert topology.service_of_queue(queue) == hearing.service
    assert queues[topology.GATEWAY_QUEUE] == ("#",)


def test_owners_are_those_who_hear_of_deletions() -> None:
    hearers = {h.service for h in topology.HEARINGS if h.message.type == "asset.deleted.v1"}
    assert hearers == set(topology.OWNERS)


def test_every_fact_names_its_asset_run_and_collection() -> None:
    for message in MESSAGES.values():
        if issubclass(message, Fact):
            assert {"asset_id", "run", "collection_id"} <= set(message.model_fields)
