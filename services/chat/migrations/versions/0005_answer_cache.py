"""The answer cache: which answer is given again to whoever asks the same. It holds no text of its own."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
    -- expires_at is null while the answer is being written. With the answer its entry goes.
    CREATE TABLE answer_cache (
        key bytea PRIMARY KEY CHECK (octet_length(key) = 32),
        answer_id uuid NOT NULL REFERENCES answers (id) ON DELETE CASCADE,
        expires_at timestamptz
    );
    CREATE INDEX answer_cache_answer_id ON answer_cache (answer_id);
    CREATE INDEX answer_cache_expires_at ON answer_cache (expires_at);

    ALTER TABLE answers ADD COLUMN cached boolean NOT NULL DEFAULT false;
    """)


def downgrade() -> None:
    op.execute("""
    ALTER TABLE answers DROP COLUMN cached;
    DROP TABLE answer_cache;
    """)
