"""Speakers: measured in the environment that has torch, where there is one; else a line that says what is left out."""

import json
import subprocess
import sys

from asr.providers.voices_builtin import is_installed
from bench.lines import Line
from bench.speech.recordings import ROOT

SECOND_ENVIRONMENT = ROOT / ".venv-whisperx" / "bin" / "python"
HOW = "needs torch: `make setup-whisperx` installs it beside (4 GB to download, 7 GB on disk)"


def python_with_torch() -> str | None:
    """Of this environment, else of the second one."""
    if is_installed():
        return sys.executable
    return str(SECOND_ENVIRONMENT) if SECOND_ENVIRONMENT.exists() else None


def run_with_torch(module: str) -> None:
    """Ends this process where there is no such environment, or the module fails."""
    python = python_with_torch()
    if python is None:
        sys.exit(f"{module} {HOW}")
    if status := subprocess.run([python, "-m", module], cwd=ROOT).returncode:
        sys.exit(status)


async def run() -> list[Line]:
    python = python_with_torch()
    if python is None:
        return [Line("diarization error, words with the right speaker: not measured", HOW)]
    # What libraries say of themselves goes to stderr, and is wanted only where something breaks.
    done = subprocess.run([python, "-m", "bench.speech.voices"], capture_output=True, text=True, cwd=ROOT)
    if done.returncode:
        sys.exit(f"bench.speech.voices failed:\n{done.stderr[-4000:]}")
    return [Line(**line) for line in json.loads(done.stdout.splitlines()[-1])]
