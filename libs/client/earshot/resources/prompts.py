"""Prompts by purpose: what a model is told, unless somebody writes it anew. Changing them is for administrators."""

from collections.abc import Iterator

from earshot.models import Page, Prompt, PromptDefault, PromptVersion
from earshot.paging import pages
from earshot.resources.instructions import if_match
from earshot.transport import Transport

PATH = "/api/prompts"


class Prompts:
    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def all(self) -> list[Prompt]:
        """Of every purpose; there are few."""
        return self._transport.fetch(Page[Prompt], "GET", PATH).items

    def get(self, purpose: str) -> Prompt:
        return self._transport.fetch(Prompt, "GET", f"{PATH}/{purpose}")

    def default(self, purpose: str) -> PromptDefault:
        """The built-in one, also while another is used."""
        return self._transport.fetch(PromptDefault, "GET", f"{PATH}/{purpose}/default")

    def set(self, purpose: str, text: str, *, version: int | None = None) -> Prompt:
        """Used from now on. With `version`, the one that was read, an error with status 412 if it has changed since."""
        return self._transport.fetch(Prompt, "PUT", f"{PATH}/{purpose}", json={"text": text}, headers=if_match(version))

    def revert(self, purpose: str) -> None:
        """Back to the built-in one."""
        self._transport.request("DELETE", f"{PATH}/{purpose}")

    def versions(self, purpose: str) -> Iterator[PromptVersion]:
        """Every change, the newest first."""
        return pages(self._transport, Page[PromptVersion], f"{PATH}/{purpose}/versions", {})
