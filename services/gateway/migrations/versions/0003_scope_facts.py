"""What search narrows by and the gateway alone knows (status, tags, address) stands in the view it reads anyway."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_WIDER = """
CREATE OR REPLACE VIEW asset_scope AS
SELECT a.id AS asset_id, a.collection_id, a.deleted_at IS NOT NULL AS deleted, a.status,
    ARRAY(SELECT t.name FROM asset_tags AS t WHERE t.asset_id = a.id ORDER BY t.name) AS tags,
    a.source ->> 'url' AS url
FROM assets AS a;
"""

# Columns cannot be taken from a view, so it is made anew with the grants it had.
_NARROW = """
DO $$
DECLARE
    readers text[] := ARRAY(
        SELECT DISTINCT grantee FROM information_schema.role_table_grants
        WHERE table_schema = current_schema() AND table_name = 'asset_scope' AND privilege_type = 'SELECT'
            AND grantee <> current_user);
    reader text;
BEGIN
    DROP VIEW asset_scope;
    CREATE VIEW asset_scope AS
    SELECT a.id AS asset_id, a.collection_id, a.deleted_at IS NOT NULL AS deleted FROM assets AS a;
    FOREACH reader IN ARRAY readers LOOP
        EXECUTE format('GRANT SELECT ON asset_scope TO %I', reader);
    END LOOP;
END
$$;
"""


def upgrade() -> None:
    op.execute(_WIDER)


def downgrade() -> None:
    op.execute(_NARROW)
