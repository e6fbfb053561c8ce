"""Summaries and chapters: where transcripts lie, versions of summaries, the work on them, and what it has paid for."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
    -- Of each recording the newest transcript that was heard of.
    CREATE TABLE transcripts (
        asset_id uuid PRIMARY KEY,
        run integer NOT NULL,
        revision integer NOT NULL,
        title text NOT NULL,
        language text NOT NULL,
        duration_seconds double precision NOT NULL,
        transcript_uri text NOT NULL,
        transcript_sha256 text NOT NULL
    );

    -- Every version of a summary; the highest one counts. revision: of the transcript that it tells of.
    CREATE TABLE summaries (
        asset_id uuid NOT NULL,
        version integer NOT NULL,
        revision integer NOT NULL,
        edited boolean NOT NULL,
        model text NOT NULL,
        template text NOT NULL,
        language text NOT NULL,
        content jsonb NOT NULL,
        citations jsonb NOT NULL,
        dropped integer NOT NULL DEFAULT 0,
        note text,
        usage jsonb,
        user_id uuid,
        created_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (asset_id, version)
    );

    -- The latest work on each recording's summary. base_version: the newest version when it was asked for. told: how
    -- often the message was said that a worker takes it up by.
    CREATE TABLE summary_works (
        asset_id uuid PRIMARY KEY,
        id uuid NOT NULL,
        run integer NOT NULL,
        collection_id uuid NOT NULL,
        priority text NOT NULL,
        revision integer NOT NULL,
        model text NOT NULL,
        template jsonb NOT NULL,
        base_version integer NOT NULL,
        user_id uuid,
        state text NOT NULL CHECK (state IN ('waiting', 'running', 'done', 'failed')),
        steps_done integer NOT NULL DEFAULT 0,
        steps_total integer NOT NULL DEFAULT 0,
        error jsonb,
        told integer NOT NULL DEFAULT 1,
        due_at timestamptz NOT NULL,
        updated_at timestamptz NOT NULL DEFAULT now()
    );
    CREATE INDEX summary_works_due_at ON summary_works (due_at) WHERE state = 'waiting';
    CREATE INDEX summary_works_updated_at ON summary_works (updated_at) WHERE state = 'running';

    -- What a model answered about one stretch of the text, or about notes: asked once, whatever becomes of the worker.
    -- revision: the last one that it was used for.
    CREATE TABLE summary_nodes (
        asset_id uuid NOT NULL,
        key bytea NOT NULL,
        revision integer NOT NULL,
        notes jsonb NOT NULL,
        usage jsonb,
        created_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (asset_id, key)
    );

    CREATE TABLE chapters (
        asset_id uuid PRIMARY KEY,
        revision integer NOT NULL,
        model text NOT NULL,
        chapters jsonb NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now()
    );

    CREATE TABLE summary_wishes (
        collection_id uuid PRIMARY KEY,
        automatic boolean NOT NULL,
        template jsonb NOT NULL,
        updated_at timestamptz NOT NULL DEFAULT now()
    );
    """)


def downgrade() -> None:
    op.execute("DROP TABLE summary_wishes, chapters, summary_nodes, summary_works, summaries, transcripts;")
