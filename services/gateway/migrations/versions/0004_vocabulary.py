"""What the recordings of a collection are about: names and terms as they are spelled, and the style of transcripts."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        ALTER TABLE collections
            ADD COLUMN key_terms text[] NOT NULL DEFAULT '{}',
            ADD COLUMN initial_prompt text NOT NULL DEFAULT '';
        """
    )


def downgrade() -> None:
    op.execute("ALTER TABLE collections DROP COLUMN key_terms, DROP COLUMN initial_prompt")
