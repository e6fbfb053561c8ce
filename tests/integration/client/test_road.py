"""The client against a running stack: from a file to a cited answer, and every step on the way."""

import json
from pathlib import Path

import pytest
from earshot import Client, EarshotError
from earshot.following import follow

DATA = Path(__file__).parents[2] / "data"
RECORDING = DATA / "second.opus"
QUESTION = "How many kitchens will there be?"


@pytest.fixture(scope="module")
def client(stack):
    with Client(stack.url, stack.key) as made:
        yield made


@pytest.fixture(scope="module")
def asset(client):
    """The second recording, ready to be asked."""
    sent: list[int] = []
    accepted = client.recordings.upload(RECORDING, lambda done, total: sent.append(done), title="Summer festival")
    assert sent[-1] == RECORDING.stat().st_size
    states = [status for _, status in follow(client, [accepted.asset.id])]
    assert states[-1].status == "ready"
    assert [stage.name for stage in states[-1].stages] == ["fetch", "transcribe", "index"]
    return client.assets.get(accepted.asset.id)


def test_the_asset_is_told_whole(client, asset):
    reference = json.loads((DATA / "second.json").read_text())
    assert asset.duration_seconds == pytest.approx(reference["duration_seconds"], abs=1.0)
    assert next(iter(client.assets.all(q=asset.short_id))).id == asset.id
    assert [job.status for job in client.jobs.all() if job.asset_id == asset.id] == ["ready"]
    events = list(client.assets.timeline(asset.id))
    assert events == sorted(events, key=lambda event: event.at)
    assert events[0].message


def test_transcript_in_every_format(client, asset):
    transcript = client.recordings.transcript(asset.id)
    assert transcript.complete
    assert all(segment.words for segment in transcript.segments)
    assert client.recordings.transcript(asset.id, words=False).segments[0].words is None
    assert client.recordings.transcript_text(asset.id, "vtt").startswith("WEBVTT")
    assert " --> " in client.recordings.transcript_text(asset.id, "srt")
    first_words = " ".join(transcript.segments[0].text.split()[:3])
    for as_format in ("txt", "md"):
        assert first_words in client.recordings.transcript_text(asset.id, as_format)


def test_media_by_range(client, asset):
    with client.recordings.media(asset.id) as whole:
        everything = b"".join(whole.pieces)
        assert len(everything) == whole.total_bytes
    with client.recordings.media(asset.id, 100, 300) as part:
        assert (part.start, part.end, part.total_bytes) == (100, 300, len(everything))
        assert b"".join(part.pieces) == everything[100:300]
    with pytest.raises(EarshotError) as beyond, client.recordings.media(asset.id, len(everything) + 1):
        pass
    assert beyond.value.status_code == 416


def test_search(client, asset):
    found = client.answers.search("kitchens", asset_id=asset.id)
    hit = found.items[0]
    assert hit.asset.id == asset.id
    assert "kitchens" in [hit.text[start:end].casefold() for start, end in hit.highlights]


def test_answers_whole_and_streamed_are_the_same(client, asset):
    whole = client.answers.ask(QUESTION, asset_ids=[asset.id])
    *pieces, last = client.answers.stream(QUESTION, asset_ids=[asset.id])
    assert whole.answered
    assert "".join(piece.content for piece in pieces).strip() == last.response.answer.strip()
    assert last.response.answer == whole.answer
    assert [one.quote for one in last.response.citations] == [one.quote for one in whole.citations]
    quoted = whole.citations[0]
    assert quoted.asset_id == asset.id
    spoken = " ".join(segment.text for segment in client.recordings.transcript(asset.id).segments)
    assert quoted.quote in spoken


def test_retry_cancel_and_delete(client):
    accepted = client.recordings.upload(RECORDING, title="To be deleted")
    client.assets.cancel(accepted.asset.id)
    assert client.assets.status(accepted.asset.id).status == "cancelled"
    client.assets.retry(accepted.asset.id)
    assert [status for _, status in follow(client, [accepted.asset.id])][-1].status == "ready"
    client.assets.delete(accepted.asset.id)
    with pytest.raises(EarshotError) as gone:
        client.recordings.transcript(accepted.asset.id)
    assert gone.value.status_code == 404


def test_keys_and_collections(client, stack):
    key = client.keys.create("for a test", ["read"])
    with Client(stack.url, key.key) as reader:
        assert list(reader.collections.all())
        with pytest.raises(EarshotError) as refused:
            reader.collections.create("Not mine to make")
        assert refused.value.status_code == 403
        client.keys.revoke(key.id)
        with pytest.raises(EarshotError) as revoked:
            list(reader.collections.all())
    assert revoked.value.status_code == 401
    made = client.collections.create("Festivals", description="What it says", keep_media="none")
    assert client.collections.get(made.id).keep_media == "none"
    client.collections.delete(made.id)


def test_refusals_say_what_to_do(client):
    with pytest.raises(EarshotError) as scheme:
        client.recordings.add_url("gopher://example.org/a.mp3")
    assert scheme.value.status_code == 422
    assert scheme.value.request_id
    with pytest.raises(EarshotError) as unknown:
        client.assets.get("00000000-0000-7000-8000-000000000000")
    assert unknown.value.status_code == 404


def test_the_example_of_the_documentation(stack, capsys):
    page = Path(__file__).parents[3] / "libs/client/README.md"
    example = page.read_text().split("```python\n")[1].split("```")[0]
    own = example.replace("http://localhost:8000", stack.url).replace('"meeting.mp3"', f'"{RECORDING}"')
    exec(own.replace("When do we move?", QUESTION), {"key": stack.key})
    assert float(capsys.readouterr().out.splitlines()[-1]) > 0


def test_health(client):
    assert client.health().version
    assert client.readiness().ready
