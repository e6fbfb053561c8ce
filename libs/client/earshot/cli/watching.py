"""Following recordings in the terminal: a bar per stage and the first lines of the transcript as parts finish."""

from collections.abc import Sequence

from rich.text import Text

from earshot.cli.progress import View
from earshot.client import Client
from earshot.errors import EarshotError
from earshot.following import PATIENCE_SECONDS, follow
from earshot.models import Asset, Segment, Stage, Status, Transcript
from earshot.timecode import clock, elapsed

FIRST_LINES = 6
STAGE_WORDS = {"fetch": "Fetch", "transcribe": "Transcribe", "index": "Index"}


def watch(
    client: Client,
    assets: Sequence[Asset],
    view: View,
    first_lines: int = FIRST_LINES,
    patience_seconds: float = PATIENCE_SECONDS,
) -> dict[str, Status]:
    """Blocks until every asset is finished; one asset gets a bar per stage, several get a bar each."""
    ends: dict[str, Status] = {}
    by_id = {asset.id: asset for asset in assets}
    lines = FirstLines(client, view, first_lines) if len(assets) == 1 else None
    for asset_id, status in follow(client, list(by_id), patience_seconds=patience_seconds):
        ends[asset_id] = status
        if lines is None:
            view.show(by_id[asset_id].title, status.progress, status.stage or status.status)
            continue
        for stage in status.stages:
            view.show(STAGE_WORDS.get(stage.name, stage.name), fraction_of(stage), words_for(stage, status))
        lines.look(asset_id, status)
    return ends


def fraction_of(stage: Stage) -> float:
    return 1.0 if stage.finished_at and not stage.error else stage.progress or 0.0


def words_for(stage: Stage, status: Status) -> str:
    if stage.error:
        return "failed"
    if stage.seconds is not None:
        return elapsed(stage.seconds)
    if stage.name != status.stage or status.status != "processing":
        return ""
    left = f"about {elapsed(status.eta_seconds)} left" if status.eta_seconds else ""
    return "  ".join(words for words in (stage.message, left) if words)


class FirstLines:
    """Prints the first lines of a transcript once each, as soon as they can be read."""

    def __init__(self, client: Client, view: View, wanted: int) -> None:
        self._client = client
        self._view = view
        self._left = wanted
        self._shown: set[str] = set()
        self._seen: object = None

    def look(self, asset_id: str, status: Status) -> None:
        """Asks for the transcript only when something has moved since the last time."""
        moved = tuple((stage.name, stage.status, stage.progress) for stage in status.stages)
        if self._left <= 0 or moved == self._seen:
            return
        self._seen = moved
        transcript = self._readable(asset_id)
        for segment in transcript.segments if transcript else ():
            if segment.id not in self._shown and self._left > 0:
                self._shown.add(segment.id)
                self._left -= 1
                self._view.say(segment_line(segment, speaker_names(transcript)))

    def _readable(self, asset_id: str) -> Transcript | None:
        try:
            return self._client.recordings.transcript(asset_id, words=False)
        except EarshotError as error:
            if error.status_code == 404 or error.transient:
                return None
            raise


def speaker_names(transcript: Transcript | None) -> dict[str, str]:
    return {speaker.id: speaker.name or speaker.label for speaker in transcript.speakers} if transcript else {}


def segment_line(segment: Segment, names: dict[str, str]) -> Text:
    speaker = names.get(segment.speaker or "", "")
    said_by = f"{speaker}: " if speaker else ""
    return Text.assemble((f"{clock(segment.start):>7}  ", "cyan"), (said_by, "bold"), segment.text)
