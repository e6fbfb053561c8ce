"""The chat page's bundle: files under the names of their content, which browsers may keep for good."""

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

_TYPES = {"js": "text/javascript; charset=utf-8", "css": "text/css; charset=utf-8"}


@dataclass(frozen=True)
class BundleFile:
    """``integrity`` is what a page demands of the file (Subresource Integrity)."""

    name: str
    integrity: str
    content: bytes

    @property
    def media_type(self) -> str:
        return _TYPES[self.name.rsplit(".", 1)[1]]

    @property
    def etag(self) -> str:
        return f'"{self.integrity}"'


@cache
def bundle() -> dict[str, BundleFile]:
    """By what they are in the page: ``chat.js`` and ``chat.css``. Made by scripts/build-agui.sh."""
    folder = files("gateway") / "pages" / "agui"
    made = json.loads((folder / "manifest.json").read_text("utf-8"))["files"]
    return {
        place: BundleFile(one["name"], one["integrity"], (folder / one["name"]).read_bytes())
        for place, one in made.items()
    }


def bundle_file(name: str) -> BundleFile | None:
    return next((file for file in bundle().values() if file.name == name), None)
