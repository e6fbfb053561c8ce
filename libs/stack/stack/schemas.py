"""Writes and compares ``schemas/``: what the services promise each other and the world, made from code."""

from pathlib import Path

import yaml
from common.contracts import contract_files

from stack.openapi import merged_openapi
from stack.results import SchemasWritten

FOLDER = "schemas"
_EXAMPLES = "examples/"


def write_schemas(root: Path, *, check: bool = False) -> SchemasWritten:
    """Bring ``<root>/schemas`` up to date, or with ``check`` only say what differs.

    An example once written stays as it is: it stands for messages that are still under way somewhere.
    """
    wanted = contract_files()
    wanted["openapi.yaml"] = yaml.safe_dump(merged_openapi(), sort_keys=False, width=110, allow_unicode=True)
    folder = root / FOLDER
    changed = [name for name, content in wanted.items() if _differs(folder / name, name, content)]
    there = [path.relative_to(folder).as_posix() for path in sorted(folder.rglob("*")) if path.is_file()]
    removed = [name for name in there if name not in wanted and not name.startswith(_EXAMPLES)]
    if not check:
        for name in changed:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(wanted[name], encoding="utf-8")
        for name in removed:
            (folder / name).unlink()
    return SchemasWritten(tuple(Path(FOLDER, name) for name in changed), tuple(Path(FOLDER, name) for name in removed))


def _differs(path: Path, name: str, content: str) -> bool:
    if not path.is_file():
        return True
    return not name.startswith(_EXAMPLES) and path.read_text(encoding="utf-8") != content
