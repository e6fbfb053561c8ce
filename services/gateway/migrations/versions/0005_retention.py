"""After how many days a collection's assets are deleted; and how the sweep finds those whose time has come."""

from alembic import op

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
    # Assets are written to while this runs, and there may be many. What a broken run left is made anew.
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX IF EXISTS assets_age")
        # It waits, in nobody's way, for every transaction that is open: a backup's lasts.
        op.execute("SET lock_timeout = 0")
        op.execute(
            """
            CREATE INDEX CONCURRENTLY assets_age ON assets (collection_id, created_at)
            WHERE deleted_at IS NULL
            """
        )
        op.execute("SET lock_timeout = '10s'")


def downgrade() -> None:
    op.execute("DROP INDEX assets_age")
    op.execute("ALTER TABLE collections DROP COLUMN retention_days")
