"""Tries an instruction: sample questions are answered by a draft and by what is active, and nothing is kept."""

import asyncio
from collections.abc import Coroutine, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any
from uuid import UUID

from common.db import Database
from common.errors import ApiError
from common.identity import Caller
from fastapi import Request

from chat import metrics
from chat.answering import Answering
from chat.choosing import Choosing
from chat.domain.citations import Citation as Cited
from chat.domain.guidance import Guidance, Instruction
from chat.domain.passages import Passage
from chat.instruction_shapes import Preview, PreviewAnswer, PreviewError, PreviewItem, PreviewRequest
from chat.providers.choice import EXTRACTIVE
from chat.queries import reading
from chat.queries.guidance import read_guidance
from chat.queries.instruction_rows import InstructionRow
from chat.settings import ChatSettings
from chat.shapes import Citation
from chat.steps import Ask, Broken, Outcome

# Of all previews in this process: they must not take a model away from those who ask.
_AT_ONCE = 4
_LOOK_SECONDS = 0.5
NO_EFFECT = (
    "The extractive writer quotes the passages themselves and reads no instructions: they have no effect on its "
    "answers. They have with a model: see CHAT_PROVIDER."
)


class Previewing:
    """Answers by the road that all answers take, except that neither they nor their sources are stored."""

    def __init__(self, db: Database, answering: Answering, choosing: Choosing, settings: ChatSettings) -> None:
        self._db = db
        self._answering = answering
        self._choosing = choosing
        self._passages = settings.passages
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def preview(
        self, row: InstructionRow, draft: Instruction, body: PreviewRequest, caller: Caller, request: Request
    ) -> Preview:
        """Stopped when its reader leaves. Raises ApiError: no such model, or nothing can be looked for."""
        model = await self._choosing.model(caller, "answer", body.model)
        provider = self._choosing.writers.provider_of(model)
        async with self._db.acquire() as conn:
            active = await read_guidance(conn, row.collection_id)
        asks = [
            Ask(question, body.top_k or self._passages, model, row.collection_id, guidance=active)
            for question in body.questions
        ]
        effective = provider != EXTRACTIVE
        trial = active.trying(draft) if effective else active
        items = await _while_read(self._answer_all(asks, trial, caller), request)
        metrics.instruction_previews.labels(provider).inc(len(items))
        note = None if effective else NO_EFFECT
        return Preview(model=model, has_effect=effective, note=note, active_version=row.active_version, items=items)

    async def _answer_all(self, asks: Sequence[Ask], trial: Guidance, caller: Caller) -> list[PreviewItem]:
        async with asyncio.TaskGroup() as group:
            pairs = [self._answer_twice(group, ask, trial, caller) for ask in asks]
        return [
            PreviewItem(question=ask.question, draft=draft.result(), active=active.result())
            for ask, (draft, active) in zip(asks, pairs, strict=True)
        ]

    def _answer_twice(
        self, group: asyncio.TaskGroup, ask: Ask, trial: Guidance, caller: Caller
    ) -> tuple[asyncio.Task[PreviewAnswer], asyncio.Task[PreviewAnswer]]:
        """Once where both would be told the same."""
        active = group.create_task(self._answer(ask, caller))
        if trial == ask.guidance:
            return active, active
        return group.create_task(self._answer(replace(ask, guidance=trial), caller)), active

    async def _answer(self, ask: Ask, caller: Caller) -> PreviewAnswer:
        try:
            async with self._turns, aclosing(self._answering.write(None, ask, caller, self._keep)) as steps:
                async for step in steps:
                    if isinstance(step, Outcome):
                        return _shown(step)
        except Broken as broken:
            error = PreviewError(error_type=broken.error_type, message=broken.message, advice=broken.advice)
            return PreviewAnswer(answered=False, answer="", reason=None, citations=[], nearest=[], error=error)
        raise RuntimeError("an answer ended without an outcome")

    async def _keep(self, passages: list[Passage]) -> list[Passage]:
        """Without those of deleted assets; nothing is noted, because nothing is stored that could be left over."""
        assets: list[UUID] = list({passage.asset_id for passage in passages})
        async with self._db.acquire() as conn:
            gone = await reading.deleted_assets(conn, assets)
            silent = await reading.without_media(conn, assets)
        kept = [passage for passage in passages if passage.asset_id not in gone]
        return [replace(passage, playable=passage.asset_id not in silent) for passage in kept]


async def _while_read(work: Coroutine[Any, Any, list[PreviewItem]], request: Request) -> list[PreviewItem]:
    """Models cost money: nobody pays for a preview that nobody sees. Raises what the first failing answer raises."""
    task = asyncio.create_task(work)
    try:
        while not task.done():
            await asyncio.wait({task}, timeout=_LOOK_SECONDS)
            if not task.done() and await request.is_disconnected():
                return []
        return task.result()
    except ExceptionGroup as failed:
        raise next((one for one in failed.exceptions if isinstance(one, ApiError)), failed) from None
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _shown(outcome: Outcome) -> PreviewAnswer:
    return PreviewAnswer(
        answered=outcome.answered,
        answer=outcome.text,
        reason=outcome.reason,
        citations=[_cited(one) for one in outcome.citations],
        nearest=[_cited(one) for one in outcome.nearest],
    )


def _cited(citation: Cited) -> Citation:
    shown = {name: getattr(citation, name) for name in Citation.model_fields if name != "stale"}
    return Citation(**shown, stale=False)
