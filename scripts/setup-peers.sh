#!/usr/bin/env bash
# Makes .venv-peers, the environment of the libraries that `make bench ARGS=peers` measures search against, and of the
# proxy of `make bench ARGS="streaming --litellm"`. It has nothing of Earshot: they need older releases of packages that
# Earshot uses.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

uv=$(command -v uv || printf '%s\n' "$PWD/.venv-tools/bin/uv")
export UV_PROJECT_ENVIRONMENT="$PWD/.venv-peers"
# The Python that .venv was made with.
python=$(.venv/bin/python -c 'import sys; print(sys._base_executable)')

sync() { "$uv" sync --quiet --locked --project tests/bench/peers --python "$python" "$@"; }

if [ -x .venv-peers/bin/python ] && sync --check >/dev/null 2>&1; then exit 0; fi
echo "Installing LangChain's and LlamaIndex's stores, chromadb, lancedb and LiteLLM into .venv-peers (1.2 GB on disk) …"
sync
