"""Two minutes of faults of every kind on a real Earshot under load: nothing is lost, doubled, stuck or mixed up."""

import pytest

from tests.faults.nemesis import KINDS
from tests.faults.run import Effort, run

# However long a busy machine needs for it.
EFFORT = Effort(jobs=300, faults=24, seconds=900, fault_seconds=75, in_flight=20)


@pytest.mark.timeout(1500)
async def test_every_recording_comes_to_its_right_end_whatever_happens_meanwhile() -> None:
    report = await run(7, EFFORT, print)
    assert [str(finding) for finding in report.findings] == []
    assert report.shortfalls == []
    # Every fault really fired, and what was asked for was worth the faults.
    assert all(report.fired[kind] >= 1 for kind in KINDS)
    assert report.ends["ready"] > 100
