"""Models have states, so that one can be exchanged for another while search goes on."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_UP = """
-- preparing: vectors are still being made; ready: every chunk has one; current: searched by; dropping: on its way out.
ALTER TABLE embedding_models
    ADD COLUMN state text NOT NULL DEFAULT 'preparing'
        CHECK (state IN ('preparing', 'ready', 'current', 'dropping')),
    ADD COLUMN quantised boolean NOT NULL DEFAULT false,
    ADD COLUMN switch_when_ready boolean NOT NULL DEFAULT false,
    ADD COLUMN error jsonb,
    ADD COLUMN switched_at timestamptz,
    ADD COLUMN dropped_at timestamptz,
    ADD COLUMN index_rows bigint NOT NULL DEFAULT 0,
    ADD COLUMN index_deletions bigint NOT NULL DEFAULT 0;
UPDATE embedding_models SET state = 'current', switched_at = created_at
    WHERE id = (SELECT max(id) FROM embedding_models);
UPDATE embedding_models SET state = 'dropping', dropped_at = now() WHERE state <> 'current';
CREATE UNIQUE INDEX embedding_models_current ON embedding_models (state) WHERE state = 'current';

-- Ranges of chunk numbers that a model has yet to embed. Whoever claims one has it until claimed_until.
CREATE TABLE backfill_batches (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    model_id smallint NOT NULL REFERENCES embedding_models (id) ON DELETE CASCADE,
    first_number integer NOT NULL,
    last_number integer NOT NULL,
    claim uuid,
    claimed_until timestamptz NOT NULL DEFAULT '-infinity',
    chunks integer NOT NULL DEFAULT 0,
    cut integer NOT NULL DEFAULT 0,
    done_at timestamptz
);
CREATE INDEX backfill_batches_open ON backfill_batches (model_id, id) WHERE done_at IS NULL;

-- Which of a chunk's speakers have a name of their own, and so are part of what is embedded. Null in older rows.
ALTER TABLE chunks ADD COLUMN names text[];

-- Without its vector index, which is built when the table is large enough to need one, and after a bulk load.
CREATE OR REPLACE FUNCTION create_embeddings_table(model_id smallint, dimensions integer) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    name text := 'embeddings_' || model_id;
BEGIN
    EXECUTE format(
        'CREATE TABLE IF NOT EXISTS %I (chunk_number integer PRIMARY KEY, asset_number integer NOT NULL, '
        'embedding halfvec(%s) NOT NULL)', name, dimensions);
    EXECUTE format('CREATE INDEX IF NOT EXISTS %I ON %I (asset_number)', name || '_asset_number', name);
END
$$;
"""

_DOWN = """
CREATE OR REPLACE FUNCTION create_embeddings_table(model_id smallint, dimensions integer) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    name text := 'embeddings_' || model_id;
BEGIN
    EXECUTE format(
        'CREATE TABLE IF NOT EXISTS %I (chunk_number integer PRIMARY KEY, asset_number integer NOT NULL, '
        'embedding halfvec(%s) NOT NULL)', name, dimensions);
    EXECUTE format('CREATE INDEX IF NOT EXISTS %I ON %I (asset_number)', name || '_asset_number', name);
    EXECUTE format(
        'CREATE INDEX IF NOT EXISTS %I ON %I USING hnsw (embedding halfvec_ip_ops) '
        'WITH (m = 16, ef_construction = 64)', name || '_embedding', name);
END
$$;

-- What came before knows one model and one kind of index.
DO $$
DECLARE
    model record;
BEGIN
    FOR model IN SELECT id, dimensions, state, quantised FROM embedding_models LOOP
        IF model.state <> 'current' THEN
            EXECUTE format('DROP TABLE IF EXISTS %I', 'embeddings_' || model.id);
            DELETE FROM embedding_models WHERE id = model.id;
        ELSE
            IF model.quantised THEN
                EXECUTE format('DROP INDEX IF EXISTS %I', 'embeddings_' || model.id || '_embedding');
            END IF;
            PERFORM create_embeddings_table(model.id, model.dimensions);
        END IF;
    END LOOP;
END
$$;
ALTER TABLE chunks DROP COLUMN names;
DROP TABLE backfill_batches;
DROP INDEX embedding_models_current;
ALTER TABLE embedding_models DROP COLUMN state, DROP COLUMN quantised, DROP COLUMN switch_when_ready,
    DROP COLUMN error, DROP COLUMN switched_at, DROP COLUMN dropped_at, DROP COLUMN index_rows,
    DROP COLUMN index_deletions;
"""


def upgrade() -> None:
    op.execute(_UP)


def downgrade() -> None:
    op.execute(_DOWN)
