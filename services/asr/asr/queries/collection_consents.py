"""SQL of the consent that a collection's speakers have given at once, and of the profiles that stand on it."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from common.db import Connection

from asr.queries.profiles import Consent, lock_profiles

# A voice that nobody knows may be that of somebody who has not agreed.
_PAUSED = """
    EXISTS (SELECT FROM speaker_profiles AS p WHERE p.collection_id = c.collection_id
        AND NOT p.consented AND NOT p.by_collection AND p.merged_into IS NULL)
"""


@dataclass(frozen=True)
class Standing:
    """``creating``: voices that nobody knows make profiles; ``paused``: not while a profile is without consent."""

    creating: bool
    consent_by: str | None
    consent_at: datetime | None
    paused: bool


@dataclass(frozen=True)
class Creation:
    """By what consent, and on whose behalf, a profile is made in a collection."""

    collection_id: UUID
    consent: Consent
    noted_by: UUID


async def read_standing(conn: Connection, collection_id: UUID) -> Standing:
    """Consent that was taken back is none."""
    row = await conn.fetchrow(
        f"""
        SELECT c.creating, CASE WHEN c.consent_revoked_at IS NULL THEN c.consent_by END AS consent_by,
            CASE WHEN c.consent_revoked_at IS NULL THEN c.consent_at END AS consent_at, {_PAUSED} AS paused
        FROM collection_consents AS c WHERE c.collection_id = $1
        """,
        collection_id,
    )
    return Standing(**row) if row else Standing(creating=False, consent_by=None, consent_at=None, paused=False)


async def is_creating(conn: Connection, asset_id: UUID) -> bool:
    """Whether the collection in which the asset is asks for profiles."""
    return bool(
        await conn.fetchval(
            """
            SELECT c.creating FROM gateway.asset_scope AS s JOIN collection_consents AS c USING (collection_id)
            WHERE s.asset_id = $1 AND NOT s.deleted
            """,
            asset_id,
        )
    )


async def lock_creation(conn: Connection, asset_id: UUID) -> Creation | None:
    """None where no profiles are to be made. Until the transaction ends nobody else makes one, or revokes.

    The asset's row must be locked before, profiles after.
    """
    row = await conn.fetchrow(
        """
        SELECT c.collection_id, c.consent_by, c.consent_at, c.consent_noted_by
        FROM gateway.asset_scope AS s JOIN collection_consents AS c USING (collection_id)
        WHERE s.asset_id = $1 AND NOT s.deleted AND c.creating FOR UPDATE OF c
        """,
        asset_id,
    )
    if row is None:
        return None
    return Creation(row["collection_id"], Consent(row["consent_by"], row["consent_at"]), row["consent_noted_by"])


async def set_creating(conn: Connection, collection_id: UUID, *, creating: bool) -> bool:
    """False when there is no consent to make profiles by."""
    status = await conn.execute(
        """
        UPDATE collection_consents SET creating = $2, updated_at = now()
        WHERE collection_id = $1 AND (consent_revoked_at IS NULL OR NOT $2)
        """,
        collection_id,
        creating,
    )
    return status == "UPDATE 1"


async def give_consent(conn: Connection, collection_id: UUID, consent: Consent, noted_by: UUID) -> list[UUID]:
    """Also for profiles that stood on it before; returns those that have consent again."""
    await conn.execute(
        """
        INSERT INTO collection_consents AS c (collection_id, consent_by, consent_at, consent_noted_by)
        VALUES ($1, $2, $3, $4)
        ON CONFLICT (collection_id) DO UPDATE SET consent_by = excluded.consent_by, consent_at = excluded.consent_at,
            consent_noted_by = excluded.consent_noted_by, consent_revoked_at = NULL, updated_at = now()
        """,
        collection_id,
        consent.by,
        consent.at,
        noted_by,
    )
    standing = await _standing_on_it(conn, collection_id)
    rows = await conn.fetch(
        """
        UPDATE speaker_profiles SET consent_by = $2, consent_at = $3, consent_noted_by = $4,
            consent_revoked_at = NULL, updated_at = now()
        WHERE id = ANY($1::uuid[]) AND NOT consented RETURNING id
        """,
        standing,
        consent.by,
        consent.at,
        noted_by,
    )
    return [row["id"] for row in rows]


async def revoke_consent(conn: Connection, collection_id: UUID, noted_by: UUID) -> None:
    """With everything that was made by it: what the voices sound like, and who they might be. Names stay."""
    await conn.execute(
        """
        UPDATE collection_consents SET creating = false, consent_revoked_at = now(), consent_noted_by = $2,
            updated_at = now()
        WHERE collection_id = $1 AND consent_revoked_at IS NULL
        """,
        collection_id,
        noted_by,
    )
    standing = await _standing_on_it(conn, collection_id)
    await conn.execute(
        """
        UPDATE speaker_profiles SET consent_revoked_at = now(), consent_noted_by = $2, updated_at = now()
        WHERE id = ANY($1::uuid[]) AND consented
        """,
        standing,
        noted_by,
    )
    await conn.execute("DELETE FROM profile_voiceprints WHERE profile_id = ANY($1::uuid[])", standing)
    await conn.execute(
        "DELETE FROM speaker_suggestions WHERE profile_id = ANY($1::uuid[]) AND state = 'open'", standing
    )


async def _standing_on_it(conn: Connection, collection_id: UUID) -> list[UUID]:
    """Locked for a change."""
    rows = await conn.fetch(
        """
        SELECT id FROM speaker_profiles WHERE collection_id = $1 AND by_collection AND merged_into IS NULL ORDER BY id
        """,
        collection_id,
    )
    found = [row["id"] for row in rows]
    await lock_profiles(conn, found)
    # One that a person took a decision about meanwhile stands on that.
    still = await conn.fetch("SELECT id FROM speaker_profiles WHERE id = ANY($1::uuid[]) AND by_collection", found)
    return [row["id"] for row in still]


async def is_paused(conn: Connection, collection_id: UUID) -> bool:
    return bool(
        await conn.fetchval(f"SELECT {_PAUSED} FROM collection_consents AS c WHERE c.collection_id = $1", collection_id)
    )
