"""Finds the assets that are being deleted, of which there are few, without a look at all others."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # As in 0005: assets are written to while this runs, and what a broken run left is made anew.
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX IF EXISTS assets_deleted")
        op.execute("SET lock_timeout = 0")
        op.execute("CREATE INDEX CONCURRENTLY assets_deleted ON assets (id) WHERE deleted_at IS NOT NULL")
        op.execute("SET lock_timeout = '10s'")


def downgrade() -> None:
    op.execute("DROP INDEX assets_deleted")
