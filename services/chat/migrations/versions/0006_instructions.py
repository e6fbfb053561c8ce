"""Instructions of the people who run the library, and prompts that take the place of the built-in ones."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
    -- Of the whole installation, or of one collection. version is the newest; active_version the one that answers are
    -- written by, of at most one instruction in each place.
    CREATE TABLE instructions (
        id uuid PRIMARY KEY,
        collection_id uuid,
        version integer NOT NULL DEFAULT 1,
        active_version integer,
        created_by uuid NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now()
    );
    CREATE INDEX instructions_collection_id ON instructions (collection_id, id);
    CREATE UNIQUE INDEX instructions_active ON instructions (collection_id) NULLS NOT DISTINCT
        WHERE active_version IS NOT NULL;

    CREATE TABLE instruction_versions (
        instruction_id uuid NOT NULL REFERENCES instructions (id) ON DELETE CASCADE,
        version integer NOT NULL,
        name text NOT NULL,
        text text NOT NULL,
        created_by uuid NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (instruction_id, version)
    );

    -- Since when and until when a version was active, and by whom; without an end it is so now.
    CREATE TABLE instruction_activations (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        instruction_id uuid NOT NULL REFERENCES instructions (id) ON DELETE CASCADE,
        version integer NOT NULL,
        begun_by uuid NOT NULL,
        begun_at timestamptz NOT NULL DEFAULT now(),
        ended_by uuid,
        ended_at timestamptz
    );
    CREATE INDEX instruction_activations_version ON instruction_activations (instruction_id, version);

    -- text: null where the built-in one was gone back to.
    CREATE TABLE prompts (
        purpose text PRIMARY KEY,
        version integer NOT NULL DEFAULT 0,
        text text
    );
    CREATE TABLE prompt_versions (
        purpose text NOT NULL REFERENCES prompts (purpose) ON DELETE CASCADE,
        version integer NOT NULL,
        text text,
        created_by uuid NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (purpose, version)
    );

    -- What an answer was written by: the number that counts most, and exactly which versions of which instructions.
    ALTER TABLE answers
        ADD COLUMN instruction_version integer,
        ADD COLUMN instructions jsonb NOT NULL DEFAULT '[]';
    """)


def downgrade() -> None:
    op.execute("""
    ALTER TABLE answers DROP COLUMN instructions, DROP COLUMN instruction_version;
    DROP TABLE prompt_versions, prompts, instruction_activations, instruction_versions, instructions;
    """)
