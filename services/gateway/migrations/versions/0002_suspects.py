"""Messages under suspicion of killing their process."""

from alembic import op
from common.migrations import drop_suspects_table, suspects_table

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(suspects_table())


def downgrade() -> None:
    op.execute(drop_suspects_table())
