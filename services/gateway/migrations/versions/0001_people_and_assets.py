"""People, collections, assets and jobs; the two views that decide what anybody may read."""

from alembic import op
from common.migrations import core_tables, drop_core_tables

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_TABLES = """
CREATE TABLE users (
    id uuid PRIMARY KEY,
    email text NOT NULL UNIQUE,
    name text NOT NULL,
    is_admin boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE sessions (
    token_hash bytea PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL
);
CREATE INDEX sessions_expires_at ON sessions (expires_at);

CREATE TABLE sign_in_links (
    token_hash bytea PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    expires_at timestamptz NOT NULL
);

CREATE TABLE ws_tickets (
    token_hash bytea PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    expires_at timestamptz NOT NULL
);

CREATE TABLE api_keys (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name text NOT NULL,
    prefix text NOT NULL UNIQUE,
    key_hash bytea NOT NULL,
    scopes text[] NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz,
    revoked_at timestamptz,
    last_used_at timestamptz
);
CREATE INDEX api_keys_user_id ON api_keys (user_id);

CREATE TABLE collections (
    id uuid PRIMARY KEY,
    name text NOT NULL,
    description text,
    keep_media text NOT NULL DEFAULT 'audio' CHECK (keep_media IN ('audio', 'original', 'none')),
    default_for uuid UNIQUE REFERENCES users (id) ON DELETE SET NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    deleted_at timestamptz
);

CREATE TABLE members (
    collection_id uuid NOT NULL REFERENCES collections (id) ON DELETE CASCADE,
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    role text NOT NULL CHECK (role IN ('viewer', 'editor', 'owner')),
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (collection_id, user_id)
);
CREATE INDEX members_user_id ON members (user_id);

CREATE TABLE assets (
    id uuid PRIMARY KEY,
    short_id text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('recording', 'document', 'conversation')),
    collection_id uuid NOT NULL REFERENCES collections (id),
    created_by uuid REFERENCES users (id) ON DELETE SET NULL,
    title text NOT NULL,
    title_given boolean NOT NULL,
    status text NOT NULL CHECK (status IN ('pending', 'processing', 'ready', 'failed', 'cancelled', 'deleting')),
    stage text NOT NULL,
    run integer NOT NULL DEFAULT 1,
    revision integer NOT NULL DEFAULT 0,
    version integer NOT NULL DEFAULT 1,
    source jsonb NOT NULL,
    options jsonb NOT NULL,
    keep_media text NOT NULL,
    priority text NOT NULL,
    recorded_at timestamptz,
    duration_seconds double precision,
    language text,
    media_facts jsonb,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    deleted_at timestamptz
);
CREATE INDEX assets_collection_id ON assets (collection_id, id DESC);
CREATE INDEX assets_short_id ON assets (short_id);
CREATE INDEX assets_unfinished ON assets (status) WHERE status IN ('pending', 'processing', 'deleting');

CREATE TABLE asset_tags (
    asset_id uuid NOT NULL REFERENCES assets (id) ON DELETE CASCADE,
    name text NOT NULL,
    PRIMARY KEY (asset_id, name)
);
CREATE INDEX asset_tags_name ON asset_tags (name);

-- One job is one run of an asset; a retry keeps the finished stages of the run before.
CREATE TABLE jobs (
    id uuid PRIMARY KEY,
    asset_id uuid NOT NULL REFERENCES assets (id) ON DELETE CASCADE,
    run integer NOT NULL,
    status text NOT NULL CHECK (status IN ('pending', 'processing', 'ready', 'failed', 'cancelled')),
    stage text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    progress_at timestamptz,
    UNIQUE (asset_id, run)
);

CREATE TABLE stages (
    job_id uuid NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    position smallint NOT NULL,
    name text NOT NULL,
    status text NOT NULL CHECK (status IN ('pending', 'processing', 'done', 'failed', 'cancelled')),
    progress double precision NOT NULL DEFAULT 0,
    message text,
    measured_at timestamptz,
    started_at timestamptz,
    finished_at timestamptz,
    error jsonb,
    PRIMARY KEY (job_id, name)
);
CREATE INDEX stages_finished_at ON stages (name, finished_at DESC) WHERE status = 'done';

CREATE TABLE timeline (
    id uuid PRIMARY KEY,
    asset_id uuid NOT NULL REFERENCES assets (id) ON DELETE CASCADE,
    run integer NOT NULL,
    event text NOT NULL,
    stage text,
    message text NOT NULL,
    details jsonb NOT NULL DEFAULT '{}',
    at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX timeline_asset_id ON timeline (asset_id, id);

CREATE TABLE purges (
    asset_id uuid NOT NULL REFERENCES assets (id) ON DELETE CASCADE,
    service text NOT NULL,
    purged_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (asset_id, service)
);

-- resource_id becomes NULL when the asset is erased: the key stays taken, the trace goes.
CREATE TABLE idempotency_keys (
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    key text NOT NULL,
    fingerprint bytea NOT NULL,
    resource_id uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, key)
);
CREATE INDEX idempotency_keys_created_at ON idempotency_keys (created_at);
CREATE INDEX idempotency_keys_resource_id ON idempotency_keys (resource_id);

CREATE TABLE ingestion_requests (
    collection_id uuid NOT NULL REFERENCES collections (id) ON DELETE CASCADE,
    request_id text NOT NULL,
    asset_id uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (collection_id, request_id)
);
CREATE INDEX ingestion_requests_asset_id ON ingestion_requests (asset_id);
"""

# Other services read these two and nothing else of this schema (common.bootstrap grants it); change them only by
# CREATE OR REPLACE.
_VIEWS = """
CREATE VIEW access AS
SELECT m.user_id, m.collection_id, m.role
FROM members AS m
JOIN collections AS c ON c.id = m.collection_id
WHERE c.deleted_at IS NULL;

CREATE VIEW asset_scope AS
SELECT a.id AS asset_id, a.collection_id, a.deleted_at IS NOT NULL AS deleted
FROM assets AS a;
"""

_DROP = """
DROP VIEW asset_scope;
DROP VIEW access;
DROP TABLE ingestion_requests, idempotency_keys, purges, timeline, stages, jobs, asset_tags, assets, members,
    collections, api_keys, ws_tickets, sign_in_links, sessions, users;
"""


def upgrade() -> None:
    op.execute(core_tables())
    op.execute(_TABLES)
    op.execute(_VIEWS)


def downgrade() -> None:
    op.execute(_DROP)
    op.execute(drop_core_tables())
