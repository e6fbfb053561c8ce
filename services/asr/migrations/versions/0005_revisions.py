"""Revisions share the segments that they have in common, and say who made them and how."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        -- made_by: the person who corrected; null for what a machine wrote.
        -- base_revision: the machine's own text that this one was corrected from; its own number for such a text.
        ALTER TABLE transcripts
            ADD COLUMN change text NOT NULL DEFAULT 'transcribed',
            ADD COLUMN made_by uuid,
            ADD COLUMN base_revision integer;
        UPDATE transcripts SET base_revision = revision;
        ALTER TABLE transcripts
            ALTER COLUMN change DROP DEFAULT,
            ALTER COLUMN base_revision SET NOT NULL;

        -- A segment is part of every revision from from_revision to before until_revision (null: to this day), so
        -- that one corrected word costs one row. They are in order of start_seconds; position, which several may have
        -- once one of them was split, orders those that begin at once.
        ALTER TABLE segments DROP CONSTRAINT segments_pkey;
        ALTER TABLE segments DROP CONSTRAINT segments_asset_id_revision_segment_id_key;
        ALTER TABLE segments RENAME COLUMN revision TO from_revision;
        ALTER TABLE segments ADD COLUMN until_revision integer;
        UPDATE segments AS s SET until_revision = s.from_revision + 1
        WHERE EXISTS (
            SELECT FROM transcripts AS t WHERE t.asset_id = s.asset_id AND t.revision > s.from_revision
        );
        ALTER TABLE segments ADD PRIMARY KEY (asset_id, segment_id, from_revision);
        """
    )


def downgrade() -> None:
    op.execute(
        """
        CREATE TEMPORARY TABLE every_segment ON COMMIT DROP AS
        SELECT s.asset_id, t.revision,
            (row_number() OVER (PARTITION BY t.asset_id, t.revision ORDER BY s.start_seconds, s.position) - 1)::integer
                AS position,
            s.segment_id, s.start_seconds, s.end_seconds, s.speaker_id, s.text, s.words
        FROM transcripts AS t
        JOIN segments AS s ON s.asset_id = t.asset_id AND s.from_revision <= t.revision
            AND (s.until_revision IS NULL OR t.revision < s.until_revision);
        TRUNCATE segments;
        ALTER TABLE segments DROP CONSTRAINT segments_pkey;
        ALTER TABLE segments DROP COLUMN until_revision;
        ALTER TABLE segments RENAME COLUMN from_revision TO revision;
        ALTER TABLE segments ADD PRIMARY KEY (asset_id, revision, position);
        ALTER TABLE segments ADD UNIQUE (asset_id, revision, segment_id);
        INSERT INTO segments (asset_id, revision, position, segment_id, start_seconds, end_seconds, speaker_id, text,
            words)
        SELECT asset_id, revision, position, segment_id, start_seconds, end_seconds, speaker_id, text, words
        FROM every_segment;
        ALTER TABLE transcripts DROP COLUMN change, DROP COLUMN made_by, DROP COLUMN base_revision;
        """
    )
