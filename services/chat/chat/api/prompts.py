"""HTTP in: prompts by purpose: read, compare with the built-in one, write anew, go back."""

from typing import Any

from common.db import Database
from common.errors import invalid, not_found
from common.identity import AdminCaller, CurrentCaller
from fastapi import APIRouter, Response

from chat import metrics
from chat.api.instructions import Before
from chat.api.sessions import Limit
from chat.domain.purposes import PURPOSES
from chat.domain.templates import Purpose
from chat.prompt_shapes import (
    Prompt,
    PromptDefault,
    PromptList,
    PromptVersion,
    PromptVersionList,
    PromptWrite,
    show_prompt,
)
from chat.queries import prompts
from chat.versions import IfMatch, check_version, etag, expected_version

_ADMIN: dict[str, Any] = {"x-earshot-scope": "admin"}


class Prompts:
    """The routes of prompts. Every use reads the table, so that a change counts at once, in all processes."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def routes(self) -> APIRouter:
        router = APIRouter(prefix="/api/prompts", tags=["Answers and chat"])
        routes: tuple[tuple[str, str, Any, str, dict[str, Any]], ...] = (
            ("GET", "", self.list_prompts, "List the prompts by purpose", {}),
            ("GET", "/{purpose}", self.read, "Read the prompt of a purpose", {}),
            ("GET", "/{purpose}/default", self.default, "Read the built-in prompt of a purpose", {}),
            (
                "GET",
                "/{purpose}/versions",
                self.versions,
                "List the changes of a prompt",
                {"openapi_extra": _ADMIN},
            ),
            ("PUT", "/{purpose}", self.write, "Write a prompt instead of the present one", {"openapi_extra": _ADMIN}),
            (
                "DELETE",
                "/{purpose}",
                self.revert,
                "Go back to the built-in prompt",
                {"openapi_extra": _ADMIN, "status_code": 204},
            ),
        )
        for method, path, endpoint, summary, more in routes:
            router.add_api_route(path, endpoint, methods=[method], summary=summary, **more)
        return router

    async def list_prompts(self, caller: CurrentCaller) -> PromptList:
        """All there are, each with the text that is used now."""
        async with self._db.acquire() as conn:
            written = await prompts.read_prompts(conn, list(PURPOSES))
        return PromptList(items=[show_prompt(one, written.get(one.name)) for one in PURPOSES.values()])

    async def read(self, purpose: str, caller: CurrentCaller, response: Response) -> Prompt:
        """The text that is used now. `ETag` is the value for `If-Match`."""
        wanted = _known(purpose)
        async with self._db.acquire() as conn:
            written = (await prompts.read_prompts(conn, [wanted.name])).get(wanted.name)
        return _answer(show_prompt(wanted, written), response)

    async def default(self, purpose: str, caller: CurrentCaller) -> PromptDefault:
        """Also while another is used."""
        return PromptDefault.of(_known(purpose))

    async def versions(
        self, purpose: str, admin: AdminCaller, limit: Limit = 50, cursor: Before = None
    ) -> PromptVersionList:
        """The newest first: what was written or gone back to, by whom and when."""
        wanted = _known(purpose)
        async with self._db.acquire() as conn:
            rows = await prompts.list_versions(conn, wanted.name, cursor, limit + 1)
        items = [
            PromptVersion(version=row.version, text=row.text, created_by=row.updated_by, created_at=row.updated_at)
            for row in rows[:limit]
        ]
        return PromptVersionList(items=items, next_cursor=str(items[-1].version) if len(rows) > limit else None)

    async def write(
        self, purpose: str, body: PromptWrite, admin: AdminCaller, response: Response, if_match: IfMatch = None
    ) -> Prompt:
        """Used from now on. Placeholders that are required must stand in it, and there are no others: else 422 names
        them. The text before is kept as a version."""
        wanted, expected = _known(purpose), expected_version(if_match)
        problems = wanted.problems(body.text)
        if problems:
            errors: list[dict[str, object]] = [{"field": "text", "message": problem} for problem in problems]
            raise invalid(
                " ".join(problems), advice=f"Compare with GET /api/prompts/{wanted.name}/default.", errors=errors
            )
        async with self._db.transaction() as conn:
            held = await prompts.lock_prompt(conn, wanted.name)
            check_version(expected, held.version if held else 0)
            await prompts.add_version(conn, wanted.name, body.text, admin.user_id)
            written = (await prompts.read_prompts(conn, [wanted.name]))[wanted.name]
        metrics.prompt_changes.labels("customised").inc()
        return _answer(show_prompt(wanted, written), response)

    async def revert(self, purpose: str, admin: AdminCaller, if_match: IfMatch = None) -> None:
        """Used from now on; where it is used already, nothing changes."""
        wanted, expected = _known(purpose), expected_version(if_match)
        async with self._db.transaction() as conn:
            held = await prompts.lock_prompt(conn, wanted.name)
            check_version(expected, held.version if held else 0)
            customised = held is not None and held.text is not None
            if customised:
                await prompts.add_version(conn, wanted.name, None, admin.user_id)
        if customised:
            metrics.prompt_changes.labels("reverted").inc()


def _known(purpose: str) -> Purpose:
    found = PURPOSES.get(purpose)
    if found is None:
        raise not_found(f"There is no prompt for {purpose[:100]!r}.", advice=f"There are: {', '.join(PURPOSES)}.")
    return found


def _answer(prompt: Prompt, response: Response) -> Prompt:
    response.headers.update(etag(prompt.version))
    return prompt
