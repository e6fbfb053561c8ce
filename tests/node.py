"""Node.js with what scripts/setup-npm.sh installs: the official clients, unmodified, and what steers a browser."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

# A folder in which these packages were installed by hand, at whatever versions.
VARIABLE = "EARSHOT_NPM"
FOLDER = Path(os.environ.get(VARIABLE) or Path(__file__).with_name("npm")).resolve()
TIMEOUT = 240


def needs(package: str) -> pytest.MarkDecorator:
    there = shutil.which("node") is not None and (FOLDER / "node_modules" / package).is_dir()
    return pytest.mark.skipif(
        not there, reason=f"{package} of npm is not here: make setup-npm installs it, or says why not"
    )


def run(script: Path, *words: object, told: str | None = None) -> subprocess.CompletedProcess[str]:
    """`script` is called with the folder of its packages and these words; `told` is its standard input."""
    argv = ["node", str(script), str(FOLDER), *map(str, words)]
    done = subprocess.run(argv, input=told, capture_output=True, text=True, check=False, timeout=TIMEOUT)
    assert done.returncode == 0, done.stderr
    return done
