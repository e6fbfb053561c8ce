"""The chat page's bundle is the one that its sources make."""

import hashlib
import json
import re
import shutil
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from gateway.pages.bundle import bundle

ROOT = Path(__file__).parents[3]
WEB = ROOT / "services" / "gateway" / "web"
MADE = ROOT / "services" / "gateway" / "gateway" / "pages" / "agui"
# What the tests drive.
TESTS = ROOT / "tests" / "npm"
REMEDY = "run scripts/build-agui.sh and commit what it writes"


def test_it_was_made_from_the_sources_that_are_here() -> None:
    told = json.loads((MADE / "manifest.json").read_text())["sources"]
    names = [
        "package.json",
        "package-lock.json",
        "build.mjs",
        *(f"src/{path.name}" for path in (WEB / "src").iterdir()),
    ]
    here = {name: hashlib.sha256((WEB / name).read_bytes()).hexdigest() for name in names}
    assert told == here, REMEDY


def test_nothing_else_is_served_and_it_is_small() -> None:
    served = {file.name for file in bundle().values()}
    assert {path.name for path in MADE.iterdir()} == served | {"manifest.json", "licenses.txt"}, REMEDY
    assert sum(len(file.content) for file in bundle().values()) < 300_000
    # The page's policy forbids to make code out of text.
    script = bundle()["chat.js"].content.decode()
    assert "new Function" not in script
    assert "eval(" not in script
    assert "@ag-ui/client 1.0.0 (MIT)" in (MADE / "licenses.txt").read_text()


@pytest.mark.parametrize("folder", [WEB, TESTS], ids=["page", "tests"])
def test_packages_come_from_the_public_registry_with_checksums(folder: Path) -> None:
    packages = json.loads((folder / "package-lock.json").read_text())["packages"]
    fetched = [package for path, package in packages.items() if path]
    assert {urlsplit(package["resolved"]).hostname for package in fetched} == {"registry.npmjs.org"}
    assert all(package["integrity"].startswith("sha512-") for package in fetched)


def test_tests_drive_the_client_that_the_page_is_made_of() -> None:
    page, tests = (json.loads((folder / "package.json").read_text())["dependencies"] for folder in (WEB, TESTS))
    assert tests["@ag-ui/client"] == page["@ag-ui/client"]
    assert [version for version in tests.values() if not re.fullmatch(r"\d+\.\d+\.\d+", version)] == []


@pytest.mark.skipif(
    not (WEB / "node_modules" / "esbuild").is_dir() or shutil.which("node") is None,
    reason="needs Node.js and the packages that scripts/build-agui.sh fetches",
)
def test_building_it_again_makes_the_same(tmp_path: Path) -> None:
    subprocess.run(["node", "build.mjs", str(tmp_path)], cwd=WEB, check=True, timeout=120)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {
        path.name: path.read_bytes() for path in MADE.iterdir()
    }, REMEDY
