"""Named places at which a process can be told to kill itself, so that tests can walk through every one of them.

``EARSHOT_CRASH_AT=<point>:<n>`` makes the process end like a power cut when it passes the point for the n-th time.
"""

import os
import signal
from typing import NoReturn

from common.topology import OWNERS, SERVICES, Service

_ALL: tuple[Service, ...] = SERVICES
_OWNERS: tuple[Service, ...] = OWNERS
# Those on whose way a recording is kept as objects.
_KEEPERS: tuple[Service, ...] = ("fetcher", "asr")

# Every point with the services that pass it while recordings come, are asked about and go.
POINTS: dict[str, tuple[Service, ...]] = {
    "consumer.received": _ALL,
    "consumer.acknowledging": _ALL,
    "consumer.acknowledged": _ALL,
    "retry.handing_on": _ALL,
    "retry.handed_on": _ALL,
    "parked.keeping": _ALL,
    "parked.kept": _ALL,
    "inbox.inserting": _ALL,
    "inbox.inserted": _ALL,
    "record.committing": _OWNERS,
    "record.committed": _OWNERS,
    "group.committing": ("gateway",),
    "group.committed": ("gateway",),
    "outbox.inserting": _ALL,
    "outbox.inserted": _ALL,
    "relay.claimed": _ALL,
    "relay.publishing": _ALL,
    "relay.confirmed": _ALL,
    "relay.deleting": _ALL,
    "relay.deleted": _ALL,
    "relay.committed": _ALL,
    "objects.announced": _KEEPERS,
    "objects.written": _KEEPERS,
    "objects.marked": _KEEPERS,
    "objects.referred": _KEEPERS,
    "objects.removing": _KEEPERS,
    "objects.removed": _KEEPERS,
    "purge.erased": _OWNERS,
    "gateway.registered": ("gateway",),
    "fetcher.upload_stored": ("fetcher",),
    "fetcher.claimed": ("fetcher",),
    "fetcher.brought": ("fetcher",),
    "fetcher.converted": ("fetcher",),
    "asr.transcription_kept": ("asr",),
    "asr.speech_found": ("asr",),
    "asr.part_recognised": ("asr",),
    "asr.part_saved": ("asr",),
    "asr.transcript_joined": ("asr",),
    "asr.transcript_saved": ("asr",),
    "asr.captions_kept": ("asr",),
    "asr.correction_stored": ("asr",),
    "asr.correction_saved": ("asr",),
    "embedder.remembered": ("embedder",),
    "embedder.correction_remembered": ("embedder",),
    "embedder.embedded": ("embedder",),
    "embedder.terms_added": ("embedder",),
    "embedder.removed": ("embedder",),
    "embedder.stored": ("embedder",),
    "chat.correction_noted": ("chat",),
    "chat.answer_begun": ("chat",),
    "chat.answer_flushed": ("chat",),
    "chat.answer_finishing": ("chat",),
}

_armed = ""
_left = 0


def arm(wish: str) -> None:
    """Take a wish ``<point>:<n>`` (n from 1, default 1); an empty one disarms. Raises ValueError with what is wrong."""
    global _armed, _left
    name, _, count = wish.partition(":")
    if name and name not in POINTS:
        raise ValueError(f"EARSHOT_CRASH_AT: there is no point {name!r}; the points are {', '.join(POINTS)}.")
    if count and not (count.isdigit() and int(count) > 0):
        raise ValueError(f"EARSHOT_CRASH_AT: {count!r} is not a number from 1; write <point>:<n>.")
    _armed, _left = name, int(count or 1)


def point(name: str) -> None:
    """The process passes ``name``, which must be one of POINTS."""
    if name == _armed:
        _pass()


def _pass() -> None:
    global _left
    _left -= 1
    if _left == 0:
        _die()


def _die() -> NoReturn:
    # Not even a finally runs.
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("killed")
