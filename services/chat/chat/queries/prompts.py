"""SQL of prompts that were written anew: of each purpose the present text and all that went before."""

from collections.abc import Sequence
from uuid import UUID

from common.db import Connection

from chat.queries.instruction_rows import PromptRow

_ROWS = """
    SELECT p.purpose, p.version, p.text, v.created_by AS updated_by, v.created_at AS updated_at
    FROM prompts AS p JOIN prompt_versions AS v ON v.purpose = p.purpose AND v.version = p.version
"""


async def read_prompts(conn: Connection, purposes: Sequence[str]) -> dict[str, PromptRow]:
    """By purpose; one that was never changed has no row."""
    rows = await conn.fetch(f"{_ROWS} WHERE p.purpose = ANY($1::text[])", list(purposes))
    return {row["purpose"]: PromptRow(**row) for row in rows}


async def lock_prompt(conn: Connection, purpose: str) -> PromptRow | None:
    """None where it was never changed; nobody else changes it until the transaction ends."""
    await conn.execute("INSERT INTO prompts (purpose) VALUES ($1) ON CONFLICT DO NOTHING", purpose)
    await conn.execute("SELECT FROM prompts WHERE purpose = $1 FOR UPDATE", purpose)
    return (await read_prompts(conn, [purpose])).get(purpose)


async def add_version(conn: Connection, purpose: str, text: str | None, user_id: UUID) -> None:
    """``text`` None: the built-in one again. The prompt must be locked."""
    await conn.execute(
        """
        WITH changed AS (
            UPDATE prompts SET version = version + 1, text = $2 WHERE purpose = $1 RETURNING purpose, version, text
        )
        INSERT INTO prompt_versions (purpose, version, text, created_by)
        SELECT purpose, version, text, $3 FROM changed
        """,
        purpose,
        text,
        user_id,
    )


async def list_versions(conn: Connection, purpose: str, before: int | None, limit: int) -> list[PromptRow]:
    """The newest first."""
    rows = await conn.fetch(
        """
        SELECT purpose, version, text, created_by AS updated_by, created_at AS updated_at FROM prompt_versions
        WHERE purpose = $1 AND ($2::integer IS NULL OR version < $2) ORDER BY version DESC LIMIT $3
        """,
        purpose,
        before,
        limit,
    )
    return [PromptRow(**row) for row in rows]
