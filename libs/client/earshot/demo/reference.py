"""What is known about the demo recording: its questions and where in it their answers are said."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from earshot.errors import EarshotError

RECORDING = "meeting.opus"
QUESTIONS = "questions.json"


class Question(BaseModel):
    """`start` and `end` in seconds of the recording; None for what it does not answer."""

    model_config = ConfigDict(frozen=True)

    id: str
    kind: Literal["direct", "paraphrased", "speaker", "unanswerable"]
    question: str
    sentences: list[str] = []
    start: float | None = None
    end: float | None = None

    @property
    def answerable(self) -> bool:
        return self.kind != "unanswerable"


class Search(BaseModel):
    """Words to search for, and the sentence that they come from."""

    model_config = ConfigDict(frozen=True)

    query: str
    quote: str


class Reference(BaseModel):
    model_config = ConfigDict(frozen=True)

    title: str
    # Names whose spelling the recogniser cannot know.
    key_terms: list[str] = []
    search: Search
    questions: list[Question]


def read_reference(path: Path) -> Reference:
    try:
        return Reference.model_validate_json(path.read_bytes())
    except FileNotFoundError as error:
        raise EarshotError(f"There is no file {path}.") from error
    except ValidationError as error:
        raise EarshotError(f"{path} is not a list of demo questions: {error.errors()[0]['msg']}") from error


def demo_folder(environ: Mapping[str, str]) -> Path:
    """The checkout's `demo/`: the launcher says where, else it lies beside this source."""
    homes = [Path(environ["EARSHOT_HOME"])] if environ.get("EARSHOT_HOME") else []
    candidates = [home / "demo" for home in (*homes, *Path(__file__).resolve().parents[3:5])]
    for folder in candidates:
        if (folder / RECORDING).is_file():
            return folder
    raise EarshotError(
        "The demo recording is not here.",
        advice="Run it from a checkout, or give --recording and --questions.",
    )
