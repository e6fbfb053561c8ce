"""What was asked for, what was fetched, what was uploaded, and downloads in work."""

from alembic import op
from common.migrations import core_tables, drop_core_tables

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(core_tables())
    op.execute("""
    CREATE TABLE fetches (
        asset_id uuid PRIMARY KEY,
        registered jsonb NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now()
    );
    CREATE TABLE recordings (
        asset_id uuid PRIMARY KEY,
        run integer NOT NULL,
        duration_seconds double precision NOT NULL,
        media_facts jsonb NOT NULL,
        fetched_at timestamptz NOT NULL DEFAULT now()
    );
    CREATE TABLE uploads (
        upload_id uuid PRIMARY KEY,
        filename text,
        size_bytes bigint,
        sha256 text,
        created_at timestamptz NOT NULL DEFAULT now()
    );
    CREATE INDEX uploads_created_at ON uploads (created_at);
    CREATE TABLE checkpoints (
        asset_id uuid NOT NULL,
        part integer NOT NULL,
        size_bytes bigint NOT NULL,
        origin jsonb NOT NULL,
        saved_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (asset_id, part)
    );
    """)


def downgrade() -> None:
    op.execute("DROP TABLE checkpoints, uploads, recordings, fetches;")
    op.execute(drop_core_tables())
