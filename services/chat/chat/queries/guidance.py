"""SQL that reads what the next answer is written by. It is read for each: a change counts at once, in every process."""

from uuid import UUID

from common.db import Connection

from chat.domain.guidance import Custom, Guidance, Instruction
from chat.domain.purposes import ANSWER, FOLLOW_UP
from chat.domain.templates import Purpose
from chat.queries import prompts
from chat.queries.instruction_rows import PromptRow


async def read_guidance(conn: Connection, collection_id: UUID | None) -> Guidance:
    """For a question to one collection, or, with None, to everything that its asker may read."""
    rows = await conn.fetch(
        """
        SELECT i.id, i.collection_id, v.version, v.text
        FROM instructions AS i
        JOIN instruction_versions AS v ON v.instruction_id = i.id AND v.version = i.active_version
        WHERE i.active_version IS NOT NULL AND (i.collection_id IS NULL OR i.collection_id = $1)
        ORDER BY i.collection_id NULLS FIRST
        """,
        collection_id,
    )
    written = await prompts.read_prompts(conn, [ANSWER.name, FOLLOW_UP.name])
    custom = {name: Custom(row.version, row.text) for name, row in written.items() if row.text is not None}
    return Guidance(tuple(Instruction(**row) for row in rows), custom.get(ANSWER.name), custom.get(FOLLOW_UP.name))


async def prompt_texts(conn: Connection, *purposes: Purpose) -> list[str]:
    """The prompts to use for them now, with their placeholders; a built-in one unless somebody wrote another."""
    written = await prompts.read_prompts(conn, [purpose.name for purpose in purposes])
    return [_text(purpose, written.get(purpose.name)) for purpose in purposes]


def _text(purpose: Purpose, written: PromptRow | None) -> str:
    if written is None or written.text is None or purpose.problems(written.text):
        return purpose.default
    return written.text
