"""Writes files that only their owner may read."""

import os
from pathlib import Path
from typing import BinaryIO


def create_private(path: Path) -> BinaryIO:
    """A new file of mode 0600 that was never readable by others, not even for a moment. FileExistsError when there is
    one."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


def write_private(path: Path, text: str) -> None:
    """Replaces `path` at once by such a file."""
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    with create_private(new) as file:
        file.write(text.encode())
    new.replace(path)
