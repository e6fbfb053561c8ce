"""The load: so many recordings at a time are added, edited, cancelled, begun again and deleted, as the script says."""

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from common.events import IngestionRequested

from tests.faults.asking import Answer, Asking, Unanswered
from tests.faults.book import Book, Entry
from tests.faults.ear import Ear
from tests.faults.script import COLLECTIONS, CORRECTION, Plan, Step
from tests.faults.watching import Watch
from tests.faults.world import World

_NOT_MEDIA = b"Dear all, please find the minutes attached. " * 20


class Load:
    """Closed loop: a recording's next step waits for the one before; a new recording waits for a free place."""

    def __init__(self, world: World, book: Book, ear: Ear, watch: Watch) -> None:
        self._world = world
        self._book = book
        self._ear = ear
        self._watch = watch
        self.asking = Asking(world.client, world.gateways, book)
        self._late: set[asyncio.Task[None]] = set()

    async def prepare(self) -> None:
        for number in range(COLLECTIONS):
            name = {"name": f"Rig {number}"}
            made = await self.asking.ask("POST", "/api/collections", json=name, headers=_key(f"collection-{number}"))
            self._book.collections.append(UUID(made.body["id"]))

    async def run(self, plans: Iterator[Plan], in_flight: int, enough: Callable[[], bool]) -> None:
        """Returns when there is enough and every recording that was begun has gone its way."""

        async def place() -> None:
            for plan in plans:
                if enough():
                    return
                await self.live(plan)

        async with asyncio.TaskGroup() as places:
            for _ in range(in_flight):
                places.create_task(place())
        await asyncio.gather(*self._late)

    async def live(self, plan: Plan) -> Entry:
        """One recording from its beginning to its end."""
        entry = self._book.begin(plan)
        entry.title, entry.collection_id = f"{plan.name} at first", self._book.collections[plan.collection]
        try:
            await self._add(entry)
            for step in plan.steps:
                await self._take(step, entry)
            if not entry.deleted:
                await self._over(entry)
        except Unanswered:
            # The book has it; the ledger decides what it means.
            pass
        return entry

    async def _add(self, entry: Entry) -> None:
        plan = entry.plan
        if plan.way in ("broker", "incoming"):
            await self._publish(entry)
            entry.asset_id = await self._watch.requested(plan.name)
        elif plan.way == "captions":
            answer = await self._upload_captions(entry)
            entry.asset_id = UUID(answer.body["jobs"][0]["asset_id"])
        else:
            answer = await (self._upload(entry) if plan.way == "upload" else self._name_url(entry))
            entry.asset_id = UUID(answer.body["asset"]["id"])
        entry.run, entry.began_at[1] = 1, "fetch"

    def _fields(self, entry: Entry) -> dict[str, Any]:
        plan = entry.plan
        fields = {
            "title": entry.title,
            "collection_id": str(entry.collection_id),
            "priority": plan.priority,
            "keep_media": plan.keep_media,
        }
        return fields | ({"engine": "none-such"} if plan.flaw == "engine" else {})

    async def _upload(self, entry: Entry) -> Answer:
        sound = _NOT_MEDIA if entry.plan.flaw == "not_media" else entry.plan.sound
        return await self.asking.ask(
            "POST",
            "/api/recordings/upload",
            files={"file": (f"{entry.plan.name}.wav", sound)},
            data=self._fields(entry),
            headers=_key(entry.plan.name),
        )

    async def _upload_captions(self, entry: Entry) -> Answer:
        return await self.asking.ask(
            "POST",
            "/api/transcripts/upload",
            files={"file": (f"{entry.plan.name}.vtt", entry.plan.captions)},
            data=self._fields(entry),
            headers=_key(entry.plan.name),
        )

    async def _name_url(self, entry: Entry) -> Answer:
        asked = {"url": self._url(entry), **self._fields(entry)}
        return await self.asking.ask("POST", "/api/recordings", json=asked, headers=_key(entry.plan.name))

    def _url(self, entry: Entry) -> str:
        if entry.plan.flaw == "missing":
            return f"http://127.0.0.1:{self._world.media.port}/missing/{entry.plan.name}.wav"
        return self._world.media.serve(f"{entry.plan.name}.wav", entry.plan.sound)

    async def _publish(self, entry: Entry) -> None:
        """Once for certain; the repetitions, each a message of its own, come when they come."""
        body = await asyncio.to_thread(self._request, entry)
        await self._say(body)
        for repetition in range(entry.plan.repeats):
            again = asyncio.create_task(self._say(body, after_seconds=0.7 * repetition))
            self._late.add(again)
            again.add_done_callback(self._late.discard)

    def _request(self, entry: Entry) -> bytes:
        fields = self._fields(entry)
        options = {"engine": fields.pop("engine")} if "engine" in fields else {}
        place = {"url": self._url(entry)} if entry.plan.way == "broker" else {"object_uri": self._put(entry)}
        return json.dumps({"request_id": entry.plan.name, "options": options, **place, **fields}).encode()

    def _put(self, entry: Entry) -> str:
        """The file below incoming/, as another program would lay it there."""
        path = Path(self._world.data.objects) / "incoming" / f"{entry.plan.name}.wav"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(entry.plan.sound)
        return f"incoming/{path.name}"

    async def _say(self, body: bytes, after_seconds: float = 0.0) -> None:
        await asyncio.sleep(after_seconds)
        await self._ear.say_surely(IngestionRequested.type, body, {}, uuid4())

    async def _take(self, step: Step, entry: Entry) -> None:
        match step.act:
            case "retry":
                status = await self._over(entry)
                await self._retry(entry, step.stage if status == "ready" else None)
            case "correct":
                await self._over(entry)
                await self._correct(entry)
            case "edit":
                await self._change(entry, title=f"{entry.plan.name} edit {entry.edits + entry.maybe_edits + 1}")
            case "move":
                at = self._book.collections.index(entry.collection_id or UUID(int=0))
                await self._change(entry, collection_id=str(self._book.collections[(at + 1) % COLLECTIONS]))
            case "cancel":
                await asyncio.sleep(step.after_seconds)
                await self._cancel(entry)
            case "delete":
                await (asyncio.sleep(step.after_seconds) if step.early else self._over(entry))
                await self._delete(entry)

    async def _over(self, entry: Entry) -> str:
        assert entry.asset_id is not None
        return await self._watch.over(entry.asset_id, entry.run)

    async def _retry(self, entry: Entry, stage: str | None) -> None:
        """A run whose number is known; one more may have been begun by a try that nobody answered."""
        asked = {"from_stage": stage} if stage else {}
        answer = await self.asking.ask("POST", f"/api/assets/{entry.asset_id}/retry", json=asked)
        entry.maybe_runs += answer.doubts
        if answer.status == 202:
            entry.run = answer.body["job"]["run"]
            if not answer.doubts and stage:
                entry.began_at[entry.run] = stage
        elif answer.status == 409 and entry.maybe_runs:
            entry.run = (await self._read(entry))["run"]
        else:
            self._book.bugs[f"retry from {stage}: {answer.status} {answer.body.get('detail')}"] += 1

    async def _correct(self, entry: Entry) -> None:
        """Find and replace: what a try that nobody answered has done, the next one finds done."""
        for find, replacement in CORRECTION.items():
            answer = await self.asking.ask(
                "POST",
                f"/api/recordings/{entry.asset_id}/transcript/replace",
                json={"find": find, "replace": replacement},
            )
            entry.corrected = answer.status == 200
            if answer.status != 200 or not (answer.body["replacements"] or answer.doubts):
                self._book.bugs[f"correct: {answer.status} {answer.body.get('detail')}"] += 1

    async def _change(self, entry: Entry, **asked: str) -> None:
        """With the version it was based on: an edit that nobody answered cannot overtake a later one."""
        while True:
            seen = await self._read(entry)
            if all(seen[name] == value for name, value in asked.items()):
                break
            version = {"If-Match": f'"{seen["version"]}"'}
            answer = await self.asking.ask("PATCH", f"/api/assets/{entry.asset_id}", json=asked, headers=version)
            entry.maybe_edits += answer.doubts
            if answer.status == 200:
                entry.edits += 1
                break
            if answer.status != 412:
                self._book.bugs[f"edit: {answer.status} {answer.body.get('detail')}"] += 1
                return
        entry.title = asked.get("title", entry.title)
        entry.collection_id = UUID(asked.get("collection_id", str(entry.collection_id)))

    async def _cancel(self, entry: Entry) -> None:
        """What was called off is taken up again where it stood."""
        answer = await self.asking.ask("POST", f"/api/assets/{entry.asset_id}/cancel")
        entry.maybe_cancels += answer.doubts
        if answer.status == 200:
            entry.cancelled.add(answer.body["job"]["run"])
        if await self._over(entry) == "cancelled":
            await self._retry(entry, None)

    async def _delete(self, entry: Entry) -> None:
        answer = await self.asking.ask("DELETE", f"/api/assets/{entry.asset_id}")
        entry.deleted = answer.status == 202 or (answer.status == 404 and answer.doubts > 0)
        if not entry.deleted:
            self._book.bugs[f"delete: {answer.status} {answer.body.get('detail')}"] += 1

    async def _read(self, entry: Entry) -> dict[str, Any]:
        return (await self.asking.ask("GET", f"/api/assets/{entry.asset_id}")).body


def _key(name: str) -> dict[str, str]:
    return {"Idempotency-Key": name}
