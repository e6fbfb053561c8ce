"""What the demo starts it also stops; its recording and questions are read from the checkout."""

import os
import signal
from pathlib import Path
from types import SimpleNamespace

import pytest
from earshot import EarshotError
from earshot.cli.output import Output
from earshot.demo.reference import demo_folder, read_reference
from earshot.demo.run import stack_for_a_while


class Commands:
    """A stack that only remembers what became of it."""

    def __init__(self):
        self.acts = []

    def up(self, data, *, port, detach, bound, say):
        assert detach
        assert "DATABASE_URL" not in os.environ
        assert port == 4711
        (data / "file").write_text("x")
        self.acts.append(("up", data))
        return data

    def logs(self, data, *, lines):
        return [SimpleNamespace(service="asr", text="what it said last")]

    def down(self, data, *, say):
        # A signal that comes now must not stop the stopping.
        os.kill(os.getpid(), signal.SIGINT)
        self.acts.append(("down", data))


def test_stopped_and_removed_at_the_end(monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://mine")
    commands = Commands()
    with stack_for_a_while(Output(), commands, 4711) as data:
        assert data.is_dir()
    assert commands.acts == [("up", data), ("down", data)]
    assert not data.exists()
    assert os.environ["DATABASE_URL"] == "postgresql://mine"


def test_stopped_when_starting_fails(monkeypatch, capsys):
    commands = Commands()

    def fails(*_, **__):
        raise OSError("no")

    monkeypatch.setattr(commands, "up", fails)
    with pytest.raises(OSError, match="no"), stack_for_a_while(Output(), commands, 4711):
        pass
    assert [act for act, _ in commands.acts] == ["down"]
    assert "what it said last" in capsys.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_stopped_by_a_signal(number):
    commands, before = Commands(), signal.getsignal(number)
    with pytest.raises(SystemExit) as ended, stack_for_a_while(Output(), commands, 4711):
        os.kill(os.getpid(), number)
    assert ended.value.code == 128 + number
    assert [act for act, _ in commands.acts] == ["up", "down"]
    assert signal.getsignal(number) == before


def test_the_questions_of_the_checkout():
    folder = demo_folder({})
    reference = read_reference(folder / "questions.json")
    kinds = [question.kind for question in reference.questions]
    assert sorted(kinds) == ["paraphrased"] * 3 + ["speaker"] * 2 + ["unanswerable"]
    assert all((question.start is not None) == question.answerable for question in reference.questions)


def test_questions_that_are_none(tmp_path):
    with pytest.raises(EarshotError, match="There is no file"):
        read_reference(tmp_path / "missing.json")
    (tmp_path / "odd.json").write_text('{"questions": 1}')
    with pytest.raises(EarshotError, match="not a list of demo questions"):
        read_reference(tmp_path / "odd.json")


def test_the_launcher_says_where_the_recording_is(tmp_path):
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo/meeting.opus").write_bytes(b"")
    assert demo_folder({"EARSHOT_HOME": str(tmp_path)}) == tmp_path / "demo"
    assert demo_folder({"EARSHOT_HOME": "/nowhere"}) == Path(__file__).parents[3] / "demo"
