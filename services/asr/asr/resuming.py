"""After a restore: the newest text of recordings is said again to those who have not heard of it."""

from uuid import UUID

from common import assets
from common.events import TranscriptRevised
from common.outbox import Transaction

from asr.queries import transcripts
from asr.reading import read_about


async def tell_again(tx: Transaction, asset_ids: list[UUID]) -> int:
    """Say the newest revision of each as a correction, which counts in every run. Returns how many were said."""
    said = 0
    for asset_id in asset_ids:
        fact = await _newest(tx, asset_id)
        if fact is not None:
            await tx.say(fact)
            said += 1
    return said


async def _newest(tx: Transaction, asset_id: UUID) -> TranscriptRevised | None:
    """None where there is no text, or no asset any more."""
    state = await assets.read_asset(tx.conn, asset_id)
    revision = await transcripts.read_revision(tx.conn, asset_id, None)
    about = await read_about(tx.conn, asset_id)
    document = await transcripts.read_document(tx.conn, asset_id, revision.revision) if revision else None
    if state is None or state.deleted_at is not None or revision is None or about is None or document is None:
        return None
    return TranscriptRevised(
        asset_id=asset_id,
        run=state.run,
        collection_id=state.collection_id,
        revision=revision.revision,
        transcript_uri=document.uri,
        transcript_sha256=document.sha256,
        title=about.title,
        language=revision.language,
        engine=revision.engine,
        duration_seconds=revision.duration_seconds,
        segment_count=revision.segment_count,
        word_count=revision.word_count,
        warnings=revision.warnings,
        recorded_at=about.recorded_at,
        change=revision.change,
        # Who hears it again cannot tell what they missed: anything may read differently.
        speakers_changed=True,
    )
