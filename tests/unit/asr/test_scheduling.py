"""Is the accelerator kept at work by how windows are batched? ``accelerator`` states what it costs."""

import pytest

from tests.unit.asr.accelerator import schedule


@pytest.mark.parametrize("seed", range(5))
def test_the_accelerator_is_busy_and_its_batches_are_full(seed: int) -> None:
    found = schedule(seed)
    assert found.recognised == found.windows, "every window once"
    assert found.busy >= 0.9
    assert found.padding <= 0.1
    assert found.beside_one_file >= 1.8
    assert found.beside_one_file_on_threads >= 1.5, "nor is it the threads alone"
