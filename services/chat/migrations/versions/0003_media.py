"""Which recordings can be played: a citation of any other leads to no media."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        -- A recording without a row was fetched before this table was there, or is only now being heard of.
        CREATE TABLE media (
            asset_id uuid PRIMARY KEY,
            run integer NOT NULL,
            playable boolean NOT NULL
        );
        """
    )


def downgrade() -> None:
    op.execute("DROP TABLE media;")
