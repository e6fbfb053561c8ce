"""Finds the assets that are being deleted, of which there are few, without a look at all others."""

from alembic import op
from common.migrations import build_index

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    build_index("assets_deleted", "assets (id) WHERE deleted_at IS NOT NULL")


def downgrade() -> None:
    op.execute("DROP INDEX assets_deleted")
