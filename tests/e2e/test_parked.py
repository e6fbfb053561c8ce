"""Parked messages end to end: the fault is really there, five recordings fail of it, and people decide."""

import asyncio
import subprocess
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
import pytest
from stack.testing import ThrowawayStack

from tests.e2e import traces
from tests.e2e.api import DEMO, Api

LIST = "/api/admin/parked"


@dataclass
class Failed:
    """Recordings whose jobs failed: one of a part, the others of the fetch. The fault is mended by now."""

    part: str
    superseded: str
    deleted: str
    forgotten: str
    dropped: str

    @property
    def all(self) -> list[str]:
        return [self.part, self.superseded, self.deleted, self.forgotten, self.dropped]


@contextmanager
def fault(stack: ThrowawayStack, table: str, when: str) -> Generator[None]:
    """A bug of the database's own: what handlers write into this table is refused."""
    schema = table.split(".")[0]
    refuse = f"""
        CREATE FUNCTION {schema}.refuse() RETURNS trigger LANGUAGE plpgsql
            AS $$ BEGIN RAISE EXCEPTION 'refused by the test'; END $$;
        CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON {table} FOR EACH ROW WHEN ({when})
            EXECUTE FUNCTION {schema}.refuse();
    """
    asyncio.run(_run(stack, refuse))
    try:
        yield
    finally:
        asyncio.run(_run(stack, f"DROP TRIGGER refuse ON {table}; DROP FUNCTION {schema}.refuse()"))


async def _run(stack: ThrowawayStack, statements: str) -> None:
    connection = await asyncpg.connect(stack.state.database_url)
    await connection.execute(statements)
    await connection.close()


@pytest.fixture(scope="module")
def api(stack: ThrowawayStack) -> Api:
    return Api(stack.url, stack.key)


@pytest.fixture(scope="module")
def failed(stack: ThrowawayStack, api: Api, tmp_path_factory: pytest.TempPathFactory) -> Failed:
    short = tmp_path_factory.mktemp("short") / "short.opus"
    subprocess.run(["ffmpeg", "-v", "error", "-i", str(DEMO), "-t", "32", "-c", "copy", str(short)], check=True)
    collection = api.collection("parked")
    with fault(stack, "asr.parts", "NEW.part_index = 1 AND NEW.words IS NOT NULL"):
        part = api.upload(short, collection_id=collection)["id"]
        api.until(part, lambda asset: asset["stage"] == "transcribe")
        with fault(stack, "fetcher.recordings", "true"):
            others = [api.upload(short, collection_id=collection, transcribe="false")["id"] for _ in range(4)]
            found = Failed(part, *others)
            for asset_id in found.all:
                assert api.wait(asset_id)["status"] == "failed"
    return found


def parked_of(api: Api, asset_id: str) -> list[dict[str, Any]]:
    return [item for item in api.get(LIST, limit=200)["items"] if item["asset_id"] == asset_id]


def the_parked(api: Api, asset_id: str) -> dict[str, Any]:
    (item,) = parked_of(api, asset_id)
    return item


def replay(api: Api, parked_id: str) -> int:
    return api.status_of("POST", f"{LIST}/{parked_id}/replay")


def test_each_failure_has_its_message(api: Api, failed: Failed) -> None:
    for asset_id in failed.all:
        item = the_parked(api, asset_id)
        wanted = ("asr", "part.planned.v1") if asset_id == failed.part else ("fetcher", "asset.registered.v1")
        assert (item["service"], item["type"]) == wanted
        # The fault really fired, each time that it was tried.
        full = api.get(f"{LIST}/{item['short_id']}")
        assert "refused by the test" in full["reason"]
        assert ["refused by the test" in line for line in full["history"]] == [True] * 3
        assert (full["encoding"], full["body"]["asset_id"]) == ("json", asset_id)
        error = api.asset(asset_id)["error"]
        assert (error["category"], error["retryable"]) == ("internal", True)
    queues = api.get("/api/admin/queues")
    assert queues["broker_reachable"]
    waiting = {service["service"]: service["parked"] for service in queues["services"]}
    assert waiting["asr"]["part.planned.v1"] >= 1
    assert waiting["fetcher"]["asset.registered.v1"] >= 4


def test_a_part_that_is_replayed_completes_the_job(stack: ThrowawayStack, api: Api, failed: Failed) -> None:
    """The other parts finished meanwhile and stay as they are; asked twice at once, it is sent once."""
    before = api.transcript(failed.part)
    assert (before["complete"], len(before["segments"]) > 0) == (False, True)
    parked_id = the_parked(api, failed.part)["id"]
    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(lambda _: replay(api, parked_id), range(2))) == [202, 404]
    asset = api.until(failed.part, lambda asset: asset["status"] == "ready")
    assert (asset["run"], asset["error"]) == (1, None)
    traces.wait_idle(stack)
    assert traces.doubled(stack, failed.part) == {}
    after = api.transcript(failed.part)
    assert after["complete"] is True
    assert len(after["segments"]) > len(before["segments"])
    assert api.asset(failed.part)["status"] == "ready"


def test_a_message_of_a_superseded_run_does_no_harm(stack: ThrowawayStack, api: Api, failed: Failed) -> None:
    api.post(f"/api/assets/{failed.superseded}/retry")
    ready = api.until(failed.superseded, lambda asset: asset["status"] == "ready")
    assert ready["run"] == 2
    assert replay(api, the_parked(api, failed.superseded)["id"]) == 202
    traces.wait_idle(stack)
    assert api.asset(failed.superseded) == ready
    assert parked_of(api, failed.superseded) == []


def test_a_message_on_its_way_while_the_asset_is_deleted_does_no_harm(
    stack: ThrowawayStack, api: Api, failed: Failed
) -> None:
    """The broker stands still while both are asked for: replay and deletion set out together."""
    parked_id = the_parked(api, failed.deleted)["id"]
    broker = stack.process("rabbitmq")
    assert broker is not None
    broker.suspend()
    try:
        assert replay(api, parked_id) == 202
        assert api.status_of("DELETE", f"/api/assets/{failed.deleted}") in (202, 204)
    finally:
        broker.resume()
    traces.wait_purged(stack, failed.deleted)
    traces.wait_idle(stack)
    assert traces.of_asset(stack, failed.deleted) == {}
    assert parked_of(api, failed.deleted) == []


def test_what_is_parked_of_an_asset_goes_with_it(stack: ThrowawayStack, api: Api, failed: Failed) -> None:
    parked_id = the_parked(api, failed.forgotten)["id"]
    assert api.status_of("DELETE", f"/api/assets/{failed.forgotten}") in (202, 204)
    traces.wait_purged(stack, failed.forgotten)
    assert parked_of(api, failed.forgotten) == []
    assert replay(api, parked_id) == 404


def test_a_dropped_message_leaves_the_job_failed_and_a_retry_heals_it(api: Api, failed: Failed) -> None:
    parked_id = the_parked(api, failed.dropped)["id"]
    assert api.status_of("DELETE", f"{LIST}/{parked_id}") == 204
    assert api.status_of("DELETE", f"{LIST}/{parked_id}") == 404
    assert api.asset(failed.dropped)["status"] == "failed"
    api.post(f"/api/assets/{failed.dropped}/retry")
    assert api.until(failed.dropped, lambda asset: asset["status"] == "ready")["run"] == 2
