"""Who is deleted, so that nothing of theirs is begun any more; and how their answers are found."""

from alembic import op
from common.migrations import deleted_users_table, drop_deleted_users_table

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(deleted_users_table())
    # Answers are written while this runs, and there may be many. What a broken run left is made anew.
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX IF EXISTS answers_user_id")
        # It waits, in nobody's way, for every transaction that is open: a backup's lasts.
        op.execute("SET lock_timeout = 0")
        op.execute("CREATE INDEX CONCURRENTLY answers_user_id ON answers (user_id)")
        op.execute("SET lock_timeout = '10s'")


def downgrade() -> None:
    op.execute("DROP INDEX answers_user_id")
    op.execute(drop_deleted_users_table())
