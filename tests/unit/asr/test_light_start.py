"""What is not used is not imported: it would cost every worker time at its start and memory at rest."""

import subprocess
import sys


def test_the_service_starts_without_what_only_some_settings_need() -> None:
    asked = "import sys, asr.main; print(*sorted({'openai', 'scipy', 'torch', 'whisperx'} & set(sys.modules)))"
    told = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert told.stdout.split() == []
