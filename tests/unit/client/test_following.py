from earshot.cli.watching import watch
from earshot.following import follow
from earshot.models import Asset
from starlette.responses import JSONResponse


def status(state, **progress):
    finished = "2026-01-02T03:04:05Z"
    stages = [
        {
            "name": name,
            "status": "done" if done == 1 else "processing",
            "progress": done,
            "started_at": "2026-01-02T03:04:00Z",
            "finished_at": finished if done == 1 else None,
        }
        for name, done in progress.items()
    ]
    return {"status": state, "stage": None, "progress": 0.5, "stages": stages}


def in_turn(server, path, *answers):
    left = list(answers)

    def answer(request, body):
        code, document = left.pop(0) if len(left) > 1 else left[0]
        return JSONResponse(document, code)

    server.on("GET", path, answer)


class Heard:
    """A view that remembers."""

    def __init__(self):
        self.bars, self.lines = {}, []

    def show(self, name, fraction, words=""):
        self.bars[name] = (fraction, words)

    def say(self, text):
        self.lines.append(str(text))


def test_every_asset_to_its_end_through_a_short_absence(server, client):
    in_turn(server, "/api/assets/1/status", (200, status("processing")), (503, {}), (200, status("ready")))
    in_turn(server, "/api/assets/2/status", (200, status("failed")))
    seen = [(asset_id, one.status) for asset_id, one in follow(client, ["1", "2"], every_seconds=0.01)]
    assert seen == [("1", "processing"), ("2", "failed"), ("1", "ready")]


def test_stages_and_first_lines_as_parts_finish(server, client, sample):
    asset = Asset.model_validate(sample.asset())
    in_turn(
        server,
        f"/api/assets/{asset.id}/status",
        (200, status("processing", fetch=1, transcribe=0.1)),
        (200, status("processing", fetch=1, transcribe=0.5)),
        (200, status("ready", fetch=1, transcribe=1, index=1)),
    )
    segment = sample.transcript()["segments"][0]
    later = [segment | {"id": f"g{number}"} for number in range(2, 9)]
    in_turn(
        server,
        f"/api/recordings/{asset.id}/transcript",
        (404, {"detail": "Not yet."}),
        (200, sample.transcript(complete=False)),
        (200, sample.transcript(segments=[segment, *later])),
    )
    heard = Heard()
    ends = watch(client, [asset], heard, first_lines=3)
    assert ends[asset.id].status == "ready"
    assert heard.bars == {"Fetch": (1.0, "5.0 s"), "Transcribe": (1.0, "5.0 s"), "Index": (1.0, "5.0 s")}
    assert heard.lines == ["   0:20  Speaker 1: we move in may"] * 3
