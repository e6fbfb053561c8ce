"""Alembic for every service: revisions are SQL, one version table per schema, one shared environment."""

import importlib.util
from pathlib import Path
from typing import Any

from alembic import op
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

_LOCK_TIMEOUT = "10s"
# A service's limits (common.bootstrap) are not a migration's; not every server knows each of them.
_UNLIMITED = """
    SELECT set_config(name, '0', false) FROM pg_settings
    WHERE name IN ('statement_timeout', 'transaction_timeout', 'idle_in_transaction_session_timeout')
"""


def migrations_dir(service: str) -> Path:
    """Beside the package in a checkout, inside it in a wheel. Raises LookupError when the service is not installed."""
    spec = importlib.util.find_spec(service)
    if spec is None or spec.origin is None:
        raise LookupError(f"{service} is not installed")
    package = Path(spec.origin).parent
    inside = package / "migrations"
    return inside if inside.is_dir() else package.parent / "migrations"


def _run(service: str, url: str, target: str, *, down: bool) -> None:
    directory = migrations_dir(service)
    script = ScriptDirectory(str(directory), version_locations=[str(directory / "versions")])
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg2"))

    # The steps that alembic.command takes too; there they are found in a generated env.py in every service.
    def steps(revision: Any, _context: Any) -> Any:
        move: Any = getattr(script, "_downgrade_revs" if down else "_upgrade_revs")
        return move(target, revision)

    environment = EnvironmentContext(Config(), script, fn=steps, destination_rev=target)
    with engine.connect() as connection, environment:
        connection.execute(text(f"SET lock_timeout = '{_LOCK_TIMEOUT}'"))
        connection.execute(text(_UNLIMITED))
        connection.commit()
        environment.configure(connection=connection, version_table_schema=service, transaction_per_migration=True)
        with environment.begin_transaction():
            environment.run_migrations()
        connection.commit()
    engine.dispose()


def upgrade(service: str, url: str, revision: str = "head") -> None:
    """Bring the service's schema forward; ``url`` is its own role's, on a direct connection."""
    _run(service, url, revision, down=False)


def downgrade(service: str, url: str, revision: str = "base") -> None:
    _run(service, url, revision, down=True)


def known_revisions(service: str) -> set[str]:
    """Every revision of the service's chain that this code has."""
    directory = migrations_dir(service)
    script = ScriptDirectory(str(directory), version_locations=[str(directory / "versions")])
    return {each.revision for each in script.walk_revisions()}


def build_index(name: str, definition: str) -> None:
    """On a table that is written to meanwhile and may be large; ``definition``: what follows ON. Ends the migration's
    transaction. What a broken run left is made anew."""
    with op.get_context().autocommit_block():
        op.execute(f"DROP INDEX IF EXISTS {name}")
        # It waits, in nobody's way, for every transaction that is open: a backup's lasts.
        op.execute("SET lock_timeout = 0")
        op.execute(f"CREATE INDEX CONCURRENTLY {name} ON {definition}")
        op.execute(f"SET lock_timeout = '{_LOCK_TIMEOUT}'")


def core_tables() -> str:
    """SQL of the tables that every schema has: outbox, inbox, parked, asset_states, objects, object_refs."""
    return """
    CREATE TABLE outbox (
        seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        id uuid NOT NULL,
        exchange text NOT NULL,
        routing_key text NOT NULL,
        headers jsonb NOT NULL,
        body bytea NOT NULL,
        attempts integer NOT NULL DEFAULT 0,
        next_attempt_at timestamptz NOT NULL DEFAULT now(),
        last_error text,
        created_at timestamptz NOT NULL DEFAULT now()
    ) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
    CREATE TABLE inbox (
        consumer text NOT NULL,
        message_id uuid NOT NULL,
        handled_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (consumer, message_id)
    );
    CREATE INDEX inbox_handled_at ON inbox (handled_at);
    CREATE TABLE parked (
        id uuid PRIMARY KEY,
        queue text NOT NULL,
        message_id uuid NOT NULL,
        type text,
        asset_id uuid,
        reason text NOT NULL,
        history jsonb NOT NULL,
        headers jsonb NOT NULL,
        body bytea NOT NULL,
        parked_at timestamptz NOT NULL DEFAULT now(),
        UNIQUE (queue, message_id)
    );
    CREATE TABLE asset_states (
        asset_id uuid PRIMARY KEY,
        collection_id uuid NOT NULL,
        run integer NOT NULL,
        revision integer NOT NULL DEFAULT 0,
        version integer NOT NULL DEFAULT 0,
        cancelled_run integer NOT NULL DEFAULT 0,
        deleted_at timestamptz,
        created_at timestamptz NOT NULL DEFAULT now()
    );
    CREATE TABLE objects (
        kind text NOT NULL,
        sha256 text NOT NULL,
        uri text NOT NULL,
        size_bytes bigint NOT NULL,
        stored_at timestamptz,
        touched_at timestamptz NOT NULL DEFAULT now(),
        unreferenced_at timestamptz,
        PRIMARY KEY (kind, sha256)
    );
    CREATE INDEX objects_unreferenced_at ON objects (unreferenced_at) WHERE unreferenced_at IS NOT NULL;
    CREATE TABLE object_refs (
        asset_id uuid NOT NULL,
        name text NOT NULL,
        kind text NOT NULL,
        sha256 text NOT NULL,
        PRIMARY KEY (asset_id, name),
        FOREIGN KEY (kind, sha256) REFERENCES objects (kind, sha256)
    );
    CREATE INDEX object_refs_object ON object_refs (kind, sha256);
    """


def drop_core_tables() -> str:
    return "DROP TABLE object_refs, objects, asset_states, parked, inbox, outbox;"


def suspects_table() -> str:
    """SQL of the table that every schema has since revision 0002: messages that may kill their process."""
    return """
    CREATE TABLE suspects (
        consumer text NOT NULL,
        message_id uuid NOT NULL,
        begun integer NOT NULL DEFAULT 1,
        begun_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (consumer, message_id)
    );
    """


def drop_suspects_table() -> str:
    return "DROP TABLE suspects;"


def deleted_users_table() -> str:
    """SQL of the table of schemas that hold something of users: who is deleted (see ``common.users``)."""
    return """
    CREATE TABLE IF NOT EXISTS deleted_users (
        user_id uuid PRIMARY KEY,
        deleted_at timestamptz NOT NULL DEFAULT now()
    );
    """


def drop_deleted_users_table() -> str:
    return "DROP TABLE deleted_users;"
