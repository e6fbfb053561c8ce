"""Transcripts that exist already: subtitle files sent as they are, and corrections of transcripts and speakers."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Unpack

from earshot.models import Page, Replaced, Revised, Revision, SpeakerTalk, Suggestion, TakenIn
from earshot.paging import pages
from earshot.resources.recordings import RecordingFields, once, send_file
from earshot.transport import Transport, given
from earshot.upload import Progress

SUBTITLES = frozenset({".srt", ".vtt", ".ttml", ".dfxp", ".json", ".zip"})


class Transcripts:
    """`revision` is the one that a correction is meant for: the server refuses it (412) when there is a newer one."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def upload(
        self, path: Path, progress: Progress | None = None, key: str | None = None, **fields: Unpack[RecordingFields]
    ) -> TakenIn:
        """Send an SRT, WebVTT or TTML file, a transcript as JSON, or a ZIP of them.

        A job for each file, and those that were refused.
        Of the fields those that are about recognition are not taken. `key`: the same twice within a day is one upload.
        """
        headers = {"Idempotency-Key": key} if key else once()
        return send_file(self._transport, TakenIn, "/api/transcripts/upload", path, progress, fields, headers)

    def edit_segment(
        self, asset_id: str, segment_id: str, revision: int, *, text: str | None = None, speaker_id: str | None = None
    ) -> Revised:
        """Another text or speaker; words that stay keep their times."""
        body = given({"text": text, "speaker_id": speaker_id})
        return self._send("PATCH", _segment(asset_id, segment_id), body, revision)

    def split_segment(self, asset_id: str, segment_id: str, at_seconds: float, revision: int | None = None) -> Revised:
        return self._send("POST", f"{_segment(asset_id, segment_id)}/split", {"at_seconds": at_seconds}, revision)

    def merge_segment(self, asset_id: str, segment_id: str, revision: int | None = None) -> Revised:
        """With the one behind it."""
        return self._send("POST", f"{_segment(asset_id, segment_id)}/merge", None, revision)

    def replace(
        self,
        asset_id: str,
        find: str,
        replacement: str,
        *,
        match_case: bool = False,
        whole_words: bool = False,
        revision: int | None = None,
    ) -> Replaced:
        """Every place within a segment; `replacements` says how many there were."""
        body = {"find": find, "replace": replacement, "match_case": match_case, "whole_words": whole_words}
        path = f"/api/recordings/{asset_id}/transcript/replace"
        return self._transport.fetch(Replaced, "POST", path, json=body, headers=_if_match(revision))

    def revisions(self, asset_id: str, limit: int | None = None) -> Iterator[Revision]:
        """Newest first."""
        path = f"/api/recordings/{asset_id}/transcript/revisions"
        return pages(self._transport, Page[Revision], path, {}, limit)

    def restore(self, asset_id: str, earlier: int, revision: int | None = None) -> Revised:
        """Make a new revision that reads like an earlier one."""
        path = f"/api/recordings/{asset_id}/transcript/revisions/{earlier}/restore"
        return self._send("POST", path, None, revision)

    def speakers(self, asset_id: str) -> list[SpeakerTalk]:
        path = f"/api/recordings/{asset_id}/speakers"
        return self._transport.fetch(Page[SpeakerTalk], "GET", path).items

    def name_speaker(self, asset_id: str, speaker_id: str, name: str | None, revision: int | None = None) -> Revised:
        """None takes the name away."""
        return self._send("PATCH", f"/api/recordings/{asset_id}/speakers/{speaker_id}", {"name": name}, revision)

    def identify_speaker(self, asset_id: str, speaker_id: str, profile_id: str | None) -> Revised:
        """By a profile; None says that it is not that person, which is remembered."""
        body = {"profile_id": profile_id}
        return self._send("PATCH", f"/api/recordings/{asset_id}/speakers/{speaker_id}", body, None)

    def suggestions(self, asset_id: str) -> list[Suggestion]:
        """Who the speakers might be, the likeliest first."""
        path = f"/api/recordings/{asset_id}/speaker-suggestions"
        return self._transport.fetch(Page[Suggestion], "GET", path).items

    def decide(self, asset_id: str, suggestion_id: str, *, accept: bool) -> Suggestion:
        """Accepted, the speaker is named; rejected, it is not suggested again."""
        path = f"/api/recordings/{asset_id}/speaker-suggestions/{suggestion_id}"
        return self._transport.fetch(Suggestion, "POST", path, json={"accept": accept})

    def merge_speaker(self, asset_id: str, speaker_id: str, into: str, revision: int | None = None) -> Revised:
        """Everything the speaker said was said by `into`."""
        return self._send("POST", f"/api/recordings/{asset_id}/speakers/{speaker_id}/merge", {"into": into}, revision)

    def split_speaker(
        self,
        asset_id: str,
        speaker_id: str,
        segment_ids: Sequence[str],
        name: str | None = None,
        revision: int | None = None,
    ) -> Revised:
        """These segments are those of a new speaker, the last of the answer's `speakers`."""
        body = given({"segment_ids": list(segment_ids), "name": name})
        return self._send("POST", f"/api/recordings/{asset_id}/speakers/{speaker_id}/split", body, revision)

    def _send(self, method: str, path: str, body: dict[str, Any] | None, revision: int | None) -> Revised:
        return self._transport.fetch(Revised, method, path, json=body, headers=_if_match(revision))


def _segment(asset_id: str, segment_id: str) -> str:
    return f"/api/recordings/{asset_id}/transcript/segments/{segment_id}"


def _if_match(revision: int | None) -> dict[str, str]:
    return {} if revision is None else {"If-Match": f'"{revision}"'}
