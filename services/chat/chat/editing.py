"""Edits of a summary by hand: another version, which nothing writes over unasked."""

from uuid import UUID

from common.db import Database
from common.errors import ApiError, invalid, not_found
from common.events import SummaryCompleted
from common.outbox import Relay, saying

from chat.domain.summary import Content
from chat.planning import lock_living
from chat.queries import summaries
from chat.queries.summary_rows import NewSummary, SummaryRow


class SummaryEditing:
    """One transaction per edit."""

    def __init__(self, db: Database, relay: Relay) -> None:
        self._db = db
        self._relay = relay

    async def edit(self, asset_id: UUID, user_id: UUID, expected: int, content: Content) -> None:
        """Raises ApiError: 404 where there is no summary, 412 when ``expected`` is not its version, 422."""
        async with saying(self._db, "chat", self._relay) as tx:
            state = await lock_living(tx.conn, asset_id)
            newest = await summaries.read_summary(tx.conn, asset_id)
            if newest is None:
                raise no_summary()
            if newest.version != expected:
                raise ApiError(
                    412,
                    "precondition_failed",
                    f"The summary is at version {newest.version}, not {expected}.",
                    advice="Read it again, look at what has changed, and send the edit with its new ETag.",
                )
            _check_citations(content, newest)
            version = await summaries.add_summary(tx.conn, _edited(newest, content, user_id))
            await tx.say(
                SummaryCompleted(
                    asset_id=asset_id,
                    run=max(1, state.run),
                    collection_id=state.collection_id,
                    revision=newest.revision,
                    version=version,
                    model=newest.model,
                    edited=True,
                )
            )


def no_summary() -> ApiError:
    return not_found("There is no summary of this yet.", advice="Have one written: POST …/summary.")


def _check_citations(content: Content, newest: SummaryRow) -> None:
    unknown = content.cited() - {int(one["index"]) for one in newest.citations}
    if unknown:
        raise invalid(
            f"citations: the summary has no citation {min(unknown)}.",
            advice="Cite by the indices of its citations; a statement of your own needs none.",
        )


def _edited(newest: SummaryRow, content: Content, user_id: UUID) -> NewSummary:
    return NewSummary(
        asset_id=newest.asset_id,
        revision=newest.revision,
        edited=True,
        model=newest.model,
        template=newest.template,
        language=newest.language,
        content=content.model_dump(),
        citations=newest.citations,
        dropped=newest.dropped,
        note=newest.note,
        usage=newest.usage,
        user_id=user_id,
    )
