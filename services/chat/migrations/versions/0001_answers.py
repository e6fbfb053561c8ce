"""Answers, what they were made from, what they cite, and the events that readers follow."""

from alembic import op
from common.migrations import core_tables, drop_core_tables

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(core_tables())
    op.execute("""
    CREATE TABLE answers (
        id uuid PRIMARY KEY,
        user_id uuid NOT NULL,
        question text NOT NULL,
        collection_id uuid,
        asset_ids uuid[],
        model text NOT NULL,
        state text NOT NULL DEFAULT 'running' CHECK (state IN ('running', 'done', 'failed', 'interrupted')),
        answered boolean NOT NULL DEFAULT false,
        answer text NOT NULL DEFAULT '',
        reason text,
        usage jsonb,
        created_at timestamptz NOT NULL DEFAULT now(),
        finished_at timestamptz,
        beat_at timestamptz NOT NULL DEFAULT now(),
        read_at timestamptz NOT NULL DEFAULT now()
    );
    CREATE INDEX answers_running ON answers (beat_at) WHERE state = 'running';
    CREATE INDEX answers_created_at ON answers (created_at);
    CREATE TABLE answer_sources (
        answer_id uuid NOT NULL REFERENCES answers (id) ON DELETE CASCADE,
        asset_id uuid NOT NULL,
        PRIMARY KEY (answer_id, asset_id)
    );
    CREATE INDEX answer_sources_asset ON answer_sources (asset_id);
    CREATE TABLE answer_citations (
        answer_id uuid NOT NULL REFERENCES answers (id) ON DELETE CASCADE,
        place text NOT NULL CHECK (place IN ('cited', 'nearest')),
        index integer NOT NULL,
        chunk_id text NOT NULL,
        asset_id uuid NOT NULL,
        revision integer NOT NULL,
        title text NOT NULL,
        kind text NOT NULL,
        locator jsonb NOT NULL,
        quote text NOT NULL,
        quote_from integer NOT NULL,
        quote_to integer NOT NULL,
        quote_start_seconds double precision,
        quote_end_seconds double precision,
        url text NOT NULL,
        media_url text,
        PRIMARY KEY (answer_id, place, index)
    );
    CREATE TABLE message_events (
        answer_id uuid NOT NULL REFERENCES answers (id) ON DELETE CASCADE,
        seq integer NOT NULL,
        event text NOT NULL,
        data jsonb NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (answer_id, seq)
    );
    """)


def downgrade() -> None:
    op.execute("DROP TABLE message_events, answer_citations, answer_sources, answers;")
    op.execute(drop_core_tables())
