"""Consent that a collection's speakers have given at once, and profiles that are made by it without asking."""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        -- consent_…: who agreed for the speakers of the collection's recordings and when, who wrote that down, and when
        -- it was taken back. creating: a voice that nobody knows makes a profile by this consent.
        CREATE TABLE collection_consents (
            collection_id uuid PRIMARY KEY,
            creating boolean NOT NULL DEFAULT false,
            consent_by text NOT NULL,
            consent_at timestamptz NOT NULL,
            consent_noted_by uuid NOT NULL,
            consent_revoked_at timestamptz,
            updated_at timestamptz NOT NULL DEFAULT now(),
            CHECK (consent_revoked_at IS NULL OR NOT creating)
        );
        -- Made by its collection's consent, and standing on nobody else's.
        ALTER TABLE speaker_profiles ADD COLUMN by_collection boolean NOT NULL DEFAULT false;
        """
    )


def downgrade() -> None:
    op.execute(
        """
        ALTER TABLE speaker_profiles DROP COLUMN by_collection;
        DROP TABLE collection_consents;
        """
    )
