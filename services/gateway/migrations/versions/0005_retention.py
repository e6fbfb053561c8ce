"""After how many days a collection's assets are deleted; and how the sweep finds those whose time has come."""

from alembic import op
from common.migrations import build_index

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        ALTER TABLE collections
            ADD COLUMN IF NOT EXISTS retention_days integer CHECK (retention_days BETWEEN 1 AND 36500);
        """
    )
    build_index("assets_age", "assets (collection_id, created_at) WHERE deleted_at IS NULL")


def downgrade() -> None:
    op.execute("DROP INDEX assets_age")
    op.execute("ALTER TABLE collections DROP COLUMN retention_days")
