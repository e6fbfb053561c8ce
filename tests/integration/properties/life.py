"""The recordings of one life, held against the yardstick with everything that is done to them."""

from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from common import envelope, parked, topology
from common import events as e
from common.ids import uuid7

from tests.integration.properties.invariants import Watch, said_since, taken_in
from tests.integration.properties.looking import not_empty, see, strays, whole
from tests.integration.properties.model import Expected
from tests.integration.properties.network import Letter
from tests.integration.properties.sounds import Studio, subtitles
from tests.integration.properties.world import RECORDED_AT, TITLE, Visit, World

_MOST_DELIVERIES = 5_000


@dataclass
class Life:
    """What is expected of each recording, in the order in which they came."""

    world: World
    studio: Studio
    watch: Watch
    collections: list[UUID]
    expected: list[Expected] = field(default_factory=list[Expected])

    async def request(self, collection_id: UUID, keep_media: Any, *, lose_ack: bool) -> Expected:
        """Anyone with access to the broker may ask for a recording to be taken in."""
        sound = self.studio.sound(len(self.expected))
        wish = e.IngestionRequested(
            request_id=str(uuid7()),
            collection_id=collection_id,
            object_uri=await self.world.put_sound(f"sound-{sound.number}", sound.content),
            title=TITLE,
            recorded_at=RECORDED_AT,
            keep_media=keep_media,
        )
        message_id = uuid7()
        headers, body = envelope.headers_for(wish, "somebody", message_id), wish.model_dump_json().encode()
        exchange, network = topology.EVENTS_EXCHANGE, self.world.network
        await network.publish(exchange, wish.routing_key, body, headers, message_id=str(message_id))
        await self.world.deliver(network.waiting[-1], lose_ack=lose_ack)
        asset_id = await self.world.admin.fetchval(
            "SELECT asset_id FROM gateway.ingestion_requests WHERE request_id = $1", wish.request_id
        )
        self.expected.append(Expected(asset_id, sound, keep_media, TITLE, collection_id))
        return self.expected[-1]

    async def subtitle(self, collection_id: UUID, keep_media: Any) -> Expected:
        """Somebody brings subtitles instead of sound."""
        said, asset_id = subtitles(len(self.expected)), uuid7()
        uri = await self.world.put_sound(f"subtitles-{said.number}", said.content, "vtt")
        await self.world.add(asset_id, collection_id, uri, keep_media, captions=True)
        self.expected.append(Expected(asset_id, said, keep_media, TITLE, collection_id))
        return self.expected[-1]

    async def wish(self, wish: Coroutine[Any, Any, int], expected: int) -> None:
        """It is answered as it should be, and its fact is said if, and only if, it is granted."""
        before = await said_since(self.world, "gateway")
        assert await wish == expected
        said = await said_since(self.world, "gateway", before)
        assert len(said) == (1 if expected < 300 else 0), f"{said} of a wish answered with {expected}"

    async def deliver(self, letter: Letter, *, lose_ack: bool = False, visit: Visit | None = None) -> None:
        """Facts appear only with the inbox row of the message that caused them, and never of what is over."""
        before, known = await said_since(self.world, letter.service), await taken_in(self.world, letter)
        over = await self._over(letter)
        await self.world.deliver(letter, lose_ack=lose_ack, visit=visit)
        said = await said_since(self.world, letter.service, before)
        now_known = await taken_in(self.world, letter)
        assert not (said and known), f"{letter.name} was handled before and now said {said}"
        assert not said or now_known, f"{letter.name} left {said} and no inbox row"
        late = [fact for fact in said if isinstance(fact, e.Fact) and fact.run <= over and not _of_any_run(fact)]
        assert not late, f"{late} though run {over} was over"
        if letter.service == "gateway" and now_known and not known:
            for it in self.expected:
                if it.asset_id == letter.asset_id:
                    it.hear(letter.message)

    async def correct(self, it: Expected, pick: int) -> None:
        """Somebody puts another word in the place of one; where there is no complete transcript, that is told."""
        if it.deleted:
            return  # the gateway lets nobody through
        sql = "SELECT max(revision) FROM asr.transcripts WHERE asset_id = $1"
        newest, before = await self.world.admin.fetchval(sql, it.asset_id), await said_since(self.world, "asr")
        word, other = it.words[pick % len(it.words)], f"mended{_letters(len(it.corrected))}"
        status, revision = await self.world.correct(it.asset_id, word, other)
        said = await said_since(self.world, "asr", before)
        if newest is None:
            assert status in (404, 409)
            assert not said
            return
        assert (status, revision) == (200, newest + 1)
        (fact,) = said
        assert isinstance(fact, e.TranscriptRevised)
        assert (fact.asset_id, fact.revision) == (it.asset_id, revision)
        it.correct(fact.revision, word, other)

    async def _over(self, letter: Letter) -> int:
        """The last run that this service knows to be over: superseded, cancelled, or, deleted, any."""
        if letter.service == "gateway":
            return 0
        row = await self.world.admin.fetchrow(
            f"SELECT greatest(run - 1, cancelled_run) AS run, deleted_at FROM {letter.service}.asset_states "
            "WHERE asset_id = $1",
            letter.asset_id,
        )
        return 0 if row is None else row["run"] if row["deleted_at"] is None else 1_000_000

    async def replay(self, pick: int) -> None:
        """What is parked at asr, by an administrator."""
        async with self.world.services["asr"].transaction() as tx:
            rows = await parked.list_parked(tx.conn)
            if rows:
                assert await parked.replay(tx.conn, rows[pick % len(rows)].id)
        self.world.heard_from("asr")

    async def compare(self) -> None:
        """The gateway shows what the yardstick says."""
        rows = await self.world.fetch(
            "SELECT id, status, run, version, title, collection_id, recorded_at FROM gateway.assets"
        )
        shown = {row["id"]: tuple(row)[1:] for row in rows}
        for it in self.expected:
            if it.deleted:
                assert it.asset_id not in shown or shown[it.asset_id][0] == "deleting"
            else:
                wanted = (it.status, it.run, it.version, it.title, it.collection_id, it.recorded_at)
                assert shown[it.asset_id] == wanted

    async def end(self) -> None:
        """Nothing hangs; whatever is not ready can be brought there; and deleting leaves nothing."""
        await self._drain()
        for it in self._living():
            await self._check_over(it)
        self.world.ear.deaf.clear()
        for it in self._living():
            if it.status != "ready":
                # Without its sound, which its collection does not keep, it begins with the fetch.
                stage = "fetch" if it.keep_media == "none" else None
                assert await self.world.retry(it.asset_id, stage) == it.retry(stage) == 202
        await self._drain()
        for it in self._living():
            await self._check_whole(it)
        await self.world.tidy()
        assert await strays(self.world) == []
        for it in self.expected:
            assert await self.world.delete(it.asset_id) == it.delete()
        await self._drain()
        await self.world.tidy()
        assert await not_empty(self.world) == {}

    def _living(self) -> list[Expected]:
        return [it for it in self.expected if not it.deleted]

    async def _drain(self) -> None:
        for _ in range(_MOST_DELIVERIES):
            await self.world.relay()
            waiting = self.world.network.waiting or self.world.network.after_delay()
            if not waiting:
                await self.compare()
                await self.watch.check()
                return
            await self.deliver(waiting[0])
        raise AssertionError("it never became quiet")

    async def _check_over(self, it: Expected) -> None:
        assert not it.running, f"{it.asset_id} hangs: {it.status}"
        if it.status == "ready":
            await self._check_whole(it)
        elif it.status == "failed":
            parked_parts = await self.world.fetch("SELECT 1 FROM asr.parked WHERE asset_id = $1", it.asset_id)
            struck = parked_parts or any(sha256 == it.sound.sha256 for sha256, _ in self.world.ear.deaf)
            # A later run may find that the sound was not kept.
            assert it.failed == {"transcribe"}
            assert struck or (it.keep_media == "none" and it.run > 1)

    async def _check_whole(self, it: Expected) -> None:
        seen = await see(self.world, it.asset_id)
        assert seen is not None
        made = {revision: run for revision, (run, _) in seen.transcripts.items()}
        assert sorted(made) == list(range(1, len(made) + 1))
        assert [made[revision] for revision in sorted(made)] == sorted(made.values())
        known = {"collection_id": it.collection_id, "title": it.title, "recorded_at": it.recorded_at}
        kept = "none" if it.sound.captions else it.keep_media
        assert seen == whole(it.sound, **known, keep_media=kept, run=it.run, revisions=made, texts=it.reads(made))


def _of_any_run(fact: e.Fact) -> bool:
    """What counts whatever became of the run in which it is said."""
    return isinstance(fact, e.AssetPurged) or (isinstance(fact, e.AssetIndexed) and fact.cause == "correction")


def _letters(number: int) -> str:
    """Another word for every number, as words are told apart by letters alone."""
    return "".join(chr(ord("a") + int(digit)) for digit in str(number))
