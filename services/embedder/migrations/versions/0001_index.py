"""The index: chunks, postings and terms, one table of vectors per model, generations per collection."""

from alembic import op
from common.migrations import core_tables, drop_core_tables

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_TABLES = """
CREATE TABLE embedding_models (
    id smallint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE,
    dimensions integer NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

-- One row per asset that was heard of; run and revision say what is indexed, heard_* what to index again from.
CREATE TABLE indexed_assets (
    asset_id uuid PRIMARY KEY,
    number integer GENERATED ALWAYS AS IDENTITY UNIQUE,
    collection_id uuid NOT NULL,
    kind text NOT NULL,
    title text NOT NULL,
    language text,
    duration_seconds double precision,
    recorded_at timestamptz,
    registered_at timestamptz NOT NULL,
    heard_run integer NOT NULL DEFAULT 0,
    heard_revision integer NOT NULL DEFAULT 0,
    heard jsonb,
    run integer NOT NULL DEFAULT 0,
    revision integer NOT NULL DEFAULT 0,
    chunk_count integer NOT NULL DEFAULT 0,
    indexed_at timestamptz
);
CREATE INDEX indexed_assets_collection_id ON indexed_assets (collection_id);
CREATE INDEX indexed_assets_language ON indexed_assets (language);

-- Postings and vectors name chunks and assets by number: four bytes instead of sixteen in the largest tables.
CREATE SEQUENCE chunk_numbers AS integer;
CREATE TABLE chunks (
    id uuid PRIMARY KEY,
    number integer NOT NULL,
    asset_id uuid NOT NULL REFERENCES indexed_assets (asset_id),
    chunk_index integer NOT NULL,
    content text NOT NULL,
    locator jsonb NOT NULL,
    speakers text[] NOT NULL,
    words json NOT NULL,
    lines json NOT NULL,
    -- Every word with its place, and with weight A the first words of the next chunk, so that a phrase
    -- across the border is found where it begins.
    phrase tsvector NOT NULL,
    term_ids integer[] NOT NULL
);
CREATE UNIQUE INDEX chunks_number ON chunks (number) INCLUDE (asset_id, chunk_index);
CREATE UNIQUE INDEX chunks_asset_id ON chunks (asset_id, chunk_index) INCLUDE (number);
CREATE INDEX chunks_phrase ON chunks USING gin (phrase);
CREATE INDEX chunks_speakers ON chunks USING gin (speakers);

CREATE TABLE terms (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    term text NOT NULL UNIQUE,
    df integer NOT NULL DEFAULT 0
);

CREATE TABLE postings (
    term_id integer NOT NULL,
    chunk_number integer NOT NULL,
    asset_number integer NOT NULL,
    tf smallint NOT NULL,
    len smallint NOT NULL
) WITH (autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);
CREATE UNIQUE INDEX postings_term_id ON postings (term_id, chunk_number) INCLUDE (asset_number, tf, len);

-- Statistics are appended by those who index and folded in by one background job.
CREATE TABLE term_deltas (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    term_id integer NOT NULL,
    chunks integer NOT NULL
);
CREATE INDEX term_deltas_term_id ON term_deltas (term_id);
CREATE TABLE corpus (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    chunks bigint NOT NULL DEFAULT 0,
    length bigint NOT NULL DEFAULT 0
);
INSERT INTO corpus DEFAULT VALUES;
CREATE TABLE corpus_deltas (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    chunks bigint NOT NULL,
    length bigint NOT NULL
);

CREATE TABLE index_generations (
    collection_id uuid PRIMARY KEY,
    generation bigint NOT NULL
);
"""

# Tables of vectors have fixed dimensions: an index over mixed ones is refused, and one over a cast is used only by
# queries that repeat the cast. The role that owns this schema owns the function and what it makes.
_FUNCTION = """
CREATE FUNCTION create_embeddings_table(model_id smallint, dimensions integer) RETURNS void
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
"""

_DROP = """
DO $$
DECLARE
    model smallint;
BEGIN
    FOR model IN SELECT id FROM embedding_models LOOP
        EXECUTE format('DROP TABLE IF EXISTS %I', 'embeddings_' || model);
    END LOOP;
END
$$;
DROP FUNCTION create_embeddings_table;
DROP TABLE index_generations, corpus_deltas, corpus, term_deltas, postings, terms, chunks;
DROP SEQUENCE chunk_numbers;
DROP TABLE indexed_assets, embedding_models;
"""


def upgrade() -> None:
    op.execute(core_tables())
    op.execute(_TABLES)
    op.execute(_FUNCTION)


def downgrade() -> None:
    op.execute(_DROP)
    op.execute(drop_core_tables())
