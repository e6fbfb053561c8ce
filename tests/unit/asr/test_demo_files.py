"""The recordings that are committed, against their scripts."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
SCRIPTS = [ROOT / "demo" / "meeting.txt", ROOT / "tests" / "data" / "second.txt"]
QUESTIONS = json.loads((ROOT / "demo" / "questions.json").read_text())["questions"]


def reference(script: Path) -> dict[str, Any]:
    return json.loads(script.with_suffix(".json").read_text())


def sentences(script: Path) -> dict[str, dict[str, Any]]:
    return {sentence["text"]: sentence for turn in reference(script)["turns"] for sentence in turn["sentences"]}


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_the_reference_is_what_the_script_says(script: Path) -> None:
    written = [line for line in script.read_text().splitlines() if line and not line.startswith("#")]
    spoken = [(turn["speaker"], turn["text"]) for turn in reference(script)["turns"]]
    assert [(line.split(" ")[0], line.partition(": ")[2]) for line in written] == spoken
    times = [(turn["start"], turn["end"]) for turn in reference(script)["turns"]]
    assert all(start < end for start, end in times)
    assert times == sorted(times)
    assert script.with_suffix(".opus").stat().st_size < 2_000_000


def test_the_demo_is_a_meeting_of_three_to_five_minutes_between_two_people() -> None:
    demo = reference(SCRIPTS[0])
    assert 180 <= demo["duration_seconds"] <= 300
    assert len({turn["speaker"] for turn in demo["turns"]}) == 2


def test_six_questions() -> None:
    kinds = [question["kind"] for question in QUESTIONS]
    assert sorted(kinds) == ["paraphrased"] * 3 + ["speaker"] * 2 + ["unanswerable"]


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question["id"])
def test_answers_stand_where_the_questions_say(question: dict[str, Any]) -> None:
    spoken = [sentences(SCRIPTS[0])[text] for text in question["sentences"]]
    if question["kind"] == "unanswerable":
        assert (spoken, question["start"], question["end"]) == ([], None, None)
    else:
        assert (question["start"], question["end"]) == (spoken[0]["start"], spoken[-1]["end"])


@pytest.mark.parametrize("question", [q for q in QUESTIONS if q["kind"] == "paraphrased"], ids=lambda q: q["id"])
def test_paraphrased_questions_do_not_give_the_answer_away(question: dict[str, Any]) -> None:
    ordinary = {"the", "to", "will", "did", "what", "when", "how", "much", "are", "they", "of", "we", "new"}
    asked = set(re.findall(r"\w+", question["question"].lower())) - ordinary
    assert not asked & set(re.findall(r"\w+", " ".join(question["sentences"]).lower()))


@pytest.mark.skipif(not (shutil.which("flite") and shutil.which("ffmpeg")), reason="needs flite and ffmpeg")
def test_the_recording_can_be_made_again(tmp_path: Path) -> None:
    script = tmp_path / SCRIPTS[1].name
    shutil.copy(SCRIPTS[1], script)
    maker = ROOT / "demo" / "make_recording.py"
    subprocess.run([sys.executable, maker, script, "--title", "The summer festival"], check=True)
    assert reference(script) == reference(SCRIPTS[1])
