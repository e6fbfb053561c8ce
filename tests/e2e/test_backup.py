"""A running stack is backed up with work under way, and restored into an empty folder, where everything goes on."""

import asyncio
import hashlib
import json
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import psutil
import pytest
from common.store_directory import DirectoryStore
from earshot.cli.main import app
from stack import commands, keys, leash
from stack.backups.reading import open_backup
from stack.database import database_of
from stack.layout import SERVICES
from stack.results import BackedUp, Restored
from stack.testing import ThrowawayStack
from typer.testing import CliRunner, Result

from tests.e2e import traces
from tests.e2e.api import DEMO, Api
from tests.media_server import MediaServer

TALK = (
    "WEBVTT\n\n00:01.000 --> 00:04.000\n<v Maria>{}\n\n00:05.000 --> 00:08.000\n<v Peter>Then we need forty litres.\n"
)
# What a restore adds, and what the API notes of its own use; everything else must be equal.
VOLATILE = {"outbox", "sign_in_links", "ws_tickets", "sessions"}
# Of recordings that are to go on, the gateway's rows tell of the next run.
JOURNEYS = {"gateway.assets", "gateway.jobs", "gateway.stages", "gateway.timeline"}
KILLED = (
    "import os, signal, sys; from pathlib import Path; from stack import commands\n"
    "end = lambda line: os.kill(os.getpid(), signal.SIGKILL) if line.startswith('Copying') else None\n"
    "commands.backup(Path(sys.argv[1]), Path(sys.argv[2]), say=end)"
)


@dataclass(frozen=True)
class Before:
    """What the first stack held and answered, and what it had not finished."""

    collection: str
    found: list[str]
    answer: str
    transcript: dict[str, Any]
    rows: dict[str, list[str]]
    going_on: dict[str, str]
    corrected: str
    deleted: str
    backup: BackedUp
    backups: Path
    saved: str


def silent(_line: str) -> None:
    pass


def talk(api: Api, words: str, collection: str, name: str = "talk") -> str:
    files = {"file": (f"{name}.vtt", TALK.format(words).encode())}
    answer = api.http.post("/api/transcripts/upload", files=files, data={"collection_id": collection})
    return answer.json()["jobs"][0]["asset_id"]


def found(api: Api, collection: str, words: str) -> list[str]:
    hits = api.get("/api/search", q=words, collection_id=collection)["items"]
    return [f"{hit['asset']['id']} {hit['text']}" for hit in hits]


def at(stage: str) -> Callable[[dict[str, Any]], bool]:
    def holds(asset: dict[str, Any]) -> bool:
        return asset["stage"] == stage

    return holds


def rows_of(url: str, going_on: set[str]) -> dict[str, list[str]]:
    """Every row of every table as Postgres writes it, without what is volatile and what goes on."""

    async def read() -> dict[str, list[str]]:
        conn = await asyncpg.connect(url)
        try:
            tables = await conn.fetch(
                "SELECT schemaname, tablename FROM pg_tables WHERE schemaname = ANY($1) ORDER BY 1, 2", list(SERVICES)
            )
            read: dict[str, list[str]] = {}
            jobs = {
                str(row["id"])
                for row in await conn.fetch(
                    "SELECT id FROM gateway.jobs WHERE asset_id::text = ANY($1)", list(going_on)
                )
            }
            for schema, table in tables:
                name = f"{schema}.{table}"
                without = " - 'last_used_at'" if table == "api_keys" else ""
                lines = await conn.fetch(f"SELECT (to_jsonb(t){without})::text AS line FROM {name} AS t ORDER BY 1")
                kept = [row["line"] for row in lines]
                if name in JOURNEYS:
                    kept = [line for line in kept if not any(each in line for each in going_on | jobs)]
                read[name] = kept
            return {name: lines for name, lines in read.items() if name.split(".")[1] not in VOLATILE}
        finally:
            await conn.close()

    return asyncio.run(read())


@contextmanager
def thawing(stack: ThrowawayStack) -> Generator[Callable[[str], None]]:
    """Stops services where they are; all of them go on at the end."""
    frozen: list[psutil.Process] = []

    def freeze(service: str) -> None:
        process = stack.process(service)
        assert process is not None
        for each in leash.with_children(process):
            each.suspend()
            frozen.append(each)

    try:
        yield freeze
    finally:
        for each in reversed(frozen):
            each.resume()


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("short") / "short.opus"
    command = ["ffmpeg", "-v", "error", "-ss", "3", "-t", "6", "-i", str(DEMO), "-c", "copy", str(path)]
    subprocess.run(command, check=True, timeout=60)
    return path


@pytest.fixture(scope="module")
def before(stack: ThrowawayStack, media: MediaServer, short: Path, tmp_path_factory: pytest.TempPathFactory) -> Before:
    """A stack with finished work, with work stuck at every stage, and a backup of it taken in that moment."""
    api = Api(stack.url, stack.key)
    collection = api.collection(f"kept {uuid4()}")
    asset_ids = [
        talk(api, words, collection) for words in ("The lighthouse is white.", "Old news.", "The ferry leaves.")
    ]
    asset_ids.append(api.upload(short, collection_id=collection)["id"])
    assert {api.wait(each)["status"] for each in asset_ids} == {"ready"}
    _, deleted, corrected, sounding = asset_ids
    traces.wait_idle(stack)
    hits = found(api, collection, "lighthouse")
    answer = api.ask("What colour is the lighthouse?", collection_id=collection)["answer"]
    transcript = api.transcript(asset_ids[0])
    with thawing(stack) as freeze:
        freeze("embedder")
        path = f"/api/recordings/{corrected}"
        segment = api.transcript(corrected)["segments"][0]["id"]
        new = {"text": "The submarine dives."}
        url = f"{path}/transcript/segments/{segment}"
        assert api.http.patch(url, json=new, headers={"If-Match": "*"}).is_success
        assert api.http.patch(f"/api/assets/{corrected}", json={"title": "Below the sea"}).is_success
        indexing = talk(api, "The bridge is closed.", collection)
        api.until(indexing, at("index"))
        freeze("asr")
        transcribing = talk(api, "The harbour is open.", collection)
        api.until(transcribing, at("transcribe"))
        assert api.status_of("DELETE", f"/api/assets/{deleted}") == 202
        freeze("fetcher")
        fetching = api.add_url(media.serve("short.opus", short.read_bytes()), collection_id=collection)["id"]
        going_on = {"index": indexing, "transcribe": transcribing, "fetch": fetching}
        settle(stack)
        made, backups, saved = back_up(stack, sounding, tmp_path_factory.mktemp("backups"))
        rows = rows_of(stack.state.database_url, {*going_on.values()})
    return Before(
        collection=collection,
        found=hits,
        answer=answer,
        transcript=transcript,
        rows=rows,
        going_on=going_on,
        corrected=corrected,
        deleted=deleted,
        backup=made,
        backups=backups,
        saved=saved,
    )


def settle(stack: ThrowawayStack) -> None:
    """Until the services that are awake have said and heard everything."""
    deadline = time.monotonic() + 60

    async def waiting() -> int:
        conn = await asyncpg.connect(stack.state.database_url)
        try:
            return await conn.fetchval(
                "SELECT (SELECT count(*) FROM gateway.outbox) + (SELECT count(*) FROM chat.outbox)"
            )
        finally:
            await conn.close()

    while asyncio.run(waiting()):
        assert time.monotonic() < deadline
        time.sleep(0.2)


def back_up(stack: ThrowawayStack, sounding: str, backups: Path) -> tuple[BackedUp, Path, str]:
    """While an object that the backup needs is deleted between the dump and the copying."""
    objects = stack.data.objects
    (victim,) = [
        path
        for path in (objects / "playback").rglob("*")
        if path.is_file() and sounding_of(stack, sounding) in path.name
    ]
    saved = victim.read_bytes()
    store = DirectoryStore(objects)
    key = victim.relative_to(objects).as_posix()

    def say(line: str) -> None:
        if line.startswith("Copying"):
            thread = threading.Thread(target=lambda: asyncio.run(store.delete(key)))
            thread.start()
            thread.join()
            assert not victim.exists()

    made = commands.backup(stack.data.path, backups, say=say)
    assert not victim.exists()
    victim.parent.mkdir(exist_ok=True)
    victim.write_bytes(saved)
    return made, backups, key


def sounding_of(stack: ThrowawayStack, asset_id: str) -> str:
    async def look() -> str:
        conn = await asyncpg.connect(stack.state.database_url)
        try:
            return await conn.fetchval(
                "SELECT sha256 FROM fetcher.object_refs WHERE asset_id::text = $1 AND kind = 'playback'", asset_id
            )
        finally:
            await conn.close()

    return asyncio.run(look())


@pytest.fixture(scope="module")
def restored(before: Before) -> Generator[tuple[ThrowawayStack, Restored]]:
    """The folder that a restore made, not started yet."""
    throwaway = ThrowawayStack(environ={"EARSHOT_ALLOW_PRIVATE_HOSTS": "true"})
    try:
        yield throwaway, commands.restore(before.backup.path, throwaway.data.path, say=silent)
    finally:
        throwaway.__exit__(None, None, None)


def test_nothing_that_is_deleted_meanwhile_is_missing(before: Before) -> None:
    assert before.backup.missing == ()
    assert (before.backup.path / "objects" / before.saved).is_file()
    assert commands.verify_backup(before.backup.path, say=silent).rows == before.backup.rows


def test_the_next_backup_copies_only_what_is_new(stack: ThrowawayStack, before: Before) -> None:
    made = commands.backup(stack.data.path, before.backups, say=silent)
    known, now = inodes(before.backup.path), inodes(made.path)
    shared = {key for key in known.keys() & now.keys() if not key.startswith(("uploads/", "temporary/"))}
    assert before.saved in shared
    assert made.linked == len(shared)
    assert {known[key] for key in shared} == {now[key] for key in shared}
    commands.verify_backup(made.path, say=silent)


def inodes(backup: Path) -> dict[str, int]:
    objects = backup / "objects"
    return {path.relative_to(objects).as_posix(): path.stat().st_ino for path in objects.rglob("*") if path.is_file()}


def test_a_killed_backup_looks_like_none(stack: ThrowawayStack, tmp_path: Path) -> None:
    words = [sys.executable, "-c", KILLED, str(stack.data.path), str(tmp_path)]
    assert subprocess.run(words, check=False, timeout=60).returncode == -9
    (left,) = tmp_path.iterdir()
    assert left.name.startswith(".")
    made = commands.backup(stack.data.path, tmp_path, say=silent)
    assert list(tmp_path.iterdir()) == [made.path]


def test_every_row_and_object_is_there(restored: tuple[ThrowawayStack, Restored], before: Before) -> None:
    throwaway, done = restored
    assert done.going_on == len(before.going_on)
    folder = throwaway.data
    assert not folder.state.exists()
    with database_of(folder, keys.load_or_make(folder.secrets), None, silent) as url:
        now = rows_of(url, {*before.going_on.values()})
        needed = asyncio.run(stored_objects(url))
    assert now.keys() == before.rows.keys()
    assert {name: set(now[name]) ^ set(before.rows[name]) for name in now if now[name] != before.rows[name]} == {}
    there = {path.relative_to(folder.objects).as_posix(): path for path in folder.objects.rglob("*") if path.is_file()}
    assert needed.keys() <= there.keys()
    for uri, digest in needed.items():
        assert hashlib.sha256(there[uri].read_bytes()).hexdigest() == digest
    assert [key for key in there if key not in needed and not key.startswith(("uploads/", "."))] == []


async def stored_objects(url: str) -> dict[str, str]:
    conn = await asyncpg.connect(url)
    try:
        found: dict[str, str] = {}
        for service in SERVICES:
            rows = await conn.fetch(f"SELECT uri, sha256 FROM {service}.objects WHERE stored_at IS NOT NULL")
            found |= {row["uri"]: row["sha256"] for row in rows}
        return found
    finally:
        await conn.close()


def test_a_stopped_stack_is_backed_up_into_one_file(
    restored: tuple[ThrowawayStack, Restored], before: Before, tmp_path: Path
) -> None:
    throwaway, done = restored
    made = cli("backup", str(tmp_path / "all.tar"), "--data", str(throwaway.data.path), "--json")
    assert stat.S_IMODE((tmp_path / "all.tar").stat().st_mode) == 0o600
    assert json.loads(made.stdout)["copied"] == done.objects
    assert "is whole" in cli("backup", "verify", str(tmp_path / "all.tar")).stdout
    again = cli("restore", str(tmp_path / "all.tar"), "--data", str(tmp_path / "again")).stdout
    assert f"{done.objects} objects" in again
    assert f"{len(before.going_on)} unfinished recordings go on" in again
    with open_backup(tmp_path / "all.tar") as backup:
        assert backup.manifest.rows["asr.segments"] == len(before.rows["asr.segments"])


def cli(*words: str) -> Result:
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    return result


def test_the_restored_stack_answers_and_finishes_what_was_under_way(
    restored: tuple[ThrowawayStack, Restored], stack: ThrowawayStack, before: Before
) -> None:
    throwaway, _ = restored
    key = stack.key
    throwaway.start()
    api = Api(throwaway.url, key)
    for stage, asset_id in before.going_on.items():
        asset = api.wait(asset_id)
        assert (asset["status"], asset["run"]) == ("ready", 2), (stage, asset)
    old = [job["status"] for job in api.get("/api/jobs", collection_id=before.collection)["items"]]
    assert sorted(set(old)) == ["cancelled", "ready"]
    assert found(api, before.collection, "lighthouse")[0] == before.found[0]
    assert api.ask("What colour is the lighthouse?", collection_id=before.collection)["answer"] == before.answer
    traces.wait_purged(throwaway, before.deleted)
    traces.wait_idle(throwaway)
    hit = api.get("/api/search", q="submarine", collection_id=before.collection)["items"][0]
    assert (hit["asset"]["id"], hit["asset"]["title"]) == (before.corrected, "Below the sea")
    assert api.transcript(before.transcript["asset_id"]) == before.transcript
