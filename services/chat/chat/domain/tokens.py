"""How many tokens a text may have, and a prompt that fits a model's window."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from math import ceil

from chat.domain.attachments import Attachment, Kind
from chat.domain.guidance import Guidance
from chat.domain.history import TURNS, Turn
from chat.domain.passages import Passage
from chat.domain.prompt import NO_GUIDANCE, Prompt, build_prompt

# Tokenizers put three to five ASCII characters into a token, and at the least two bytes of any other script.
_ASCII_PER_TOKEN = 3
_BYTES_PER_TOKEN = 2
# Roles, separators, and what a server's template adds.
_OVERHEAD = 64
# The latest question and answer of a conversation stay longest.
_LATEST_TURNS = 2
_SHORTEST_PASSAGE = 200


class TooLong(Exception):
    """Not even one passage fits the window beside the question."""


def estimate(text: str) -> int:
    """More tokens than any usual tokenizer makes of the text, so that a prompt thought to fit does."""
    ascii_length = len(text.encode("ascii", "ignore"))
    other_bytes = len(text.encode("utf-8", "replace")) - ascii_length
    return ceil(ascii_length / _ASCII_PER_TOKEN) + ceil(other_bytes / _BYTES_PER_TOKEN)


def fit_prompt(
    question: str,
    passages: Sequence[Passage],
    history: Sequence[Turn],
    wishes: str,
    room: int | None,
    sees: Collection[Kind] = (),
    *,
    guidance: Guidance = NO_GUIDANCE,
    attachments: Sequence[Attachment] = (),
    memories: Sequence[str] = (),
) -> Prompt:
    """The prompt in ``room`` tokens (None: as many as it takes), with the attachments that the model ``sees``.

    Left out, until it fits: the last memories, early turns of the conversation, attachments of earlier questions, the
    last passages, the latest turns, the wishes, the end of the one passage that is left. Raises TooLong.
    """
    files = [one for one in attachments if one.kind in sees]
    prompt = build_prompt(question, passages, history, wishes, guidance, files, memories)
    if room is None or _fits(prompt, room):
        return prompt
    turns = list(history[-TURNS:])
    kept = list(passages)
    known = list(memories)
    while True:
        if known:
            known.pop()
        elif len(turns) > _LATEST_TURNS:
            turns.pop(0)
        elif files and files[0].earlier:
            files.pop(0)
        elif len(kept) > 1:
            kept.pop()
        elif turns:
            turns.pop(0)
        elif wishes:
            wishes = ""
        else:
            kept = _halved(kept)
        prompt = build_prompt(question, kept, turns, wishes, guidance, files, known)
        if _fits(prompt, room):
            return prompt


def _fits(prompt: Prompt, room: int) -> bool:
    files = sum(one.tokens for one in prompt.attachments)
    return estimate(prompt.system) + estimate(prompt.user) + files + _OVERHEAD <= room


def _halved(kept: Sequence[Passage]) -> list[Passage]:
    """The first half of the one that is left. Raises TooLong when there is none, or it says nothing any more."""
    if not kept or len(kept[0].content) // 2 < _SHORTEST_PASSAGE:
        raise TooLong
    passage = kept[0]
    end = len(passage.content) // 2
    lines = tuple(replace(line, end=min(line.end, end)) for line in passage.lines if line.start < end)
    return [replace(passage, content=passage.content[:end], lines=lines)]
