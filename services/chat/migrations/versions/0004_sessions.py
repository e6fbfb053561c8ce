"""Sessions: questions and answers in a row, kept until their owner deletes them; keys of repeated creations."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
    CREATE TABLE sessions (
        id uuid PRIMARY KEY,
        user_id uuid NOT NULL,
        collection_id uuid,
        title text,
        branched_from uuid REFERENCES sessions (id) ON DELETE SET NULL,
        created_at timestamptz NOT NULL DEFAULT now(),
        updated_at timestamptz NOT NULL DEFAULT now()
    );
    CREATE INDEX sessions_user_id ON sessions (user_id, id);
    CREATE INDEX sessions_collection_id ON sessions (collection_id) WHERE collection_id IS NOT NULL;
    CREATE INDEX sessions_branched_from ON sessions (branched_from) WHERE branched_from IS NOT NULL;

    -- A question (user) is followed by its answer (assistant), whose text is that of the row of answers that names the
    -- message: what an answer was made from, and who may read it, is known there alone. attempt rises with each retry.
    CREATE TABLE messages (
        id uuid PRIMARY KEY,
        session_id uuid NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
        position integer NOT NULL,
        role text NOT NULL CHECK (role IN ('user', 'assistant')),
        content text NOT NULL DEFAULT '',
        attempt integer NOT NULL DEFAULT 1,
        created_at timestamptz NOT NULL DEFAULT now(),
        UNIQUE (session_id, position)
    );

    ALTER TABLE answers
        ADD COLUMN message_id uuid UNIQUE REFERENCES messages (id) ON DELETE CASCADE,
        DROP CONSTRAINT answers_state_check,
        ADD CONSTRAINT answers_state_check
            CHECK (state IN ('running', 'done', 'failed', 'interrupted', 'cancelled'));

    -- The passages that an answer was made from, in the order of their numbers; their text stays where it is.
    CREATE TABLE answer_chunks (
        answer_id uuid NOT NULL REFERENCES answers (id) ON DELETE CASCADE,
        number integer NOT NULL,
        chunk_id text NOT NULL,
        asset_id uuid NOT NULL,
        revision integer NOT NULL,
        title text NOT NULL,
        kind text NOT NULL,
        locator jsonb NOT NULL,
        url text NOT NULL,
        PRIMARY KEY (answer_id, number)
    );

    CREATE TABLE request_keys (
        user_id uuid NOT NULL,
        key text NOT NULL,
        fingerprint bytea NOT NULL,
        resource_id uuid NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (user_id, key)
    );
    CREATE INDEX request_keys_created_at ON request_keys (created_at);
    """)


def downgrade() -> None:
    op.execute("""
    DELETE FROM answers WHERE message_id IS NOT NULL;
    DROP TABLE request_keys, answer_chunks;
    ALTER TABLE answers
        DROP COLUMN message_id,
        DROP CONSTRAINT answers_state_check,
        ADD CONSTRAINT answers_state_check CHECK (state IN ('running', 'done', 'failed', 'interrupted'));
    DROP TABLE messages, sessions;
    """)
