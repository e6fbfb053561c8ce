"""SQL of instructions: their versions, which of them is active, and the history of that."""

from collections.abc import Sequence
from uuid import UUID

from common.db import Connection

from chat.queries.instruction_rows import ActivationRow, InstructionRow, NewInstruction, VersionRow

# Only one change at a time of what is active in a place: the class of the lock, and behind it the place.
_ACTIVATING = 0x1257
_ROWS = """
    SELECT i.id, i.collection_id, i.version, i.active_version, v.name, v.text, i.created_by, i.created_at,
        v.created_by AS updated_by, v.created_at AS updated_at
    FROM instructions AS i JOIN instruction_versions AS v ON v.instruction_id = i.id AND v.version = i.version
"""


async def role_in(conn: Connection, user_id: UUID, collection_id: UUID) -> str | None:
    return await conn.fetchval(
        "SELECT role FROM gateway.access WHERE user_id = $1 AND collection_id = $2", user_id, collection_id
    )


async def lock_place(conn: Connection, collection_id: UUID | None) -> None:
    """Nobody else activates, adds or removes an instruction there until the transaction ends. Taken before any row."""
    await conn.execute("SELECT pg_advisory_xact_lock($1, hashtext($2))", _ACTIVATING, str(collection_id))


async def count_in(conn: Connection, collection_id: UUID | None) -> int:
    return await conn.fetchval(
        "SELECT count(*) FROM instructions WHERE collection_id IS NOT DISTINCT FROM $1", collection_id
    )


async def create_instruction(conn: Connection, new: NewInstruction) -> None:
    """With its first version, which is not active."""
    await conn.execute(
        "INSERT INTO instructions (id, collection_id, created_by) VALUES ($1, $2, $3)",
        new.id,
        new.collection_id,
        new.created_by,
    )
    await _add_version(conn, new.id, 1, new.name, new.text, new.created_by)


async def read_instruction(conn: Connection, instruction_id: UUID) -> InstructionRow | None:
    row = await conn.fetchrow(f"{_ROWS} WHERE i.id = $1", instruction_id)
    return InstructionRow(**row) if row else None


async def lock_instruction(conn: Connection, instruction_id: UUID) -> InstructionRow | None:
    """The same, and nobody else changes it until the transaction ends."""
    await conn.execute("SELECT FROM instructions WHERE id = $1 FOR UPDATE", instruction_id)
    return await read_instruction(conn, instruction_id)


async def list_instructions(
    conn: Connection, user_id: UUID, general: bool, collection_id: UUID | None, after: UUID | None, limit: int
) -> list[InstructionRow]:
    """Those of collections that the user owns, with ``general`` also those of everything; the oldest first."""
    rows = await conn.fetch(
        f"""
        {_ROWS}
        WHERE CASE WHEN i.collection_id IS NULL THEN $2 ELSE EXISTS (
                SELECT FROM gateway.access AS x
                WHERE x.user_id = $1 AND x.collection_id = i.collection_id AND x.role = 'owner') END
            AND ($3::uuid IS NULL OR i.collection_id = $3) AND ($4::uuid IS NULL OR i.id > $4)
        ORDER BY i.id LIMIT $5
        """,
        user_id,
        general,
        collection_id,
        after,
        limit,
    )
    return [InstructionRow(**row) for row in rows]


async def add_version(conn: Connection, instruction_id: UUID, name: str, text: str, user_id: UUID) -> int:
    """The number of the new version. The instruction must be locked."""
    version = await conn.fetchval(
        "UPDATE instructions SET version = version + 1 WHERE id = $1 RETURNING version", instruction_id
    )
    await _add_version(conn, instruction_id, version, name, text, user_id)
    return version


async def _add_version(
    conn: Connection, instruction_id: UUID, version: int, name: str, text: str, user_id: UUID
) -> None:
    await conn.execute(
        """
        INSERT INTO instruction_versions (instruction_id, version, name, text, created_by)
        VALUES ($1, $2, $3, $4, $5)
        """,
        instruction_id,
        version,
        name,
        text,
        user_id,
    )


async def list_versions(conn: Connection, instruction_id: UUID, before: int | None, limit: int) -> list[VersionRow]:
    """The newest first."""
    rows = await conn.fetch(
        """
        SELECT version, name, text, created_by, created_at FROM instruction_versions
        WHERE instruction_id = $1 AND ($2::integer IS NULL OR version < $2) ORDER BY version DESC LIMIT $3
        """,
        instruction_id,
        before,
        limit,
    )
    return [VersionRow(**row) for row in rows]


async def read_version(conn: Connection, instruction_id: UUID, version: int) -> VersionRow | None:
    row = await conn.fetchrow(
        """
        SELECT version, name, text, created_by, created_at FROM instruction_versions
        WHERE instruction_id = $1 AND version = $2
        """,
        instruction_id,
        version,
    )
    return VersionRow(**row) if row else None


async def list_activations(conn: Connection, instruction_id: UUID, versions: Sequence[int]) -> list[ActivationRow]:
    """In their order."""
    rows = await conn.fetch(
        """
        SELECT version, begun_by, begun_at, ended_by, ended_at FROM instruction_activations
        WHERE instruction_id = $1 AND version = ANY($2::integer[]) ORDER BY id
        """,
        instruction_id,
        list(versions),
    )
    return [ActivationRow(**row) for row in rows]


async def activate(conn: Connection, row: InstructionRow, version: int, user_id: UUID) -> None:
    """Instead of whatever is active in the same place, which must be locked."""
    active = await conn.fetch(
        """
        SELECT id FROM instructions
        WHERE collection_id IS NOT DISTINCT FROM $1 AND active_version IS NOT NULL
        """,
        row.collection_id,
    )
    for other in active:
        await deactivate(conn, other["id"], user_id)
    await conn.execute("UPDATE instructions SET active_version = $2 WHERE id = $1", row.id, version)
    await conn.execute(
        "INSERT INTO instruction_activations (instruction_id, version, begun_by) VALUES ($1, $2, $3)",
        row.id,
        version,
        user_id,
    )


async def deactivate(conn: Connection, instruction_id: UUID, user_id: UUID) -> None:
    """The place must be locked."""
    await conn.execute("UPDATE instructions SET active_version = NULL WHERE id = $1", instruction_id)
    await conn.execute(
        """
        UPDATE instruction_activations SET ended_by = $2, ended_at = now()
        WHERE instruction_id = $1 AND ended_at IS NULL
        """,
        instruction_id,
        user_id,
    )


async def delete_instruction(conn: Connection, instruction_id: UUID) -> None:
    """With all its versions."""
    await conn.execute("DELETE FROM instructions WHERE id = $1", instruction_id)


async def delete_of_collection(conn: Connection, collection_id: UUID) -> None:
    await lock_place(conn, collection_id)
    await conn.execute("DELETE FROM instructions WHERE collection_id = $1", collection_id)
