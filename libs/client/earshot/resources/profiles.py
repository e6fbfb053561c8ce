"""Speaker profiles: people who are known across recordings."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from earshot.models import CollectionProfiles, Page, Profile
from earshot.paging import pages
from earshot.resources.recordings import once
from earshot.transport import Transport, given


class Profiles:
    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(
        self,
        name: str,
        *,
        consent_by: str | None = None,
        consent_at: datetime | None = None,
        collection_id: str | None = None,
        is_owner: bool = False,
    ) -> Profile:
        """Without `consent_by` no voiceprint is kept; `consent_at` must be aware, and is needed with it."""
        body: dict[str, Any] = {"name": name, "is_owner": is_owner, "collection_id": collection_id}
        if consent_by is not None and consent_at is not None:
            body["consent"] = {"by": consent_by, "at": consent_at.isoformat()}
        return self._transport.fetch(Profile, "POST", "/api/speaker-profiles", json=body, headers=once())

    def all(self, collection_id: str | None = None) -> Iterator[Profile]:
        """Newest first."""
        return pages(self._transport, Page[Profile], "/api/speaker-profiles", {"collection_id": collection_id})

    def get(self, profile_id: str) -> Profile:
        return self._transport.fetch(Profile, "GET", f"/api/speaker-profiles/{profile_id}")

    def change(self, profile_id: str, *, name: str | None = None, is_owner: bool | None = None) -> Profile:
        """Under another name, speakers that carry the profile are renamed in all recordings."""
        body = given({"name": name, "is_owner": is_owner})
        return self._transport.fetch(Profile, "PATCH", f"/api/speaker-profiles/{profile_id}", json=body)

    def consent(self, profile_id: str, *, granted: bool, by: str | None = None, at: datetime | None = None) -> Profile:
        """Revoked, the voiceprints are deleted at once."""
        body = {"granted": granted, "by": by, "at": at.isoformat() if at else None}
        return self._transport.fetch(Profile, "POST", f"/api/speaker-profiles/{profile_id}/consent", json=body)

    def merge(self, profile_id: str, into: str) -> Profile:
        """Both are one person; answers the profile that stays."""
        path = f"/api/speaker-profiles/{profile_id}/merge"
        return self._transport.fetch(Profile, "POST", path, json={"into": into})

    def delete(self, profile_id: str) -> None:
        """With its voiceprints; names that were given stay."""
        self._transport.request("DELETE", f"/api/speaker-profiles/{profile_id}")

    def of_collection(self, collection_id: str) -> CollectionProfiles:
        """Whether voices that nobody knows make profiles there by themselves."""
        return self._transport.fetch(CollectionProfiles, "GET", f"/api/collections/{collection_id}/speaker-profiles")

    def make_in_collection(self, collection_id: str, *, create: bool) -> CollectionProfiles:
        """For its owners; 409 without consent of its speakers. Switched off, profiles that are there stay."""
        path = f"/api/collections/{collection_id}/speaker-profiles"
        return self._transport.fetch(CollectionProfiles, "PUT", path, json={"create": create})

    def consent_of_collection(
        self, collection_id: str, *, granted: bool, by: str | None = None, at: datetime | None = None
    ) -> CollectionProfiles:
        """Of all its speakers. Revoked, no more profiles are made, and what was kept by it is deleted at once."""
        body = {"granted": granted, "by": by, "at": at.isoformat() if at else None}
        path = f"/api/collections/{collection_id}/speaker-profiles/consent"
        return self._transport.fetch(CollectionProfiles, "POST", path, json=body)
