"""Who is deleted, so that nothing of theirs is begun any more."""

from alembic import op
from common.migrations import deleted_users_table, drop_deleted_users_table

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(deleted_users_table())


def downgrade() -> None:
    op.execute(drop_deleted_users_table())
