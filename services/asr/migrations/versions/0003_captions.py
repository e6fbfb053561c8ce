"""Captions that were fetched, to make transcripts of now and in later runs."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE captions (
            asset_id uuid PRIMARY KEY,
            run integer NOT NULL,
            completed_run integer NOT NULL DEFAULT 0,
            captions_uri text NOT NULL,
            captions_sha256 text NOT NULL,
            title text NOT NULL,
            recorded_at timestamptz,
            options jsonb NOT NULL,
            updated_at timestamptz NOT NULL DEFAULT now()
        );
        """
    )


def downgrade() -> None:
    op.execute("DROP TABLE captions;")
