"""Who is deleted, so that nothing of theirs is begun any more; and how their answers are found."""

from alembic import op
from common.migrations import build_index, deleted_users_table, drop_deleted_users_table

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(deleted_users_table())
    build_index("answers_user_id", "answers (user_id)")


def downgrade() -> None:
    op.execute("DROP INDEX answers_user_id")
    op.execute(drop_deleted_users_table())
