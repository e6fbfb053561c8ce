"""The last answer, kept so that `play N` and `open N` know what [N] was."""

import json
from dataclasses import dataclass
from pathlib import Path

from earshot.errors import EarshotError
from earshot.models import Answer, Citation
from earshot.transport import parse

FILE = "last-answer.json"


@dataclass(frozen=True)
class LastAnswer:
    """An answer and the server it came from."""

    url: str
    answer: Answer

    def citation(self, number: int) -> Citation:
        for citation in self.answer.citations:
            if citation.index == number:
                return citation
        numbers = ", ".join(str(citation.index) for citation in self.answer.citations) or "none"
        raise EarshotError(f"The last answer has no citation [{number}].", advice=f"It has: {numbers}")


def keep(folder: Path, last: LastAnswer) -> None:
    """Readable by this user only: answers quote what was said."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / FILE
    path.touch(mode=0o600)
    path.write_text(json.dumps({"url": last.url, "answer": last.answer.to_json()}), encoding="utf-8")


def recall(folder: Path) -> LastAnswer:
    try:
        kept = json.loads((folder / FILE).read_text(encoding="utf-8"))
        return LastAnswer(str(kept["url"]), parse(Answer, json.dumps(kept["answer"])))
    except (OSError, ValueError, KeyError) as error:
        raise EarshotError("No answer is remembered here.", advice='Ask first: earshot ask "…"') from error
