"""What happens to instructions: they are written, edited, activated, put out of use and deleted, by whoever may."""

from collections.abc import Sequence
from uuid import UUID

from common.db import Connection, Database
from common.errors import ApiError, conflict, forbidden, not_found
from common.identity import Caller, at_least
from common.ids import uuid7
from common.once import Once

from chat import metrics
from chat.domain.titles import title_of
from chat.instruction_shapes import InstructionEdit, InstructionNew, InstructionVersion, show_versions
from chat.queries import instructions
from chat.queries.instruction_rows import InstructionRow, NewInstruction, VersionRow
from chat.versions import check_version

# In one place; more than anybody can keep apart.
_MOST = 100


class Instructing:
    """All changes of instructions, each one transaction; every method raises ApiError 404 or 403 for who may not."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def create(self, body: InstructionNew, caller: Caller, creation: Once) -> UUID:
        """Raises ApiError 409 where there are too many, or for a key that was used for something else."""
        async with self._db.transaction() as conn:
            await check_place(conn, caller, body.collection_id)
            await instructions.lock_place(conn, body.collection_id)
            instruction_id, fresh = await creation.claim(conn, uuid7())
            if fresh:
                await self._create(conn, instruction_id, body, caller)
        if fresh:
            metrics.instruction_changes.labels("created").inc()
        return instruction_id

    async def _create(self, conn: Connection, instruction_id: UUID, body: InstructionNew, caller: Caller) -> None:
        if await instructions.count_in(conn, body.collection_id) >= _MOST:
            raise conflict(
                f"There are {_MOST} instructions here already.", advice="Delete some, or edit one: versions are kept."
            )
        name = body.name or title_of(body.text)
        new = NewInstruction(instruction_id, body.collection_id, name, body.text, caller.user_id)
        await instructions.create_instruction(conn, new)
        if body.activate:
            row = await instructions.read_instruction(conn, instruction_id)
            assert row is not None
            await _activate(conn, row, 1, caller)

    async def read(self, instruction_id: UUID, caller: Caller) -> InstructionRow:
        async with self._db.acquire() as conn:
            return await _managed(conn, caller, instruction_id)

    async def edit(
        self, instruction_id: UUID, body: InstructionEdit, caller: Caller, expected: int | None
    ) -> InstructionRow:
        """Raises ApiError 412 when ``expected`` is not the newest version."""
        async with self._db.transaction() as conn:
            held = await self._hold(conn, caller, instruction_id)
            check_version(expected, held.version)
            name, text = body.name or held.name, body.text or held.text
            version = await instructions.add_version(conn, held.id, name, text, caller.user_id)
            if body.activate:
                await _activate(conn, held, version, caller)
            row = await _managed(conn, caller, instruction_id)
        metrics.instruction_changes.labels("edited").inc()
        return row

    async def versions(
        self, instruction_id: UUID, caller: Caller, before: int | None, limit: int
    ) -> list[InstructionVersion]:
        """The newest first."""
        async with self._db.acquire() as conn:
            row = await _managed(conn, caller, instruction_id)
            found = await instructions.list_versions(conn, row.id, before, limit)
            activations = await instructions.list_activations(conn, row.id, [one.version for one in found])
        return show_versions(found, activations, row.active_version)

    async def version(self, row: InstructionRow, number: int) -> VersionRow:
        async with self._db.acquire() as conn:
            return await _version(conn, row.id, number)

    async def activate(self, instruction_id: UUID, number: int, caller: Caller) -> InstructionRow:
        """Answers begun from now on are written by this version; one that is active already stays so."""
        async with self._db.transaction() as conn:
            held = await self._hold(conn, caller, instruction_id)
            await _version(conn, held.id, number)
            if held.active_version != number:
                await _activate(conn, held, number, caller)
            return await _managed(conn, caller, instruction_id)

    async def deactivate(self, instruction_id: UUID, caller: Caller) -> InstructionRow:
        """Answers begun from now on are written without it."""
        async with self._db.transaction() as conn:
            held = await self._hold(conn, caller, instruction_id)
            if held.active_version is not None:
                await instructions.deactivate(conn, held.id, caller.user_id)
                metrics.instruction_changes.labels("deactivated").inc()
            return await _managed(conn, caller, instruction_id)

    async def delete(self, instruction_id: UUID, caller: Caller) -> None:
        async with self._db.transaction() as conn:
            held = await self._hold(conn, caller, instruction_id)
            await instructions.delete_instruction(conn, held.id)
        metrics.instruction_changes.labels("deleted").inc()

    async def _hold(self, conn: Connection, caller: Caller, instruction_id: UUID) -> InstructionRow:
        """The instruction, with its place and itself locked."""
        row = await _managed(conn, caller, instruction_id)
        await instructions.lock_place(conn, row.collection_id)
        held = await instructions.lock_instruction(conn, instruction_id)
        if held is None:
            raise _no_instruction()
        return held


async def visible(
    conn: Connection, caller: Caller, collection_id: UUID | None, after: UUID | None, limit: int
) -> Sequence[InstructionRow]:
    """Those that the caller may change, the oldest first; of one collection where it is given."""
    if collection_id is not None:
        await check_place(conn, caller, collection_id)
    return await instructions.list_instructions(conn, caller.user_id, caller.is_admin, collection_id, after, limit)


async def check_place(conn: Connection, caller: Caller, collection_id: UUID | None) -> None:
    """Instructions for everything are an administrator's, those for a collection its owner's.

    Administering gives no right to other people's collections. Raises ApiError 403, or 404 where one sees nothing.
    """
    if collection_id is None:
        if not caller.is_admin:
            raise forbidden(
                "An instruction for the whole installation needs an administrator.",
                advice="Owners of a collection may instruct for that alone: give its collection_id.",
            )
        return
    role = await instructions.role_in(conn, caller.user_id, collection_id)
    if role is None:
        raise not_found("There is no such collection.", advice="See GET /api/collections.")
    if not at_least(role, "owner"):
        raise forbidden(
            "This needs the role owner in the collection.", advice="Ask an owner: GET /api/collections/{id}/members."
        )


def _no_instruction() -> ApiError:
    return not_found("There is no such instruction.", advice="See GET /api/instructions.")


async def _managed(conn: Connection, caller: Caller, instruction_id: UUID) -> InstructionRow:
    row = await instructions.read_instruction(conn, instruction_id)
    if row is None:
        raise _no_instruction()
    try:
        await check_place(conn, caller, row.collection_id)
    except ApiError as error:
        raise _no_instruction() if error.status_code == 404 else error from None
    return row


async def _version(conn: Connection, instruction_id: UUID, number: int) -> VersionRow:
    found = await instructions.read_version(conn, instruction_id, number)
    if found is None:
        raise not_found(f"The instruction has no version {number}.", advice="See GET …/versions.")
    return found


async def _activate(conn: Connection, row: InstructionRow, number: int, caller: Caller) -> None:
    await instructions.activate(conn, row, number, caller.user_id)
    metrics.instruction_changes.labels("activated").inc()
