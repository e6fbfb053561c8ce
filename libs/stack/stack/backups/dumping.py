"""pg_dump and pg_restore of the bundled Postgres, with passwords where no other user sees them."""

import os
import signal
import subprocess
import tempfile
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from stack import leash
from stack.errors import StackError
from stack.postgres import bin_folder

_FULL = "No space left on device"


def dump(url: str, snapshot: str, path: Path) -> None:
    """The whole database as ``snapshot`` shows it, in Postgres's own compressed format. StackError when it fails."""
    words = ["pg_dump", "--format=custom", "--no-password", f"--snapshot={snapshot}", f"--file={path}"]
    _run(url, words, path)
    path.chmod(0o600)


def restore(url: str, path: Path) -> None:
    """All or nothing, into a database that has the roles and nothing else. StackError when it fails."""
    words = ["pg_restore", "--exit-on-error", "--single-transaction", "--no-password"]
    _run(url, [*words, f"--dbname={_without_password(url)}", str(path)], path)


def _run(url: str, words: list[str], path: Path) -> None:
    program = str(bin_folder() / words[0])
    last = [] if words[0] == "pg_restore" else [_without_password(url)]
    with tempfile.TemporaryFile() as said:
        done = subprocess.run(
            [*leash.tied(signal.SIGTERM), program, *words[1:], *last],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=said,
            cwd="/",
            env=_environment(url),
            check=False,
        )
        said.seek(0)
        errors = said.read().decode(errors="replace").strip()
    if done.returncode == 0:
        return
    if _FULL in errors:
        raise StackError(f"The disk of {path} is full.", remedy="Make room, or go elsewhere.")
    raise StackError(f"{words[0]} failed: {errors[-1500:]}", remedy="Nothing was left behind; try again.")


def _environment(url: str) -> dict[str, str]:
    """The password stands in no list of processes."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    # The dump must be read at its own pace, whatever the server's administrator set for others.
    return kept | {
        "PGPASSWORD": unquote(urlsplit(url).password or ""),
        "PGOPTIONS": "-c statement_timeout=0 -c idle_in_transaction_session_timeout=0",
        "LC_ALL": "C",
    }


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    user, _, place = parts.netloc.rpartition("@")
    name = user.partition(":")[0]
    return urlunsplit(parts._replace(netloc=f"{name}@{place}" if name else place))
