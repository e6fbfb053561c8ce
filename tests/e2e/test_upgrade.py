"""An upgrade while people work: services of an earlier commit go on after the migrations of this one.

``EARSHOT_UPGRADE_FROM=<commit> make test ARGS=tests/e2e/test_upgrade.py``, before a release. It needs the history.
"""

import os
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import pytest
from stack.testing import ThrowawayStack

from tests.e2e import traces
from tests.e2e.api import ROOT, TALK, Api

FROM = os.environ.get("EARSHOT_UPGRADE_FROM", "")

pytestmark = pytest.mark.skipif(not FROM, reason="EARSHOT_UPGRADE_FROM names no commit")


@pytest.fixture(scope="module")
def old_code(tmp_path_factory: pytest.TempPathFactory) -> Generator[Path]:
    place = tmp_path_factory.mktemp("old") / "earshot"
    git = ["git", "-C", str(ROOT), "worktree"]
    subprocess.run([*git, "add", "--detach", "--quiet", str(place), FROM], check=True)
    yield place
    subprocess.run([*git, "remove", "--force", str(place)], check=True)


def paths_of(code: Path) -> str:
    """In front of the packages that are installed."""
    return os.pathsep.join(str(path.parent) for path in sorted(code.glob("*/*/pyproject.toml")))


def migrate(stack: ThrowawayStack) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "earshot", "migrate", "--data", str(stack.data.path)],
        env={**os.environ, "EARSHOT_HOME": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def work(api: Api, collection: str) -> str:
    """What people do: upload, read, correct, search, ask, delete. Answers the id of a recording that stays."""
    stays, goes = api.upload(TALK, collection_id=collection), api.upload(TALK, collection_id=collection)
    for asset in (stays, goes):
        assert api.wait(asset["id"])["status"] == "ready"
    transcript = api.transcript(stays["id"])
    path = f"/api/recordings/{stays['id']}/transcript/segments/{transcript['segments'][0]['id']}"
    match = {"If-Match": f'"{transcript["revision"]}"'}
    edited = api.http.patch(path, json={"text": "Zanzibar is where we meet."}, headers=match)
    assert edited.status_code == 200, edited.text
    assert api.http.delete(f"/api/assets/{goes['id']}").status_code in (202, 204)
    look_up(api, collection)
    return stays["id"]


def look_up(api: Api, collection: str) -> None:
    found = api.get("/api/search", q="musicians", collection_id=collection)
    assert found["items"]
    question = {"question": "How much does the owner want for the theater?", "collection_id": collection}
    assert api.post("/api/answers", question)["answered"] is True


def test_work_goes_on_through_an_upgrade(old_code: Path) -> None:
    old = {**os.environ, "PYTHONPATH": paths_of(old_code), "EARSHOT_ALLOW_PRIVATE_HOSTS": "true"}
    stack = ThrowawayStack(environ=old)
    with stack:
        before = Api(stack.url, stack.key)
        collection = before.collection("upgraded")
        kept = [work(before, collection)]
        migrate(stack)
        kept.append(work(before, collection))
        # Whatever is started anew before its turn is still of the earlier commit.
        for name in ("gateway", "fetcher", "asr", "embedder", "chat"):
            stack.kill(name)
        before.wait_up()
        kept.append(work(before, collection))
        stack.stop()
        stack._environ = {**os.environ, "EARSHOT_ALLOW_PRIVATE_HOSTS": "true"}
        stack.restart()
        after = Api(stack.url, stack.key)
        look_up(after, collection)
        for asset_id in kept:
            assert after.transcript(asset_id)["segments"][0]["text"].startswith("Zanzibar")
            assert traces.doubled(stack, asset_id).keys() <= {"revisions"}
        work(after, collection)
        # Queues that are new in this version are there now, too.
        traces.wait_idle(stack)
