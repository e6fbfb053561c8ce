"""Transcriptions in parts, and the transcripts they become."""

from alembic import op
from common.migrations import core_tables, drop_core_tables

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.execute(core_tables())
    op.execute(
        """
        -- One per recording: what is being, or was last, recognised. What fetched it is kept for later runs.
        CREATE TABLE transcriptions (
            asset_id uuid PRIMARY KEY,
            run integer NOT NULL,
            state text NOT NULL CHECK (state IN ('skipped', 'planned', 'recognised', 'completed')),
            audio_uri text NOT NULL,
            audio_sha256 text NOT NULL,
            audio_bytes bigint NOT NULL,
            duration_seconds double precision NOT NULL,
            title text NOT NULL,
            recorded_at timestamptz,
            options jsonb NOT NULL,
            language text NOT NULL,
            engine text NOT NULL,
            updated_at timestamptz NOT NULL DEFAULT now()
        );
        -- words: [[word, start, end, probability|null], ...] in seconds of the recording; null until recognised.
        -- fingerprint: everything that the words depend on, so that a later run takes them over.
        CREATE TABLE parts (
            asset_id uuid NOT NULL REFERENCES transcriptions ON DELETE CASCADE,
            part_index integer NOT NULL,
            start_seconds double precision NOT NULL,
            end_seconds double precision NOT NULL,
            speech_seconds double precision NOT NULL,
            utterances jsonb NOT NULL,
            fingerprint text NOT NULL,
            words jsonb,
            recognised_at timestamptz,
            PRIMARY KEY (asset_id, part_index)
        );
        CREATE TABLE transcripts (
            asset_id uuid NOT NULL,
            revision integer NOT NULL,
            run integer NOT NULL,
            language text NOT NULL,
            engine text NOT NULL,
            duration_seconds double precision NOT NULL,
            warnings text[] NOT NULL,
            speakers jsonb NOT NULL,
            segment_count integer NOT NULL,
            word_count integer NOT NULL,
            transcript_uri text NOT NULL,
            created_at timestamptz NOT NULL DEFAULT now(),
            PRIMARY KEY (asset_id, revision)
        );
        CREATE TABLE segments (
            asset_id uuid NOT NULL,
            revision integer NOT NULL,
            position integer NOT NULL,
            segment_id text NOT NULL,
            start_seconds double precision NOT NULL,
            end_seconds double precision NOT NULL,
            speaker_id text NOT NULL,
            text text NOT NULL,
            words jsonb NOT NULL,
            PRIMARY KEY (asset_id, revision, position),
            UNIQUE (asset_id, revision, segment_id),
            FOREIGN KEY (asset_id, revision) REFERENCES transcripts ON DELETE CASCADE
        );
        """
    )


def downgrade() -> None:
    op.execute("DROP TABLE segments, transcripts, parts, transcriptions;")
    op.execute(drop_core_tables())
