"""The command line in this process: what it prints where, and how it ends."""

import json

import pytest
from earshot.cli import play as playing
from starlette.responses import PlainTextResponse, StreamingResponse


@pytest.fixture
def library(server, sample):
    server.on("GET", "/api/assets", {"items": [sample.asset()], "next_cursor": None})
    return sample.asset()


def test_list(run, library):
    result = run("list")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[1].split()[:3] == ["short001", "ready", "1:23"]
    assert "\x1b" not in result.output


def test_list_as_json(run, library):
    result = run("list", "--json")
    assert json.loads(result.stdout) == {"items": [library]}
    assert result.stderr == ""


def test_shared_options_may_come_first(run, library, server):
    assert json.loads(run("--json", "list").stdout) == {"items": [library]}


def test_titles_cannot_steer_the_terminal(run, server, sample):
    server.on("GET", "/api/assets", {"items": [sample.asset(title="a\x1b]0;b\x07[red]c")], "next_cursor": None})
    assert "a�]0;b�[red]c" in run("list").stdout


def test_an_error_is_a_line_and_advice(run, server):
    result = run("show", "@last")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr == "Error: Nothing at /api/assets.\n"


def test_an_error_for_programs(run, server):
    result = run("show", "@last", "--json")
    assert (result.exit_code, result.stdout) == (1, "")
    assert json.loads(result.stderr)["request_id"] == "r1"


def test_debug_lets_errors_through(run, server):
    result = run("show", "@last", "--debug")
    assert result.exit_code == 1
    assert type(result.exception).__name__ == "EarshotError"


def test_wrong_usage(run):
    assert run("list", "--bogus").exit_code == 2


def test_add_detached(run, server, sample, tmp_path):
    server.on("POST", "/api/recordings/upload", {"asset": sample.asset(status="pending"), "job": sample.job()}, 202)
    (tmp_path / "a.wav").write_bytes(b"RIFF")
    result = run("add", "a.wav", "--title", "A")
    assert result.exit_code == 0
    assert result.stdout.split()[0] == "short001"
    assert "earshot watch short001" in result.stderr
    document = json.loads(run("add", "a.wav", "--json").stdout)
    assert document["items"][0]["job"] == sample.job()


@pytest.mark.parametrize(("end", "code"), [("ready", 0), ("failed", 1), ("cancelled", 1)])
def test_add_and_follow(run, server, sample, tmp_path, end, code):
    problem = {"stage": "fetch", "category": "not_media", "message": "No sound in it.", "advice": "Send audio."}
    asset = sample.asset(status=end, error=problem if end == "failed" else None)
    server.on("POST", "/api/recordings", {"asset": sample.asset(status="pending"), "job": sample.job()}, 202)
    server.on("GET", f"/api/assets/{asset['id']}/status", {"status": end, "progress": 1.0, "stages": []})
    server.on("GET", f"/api/assets/{asset['id']}", asset)
    server.on("GET", f"/api/recordings/{asset['id']}/transcript", sample.transcript())
    result = run("add", "https://example.org/a.mp3", "--follow")
    assert result.exit_code == code, result.output
    if end == "ready":
        assert "This is a draft." in result.stderr
        assert "0:20" in result.stderr
    if end == "failed":
        assert "No sound in it." in result.stderr
        assert "Send audio." in result.stderr


def test_one_refused_file_does_not_stop_the_next(run, server, sample, tmp_path):
    server.on("POST", "/api/recordings/upload", {"asset": sample.asset(), "job": sample.job()}, 202)
    (tmp_path / "a.wav").write_bytes(b"RIFF")
    result = run("add", "missing.wav", "a.wav", "--detach")
    assert result.exit_code == 1
    assert "There is no file missing.wav" in result.stderr
    assert "accepted" in result.stdout


def test_a_collection_is_created_and_changed_with_its_terms(run, server):
    talks = {"id": "c1", "name": "Talks", "key_terms": ["Anna Müller", "Quorum"]}
    server.on("POST", "/api/collections", talks, 201)
    server.on("GET", "/api/collections", {"items": [talks], "next_cursor": None})
    server.on("PATCH", "/api/collections/c1", talks)
    terms = ("--term", "Anna Müller", "--term", "Quorum")
    assert run("collections", "create", "Talks", *terms).stdout == "c1  Talks\n"
    assert json.loads(run("collections", "change", "talks", *terms, "--prompt", "Hi.", "--json").stdout) == talks
    assert run("collections", "change", "Talks", "--prompt", "").exit_code == 0
    told = {"key_terms": ["Anna Müller", "Quorum"]}
    assert [asked.json for asked in server.asked if asked.body] == [
        {"name": "Talks"} | told,
        told | {"initial_prompt": "Hi."},
        {"initial_prompt": ""},
    ]


def test_retention_is_set_and_ended_and_asks_before_it_deletes(run, server, sample, monkeypatch):
    talks = {"id": "c1", "name": "Talks", "keep_media": "audio", "retention_days": 30}
    old = sample.asset(expires_at="2021-01-31T00:00:00Z", created_at="2021-01-01T00:00:00Z")
    server.on("GET", "/api/collections", {"items": [talks], "next_cursor": None})
    server.on("GET", "/api/assets", {"items": [old], "next_cursor": None})
    server.on("PATCH", "/api/collections/c1", talks)
    monkeypatch.setattr("earshot.cli.keys.on_terminal", lambda: True)
    monkeypatch.setattr("earshot.cli.parked.on_terminal", lambda: True)
    refused = run("collections", "change", "Talks", "--retention-days", "30", input="n\n")
    assert refused.exit_code != 0
    assert "1 assets of Talks are older" in refused.stderr
    assert [asked for asked in server.asked if asked.method == "PATCH"] == []
    assert run("collections", "change", "Talks", "--retention-days", "30", input="y\n").exit_code == 0
    assert run("collections", "change", "Talks", "--keep-for-good").exit_code == 0
    both = run("collections", "change", "Talks", "--keep-for-good", "--retention-days", "3")
    assert "Only one of" in both.stderr
    sent = [asked.json for asked in server.asked if asked.method == "PATCH"]
    assert sent == [{"retention_days": 30}, {}, {"retention_days": None}]
    assert "30 days" in run("collections", "list").stdout


def test_unknown_collection(run, server):
    server.on("GET", "/api/collections", {"items": [], "next_cursor": None})
    result = run("add", "https://example.org/a.mp3", "--collection", "Talks")
    assert result.exit_code == 1
    assert "No collection is called 'Talks'" in result.stderr


def test_ctrl_c_detaches(run, server, sample, monkeypatch):
    server.on("POST", "/api/recordings", {"asset": sample.asset(), "job": sample.job()}, 202)

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("earshot.cli.add.watch", interrupted)
    result = run("add", "https://example.org/a.mp3", "--follow")
    assert result.exit_code == 130
    assert "earshot watch short001" in result.stderr


def test_show(run, server, library, sample):
    stages = [{"name": "fetch", "status": "done", "progress": 1.0, "started_at": None, "finished_at": None}]
    server.on("GET", f"/api/assets/{library['id']}/status", {"status": "ready", "progress": 1.0, "stages": stages})
    server.on("GET", f"/api/recordings/{library['id']}/transcript", sample.transcript())
    result = run("show", "Talk 1")
    assert "pocketsphinx" in result.stdout
    assert "This is a draft." in result.stdout
    document = json.loads(run("show", "short001", "--json").stdout)
    assert document["asset"] == library
    assert document["transcript"]["engine"] == "pocketsphinx"


def test_transcript(run, server, library, sample, tmp_path):
    def formats(request, body):
        chosen = request.query_params["format"]
        return PlainTextResponse(json.dumps(sample.transcript()) if chosen == "json" else "1\n00:00 --> 00:01\nx\n")

    server.on("GET", f"/api/recordings/{library['id']}/transcript", formats)
    result = run("transcript", "@last")
    assert result.stdout == "   0:20  Speaker 1: we move in may\n"
    assert "draft" in result.stderr
    assert run("transcript", "@last", "--format", "srt").stdout == "1\n00:00 --> 00:01\nx\n"
    assert run("transcript", "@last", "--format", "srt", "-o", "a.srt").exit_code == 0
    assert (tmp_path / "a.srt").read_text() == "1\n00:00 --> 00:01\nx\n"
    assert json.loads(run("transcript", "@last", "--json").stdout) == sample.transcript()


def test_analytics(run, server, library):
    anna = {"id": "s1", "label": "Speaker 1", "name": "Anna", "speaking_seconds": 75.0, "share": 0.75, "turn_count": 3}
    counts = {"word_count": 150, "words_per_minute": 120.0, "longest_monologue_seconds": 61, "interruption_count": 2}
    found = {
        "asset_id": library["id"],
        "revision": 2,
        "duration_seconds": 130.0,
        "silence_seconds": 30.0,
        "longest_silence_seconds": 9.0,
        "overlap_seconds": 1.5,
        "speakers": [anna | counts],
    }
    server.on("GET", f"/api/recordings/{library['id']}/analytics", found)
    first, row, last = run("analytics", "@last").stdout.splitlines()
    assert first.split()[:3] == ["SPEAKER", "TIME", "SHARE"]
    assert row.split() == ["Anna", "1:15", "75%", "3", "150", "120", "1:01", "2", "0", "0:00"]
    assert last == "Of 2:10: 0:30 silence (the longest 0:09), 0:01 several at once"
    assert json.loads(run("analytics", "@last", "--json").stdout)["speakers"][0]["name"] == "Anna"


def test_search(run, server, sample):
    hit = {
        "chunk_id": "k",
        "asset": {"id": "a", "title": "Talk 1", "kind": "recording", "collection_id": "c"},
        "text": "we move in may",
        "highlights": [[3, 7]],
        "locator": {"type": "time", "start_seconds": 20.0, "end_seconds": 22.0, "speaker": "Speaker 1"},
        "url": "/r/a?t=20.0",
        "score": 0.5,
    }
    found = {"query": "move", "mode": "phrase", "suggestion": None, "has_more": False, "items": [hit]}
    server.on("GET", "/api/search", found)
    result = run("search", "move", "--mode", "phrase")
    assert "Talk 1  0:20–0:22  Speaker 1" in result.stdout
    assert f"{server.url}/r/a?t=20.0" in result.stdout
    assert server.asked[-1].query == {"q": "move", "mode": "phrase", "limit": "10", "offset": "0"}
    assert json.loads(run("search", "move", "--json").stdout) == found
    server.on("GET", "/api/search", found | {"items": [], "suggestion": "moves"})
    assert "Did you mean: moves" in run("search", "move").stderr
    near = hit | {"heard_as": [{"word": "mvoe", "text": "move"}]}
    server.on("GET", "/api/search", found | {"items": [near], "suggestion": "move"})
    result = run("search", "mvoe", "--speaker", "Anna", "--tag", "a", "--tag", "b", "--sort", "date", "--group")
    assert "mvoe heard as move" in result.stdout
    assert "Did you mean: move" in result.stderr
    assert server.asked[-1].query["speaker"] == "Anna"
    assert server.asked[-1].query["group_by"] == "asset"
    assert server.asked[-1].query["sort_by"] == "date"


def streamed(answer):
    def respond(request, body):
        if not json.loads(body).get("stream"):
            return PlainTextResponse(json.dumps(answer))
        pieces = [{"type": "content", "content": word + " "} for word in answer["answer"].split()]
        events = [*pieces, {"type": "done", "response": answer}]
        return StreamingResponse(f"event: {e['type']}\ndata: {json.dumps(e)}\n\n" for e in events)

    return respond


def test_ask_then_play_and_open(run, server, sample, monkeypatch):
    server.on("POST", "/api/answers", streamed(sample.answer()))
    result = run("ask", "When do we move?")
    assert result.exit_code == 0
    assert result.stdout.startswith("we move in may [1] \n")
    assert "[1] Talk 1  0:20–0:22  Speaker 1" in result.stdout
    assert "“we move in may”" in result.stdout
    page = f"{server.url}/r/{sample.asset()['id']}?t=20.0"
    monkeypatch.setattr(playing, "player_arguments", lambda *_: None)
    monkeypatch.setattr(playing, "has_browser", lambda: False)
    assert run("play", "1").stdout == page + "\n"
    assert run("open", "1").stdout == page + "\n"
    assert json.loads(run("open", "1", "--json").stdout) == {"url": page}
    elsewhere = run("open")
    assert (elsewhere.exit_code, elsewhere.stdout) == (1, "")
    assert "on the machine where Earshot runs" in elsewhere.stderr
    wrong = run("play", "2")
    assert wrong.exit_code == 1
    assert "no citation [2]" in wrong.stderr


def test_play_hands_the_sound_to_a_player(run, server, sample, monkeypatch, tmp_path):
    server.on("POST", "/api/answers", streamed(sample.answer()))
    server.on("GET", f"/api/recordings/{sample.asset()['id']}/media", PlainTextResponse("sound"))
    copied = tmp_path / "heard"
    asked = []

    def copying(sound, start, end):
        asked.append((start, end))
        return ["cp", str(sound), str(copied)]

    monkeypatch.setattr(playing, "player_arguments", copying)
    assert run("ask", "When do we move?", "--json").exit_code == 0
    result = run("play", "1")
    assert (result.exit_code, result.stdout) == (0, "")
    assert copied.read_text() == "sound"
    assert asked == [(19.5, 23.5)]


def test_an_answer_of_before_is_said_to_be_one(run, server, sample):
    server.on("POST", "/api/answers", streamed(sample.answer(cached=True)))
    assert "earshot ask --fresh" in run("ask", "When?").stderr
    server.on("POST", "/api/answers", streamed(sample.answer()))
    assert "--fresh" not in run("ask", "--fresh", "When?").stderr
    assert [asked.headers.get("cache-control") for asked in server.asked[-2:]] == [None, "no-cache"]


def test_text_that_begins_again_stands_on_a_line_of_its_own(run, server, sample):
    documents = [
        {"type": "content", "content": "we stay"},
        {"type": "status", "status": "writing"},
        {"type": "content", "content": "we move in may [1]"},
        {"type": "done", "response": sample.answer()},
    ]
    events = "".join(f"event: {one['type']}\ndata: {json.dumps(one)}\n\n" for one in documents)
    server.on("POST", "/api/answers", lambda request, body: StreamingResponse(iter([events])))
    result = run("ask", "When?")
    assert result.stdout.startswith("we stay\nwe move in may [1]\n")
    assert "written again" in result.stderr


def test_nothing_was_asked_yet(run):
    result = run("play", "1")
    assert result.exit_code == 1
    assert "Ask first" in result.stderr


def test_what_was_not_found_is_said(run, server, sample):
    nearest = [{"title": "Talk 1", "quote": "we move in may", "url": "/r/a?t=1"}]
    refused = sample.answer(answered=False, answer="", citations=[], reason="Not said here.", nearest=nearest)
    server.on("POST", "/api/answers", streamed(refused))
    result = run("ask", "Who?")
    assert result.exit_code == 0
    assert "Not said here." in result.stdout
    assert "we move in may" in result.stdout


@pytest.mark.parametrize(
    ("command", "method", "path"),
    [("retry", "POST", "/retry"), ("cancel", "POST", "/cancel"), ("delete", "DELETE", "")],
)
def test_acts_on_an_asset(run, server, library, command, method, path):
    server.on(method, f"/api/assets/{library['id']}{path}", {}, 202)
    result = run(command, "@last")
    assert result.exit_code == 0, result.output
    assert server.asked[-1].method == method
    assert json.loads(run(command, "@last", "--json").stdout)["id"] == library["id"]


def test_jobs(run, server, sample):
    server.on("GET", "/api/jobs", {"items": [sample.job()], "next_cursor": None})
    assert sample.job()["id"] in run("jobs").stdout
    assert json.loads(run("jobs", "--status", "failed", "--json").stdout)["items"] == [sample.job()]
    assert server.asked[-1].query["status"] == "failed"


def test_keys(run, server):
    key = {"id": "k1", "name": "laptop", "prefix": "es_ab", "scopes": ["read"], "created_at": None}
    server.on("POST", "/api/keys", key | {"key": "es_abcdef"}, 201)
    server.on("GET", "/api/keys", {"items": [key], "next_cursor": None})
    server.on("DELETE", "/api/keys/k1", {})
    assert run("keys", "create", "laptop").stdout == "es_abcdef\n"
    assert "laptop" in run("keys", "list").stdout
    assert run("keys", "revoke", "laptop").exit_code == 0
    assert run("keys", "revoke", "phone").exit_code == 1


def test_the_status_of_a_named_server(run, server):
    server.on("GET", "/api/health/ready", {"status": "ok"})
    assert run("status").exit_code == 0
    server.on("GET", "/api/health/ready", {"status": "not ready"}, 503)
    assert run("status").exit_code == 1
