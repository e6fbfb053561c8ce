"""The state machine: people and services do anything at any time, and every step is held against the yardstick."""

import functools
from collections.abc import Callable
from typing import Any

from common import topology
from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.integration.properties.conftest import Lab
from tests.integration.properties.invariants import Watch
from tests.integration.properties.life import Life
from tests.integration.properties.model import STAGES, Expected
from tests.integration.properties.network import Letter
from tests.integration.properties.sounds import Studio
from tests.integration.properties.world import Crash, Visit

PICK = st.integers(0, 99)
KEEP = st.sampled_from(["audio", "none"])
WISHES = st.sampled_from(
    [
        *(
            "rename",
            "move",
            "cancel",
            "retry",
            "again",
            "again fetch",
            *(f"retry {stage}" for stage in STAGES),
            "delete",
        ),
        *("correct", "correct"),
    ]
)
FAILURES = st.sampled_from(["relay dies", "ack lost", "delivered again", "crash"])
# Recordings of one life; more would only thin out what happens to each.
MOST = 3


def step(**strategies: Any) -> Callable[[Any], Any]:
    """A rule after which the network brings a few letters: life goes on whatever rules an example is made of."""

    def decorate(function: Any) -> Any:
        @rule(then=st.lists(PICK, max_size=6), **strategies)
        @functools.wraps(function)
        def stepped(self: "Earshot", then: list[int], **drawn: Any) -> Any:
            result = function(self, **drawn)
            self.deliver_some(then)
            return result

        return stepped

    return decorate


class Earshot(RuleBasedStateMachine):
    """Recordings live through their whole life, several at a time.

    Few rules with many kinds each: hypothesis leaves whole rules out of an example.
    """

    recordings: Bundle[Expected] = Bundle("recordings")

    def __init__(self, lab: Lab, studio: Studio) -> None:
        super().__init__()
        self.world, self.run_ = lab.world, lab.run
        collections = [self.run_(self.world.collection()) for _ in range(2)]
        self.life = Life(lab.world, studio, Watch(lab.world), collections)

    @initialize(target=recordings, keep_media=KEEP)
    def begin(self, keep_media: str) -> Expected:
        return self.run_(self.life.request(self.life.collections[0], keep_media, lose_ack=False))

    @precondition(lambda self: len(self.life.expected) < MOST)
    @step(target=recordings, where=PICK, keep_media=KEEP, subtitles=st.booleans())
    def request(self, where: int, keep_media: str, subtitles: bool) -> Expected:
        collection = self.life.collections[where % 2]
        if subtitles:
            return self.run_(self.life.subtitle(collection, keep_media))
        return self.run_(self.life.request(collection, keep_media, lose_ack=True))

    @step(it=recordings, wish=WISHES, where=PICK)
    def wish(self, it: Expected, wish: str, where: int) -> None:
        kind, _, stage = wish.partition(" ")
        if kind == "rename":
            self._edit(it, title=f"Name {where}")
        elif kind == "move":
            self._edit(it, collection_id=self.life.collections[where % 2], recorded_at=None)
        elif kind == "cancel" or (kind == "again" and it.running):
            self.run_(self.life.wish(self.world.cancel(it.asset_id), it.cancel()))
        elif kind == "correct":
            self.run_(self.life.correct(it, where))
        elif kind == "delete":
            self.run_(self.life.wish(self.world.delete(it.asset_id), it.delete()))
        if kind in ("retry", "again"):
            # "again" in one breath with the cancelling.
            self.run_(self.life.wish(self.world.retry(it.asset_id, stage or None), it.retry(stage or None)))

    def _edit(self, it: Expected, **change: Any) -> None:
        self.run_(self.life.wish(self.world.edit(it.asset_id, **change), it.edit(**change)))

    @step(count=st.integers(1, 12))
    def work_on(self, count: int) -> None:
        self.deliver_some([0] * count)

    def deliver_some(self, picks: list[int]) -> None:
        """The oldest letter for a pick of 0, any for any other; delays are over when nothing else is left."""
        for pick in picks:
            self.run_(self.world.relay())
            if waiting := self.world.network.waiting or self.world.network.after_delay():
                self._deliver(waiting[pick % len(waiting)])

    @step(
        kind=st.sampled_from(["relay dies", "ack lost", "delivered again", "crash"]), pick=PICK, visit=st.integers(1, 9)
    )
    def network_fails(self, kind: str, pick: int, visit: int) -> None:
        waiting, sent = self.world.network.waiting, self.world.network.sent
        if kind == "relay dies":
            self.run_(self.world.relay_and_die(topology.SERVICES[pick % len(topology.SERVICES)]))
        elif kind == "delivered again" and sent:
            self._deliver(sent[pick % len(sent)], lose_ack=True)
        elif kind == "ack lost" and waiting:
            self._deliver(waiting[pick % len(waiting)], lose_ack=True)
        elif kind == "crash" and waiting:
            self._deliver(waiting[pick % len(waiting)], visit=_crash_at(visit))

    def _deliver(self, letter: Letter, *, lose_ack: bool = False, visit: Visit | None = None) -> None:
        note(f"{letter.name} {letter.message_id[-4:]}")
        self.run_(self.life.deliver(letter, lose_ack=lose_ack, visit=visit))

    @step(it=recordings, kind=st.sampled_from(["bug in a part", "bug is gone", "replay", "clock"]), pick=PICK)
    def bugs_and_upkeep(self, it: Expected, kind: str, pick: int) -> None:
        if kind == "bug in a part" and not it.sound.captions:
            part = self.life.studio.parts_begin(it.sound)[pick % 2]
            self.world.ear.deaf.add((it.sound.sha256, part))
        elif kind == "bug is gone":
            self.world.ear.deaf.clear()
        elif kind == "replay":
            self.run_(self.life.replay(pick))
        elif kind == "clock":
            self.run_(self.world.tidy())

    @invariant()
    def nothing_regresses(self) -> None:
        self.run_(self.life.watch.check())

    @invariant()
    def the_gateway_shows_what_was_to_be_expected(self) -> None:
        self.run_(self.life.compare())

    def teardown(self) -> None:
        try:
            self.run_(self.life.end())
        finally:
            self.run_(self.world.forget_everything())


def _crash_at(wanted: int) -> Visit:
    visits = 0

    async def visit() -> None:
        nonlocal visits
        visits += 1
        # A process that is gone does not come back to tidy up.
        if visits >= wanted:
            raise Crash

    return visit
