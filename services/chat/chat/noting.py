"""Maps and reduces: what a model notes of every stretch, then of its notes. Each reply is kept, and asked for once."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from common.assets import lock_asset
from common.db import Database
from pydantic import TypeAdapter

from chat import metrics
from chat.domain import summary_prompts
from chat.domain.budget import Budget
from chat.domain.findings import Finding, Notes, of_stretch
from chat.domain.prompt import Prompt
from chat.domain.replies import Item, read_reply
from chat.domain.stretches import Stretch
from chat.domain.summary import Template
from chat.domain.summary_prompts import Wordings
from chat.domain.tokens import estimate
from chat.modelling import add_usage, ask_model
from chat.providers.choice import Writers
from chat.queries import summaries
from chat.queries.summary_rows import NodeRow, WorkRow
from chat.supporting import Supporting

_NOTES = TypeAdapter(Notes)
# Notes of notes of notes: a recording of days is through by then.
_MOST_LEVELS = 6
_SHRINKS = 0.8

# After every row of replies: how many of how many steps are done. Raises what ends the work, or hands it on.
Pause = Callable[[int, int], Awaitable[None]]


@dataclass
class Noting:
    """One work's questions to one model."""

    db: Database
    writers: Writers
    supporting: Supporting
    work: WorkRow
    names: Sequence[str]
    budget: Budget
    at_once: int
    pause: Pause
    wordings: Wordings
    usage: dict[str, Any] | None = field(default=None)
    _done: int = 0
    _total: int = 0

    async def map(self, stretches: Sequence[Stretch]) -> list[Notes]:
        """Of every stretch, in their order. Raises ModelFailed, and whatever ``pause`` raises."""
        template = self._template
        prompts = [summary_prompts.map_prompt(stretch, template, self.wordings) for stretch in stretches]
        settles = [self._of_stretch(stretch) for stretch in stretches]
        self._total = len(stretches) + 1
        found = await self._ask_all(prompts, settles)
        return [of_stretch(notes, number) for number, notes in enumerate(found)]

    async def reduce(self, findings: Sequence[Finding], stretches: Sequence[Stretch]) -> Notes:
        """What of all findings makes the summary; in several rounds where they are too many for one question."""
        left, dropped = list(findings), 0
        for _ in range(_MOST_LEVELS):
            groups = self._groups(left)
            notes = await self._reduce_groups(groups, stretches)
            dropped += sum(one.dropped for one in notes)
            if len(groups) == 1:
                return Notes(notes[0].findings, (), dropped)
            merged = [finding for one in notes for finding in one.findings]
            if not merged or len(merged) > _SHRINKS * len(left):
                # The model does not shorten: the first that fit are taken.
                merged = self._groups(merged or left)[0]
            left = merged
        return Notes(tuple(left), (), dropped)

    @property
    def _template(self) -> Template:
        return Template.model_validate(self.work.template)

    async def _reduce_groups(self, groups: Sequence[Sequence[Finding]], stretches: Sequence[Stretch]) -> list[Notes]:
        prompts = [summary_prompts.reduce_prompt(group, self._template, self.wordings) for group in groups]
        like = stretches[0].passages[0]

        def settle(group: Sequence[Finding]) -> "Settle":
            return lambda items: self.supporting.of_findings(items, group, like, self.names)

        self._total = self._done + len(groups)
        return await self._ask_all(prompts, [settle(group) for group in groups])

    def _groups(self, findings: Sequence[Finding]) -> list[list[Finding]]:
        """Neighbours that fit into one question."""
        groups: list[list[Finding]] = [[]]
        size = 0
        for finding in findings:
            tokens = estimate(summary_prompts.show_note(1000, finding))
            if groups[-1] and size + tokens > self.budget.text:
                groups.append([])
                size = 0
            groups[-1].append(finding)
            size += tokens
        return groups

    def _of_stretch(self, stretch: Stretch) -> "Settle":
        return lambda items: self.supporting.of_stretch(items, stretch, self.names)

    async def _ask_all(self, prompts: Sequence[Prompt], settles: Sequence["Settle"]) -> list[Notes]:
        keys = [self._key(prompt) for prompt in prompts]
        async with self.db.acquire() as conn:
            held = {n.key: n for n in await summaries.read_nodes(conn, self.work.asset_id, keys, self.work.revision)}
        metrics.summary_steps.labels("known").inc(len(held))
        missing = [at for at, key in enumerate(keys) if key not in held]
        self._done += len(keys) - len(missing)
        for begin in range(0, len(missing), self.at_once):
            await self.pause(self._done, self._total)
            row = missing[begin : begin + self.at_once]
            asked = [self._ask(keys[at], prompts[at], settles[at]) for at in row]
            # One that fails must not take along what the others are about to bring.
            ended = await asyncio.gather(*asked, return_exceptions=True)
            for outcome in ended:
                if isinstance(outcome, BaseException):
                    raise outcome
                held[outcome.key] = outcome
            self._done += len(row)
        for key in keys:
            self.usage = add_usage(self.usage, held[key].usage)
        return [_NOTES.validate_python(held[key].notes) for key in keys]

    async def _ask(self, key: bytes, prompt: Prompt, settle: "Settle") -> NodeRow:
        reply = await ask_model(self.writers, self.work.model, prompt, self.budget.reply)
        sections = [section.title for section in self._template.sections]
        notes = await settle(read_reply(reply.text, sections))
        node = NodeRow(key, _NOTES.dump_python(notes, mode="json"), reply.usage)
        metrics.summary_steps.labels("asked").inc()
        async with self.db.transaction() as conn:
            state = await lock_asset(conn, self.work.asset_id, self.work.collection_id, 0)
            state.check(None)
            await summaries.save_node(conn, self.work.asset_id, self.work.revision, node)
        return node

    def _key(self, prompt: Prompt) -> bytes:
        """Of all that the reply depends on: model, rules (with the template) and text. The revision is none of it: what
        a correction leaves as it is need not be asked again."""
        parts = (self.work.model, prompt.system, prompt.user, "\n".join(self.names))
        return hashlib.sha256("\x00".join(parts).encode()).digest()


Settle = Callable[[list[Item]], Awaitable[Notes]]
