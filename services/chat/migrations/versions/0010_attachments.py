"""Images and PDFs that came with questions of sessions; their bytes lie in the object store."""

from alembic import op

revision = "0010"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
    -- object_refs names the message where it names an asset elsewhere: whoever deletes messages releases them.
    CREATE TABLE attachments (
        id uuid PRIMARY KEY,
        message_id uuid NOT NULL REFERENCES messages (id) ON DELETE CASCADE,
        position integer NOT NULL,
        name text NOT NULL,
        media_type text NOT NULL,
        size_bytes integer NOT NULL,
        sha256 text NOT NULL,
        uri text NOT NULL,
        UNIQUE (message_id, position)
    );
    """)


def downgrade() -> None:
    op.execute("""
    DELETE FROM object_refs WHERE kind = 'attachment';
    UPDATE objects SET unreferenced_at = now() WHERE kind = 'attachment';
    DROP TABLE attachments;
    """)
