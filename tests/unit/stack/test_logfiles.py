"""Log files that rotate, prefixed lines, and reading them back."""

import io
import json
from itertools import islice
from pathlib import Path

import pytest
from stack.errors import StackError
from stack.layout import DataFolder
from stack.logfiles import RotatingFile, Terminal, readable
from stack.logs import read_logs


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_file_that_grows_too_large_moves_aside_and_old_ones_go(tmp_path: Path) -> None:
    log = RotatingFile(tmp_path / "a.log", max_bytes=100, kept=2)
    for number in range(40):
        log.write(f"line {number:03}\n".encode())
    log.close()
    names = sorted(path.name for path in tmp_path.iterdir())
    assert set(names) <= {"a.log", "a.log.1", "a.log.2"}
    assert {"a.log.1", "a.log.2"} <= set(names)
    kept = "".join((tmp_path / name).read_text() for name in sorted(names, reverse=True))
    assert kept.endswith("line 039\n")
    assert all((tmp_path / name).stat().st_size <= 110 for name in names)


def test_lines_are_prefixed_in_colour_on_a_terminal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    screen, pipe = Screen(), io.StringIO()
    Terminal(("gateway", "asr"), screen).show("asr", b"hello")
    Terminal(("gateway", "asr"), pipe).show("asr", b"hello \xff")
    assert screen.getvalue().startswith("\x1b[")
    assert screen.getvalue().endswith("asr     |\x1b[0m hello\n")
    assert pipe.getvalue() == "asr     | hello \ufffd\n"


def test_json_lines_are_made_readable_and_others_left_alone() -> None:
    entry = {"service": "asr", "trace_id": "f00", "asset_id": "42", "event": "part_done", "level": "info"}
    line = json.dumps({**entry, "timestamp": "2026-03-02T09:30:01.5Z"})
    assert readable(line) == "09:30:01 part_done asset_id=42"
    failed = json.dumps({**entry, "level": "error", "timestamp": "2026-03-02T09:30:01.5Z", "exception": "Oh no"})
    assert readable(failed) == "09:30:01 ERROR part_done asset_id=42 Oh no"
    for other in ("Traceback:", "{not json", '{"some": "json"}', "[1]", "7"):
        assert readable(other) == other


def test_no_color_is_honoured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    screen = Screen()
    Terminal(("asr",), screen).show("asr", b"hello")
    assert screen.getvalue() == "asr | hello\n"


def test_a_terminal_that_has_gone_is_no_error() -> None:
    gone = io.StringIO()
    terminal = Terminal(("asr",), gone)
    gone.close()
    terminal.show("asr", b"hello")


def test_the_last_lines_of_each_service_are_read(tmp_path: Path) -> None:
    folder = DataFolder.at(tmp_path)
    folder.prepare()
    folder.log_of("asr").write_text("".join(f"a{n}\n" for n in range(10)) + "unfinished")
    folder.log_of("chat").write_text("c0\n")
    found = [(line.service, line.text) for line in read_logs(folder, ("asr", "chat"), follow=False, lines=2)]
    assert found == [("asr", "a8"), ("asr", "a9"), ("chat", "c0")]


def test_following_goes_on_across_a_rotation(tmp_path: Path) -> None:
    folder = DataFolder.at(tmp_path)
    folder.prepare()
    log = RotatingFile(folder.log_of("asr"), max_bytes=20)
    log.write(b"one\n")
    lines = read_logs(folder, ("asr",), follow=True, lines=5)
    assert next(lines).text == "one"
    log.write(b"two, which fills it\n")
    log.write(b"three\n")
    assert [line.text for line in islice(lines, 2)] == ["two, which fills it", "three"]
    log.close()


def test_a_name_without_a_log_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StackError, match="nothing-like-it"):
        read_logs(DataFolder.at(tmp_path), ("nothing-like-it",), follow=False, lines=1)
