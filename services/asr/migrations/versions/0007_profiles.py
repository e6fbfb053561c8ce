"""People who are known across recordings: profiles, what their voices sound like, and who a speaker might be."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        -- A collection's profile, or (collection_id null) its maker's own. consent_…: who agreed to a voiceprint and
        -- when, who wrote that down, and when it was taken back. merged_into: what took this profile's place; such a
        -- row only leads there. request_…: the Idempotency-Key that it was made with.
        CREATE TABLE speaker_profiles (
            id uuid PRIMARY KEY,
            collection_id uuid,
            made_by uuid NOT NULL,
            name text NOT NULL,
            is_owner boolean NOT NULL DEFAULT false,
            consent_by text,
            consent_at timestamptz,
            consent_noted_by uuid,
            consent_revoked_at timestamptz,
            consented boolean NOT NULL GENERATED ALWAYS AS
                (consent_at IS NOT NULL AND consent_revoked_at IS NULL) STORED,
            merged_into uuid REFERENCES speaker_profiles ON DELETE CASCADE,
            request_key text,
            request_fingerprint bytea,
            created_at timestamptz NOT NULL DEFAULT now(),
            updated_at timestamptz NOT NULL DEFAULT now(),
            UNIQUE (made_by, request_key)
        );
        CREATE INDEX speaker_profiles_collection_id ON speaker_profiles (collection_id, id);
        CREATE INDEX speaker_profiles_made_by ON speaker_profiles (made_by, id) WHERE collection_id IS NULL;
        CREATE INDEX speaker_profiles_merged_into ON speaker_profiles (merged_into) WHERE merged_into IS NOT NULL;

        -- What recordings gave to profiles, by consent: a copy of the voiceprint that the speaker had in the machine's
        -- text of that revision. It goes with the recording, with the profile, and with the consent.
        CREATE TABLE profile_voiceprints (
            profile_id uuid NOT NULL REFERENCES speaker_profiles ON DELETE CASCADE,
            asset_id uuid NOT NULL,
            revision integer NOT NULL,
            speaker_id text NOT NULL,
            model text NOT NULL,
            vector bytea NOT NULL,
            speech_seconds double precision NOT NULL,
            given_at timestamptz NOT NULL DEFAULT now(),
            PRIMARY KEY (profile_id, asset_id, revision, speaker_id),
            FOREIGN KEY (asset_id, revision) REFERENCES transcripts ON DELETE CASCADE
        );
        CREATE INDEX profile_voiceprints_asset_id ON profile_voiceprints (asset_id);

        -- Who a speaker of the machine's text of that revision might be: by voice a profile, or a name that is said.
        -- Decisions stay, so that nothing is asked twice; automatic ones give no voiceprint to the profile.
        CREATE TABLE speaker_suggestions (
            id uuid PRIMARY KEY,
            asset_id uuid NOT NULL,
            revision integer NOT NULL,
            speaker_id text NOT NULL,
            source text NOT NULL CHECK (source IN ('voice', 'said')),
            profile_id uuid REFERENCES speaker_profiles ON DELETE CASCADE,
            name text,
            segment_id text,
            confidence double precision NOT NULL,
            state text NOT NULL CHECK (state IN ('open', 'accepted', 'rejected', 'automatic')),
            decided_by uuid,
            decided_at timestamptz,
            made_at timestamptz NOT NULL DEFAULT now(),
            CHECK ((source = 'voice') = (profile_id IS NOT NULL) AND (source = 'said') = (name IS NOT NULL)),
            UNIQUE NULLS NOT DISTINCT (asset_id, revision, speaker_id, profile_id, name),
            FOREIGN KEY (asset_id, revision) REFERENCES transcripts ON DELETE CASCADE
        );
        CREATE INDEX speaker_suggestions_profile_id ON speaker_suggestions (profile_id) WHERE profile_id IS NOT NULL;

        -- How sure one must be to name speakers of a collection's recordings without asking.
        CREATE TABLE speaker_settings (
            collection_id uuid PRIMARY KEY,
            automatic boolean NOT NULL,
            owner_threshold double precision NOT NULL,
            guest_threshold double precision NOT NULL,
            updated_at timestamptz NOT NULL DEFAULT now()
        );

        -- What is still to be done about a recording's speakers, by whichever worker comes first. asked rises when it
        -- is asked for again, so that what was asked meanwhile is not taken for done. made_by: on whose behalf.
        CREATE TABLE speaker_tasks (
            kind text NOT NULL CHECK (kind IN ('match', 'follow', 'names')),
            asset_id uuid NOT NULL,
            asked integer NOT NULL DEFAULT 1,
            made_by uuid,
            attempts integer NOT NULL DEFAULT 0,
            due_at timestamptz NOT NULL DEFAULT now(),
            PRIMARY KEY (kind, asset_id)
        );
        CREATE INDEX speaker_tasks_due_at ON speaker_tasks (due_at);

        -- Which recordings carry a profile is asked of their transcripts, which are true through every correction.
        CREATE INDEX transcripts_speakers ON transcripts USING gin (speakers jsonb_path_ops);
        -- The speakers of newest revisions that carry a profile: the one that they name, or what took its place.
        CREATE VIEW profile_speakers AS
        SELECT t.asset_id, t.base_revision AS revision, s.value ->> 'id' AS speaker_id,
            coalesce(p.merged_into, p.id) AS profile_id
        FROM asset_states AS a
        JOIN transcripts AS t ON t.asset_id = a.asset_id AND t.revision = a.revision
        CROSS JOIN jsonb_array_elements(t.speakers) AS s (value)
        JOIN speaker_profiles AS p ON p.id = (s.value ->> 'profile_id')::uuid
        WHERE a.deleted_at IS NULL;
        """
    )


def downgrade() -> None:
    op.execute(
        """
        DROP VIEW profile_speakers;
        DROP INDEX transcripts_speakers;
        DROP TABLE speaker_tasks, speaker_settings, speaker_suggestions, profile_voiceprints, speaker_profiles;
        """
    )
