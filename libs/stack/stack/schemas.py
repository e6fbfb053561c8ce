"""Writes and compares what is made from code: ``schemas/``, and the pages, examples and manifests beside it."""

from pathlib import Path

import yaml
from common.categories import as_page
from common.contracts import contract_files

from stack.example_env import example_files
from stack.openapi import merged_openapi
from stack.results import SchemasWritten
from stack.topology_resources import RESOURCES_FILE, topology_resources

FOLDER = "schemas"
ERRORS_PAGE = Path("docs", "errors.md")
_EXAMPLES = "examples/"


def write_schemas(root: Path, *, check: bool = False) -> SchemasWritten:
    """Bring ``<root>/schemas`` and the files beside it up to date, or with ``check`` only say what differs.

    An example once written stays as it is: it stands for messages that are still under way somewhere.
    """
    wanted = contract_files()
    wanted["openapi.yaml"] = yaml.safe_dump(merged_openapi(), sort_keys=False, width=110, allow_unicode=True)
    folder = root / FOLDER
    changed = [name for name, content in wanted.items() if _differs(folder / name, name, content)]
    there = [path.relative_to(folder).as_posix() for path in sorted(folder.rglob("*")) if path.is_file()]
    removed = [name for name in there if name not in wanted and not name.startswith(_EXAMPLES)]
    pages = {ERRORS_PAGE: as_page(), RESOURCES_FILE: topology_resources()}
    pages |= {Path(name): content for name, content in example_files().items()}
    stale = [path for path, content in pages.items() if _differs(root / path, path.name, content)]
    if not check:
        for path in stale:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(pages[path], encoding="utf-8")
        for name in changed:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(wanted[name], encoding="utf-8")
        for name in removed:
            (folder / name).unlink()
    return SchemasWritten(
        (*stale, *(Path(FOLDER, name) for name in changed)), tuple(Path(FOLDER, name) for name in removed)
    )


def _differs(path: Path, name: str, content: str) -> bool:
    if not path.is_file():
        return True
    return not name.startswith(_EXAMPLES) and path.read_text(encoding="utf-8") != content
