"""Corrections through the client and on the command line: what is sent, and what is shown of the answer."""

import json

import pytest
from earshot import EarshotError
from starlette.responses import JSONResponse


@pytest.fixture
def recording(server, sample):
    path = f"/api/recordings/{sample.asset()['id']}"
    server.on("GET", "/api/assets", {"items": [sample.asset()], "next_cursor": None})
    server.on("GET", f"{path}/speaker-suggestions", {"items": [], "next_cursor": None})
    return path


def revised(**more):
    return {"revision": 4, "change": "edited", "made_by": "u1", "speakers": [], "segments": [], **more}


SPEAKERS = [
    {"id": "s1", "label": "Speaker 1", "name": None, "segment_count": 4, "speech_seconds": 61.0},
    {"id": "s2", "label": "Speaker 2", "name": "Ben", "segment_count": 2, "speech_seconds": 9.0},
]


def test_a_segment_is_edited_for_one_revision(server, client):
    server.on("PATCH", "/api/recordings/1/transcript/segments/s3.2", revised())
    answer = client.transcripts.edit_segment("1", "s3.2", 3, text="Anna said so.")
    assert (answer.revision, answer.change) == (4, "edited")
    (asked,) = server.asked
    assert (asked.headers["if-match"], asked.json) == ('"3"', {"text": "Anna said so."})
    client.transcripts.edit_segment("1", "s3.2", 4, speaker_id="s2")
    assert server.asked[-1].json == {"speaker_id": "s2"}


def test_what_is_out_of_date_is_an_error_with_advice(server, client):
    body = {
        "detail": "It is at revision 4.",
        "status_code": 412,
        "error_type": "precondition_failed",
        "advice": "Read.",
    }
    server.on("PATCH", "/api/recordings/1/transcript/segments/s3", body, status=412)
    with pytest.raises(EarshotError) as caught:
        client.transcripts.edit_segment("1", "s3", 3, text="x")
    assert (caught.value.status_code, caught.value.advice) == (412, "Read.")


@pytest.mark.parametrize(
    ("act", "path", "body"),
    [
        (lambda t: t.split_segment("1", "s3", 9.5), "segments/s3/split", {"at_seconds": 9.5}),
        (lambda t: t.merge_segment("1", "s3"), "segments/s3/merge", None),
        (lambda t: t.restore("1", 2), "revisions/2/restore", None),
    ],
)
def test_what_needs_no_revision_may_name_one(server, client, act, path, body):
    server.on("POST", f"/api/recordings/1/transcript/{path}", revised())
    assert act(client.transcripts).revision == 4
    (asked,) = server.asked
    assert "if-match" not in asked.headers
    assert (json.loads(asked.body) if asked.body else None) == body


def test_revisions_are_walked_page_by_page(server, client):
    def page(request, _body):
        first = "cursor" not in request.query_params
        return JSONResponse({"items": [{"revision": 2 if first else 1}], "next_cursor": "2" if first else None})

    server.on("GET", "/api/recordings/1/transcript/revisions", page)
    assert [revision.revision for revision in client.transcripts.revisions("1")] == [2, 1]


def test_speakers_are_listed(run, server, recording):
    server.on("GET", f"{recording}/speakers", {"items": SPEAKERS, "next_cursor": None})
    lines = run("speakers", "@last").stdout.splitlines()
    assert lines[1].split() == ["s1", "1:01", "87%", "4", "Speaker", "1", "–"]
    assert lines[2].split()[-1] == "Ben"
    assert json.loads(run("speakers", "@last", "--json").stdout) == {"items": SPEAKERS, "suggestions": []}


def suggestion(number, name, **more):
    return {"id": f"g{number}", "speaker_id": "s1", "source": "voice", "name": name, "confidence": 0.71, **more}


def test_who_speakers_might_be_is_listed_and_decided(run, server, recording):
    both = [suggestion(1, "Maria", profile_id="p1"), suggestion(2, "Mary", source="said", segment_id="s3")]
    server.on("GET", f"{recording}/speakers", {"items": SPEAKERS, "next_cursor": None})
    server.on("GET", f"{recording}/speaker-suggestions", {"items": both, "next_cursor": None})
    for each in both:
        server.on("POST", f"{recording}/speaker-suggestions/{each['id']}", each)
    result = run("speakers", "@last")
    assert result.stdout.splitlines()[1].rstrip().endswith("Maria (voice 0.71), Mary (said 0.71)")
    assert "accept|reject" in result.stderr
    assert json.loads(run("speakers", "@last", "--json").stdout)["suggestions"] == both
    several = run("speakers", "@last", "accept", "s1")
    assert (several.exit_code, "Maria, Mary" in several.stderr) == (1, True)
    assert run("speakers", "@last", "accept", "Speaker 1", "mary").exit_code == 0
    assert run("speakers", "@last", "reject", "s1", "Maria").exit_code == 0
    nobody = run("speakers", "@last", "accept", "Ben")
    assert (nobody.exit_code, "Nobody is suggested" in nobody.stderr) == (1, True)
    posted = [(asked.path.rsplit("/", 1)[1], asked.json) for asked in server.asked if asked.method == "POST"]
    assert posted == [("g2", {"accept": True}), ("g1", {"accept": False})]


def test_a_speaker_is_identified_by_a_profile_and_released(run, server, recording):
    server.on("GET", f"{recording}/speakers", {"items": SPEAKERS, "next_cursor": None})
    server.on("GET", "/api/speaker-profiles", {"items": [{"id": "p1", "name": "Maria"}], "next_cursor": None})
    server.on("PATCH", f"{recording}/speakers/s1", revised())
    assert run("speakers", "@last", "identify", "s1", "maria").exit_code == 0
    assert run("speakers", "@last", "release", "s1").exit_code == 0
    assert run("speakers", "@last", "name", "s1", "Anna").exit_code == 0
    assert run("speakers", "@last", "identify", "s1", "Clara").exit_code == 1
    sent = [asked.json for asked in server.asked if asked.method == "PATCH"]
    assert sent == [{"profile_id": "p1"}, {"profile_id": None}, {"name": "Anna"}]


def test_a_speaker_is_renamed_by_label_and_merged_by_name(run, server, recording):
    server.on("GET", f"{recording}/speakers", {"items": SPEAKERS, "next_cursor": None})
    server.on("PATCH", f"{recording}/speakers/s1", revised())
    server.on("POST", f"{recording}/speakers/s1/merge", revised())
    assert run("speakers", "@last", "rename", "speaker 1", "Anna").exit_code == 0
    assert [asked.json for asked in server.asked if asked.method == "PATCH"] == [{"name": "Anna"}]
    assert run("speakers", "@last", "merge", "s1", "ben").exit_code == 0
    assert [asked.json for asked in server.asked if asked.method == "POST"] == [{"into": "s2"}]


def test_a_speaker_is_split_by_segments(run, server, recording):
    server.on("GET", f"{recording}/speakers", {"items": SPEAKERS, "next_cursor": None})
    server.on("POST", f"{recording}/speakers/s1/split", revised())
    assert run("speakers", "@last", "split", "speaker 1", "Clara", "--segment", "s3", "--segment", "s4").exit_code == 0
    assert run("speakers", "@last", "split", "s1", "--segment", "s3").exit_code == 0
    assert [asked.json for asked in server.asked if asked.method == "POST"] == [
        {"segment_ids": ["s3", "s4"], "name": "Clara"},
        {"segment_ids": ["s3"]},
    ]


@pytest.mark.parametrize(
    "given",
    [("rename", "Clara", "Anna"), ("rename", "s1"), ("merge", "s1", "Clara"), ("accept",), ("split", "s1", "Clara")],
)
def test_a_speaker_who_is_not_there_or_not_named(run, server, recording, given):
    server.on("GET", f"{recording}/speakers", {"items": SPEAKERS, "next_cursor": None})
    result = run("speakers", "@last", *given)
    assert result.exit_code == 1
    assert "earshot speakers" in result.stderr
    assert {asked.method for asked in server.asked} == {"GET"}


def test_replace_says_how_many(run, server, recording):
    server.on("POST", f"{recording}/transcript/replace", revised(replacements=3))
    result = run("replace", "@last", "ear shot", "Earshot", "--whole-words")
    assert "replaced in 3 places (revision 4)" in result.stdout
    assert server.asked[-1].json == {
        "find": "ear shot",
        "replace": "Earshot",
        "match_case": False,
        "whole_words": True,
    }
