"""Writes and compares ``schemas/`` and the page of errors: what the services promise the world, made from code."""

from pathlib import Path

import yaml
from common.categories import as_page
from common.contracts import contract_files

from stack.openapi import merged_openapi
from stack.results import SchemasWritten

FOLDER = "schemas"
ERRORS_PAGE = Path("docs", "errors.md")
_EXAMPLES = "examples/"


def write_schemas(root: Path, *, check: bool = False) -> SchemasWritten:
    """Bring ``<root>/schemas`` and ``<root>/docs/errors.md`` up to date, or with ``check`` only say what differs.

    An example once written stays as it is: it stands for messages that are still under way somewhere.
    """
    wanted = contract_files()
    wanted["openapi.yaml"] = yaml.safe_dump(merged_openapi(), sort_keys=False, width=110, allow_unicode=True)
    folder = root / FOLDER
    changed = [name for name, content in wanted.items() if _differs(folder / name, name, content)]
    there = [path.relative_to(folder).as_posix() for path in sorted(folder.rglob("*")) if path.is_file()]
    removed = [name for name in there if name not in wanted and not name.startswith(_EXAMPLES)]
    page = root / ERRORS_PAGE
    pages = [ERRORS_PAGE] if not page.is_file() or page.read_text(encoding="utf-8") != as_page() else []
    if not check:
        if pages:
            page.parent.mkdir(parents=True, exist_ok=True)
            page.write_text(as_page(), encoding="utf-8")
        for name in changed:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(wanted[name], encoding="utf-8")
        for name in removed:
            (folder / name).unlink()
    return SchemasWritten(
        (*pages, *(Path(FOLDER, name) for name in changed)), tuple(Path(FOLDER, name) for name in removed)
    )


def _differs(path: Path, name: str, content: str) -> bool:
    if not path.is_file():
        return True
    return not name.startswith(_EXAMPLES) and path.read_text(encoding="utf-8") != content
