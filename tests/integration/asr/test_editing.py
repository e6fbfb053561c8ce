"""Corrections over HTTP: what they change, what they say, and what they refuse."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from common import migrations
from common.events import AssetDeleted

from tests.integration.asr.conftest import COLLECTION, SECOND
from tests.integration.asr.desk import Desk, Json, desk, told

__all__ = ["desk", "told"]


def sound(transcript: Json) -> None:
    """What holds of every transcript."""
    starts = [segment["start"] for segment in transcript["segments"]]
    assert starts == sorted(starts)
    for segment in transcript["segments"]:
        assert segment["text"] == " ".join(word["word"] for word in segment["words"])
        for word in segment["words"]:
            assert segment["start"] <= word["start"] <= word["end"] <= segment["end"]


async def test_one_word_is_corrected_and_the_others_keep_their_times(desk: Desk) -> None:
    before = await desk.read()
    segment = before["segments"][1]
    written = segment["text"].split()
    written[2] = "very own"
    answer = await desk.edit(segment["id"], 1, text="  ".join(written))
    assert (answer.status_code, answer.headers["ETag"]) == (200, '"2"')
    body = answer.json()
    assert (body["revision"], body["change"], body["made_by"]) == (2, "edited", str(desk.user_id))
    after = await desk.read()
    assert after["segments"][1] == body["segments"][0]
    assert [after["segments"][i] for i in (0, 2)] == [before["segments"][i] for i in (0, 2)]
    words, held = body["segments"][0]["words"], segment["words"]
    assert words[:2] + words[4:] == held[:2] + held[3:]
    assert [word["word"] for word in words[2:4]] == ["very", "own"]
    assert (words[2]["start"], words[3]["end"]) == (held[2]["start"], held[2]["end"])
    assert words[2]["end"] == words[3]["start"]
    sound(after)
    assert await desk.read(1) == before


async def test_an_edit_says_what_it_changed_and_its_document_is_what_is_read(desk: Desk) -> None:
    segment = (await desk.read())["segments"][0]
    await desk.edit(segment["id"], '"1"', text="Quite another sentence.")
    (fact,) = await desk.facts()
    assert (fact.revision, fact.run, fact.change, fact.segment_ids) == (2, 1, "edited", [segment["id"]])
    assert [(span.start_seconds, span.end_seconds) for span in fact.spans] == [(segment["start"], segment["end"])]
    assert fact.speakers_changed is False
    read = await desk.read()
    document = await desk.document(fact)
    assert document["segments"] == read["segments"]
    assert (document["revision"], fact.word_count) == (2, sum(len(s["words"]) for s in read["segments"]))


async def test_an_edit_costs_a_row_and_not_a_copy(desk: Desk) -> None:
    rows = "SELECT count(*) FROM segments"
    ((before,),) = await desk.bench.fetch(rows)
    for revision in (1, 2, 3):
        await desk.edit("s1", revision, text=f"Number {revision}.")
    ((after,),) = await desk.bench.fetch(rows)
    assert after == before + 3
    assert [(await desk.read(n))["segments"][0]["text"] for n in (2, 3, 4)] == ["Number 1.", "Number 2.", "Number 3."]


async def test_what_is_out_of_date_or_without_a_revision_is_refused(desk: Desk) -> None:
    await desk.edit("s1", 1, text="First.")
    stale = await desk.edit("s1", 1, text="Second.")
    assert (stale.status_code, stale.json()["error_type"]) == (412, "precondition_failed")
    assert "revision 2" in stale.json()["detail"]
    missing = await desk.send("PATCH", "/transcript/segments/s1", {"text": "Third."})
    assert (missing.status_code, missing.json()["error_type"]) == (428, "precondition_required")
    assert missing.json()["advice"]
    assert (await desk.edit("s1", "yesterday", text="Fourth.")).status_code == 422
    assert (await desk.edit("s1", "*", text="Fifth.")).status_code == 200
    assert len(await desk.facts()) == 2


async def test_two_editors_at_once_make_one_revision_each_or_one_is_told(desk: Desk) -> None:
    answers = await asyncio.gather(*(desk.edit("s1", 1, text=f"Editor {n}.") for n in range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 412, 412, 412]
    named = [desk.send("PATCH", "/speakers/speaker_1", {"name": f"Name {n}"}) for n in range(3)]
    assert {answer.status_code for answer in await asyncio.gather(*named)} == {200}
    assert [fact.revision for fact in await desk.facts()] == [2, 3, 4, 5]
    assert len([key async for key in desk.bench.service.store.keys("transcript/")]) == 5


async def test_the_same_text_again_changes_nothing(desk: Desk) -> None:
    segment = (await desk.read())["segments"][0]
    answer = await desk.edit(segment["id"], 1, text=segment["text"], speaker_id=segment["speaker"])
    assert (answer.status_code, answer.json()["revision"], answer.json()["segments"]) == (200, 1, [])
    assert await desk.facts() == []


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"text": " \n "}, "needs text"),
        ({"speaker_id": "speaker_9"}, "speaker_9"),
        ({"text": "a\0b"}, "NUL"),
        ({"text": "x" * 20_001}, "20000"),
        ({}, "nothing to change"),
        ({"words": []}, "words"),
    ],
)
async def test_what_no_segment_can_be_is_refused(desk: Desk, body: Json, said: str) -> None:
    answer = await desk.edit("s1", 1, **body)
    assert answer.status_code == 422
    assert said in answer.json()["detail"]
    assert await desk.facts() == []


async def test_splitting_and_merging_again(desk: Desk) -> None:
    before = await desk.read()
    segment = before["segments"][1]
    at = segment["words"][3]["start"]
    split = await desk.send("POST", f"/transcript/segments/{segment['id']}/split", {"at_seconds": at})
    assert split.status_code == 200
    first, second = split.json()["segments"]
    assert (first["id"], second["id"]) == (segment["id"], f"{segment['id']}.2")
    assert (first["words"], second["words"]) == (segment["words"][:3], segment["words"][3:])
    assert (second["start"], second["end"]) == (at, segment["end"])
    now = await desk.read()
    sound(now)
    assert [s["id"] for s in now["segments"]] == ["s1", "s2", "s2.2", *(s["id"] for s in before["segments"][2:])]
    merged = await desk.send("POST", f"/transcript/segments/{segment['id']}/merge", match='"2"')
    assert merged.json()["segments"] == [segment]
    assert (await desk.read())["segments"] == before["segments"]
    assert [fact.change for fact in await desk.facts()] == ["split", "merged"]


async def test_where_a_segment_cannot_be_split_or_merged(desk: Desk) -> None:
    segments = (await desk.read())["segments"]
    first, last = segments[0], segments[-1]
    for at in (first["start"], first["end"], first["end"] + 1, (first["words"][-1]["start"] + first["end"]) / 2):
        answer = await desk.send("POST", f"/transcript/segments/{first['id']}/split", {"at_seconds": at})
        assert answer.status_code == 422
        assert answer.json()["advice"]
    answer = await desk.send("POST", f"/transcript/segments/{last['id']}/merge")
    assert answer.status_code == 422
    assert (await desk.send("POST", "/transcript/segments/s99/merge")).status_code == 404
    assert await desk.facts() == []


async def test_find_and_replace_says_how_many(desk: Desk) -> None:
    before = await desk.read()
    text = " ".join(segment["text"] for segment in before["segments"])
    assert text.count("Martin") == 1
    for find, options, hits in (
        ("martin", {"match_case": True}, 0),
        ("Marti", {"whole_words": True}, 0),
        ("nowhere at all", {}, 0),
        ("marti", {}, 1),
    ):
        answer = await desk.send("POST", "/transcript/replace", {"find": find, "replace": "Marta ", **options})
        assert answer.json()["replacements"] == hits
        assert answer.json()["revision"] == 1 + hits
    after = await desk.read()
    sound(after)
    changed = next(segment for segment in after["segments"] if "Marta n" in segment["text"])
    (old,) = [segment for segment in before["segments"] if segment["id"] == changed["id"]]
    assert changed["words"][-2]["start"] == old["words"][-1]["start"]
    (fact,) = await desk.facts()
    assert fact.change == "replaced"
    assert (await desk.send("POST", "/transcript/replace", {"find": "  ", "replace": "x"})).status_code == 422


async def test_replacing_all_there_is_takes_the_segment_away(desk: Desk) -> None:
    segments = (await desk.read())["segments"]
    answer = await desk.send("POST", "/transcript/replace", {"find": segments[0]["text"], "replace": ""})
    assert answer.json()["replacements"] == 1
    assert [s["id"] for s in (await desk.read())["segments"]] == [s["id"] for s in segments[1:]]
    (fact,) = await desk.facts()
    assert (fact.segment_ids, len(fact.spans)) == ([], 1)


async def test_an_earlier_revision_is_restored_as_a_new_one(desk: Desk) -> None:
    before = await desk.read()
    await desk.edit("s1", 1, text="Changed.")
    await desk.send("POST", "/transcript/segments/s2/merge")
    await desk.send("PATCH", "/speakers/speaker_1", {"name": "Anna"})
    answer = await desk.send("POST", "/transcript/revisions/1/restore", match='"4"')
    assert (answer.status_code, answer.json()["revision"]) == (200, 5)
    after = await desk.read()
    assert (after["segments"], after["speakers"]) == (before["segments"], before["speakers"])
    assert (await desk.read(4))["segments"][0]["text"] == "Changed."
    assert (await desk.send("POST", "/transcript/revisions/1/restore")).json()["revision"] == 5
    assert (await desk.send("POST", "/transcript/revisions/9/restore")).status_code == 404
    page = await desk.http.get(
        f"/api/recordings/{desk.bench.asset_id}/transcript/revisions", headers=desk.bench.identity()
    )
    told = [(item["revision"], item["change"], item["made_by"]) for item in page.json()["items"]]
    me = str(desk.user_id)
    assert told == [
        (5, "restored", me),
        (4, "renamed", me),
        (3, "merged", me),
        (2, "edited", me),
        (1, "transcribed", None),
    ]


async def test_naming_a_speaker_touches_no_segment(desk: Desk) -> None:
    answer = await desk.send("PATCH", "/speakers/speaker_1", {"name": "  Anna "})
    assert [(speaker["label"], speaker["name"]) for speaker in answer.json()["speakers"]] == [("Speaker 1", "Anna")]
    assert answer.json()["segments"] == []
    (fact,) = await desk.facts()
    assert (fact.spans, fact.segment_ids, fact.speakers_changed) == ([], [], True)
    assert "name" not in (await desk.send("PATCH", "/speakers/speaker_1", {"name": None})).json()["speakers"][0]
    for body in ({"name": ""}, {}, {"name": "x" * 201}):
        assert (await desk.send("PATCH", "/speakers/speaker_1", body)).status_code == 422
    assert (await desk.send("PATCH", "/speakers/speaker_2", {"name": "Ben"})).status_code == 404
    itself = await desk.send("POST", "/speakers/speaker_1/merge", {"into": "speaker_1"})
    assert (itself.status_code, itself.json()["advice"]) == (422, "Name another speaker with `into`.")


async def test_somebody_whom_the_machine_did_not_hear_is_made_a_speaker(desk: Desk) -> None:
    answer = await desk.send("POST", "/speakers/speaker_1/split", {"segment_ids": ["s1", "s4"], "name": " Ben "})
    assert (answer.status_code, answer.json()["change"], answer.headers["etag"]) == (200, "speaker_split", '"2"')
    assert [(one["id"], one["label"], one.get("name")) for one in answer.json()["speakers"]] == [
        ("speaker_1", "Speaker 1", None),
        ("speaker_1.2", "Speaker 2", "Ben"),
    ]
    assert [segment["id"] for segment in answer.json()["segments"]] == ["s1", "s4"]
    (fact,) = await desk.facts()
    assert (fact.segment_ids, fact.speakers_changed, len(fact.spans)) == (["s1", "s4"], True, 2)
    read = await desk.read()
    assert await desk.document(fact) == read
    assert [segment["speaker"] for segment in read["segments"]] == [
        "speaker_1.2",
        "speaker_1",
        "speaker_1",
        "speaker_1.2",
    ]
    # From here on a speaker like any other: turns are given to them, and they are named and merged.
    assert (await desk.edit("s2", 2, speaker_id="speaker_1.2")).status_code == 200
    assert (await desk.send("PATCH", "/speakers/speaker_1.2", {"name": "Benno"})).status_code == 200
    for segments, status in (([], 422), (["s3"], 422), (["s1"], 422), (["s9"], 404)):
        refused = await desk.send("POST", "/speakers/speaker_1/split", {"segment_ids": segments})
        assert refused.status_code == status, refused.text
    assert (await desk.send("POST", "/speakers/speaker_1.2/merge", {"into": "speaker_1"})).status_code == 200
    assert {segment["speaker"] for segment in (await desk.read())["segments"]} == {"speaker_1"}


async def test_who_may_correct(desk: Desk) -> None:
    routes: list[tuple[str, str, Json | None]] = [
        ("PATCH", "/transcript/segments/s1", {"text": "x"}),
        ("POST", "/transcript/segments/s1/split", {"at_seconds": 1}),
        ("POST", "/transcript/segments/s1/merge", None),
        ("POST", "/transcript/replace", {"find": "a", "replace": "b"}),
        ("POST", "/transcript/revisions/1/restore", None),
        ("PATCH", "/speakers/speaker_1", {"name": "Anna"}),
        ("POST", "/speakers/speaker_1/merge", {"into": "x"}),
        ("POST", "/speakers/speaker_1/split", {"segment_ids": ["s1"]}),
    ]
    stranger = desk.bench.identity(uuid4(), role="owner")
    for method, path, body in routes:
        assert (await desk.send(method, path, body, match="1", role="viewer")).status_code == 403
        url = f"/api/recordings/{desk.bench.asset_id}{path}"
        assert (await desk.http.request(method, url, json=body, headers=stranger)).status_code == 404
        assert (await desk.http.request(method, url, json=body)).status_code == 401
    assert await desk.facts() == []


async def test_what_is_not_complete_cannot_be_corrected(desk: Desk, to_flac: Callable[..., Path]) -> None:
    bench = desk.bench
    bench.asset_id = uuid4()
    assert (await desk.edit("s1", 1, text="x")).status_code == 404
    await bench.hand(await bench.fetched(to_flac(SECOND, 11.6)))
    answer = await desk.edit("s1", 1, text="x")
    assert (answer.status_code, answer.json()["error_type"]) == (409, "conflict")


async def test_a_deleted_recording_takes_no_correction(desk: Desk) -> None:
    fact = AssetDeleted(asset_id=desk.bench.asset_id, run=1, collection_id=COLLECTION)
    await desk.bench.hand(fact)
    assert (await desk.edit("s1", 1, text="x")).status_code == 404


async def test_the_schema_goes_down_and_up_with_what_people_made(desk: Desk, asr_url: str) -> None:
    for revision, text in ((1, "One."), (2, "Two.")):
        await desk.edit("s1", revision, text=text)
    await desk.send(
        "POST", "/transcript/segments/s2/split", {"at_seconds": (await desk.read())["segments"][1]["end"] - 1}
    )
    read = [await desk.read(revision) for revision in (1, 2, 3, 4)]
    await asyncio.to_thread(migrations.downgrade, "asr", asr_url, "0002")
    rows = await desk.bench.fetch(
        "SELECT revision, string_agg(text, ' ' ORDER BY position) AS text FROM segments GROUP BY 1 ORDER BY 1"
    )
    assert [row["text"] for row in rows] == [" ".join(s["text"] for s in one["segments"]) for one in read]
    await asyncio.to_thread(migrations.upgrade, "asr", asr_url)
    assert [await desk.read(revision) for revision in (1, 2, 3, 4)] == read
    assert UUID((await desk.edit("s1", 4, text="Three.")).json()["made_by"]) == desk.user_id
