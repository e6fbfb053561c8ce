"""Near words: keys by which a misspelt word meets the vocabulary and titles; and pages of results kept for a moment."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# Bodies that are parsed once name what they use by itself, so that a restored dump needs no search_path.
_FUNCTIONS = r"""
-- How an English word sounds, roughly: consonants by kind, and whether it begins with a vowel.
CREATE FUNCTION sound_key(word text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT regexp_replace(
        translate(left(spelt, 1), 'eiouy', 'aaaaa') || translate(substr(spelt, 2), 'aeiouyhw', ''), '(.)\1+', '\1', 'g')
    FROM (SELECT translate(
        regexp_replace(
            replace(replace(replace(replace(replace(replace(replace(
                word, 'sch', 'S'), 'sh', 'S'), 'ch', 'S'), 'ph', 'f'), 'ck', 'k'), 'th', 't'), 'x', 'ks'),
            'c([eiy])', 's\1', 'g'),
        'cqzdvbgj', 'kkstfpkS') AS spelt) AS s;
END;

-- Two words with one slip between them share a form with a letter left out; two that sound alike share a sound.
CREATE FUNCTION near_keys(word text) RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT CASE WHEN length(word) BETWEEN 3 AND 30 AND word !~ '[0-9]' THEN ARRAY(
        SELECT word
        UNION SELECT overlay(word PLACING '' FROM i FOR 1) FROM generate_series(1, length(word)) AS i
        UNION SELECT '~' || sound_key(word) WHERE word ~ '^[a-z]+$' AND length(sound_key(word)) >= 3
    ) END;
END;

CREATE FUNCTION title_keys(title text) RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT ARRAY(
        SELECT DISTINCT k.key
        FROM regexp_split_to_table(
            regexp_replace(normalize(lower(title), NFKD), '[\u0300-\u036f]', '', 'g'),
            '[\s!-/\x3a-@\[-`{-~…–—“”„«»]+') AS w (word)
        CROSS JOIN LATERAL unnest(coalesce(near_keys(w.word), ARRAY[w.word])) AS k (key)
        WHERE w.word <> ''
    );
END;
"""

# The vocabulary grows slowly however much is said, and titles are few: both tables are rewritten at once.
_COLUMNS = """
ALTER TABLE terms ADD COLUMN near text[] GENERATED ALWAYS AS (near_keys(term)) STORED;
CREATE INDEX terms_near ON terms USING gin (near);
ALTER TABLE indexed_assets ADD COLUMN title_keys text[] GENERATED ALWAYS AS (title_keys(title)) STORED;
CREATE INDEX indexed_assets_title_keys ON indexed_assets USING gin (title_keys);
"""

# What a search found, in order, so that its next pages go on from it; numbers and scores, no words. Lost in a crash.
_RESULTS = """
CREATE UNLOGGED TABLE result_lists (
    key bytea PRIMARY KEY,
    made_at timestamptz NOT NULL DEFAULT now(),
    complete boolean NOT NULL,
    items json NOT NULL
);
CREATE INDEX result_lists_made_at ON result_lists (made_at);
"""

_DROP = """
DROP TABLE result_lists;
ALTER TABLE indexed_assets DROP COLUMN title_keys;
ALTER TABLE terms DROP COLUMN near;
DROP FUNCTION title_keys, near_keys, sound_key;
"""


def upgrade() -> None:
    op.execute(_FUNCTIONS)
    op.execute(_COLUMNS)
    op.execute(_RESULTS)


def downgrade() -> None:
    op.execute(_DROP)
