"""kill -9 of any one process while a recording is on its way: it completes, once, and no fact is lost."""

from pathlib import Path

import pytest
from stack.testing import ThrowawayStack

from tests.e2e import traces
from tests.e2e.api import Api

VICTIMS = ("gateway", "fetcher", "asr", "embedder", "chat", "rabbitmq", "postgres")
# When each of them is in the middle of its own work; the others die while speech is being recognised.
MOMENTS = {"fetcher": "fetch", "embedder": "index"}


@pytest.mark.parametrize("victim", VICTIMS)
def test_the_recording_completes_though_one_was_killed(stack: ThrowawayStack, clip: Path, victim: str) -> None:
    api = Api(stack.url, stack.key)
    asset = api.upload(clip, collection_id=api.collection(f"kill {victim}"))
    moment = MOMENTS.get(victim, "transcribe")
    api.until(asset["id"], lambda now: now["stage"] == moment or now["status"] == "ready")
    before = stack.process(victim)
    assert before is not None
    stack.kill(victim)
    # The fault really fired: that very process is gone.
    assert not before.is_running()
    done = api.wait(asset["id"])
    assert done["status"] == "ready", done
    traces.wait_idle(stack)
    assert traces.doubled(stack, asset["id"]) == {}
    assert traces.orphans(stack) == {}
    # The recording may have been through before the victim was back.
    api.wait_up()
    answer = api.ask("How much are they borrowing?", collection_id=asset["collection_id"])
    assert answer["answered"] is True
    after = stack.process(victim)
    assert after is not None
    assert after.pid != before.pid
