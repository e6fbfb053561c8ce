"""Any wish, any delivery, any crash, in any order: what was promised holds after every step and in the end."""

from hypothesis.stateful import run_state_machine_as_test

from tests.integration.properties.conftest import Lab
from tests.integration.properties.effort import effort
from tests.integration.properties.machine import Earshot
from tests.integration.properties.sounds import Studio


def test_recordings_live_through_anything(lab: Lab, studio: Studio) -> None:
    run_state_machine_as_test(lambda: Earshot(lab, studio), settings=effort(25, steps=30))  # type: ignore[arg-type]
