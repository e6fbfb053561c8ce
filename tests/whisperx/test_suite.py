"""WhisperX on the suite that every engine must pass, in the ways it can be set."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from asr.providers.whisperx import WhisperX

from tests.engine_suite import Case, check, check_silence
from tests.whisperx.conftest import Taught


@pytest.mark.parametrize(
    "changes",
    [{}, {"whisperx_align": True}, {"whisperx_batch_size": 1, "whisperx_vad": "pyannote"}],
    ids=["timed by Whisper", "aligned", "one by one"],
)
async def test_the_suite_of_all_engines(
    engine_of: Callable[..., WhisperX], taught: Taught, tmp_path: Path, changes: dict[str, Any]
) -> None:
    case = Case(engine_of(**changes), taught.audio, taught.windows, taught.texts)
    await check(case)
    await check_silence(case, tmp_path)
