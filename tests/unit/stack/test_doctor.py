"""What the doctor sees, and what it prescribes."""

from pathlib import Path

import pytest
from stack import programs
from stack.doctor import examine, refuse_to_start
from stack.errors import Missing
from stack.layout import DataFolder


def test_every_complaint_comes_with_a_remedy(tmp_path: Path) -> None:
    checks = examine(DataFolder.at(tmp_path), {})
    assert {"Python", "ffmpeg", "RabbitMQ", "Postgres", "Disk"} <= {check.name for check in checks}
    assert all(check.ok or check.remedy for check in checks)
    assert all(check.found for check in checks)


def test_a_machine_without_rabbitmq_is_told_three_ways_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "RABBITMQ_FOLDERS", ())
    monkeypatch.setattr(programs, "RABBITMQ_VERSIONED", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Missing) as caught:
        refuse_to_start(DataFolder.at(tmp_path), {})
    remedy = caught.value.remedy or ""
    assert "apt-get install rabbitmq-server" in remedy
    assert "docker run" in remedy
    assert "RABBITMQ_URL" in remedy


def test_a_broker_that_the_user_brings_is_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "RABBITMQ_FOLDERS", ())
    monkeypatch.setattr(programs, "RABBITMQ_VERSIONED", str(tmp_path))
    checks = {check.name: check for check in examine(DataFolder.at(tmp_path), {"RABBITMQ_URL": "amqp://elsewhere/"})}
    assert checks["RabbitMQ"].ok


def test_debians_wrapper_that_changes_user_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wrapper, real = tmp_path / "sbin" / "rabbitmq-server", tmp_path / "real" / "rabbitmq-server"
    for script, text in ((wrapper, "su rabbitmq -s /bin/sh -c x"), (real, "exec erl")):
        script.parent.mkdir()
        script.write_text(f"#!/bin/sh\n{text}\n")
        script.chmod(0o755)
    monkeypatch.setattr(programs, "RABBITMQ_FOLDERS", (str(wrapper.parent), str(real.parent)))
    assert programs.rabbitmq_server() == real
