"""Which model is preferred for what, by the installation and by each user; users' own keys for providers, encrypted."""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
    -- Without a user: the installation's.
    CREATE TABLE model_defaults (
        user_id uuid,
        purpose text NOT NULL CHECK (purpose IN ('answer', 'chat', 'rewrite', 'title', 'summary')),
        model text NOT NULL,
        set_at timestamptz NOT NULL DEFAULT now(),
        UNIQUE NULLS NOT DISTINCT (user_id, purpose)
    );
    -- sealed: a nonce of 12 bytes, then the key encrypted with AES-256-GCM, bound to user and provider.
    CREATE TABLE provider_keys (
        user_id uuid NOT NULL,
        provider text NOT NULL,
        sealed bytea NOT NULL,
        last_four text NOT NULL,
        set_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (user_id, provider)
    );
    """)


def downgrade() -> None:
    op.execute("DROP TABLE provider_keys, model_defaults;")
