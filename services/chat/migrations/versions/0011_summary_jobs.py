"""Jobs of an external summariser: which one is polled for which work, and which ones it is still to be told to end."""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
    -- A row outlives the work, and the recording, until the summariser was told that nobody wants the job any more.
    -- starts: how often it was begun, because the summariser had lost it. due_at: when to tell it next.
    CREATE TABLE summary_jobs (
        work_id uuid PRIMARY KEY,
        job_id text NOT NULL,
        starts integer NOT NULL,
        begun_at timestamptz NOT NULL DEFAULT now(),
        tries integer NOT NULL DEFAULT 0,
        due_at timestamptz NOT NULL DEFAULT now()
    );
    """)


def downgrade() -> None:
    op.execute("DROP TABLE summary_jobs;")
