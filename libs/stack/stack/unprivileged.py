"""Finds how to run Postgres, which refuses to be root, without touching any user or the mode of any folder."""

import os
import shutil
import subprocess
from pathlib import Path

from stack.errors import Missing

NOBODY = 65_534
REMEDY = (
    "Run as an ordinary user, or give DATABASE_URL of a Postgres with pgvector "
    "(for example: docker run -p 5432:5432 -e POSTGRES_PASSWORD=pw pgvector/pgvector:pg18)."
)
IN_NAMESPACE = ("unshare", "-U", "--map-user=1000", "--map-group=1000", "--")


def prefix_for(folder: Path, program: Path) -> list[str]:
    """The words to put before `program` so that it runs as the owner of `folder`, yet never as root.

    An ordinary user needs none. Root maps itself to another number in a user namespace, where its own files keep
    their owner; where that is forbidden (most containers) it becomes `nobody`, to whom only `folder` is given.
    """
    if os.geteuid() != 0:
        return []
    owner = folder.stat().st_uid
    if owner == 0 and _works(list(IN_NAMESPACE), folder, program):
        return list(IN_NAMESPACE)
    become = _become(owner or NOBODY)
    if owner == 0:
        _give(folder, NOBODY)
    if not _works(become, folder, program):
        raise Missing(
            f"Postgres will not run as root, and root may not become another user to use {folder}.", remedy=REMEDY
        )
    return become


def _become(uid: int) -> list[str]:
    # The one capability kept lets it reach programs and data below a private home; it is not the owner of anything
    # else. Without the secure bit access(2), by which Postgres looks for its own programs, would not count it.
    return [
        "setpriv",
        f"--reuid={uid}",
        f"--regid={uid}",
        "--clear-groups",
        "--securebits=+no_setuid_fixup",
        "--inh-caps=-all,+dac_override",
        "--ambient-caps=-all,+dac_override",
        "--",
    ]


def _works(prefix: list[str], folder: Path, program: Path) -> bool:
    return succeeds([*prefix, "sh", "-c", 'test -w "$1" && "$2" --version', "sh", str(folder), str(program)])


def succeeds(words: list[str]) -> bool:
    """Whether a command exists and ends well; what it says is not of interest."""
    if shutil.which(words[0]) is None:
        return False
    return subprocess.run(words, capture_output=True, check=False).returncode == 0


def _give(folder: Path, uid: int) -> None:
    for path in (folder, *folder.rglob("*")):
        os.chown(path, uid, uid, follow_symlinks=False)
