"""Voices beside the words of a part, and a voiceprint for each speaker of a recording."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        -- The fingerprint of the diarizer that is to find the speakers; null where nobody looks for them.
        ALTER TABLE transcriptions ADD COLUMN diarizer text;
        -- voices_wanted: everything that a part's voices depend on; null where none are wanted, as in every part from
        -- before this revision. voices_settled: what they were looked for under. voices: what was found
        -- (asr.domain.packing), null where finding them failed for voices_error ([reason, advice|null]). turns: of an
        -- engine that tells voices apart itself, [[start, end, voice], ...].
        ALTER TABLE parts ADD COLUMN voices_wanted text, ADD COLUMN voices_settled text, ADD COLUMN voices bytea,
            ADD COLUMN voices_error jsonb, ADD COLUMN turns jsonb,
            ADD COLUMN finished boolean NOT NULL GENERATED ALWAYS AS
                (words IS NOT NULL AND
                    (voices_wanted IS NULL OR voices_wanted IS NOT DISTINCT FROM voices_settled)) STORED;
        -- What a speaker of the newest joined revision sounds like: half-precision floats, in the space of model.
        CREATE TABLE voiceprints (
            asset_id uuid NOT NULL,
            speaker_id text NOT NULL,
            revision integer NOT NULL,
            model text NOT NULL,
            vector bytea NOT NULL,
            speech_seconds double precision NOT NULL,
            PRIMARY KEY (asset_id, speaker_id),
            FOREIGN KEY (asset_id, revision) REFERENCES transcripts ON DELETE CASCADE
        );
        """
    )


def downgrade() -> None:
    op.execute(
        """
        DROP TABLE voiceprints;
        ALTER TABLE parts DROP COLUMN finished, DROP COLUMN turns, DROP COLUMN voices_error, DROP COLUMN voices,
            DROP COLUMN voices_settled, DROP COLUMN voices_wanted;
        ALTER TABLE transcriptions DROP COLUMN diarizer;
        """
    )
