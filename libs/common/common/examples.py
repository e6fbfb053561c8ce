"""One example of every message, for the documents and for the promise that old messages still parse."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from pydantic import HttpUrl

from common import events as e

_ASSET = UUID("01934f1e-8c5a-7cc1-9d7e-5a3b2c1d0e4f")
_COLLECTION = UUID("01934f1e-7a10-7b42-8c3d-0f1e2d3c4b5a")
_UPLOAD = UUID("01934f1e-8b00-7aaa-b111-222233334444")
_USER = UUID("01934f1e-7000-7c5d-9e8f-aabbccddeeff")
_RECORDED_AT = datetime(2026, 3, 4, 9, 30, tzinfo=UTC)
_SHA256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
_OF: Any = {"asset_id": _ASSET, "run": 1, "collection_id": _COLLECTION}

EXAMPLES: dict[str, e.Message] = {
    example.type: example
    for example in (
        e.AssetRegistered(
            **_OF,
            kind="recording",
            title="Weekly meeting",
            source=e.Source(type="upload", upload_id=_UPLOAD, filename="meeting.mp3"),
            options=e.RecordingOptions(language="en", key_terms=["Earshot"]),
            recorded_at=_RECORDED_AT,
        ),
        e.AssetUpdated(**_OF, version=2, title="Weekly meeting, 4 March", recorded_at=_RECORDED_AT),
        e.AssetDeleted(**_OF),
        e.ProcessingRestarted(asset_id=_ASSET, run=2, collection_id=_COLLECTION, from_stage="transcribe"),
        e.ProcessingCancelled(**_OF),
        e.RecordingFetched(
            **_OF,
            audio_uri=f"audio/9f/{_SHA256}.flac",
            audio_sha256=_SHA256,
            audio_bytes=4_812_344,
            playback_uri=f"playback/9f/{_SHA256}.webm",
            duration_seconds=241.6,
            title="Weekly meeting",
            media_facts={"codec": "mp3", "sample_rate": 44100},
            options=e.RecordingOptions(language="en"),
            recorded_at=_RECORDED_AT,
        ),
        e.CaptionsFetched(
            **_OF,
            captions_uri=f"captions/9f/{_SHA256}.json",
            captions_sha256=_SHA256,
            captions_bytes=48_120,
            duration_seconds=241.6,
            cue_count=96,
            title="Weekly meeting",
            media_facts={"container": "vtt", "cues": 96},
            options=e.RecordingOptions(language="en"),
            recorded_at=_RECORDED_AT,
        ),
        e.PartPlanned(**_OF, part_index=0),
        e.TranscriptionRecognised(**_OF),
        e.TranscriptCompleted(
            **_OF,
            revision=1,
            transcript_uri=f"transcript/9f/{_SHA256}.json",
            transcript_sha256=_SHA256,
            title="Weekly meeting",
            language="en",
            engine="pocketsphinx",
            duration_seconds=241.6,
            segment_count=42,
            word_count=611,
            warnings=["This transcript is a draft."],
            recorded_at=_RECORDED_AT,
        ),
        e.TranscriptRevised(
            **_OF,
            revision=2,
            transcript_uri=f"transcript/9f/{_SHA256}.json",
            transcript_sha256=_SHA256,
            title="Weekly meeting",
            language="en",
            engine="pocketsphinx",
            duration_seconds=241.6,
            segment_count=42,
            word_count=611,
            recorded_at=_RECORDED_AT,
            change="edited",
            spans=[e.TimeSpan(start_seconds=83.2, end_seconds=87.95)],
            segment_ids=["s12"],
        ),
        e.AssetIndexed(**_OF, revision=1, chunk_count=6, generation=17, model="minilm"),
        e.SummaryPlanned(**_OF, work_id=_UPLOAD),
        e.SummaryCompleted(**_OF, revision=1, version=1, model="extractive"),
        e.ProcessingFailed(
            **_OF,
            stage="fetch",
            category="not_media",
            message="The address answers with a web page, not with a recording.",
            advice="Give the address of the media file itself.",
        ),
        e.AssetPurged(**_OF, service="asr"),
        e.CollectionDeleted(collection_id=_COLLECTION),
        e.UserDeleted(user_id=_USER),
        e.IngestionRequested(
            request_id="crm-call-4711",
            collection_id=_COLLECTION,
            url=HttpUrl("https://example.org/calls/4711.mp3"),
            title="Call 4711",
        ),
    )
}
