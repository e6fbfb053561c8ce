#!/usr/bin/env bash
# Makes .venv-whisperx, the environment with torch that tests/whisperx runs in, with all that asks for torch; .venv
# stays without.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

uv=$(command -v uv || printf '%s\n' "$PWD/.venv-tools/bin/uv")
export UV_PROJECT_ENVIRONMENT=.venv-whisperx
# The Python that .venv was made with.
python=$(.venv/bin/python -c 'import sys; print(sys._base_executable)')

sync() { "$uv" sync --quiet --locked --all-packages --extra whisperx --extra sentence-transformers --python "$python" "$@"; }

if [ -x .venv-whisperx/bin/python ] && sync --check >/dev/null 2>&1; then exit 0; fi
echo "Installing torch and WhisperX into .venv-whisperx (about 4 GB to download, 7 GB on disk) …"
sync
