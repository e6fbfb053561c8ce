"""SQL of speaker profiles: whose they are, who may see them, and their consent."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from common.db import Connection

# The profiles that user $1 may see: their own, and those of collections that are open to them at this moment.
_SEEN = """
    (p.collection_id IS NULL AND p.made_by = $1 OR EXISTS (
        SELECT FROM gateway.access AS x WHERE x.user_id = $1 AND x.collection_id = p.collection_id))
    AND p.merged_into IS NULL
"""
# Those that belong to the collection of asset_scope s: the collection's, and their own of people who edit in it.
IN_SCOPE = """
    (p.collection_id = s.collection_id OR p.collection_id IS NULL AND EXISTS (
        SELECT FROM gateway.access AS x
        WHERE x.user_id = p.made_by AND x.collection_id = s.collection_id AND x.role IN ('editor', 'owner')))
"""
_COLUMNS = """
    p.id, p.collection_id, p.made_by, p.name, p.is_owner, p.consented, p.consent_by, p.consent_at,
    p.consent_revoked_at, p.by_collection, p.created_at, p.updated_at,
    (SELECT count(*) FROM profile_voiceprints AS g WHERE g.profile_id = p.id) AS voiceprint_count,
    CASE WHEN p.collection_id IS NULL THEN 'owner' ELSE (
        SELECT x.role FROM gateway.access AS x WHERE x.user_id = $1 AND x.collection_id = p.collection_id) END AS role
"""


@dataclass(frozen=True)
class Profile:
    """A person who is known across recordings, as one user sees them; ``role`` is that user's in the profile.

    ``by_collection``: made without asking, by the consent of the collection's speakers.
    """

    id: UUID
    collection_id: UUID | None
    made_by: UUID
    name: str
    is_owner: bool
    consented: bool
    consent_by: str | None
    consent_at: datetime | None
    consent_revoked_at: datetime | None
    by_collection: bool
    created_at: datetime
    updated_at: datetime
    voiceprint_count: int
    role: str


@dataclass(frozen=True)
class Consent:
    """``by``: who agreed, in their words; ``at``: when."""

    by: str
    at: datetime


@dataclass(frozen=True)
class NewProfile:
    """What a profile is made of; ``request_key`` is the creation's Idempotency-Key, if it has one.

    ``by_collection``: its consent is the one that the collection's speakers have given at once.
    """

    id: UUID
    collection_id: UUID | None
    made_by: UUID
    name: str
    is_owner: bool
    consent: Consent | None
    request_key: str | None
    fingerprint: bytes
    by_collection: bool = False


@dataclass(frozen=True)
class Made:
    """The row as it stands; ``fresh`` when this creation made it."""

    id: UUID
    fresh: bool
    fingerprint: bytes


async def role_in(conn: Connection, user_id: UUID, collection_id: UUID) -> str | None:
    """None where the user may not enter the collection, or there is none."""
    return await conn.fetchval(
        "SELECT role FROM gateway.access WHERE user_id = $1 AND collection_id = $2", user_id, collection_id
    )


async def add_profile(conn: Connection, new: NewProfile) -> Made:
    row = await conn.fetchrow(
        """
        INSERT INTO speaker_profiles AS p (id, collection_id, made_by, name, is_owner, consent_by, consent_at,
            consent_noted_by, request_key, request_fingerprint, by_collection)
        VALUES ($1, $2, $3::uuid, $4, $5, $6::text, $7, CASE WHEN $6::text IS NOT NULL THEN $3::uuid END, $8, $9, $10)
        ON CONFLICT (made_by, request_key) DO UPDATE SET request_key = p.request_key
        RETURNING id, (xmax = 0) AS fresh, request_fingerprint AS fingerprint
        """,
        new.id,
        new.collection_id,
        new.made_by,
        new.name,
        new.is_owner,
        new.consent.by if new.consent else None,
        new.consent.at if new.consent else None,
        new.request_key,
        new.fingerprint,
        new.by_collection,
    )
    assert row is not None
    return Made(**row)


async def read_profile(conn: Connection, user_id: UUID, profile_id: UUID) -> Profile | None:
    """None when there is no such profile for this user: unknown, merged, or somebody else's."""
    row = await conn.fetchrow(
        f"SELECT {_COLUMNS} FROM speaker_profiles AS p WHERE p.id = $2 AND {_SEEN}", user_id, profile_id
    )
    return Profile(**row) if row else None


async def list_profiles(
    conn: Connection, user_id: UUID, collection_id: UUID | None, before: UUID | None, limit: int
) -> list[Profile]:
    """Newest first, those older than ``before``."""
    rows = await conn.fetch(
        f"""
        SELECT {_COLUMNS} FROM speaker_profiles AS p
        WHERE {_SEEN} AND ($2::uuid IS NULL OR p.collection_id = $2) AND ($3::uuid IS NULL OR p.id < $3)
        ORDER BY p.id DESC LIMIT $4
        """,
        user_id,
        collection_id,
        before,
        limit,
    )
    return [Profile(**row) for row in rows]


async def seen_among(conn: Connection, user_id: UUID, profile_ids: list[UUID]) -> frozenset[UUID]:
    """Those of the profiles that the user may see."""
    if not profile_ids:
        return frozenset()
    rows = await conn.fetch(
        f"SELECT p.id FROM speaker_profiles AS p WHERE p.id = ANY($2::uuid[]) AND {_SEEN}", user_id, profile_ids
    )
    return frozenset(row["id"] for row in rows)


async def lock_profiles(conn: Connection, profile_ids: list[UUID]) -> None:
    """For a change of them, until the transaction ends; always in the same order, and after any asset."""
    await conn.execute("SELECT FROM speaker_profiles WHERE id = ANY($1::uuid[]) ORDER BY id FOR UPDATE", profile_ids)


async def hold_profiles(conn: Connection, asset_id: UUID, profile_ids: list[UUID]) -> dict[UUID, tuple[str, bool]]:
    """Name and consent of those that exist and belong where the asset is; nobody changes them until the transaction
    ends."""
    rows = await conn.fetch(
        f"""
        SELECT p.id, p.name, p.consented FROM speaker_profiles AS p
        JOIN gateway.asset_scope AS s ON s.asset_id = $1 AND NOT s.deleted
        WHERE p.id = ANY($2::uuid[]) AND p.merged_into IS NULL AND {IN_SCOPE}
        ORDER BY p.id FOR SHARE OF p
        """,
        asset_id,
        profile_ids,
    )
    return {row["id"]: (row["name"], row["consented"]) for row in rows}


async def change_profile(conn: Connection, profile_id: UUID, name: str | None, is_owner: bool | None) -> bool:
    """True when it is called differently now."""
    return bool(
        await conn.fetchval(
            """
            UPDATE speaker_profiles AS p SET name = coalesce($2, p.name), is_owner = coalesce($3, p.is_owner),
                updated_at = now()
            FROM speaker_profiles AS before WHERE before.id = p.id AND p.id = $1
            RETURNING p.name <> before.name
            """,
            profile_id,
            name,
            is_owner,
        )
    )


async def give_consent(conn: Connection, profile_id: UUID, consent: Consent, noted_by: UUID) -> None:
    await conn.execute(
        """
        UPDATE speaker_profiles SET consent_by = $2, consent_at = $3, consent_noted_by = $4,
            consent_revoked_at = NULL, by_collection = false, updated_at = now()
        WHERE id = $1
        """,
        profile_id,
        consent.by,
        consent.at,
        noted_by,
    )


async def revoke_consent(conn: Connection, profile_id: UUID, noted_by: UUID) -> None:
    """With everything that was made by it: what the voice sounds like, and who it might be."""
    await conn.execute(
        """
        UPDATE speaker_profiles SET consent_revoked_at = coalesce(consent_revoked_at, now()), consent_noted_by = $2,
            by_collection = false, updated_at = now()
        WHERE id = $1 AND (consented OR by_collection)
        """,
        profile_id,
        noted_by,
    )
    await conn.execute("DELETE FROM profile_voiceprints WHERE profile_id = $1", profile_id)
    await conn.execute("DELETE FROM speaker_suggestions WHERE profile_id = $1 AND state = 'open'", profile_id)


async def merge_profile(conn: Connection, profile_id: UUID, into: UUID) -> None:
    """Everything of one profile is the other's; voiceprints only if that one has consent."""
    await conn.execute(
        """
        UPDATE profile_voiceprints AS g SET profile_id = $2
        WHERE g.profile_id = $1 AND (SELECT p.consented FROM speaker_profiles AS p WHERE p.id = $2)
            AND NOT EXISTS (
                SELECT FROM profile_voiceprints AS held WHERE held.profile_id = $2
                    AND (held.asset_id, held.revision, held.speaker_id) = (g.asset_id, g.revision, g.speaker_id))
        """,
        profile_id,
        into,
    )
    await conn.execute(
        """
        UPDATE speaker_suggestions AS g SET profile_id = $2
        WHERE g.profile_id = $1 AND NOT EXISTS (
            SELECT FROM speaker_suggestions AS held WHERE held.profile_id = $2
                AND (held.asset_id, held.revision, held.speaker_id) = (g.asset_id, g.revision, g.speaker_id))
        """,
        profile_id,
        into,
    )
    await conn.execute("DELETE FROM profile_voiceprints WHERE profile_id = $1", profile_id)
    await conn.execute("DELETE FROM speaker_suggestions WHERE profile_id = $1", profile_id)
    await conn.execute(
        """
        UPDATE speaker_profiles SET merged_into = $2, name = '', consent_by = NULL, consent_at = NULL,
            consent_noted_by = NULL, updated_at = now()
        WHERE id = $1 OR merged_into = $1
        """,
        profile_id,
        into,
    )


async def delete_profile(conn: Connection, profile_id: UUID) -> None:
    """With its voiceprints, its suggestions, and what was merged into it."""
    await conn.execute("DELETE FROM speaker_profiles WHERE id = $1", profile_id)


async def delete_of_collection(conn: Connection, collection_id: UUID) -> None:
    await conn.execute("DELETE FROM speaker_profiles WHERE collection_id = $1", collection_id)
    await conn.execute("DELETE FROM speaker_settings WHERE collection_id = $1", collection_id)
    await conn.execute("DELETE FROM collection_consents WHERE collection_id = $1", collection_id)


async def delete_own(conn: Connection, user_id: UUID, limit: int) -> int:
    """Profiles that are the user's alone, so many at most; returns how many went."""
    rows = await conn.fetch(
        """
        SELECT id FROM speaker_profiles WHERE collection_id IS NULL AND made_by = $1 ORDER BY id LIMIT $2 FOR UPDATE
        """,
        user_id,
        limit,
    )
    await conn.execute("DELETE FROM speaker_profiles WHERE id = ANY($1::uuid[])", [row["id"] for row in rows])
    return len(rows)


async def forget_keys(conn: Connection, user_id: UUID) -> None:
    """Idempotency-Keys of profiles that stay."""
    await conn.execute(
        """
        UPDATE speaker_profiles SET request_key = NULL, request_fingerprint = NULL
        WHERE made_by = $1 AND request_key IS NOT NULL
        """,
        user_id,
    )


async def people_of(conn: Connection, asset_id: UUID, profile_ids: list[UUID]) -> dict[UUID, tuple[UUID, str]]:
    """What speakers of the asset that carry these profiles are to carry, and to be called; only of profiles that
    belong where the asset is at this moment."""
    rows = await conn.fetch(
        f"""
        SELECT given.id AS given_id, p.id, p.name
        FROM speaker_profiles AS given
        JOIN speaker_profiles AS p ON p.id = coalesce(given.merged_into, given.id)
        JOIN gateway.asset_scope AS s ON s.asset_id = $1 AND NOT s.deleted
        WHERE given.id = ANY($2::uuid[]) AND {IN_SCOPE}
        """,
        asset_id,
        profile_ids,
    )
    return {row["given_id"]: (row["id"], row["name"]) for row in rows}
