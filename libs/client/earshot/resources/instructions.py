"""Custom instructions: how a model is to write answers. For administrators, and for owners of their collections."""

from collections.abc import Iterator, Sequence

from earshot.models import Instruction, InstructionVersion, Page, Preview
from earshot.paging import pages
from earshot.resources.answers import ANSWER_TIMEOUT
from earshot.resources.recordings import once
from earshot.transport import Transport, given

PATH = "/api/instructions"


class Instructions:
    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def all(self, collection_id: str | None = None) -> Iterator[Instruction]:
        """Those that you may change, the oldest first."""
        return pages(self._transport, Page[Instruction], PATH, {"collection_id": collection_id})

    def create(
        self, text: str, *, name: str | None = None, collection_id: str | None = None, activate: bool = False
    ) -> Instruction:
        """Without `collection_id` for all answers, which needs an administrator; used when a version is activated."""
        body = given({"text": text, "name": name, "collection_id": collection_id, "activate": activate})
        return self._transport.fetch(Instruction, "POST", PATH, json=body, headers=once())

    def get(self, instruction_id: str) -> Instruction:
        return self._transport.fetch(Instruction, "GET", f"{PATH}/{instruction_id}")

    def edit(
        self,
        instruction_id: str,
        *,
        text: str | None = None,
        name: str | None = None,
        activate: bool = False,
        version: int | None = None,
    ) -> Instruction:
        """A new version. With `version`, the one that was read, an edit of what has changed since is an error with
        status 412."""
        return self._transport.fetch(
            Instruction,
            "PATCH",
            f"{PATH}/{instruction_id}",
            json=given({"text": text, "name": name, "activate": activate}),
            headers=if_match(version),
        )

    def versions(self, instruction_id: str) -> Iterator[InstructionVersion]:
        """The newest first."""
        return pages(self._transport, Page[InstructionVersion], f"{PATH}/{instruction_id}/versions", {})

    def activate(self, instruction_id: str, version: int) -> Instruction:
        """Instead of what is active in its place; also the way back to an earlier version."""
        return self._transport.fetch(Instruction, "POST", f"{PATH}/{instruction_id}/versions/{version}/activate")

    def deactivate(self, instruction_id: str) -> Instruction:
        return self._transport.fetch(Instruction, "POST", f"{PATH}/{instruction_id}/deactivate")

    def preview(
        self,
        instruction_id: str,
        questions: Sequence[str],
        *,
        text: str | None = None,
        version: int | None = None,
        model: str | None = None,
    ) -> Preview:
        """One to five questions, answered by a draft (`text`, a `version`, or the newest) and by what is active."""
        body = given({"questions": list(questions), "text": text, "version": version, "model": model})
        path = f"{PATH}/{instruction_id}/preview"
        return self._transport.fetch(Preview, "POST", path, json=body, timeout=ANSWER_TIMEOUT)

    def delete(self, instruction_id: str) -> None:
        """With all its versions."""
        self._transport.request("DELETE", f"{PATH}/{instruction_id}")


def if_match(version: int | None) -> dict[str, str]:
    return {} if version is None else {"If-Match": f'"{version}"'}
