"""A whole stack: up, looked at, hurt, down; with a port taken, a space in its path, and servers brought along."""

import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import psutil
import pytest
from stack import commands, leash, ports, state
from stack.errors import DidNotStart, PortTaken
from stack.layout import SERVICES, DataFolder
from stack.testing import ThrowawayPostgres, ThrowawayRabbit, ThrowawayStack

FOREGROUND = (
    "import sys; from pathlib import Path; from stack import commands\n"
    "ready = lambda running: print('READY', running.url, flush=True)\n"
    "commands.up(Path(sys.argv[1]), port=int(sys.argv[2]), on_ready=ready)"
)


def until(true: Callable[[], object], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def family(data: Path) -> list[psutil.Process]:
    found = state.live(DataFolder.at(data))
    assert found is not None
    return leash.with_children(psutil.Process(found.pid))


def silent(_line: str) -> None:
    pass


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory):
    with ThrowawayStack(parent=tmp_path_factory.mktemp("a b")) as running:
        yield running


def test_it_answers_and_says_so(stack: ThrowawayStack) -> None:
    assert httpx.get(f"{stack.url}/api/health").status_code == 200
    found = commands.status(stack.data.path)
    assert found.ready
    assert found.url == stack.url
    assert {service.name for service in found.services} == {*SERVICES, "postgres", "rabbitmq"}
    assert all(service.pid and service.memory_bytes for service in found.services)


def test_the_first_key_and_the_link_open_the_door(stack: ThrowawayStack) -> None:
    assert httpx.get(f"{stack.url}/api/assets").status_code == 401
    assert httpx.get(f"{stack.url}/api/assets", headers={"X-API-Key": stack.key}).status_code == 200
    link = stack.running.sign_in_link
    assert link is not None
    assert link.startswith(f"{stack.url}/")


def test_secrets_are_read_by_their_owner_alone(stack: ThrowawayStack) -> None:
    data = stack.data
    for path in (data.admin_key, data.secrets, data.state):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    found = stack.state
    passwords = [httpx.URL(url).password for url in (found.database_url, found.rabbitmq_url)]
    words = [" ".join(process.cmdline()) for process in family(data.path)]
    assert not [line for line in words if any(password in line for password in passwords)]


def test_everything_listens_on_loopback_alone(stack: ThrowawayStack) -> None:
    listening = {
        connection.laddr.ip
        for process in family(stack.data.path)
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert listening
    assert listening <= {"127.0.0.1", "::1"}


def test_starting_it_again_finds_it_running(stack: ThrowawayStack) -> None:
    again = commands.up(stack.data.path, detach=True, say=silent)
    assert again.already
    assert again.url == stack.url
    # Links are good once: this one is new, and it signs in.
    assert again.sign_in_link not in (None, stack.running.sign_in_link)
    with httpx.Client(base_url=stack.url, follow_redirects=True) as browser:
        browser.get(str(again.sign_in_link))
        assert browser.get("/api/auth/me").status_code == 200


def test_logs_hold_what_the_services_said(stack: ThrowawayStack) -> None:
    for service in SERVICES:
        lines = [line.text for line in commands.logs(stack.data.path, (service,), lines=1000)]
        assert any("started" in line for line in lines), service


def test_migrating_again_changes_nothing(stack: ThrowawayStack) -> None:
    done = commands.migrate(stack.data.path, say=silent)
    assert set(done.revisions) == set(SERVICES)
    assert done.changed == ()


@pytest.mark.parametrize("victim", ["chat", "postgres", "rabbitmq"])
def test_what_is_killed_comes_back(stack: ThrowawayStack, victim: str) -> None:
    before = stack.process(victim)
    assert before is not None
    stack.kill(victim)
    assert not before.is_running()
    until(lambda: (now := stack.process(victim)) is not None and now.pid != before.pid)
    until(lambda: commands.status(stack.data.path).ready)


def test_data_and_addresses_stay_when_the_supervisor_is_killed_and_nothing_else_does(stack: ThrowawayStack) -> None:
    key, found = stack.key, stack.state
    processes = family(stack.data.path)
    os.kill(found.pid, signal.SIGKILL)
    _, alive = psutil.wait_procs(processes, timeout=60)
    assert alive == []
    until(lambda: not state.is_held(stack.data))
    stack.restart()
    assert stack.key == key
    assert stack.state.rabbitmq_url == found.rabbitmq_url
    assert stack.state.database_url == found.database_url
    assert httpx.get(f"{stack.url}/api/assets", headers={"X-API-Key": key}).status_code == 200


def test_down_leaves_no_process_and_no_listener(stack: ThrowawayStack) -> None:
    processes, found = family(stack.data.path), stack.state
    stopped = commands.down(stack.data.path, say=silent)
    assert set(stopped.stopped) == {*SERVICES, "postgres", "rabbitmq"}
    _, alive = psutil.wait_procs(processes, timeout=5)
    assert alive == []
    assert not [port for port in found.ports.values() if ports.answers(port)]
    assert not commands.status(stack.data.path).ready
    assert commands.down(stack.data.path, say=silent).stopped == ()


def test_a_foreground_stack_prefixes_lines_and_ends_with_ctrl_c(tmp_path: Path) -> None:
    port = ports.private(1)[0]
    process = subprocess.Popen(
        [sys.executable, "-c", FOREGROUND, str(tmp_path / "data"), str(port)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    shown: list[str] = []
    for line in process.stdout:
        shown.append(line)
        if line.startswith("READY"):
            break
    processes = family(tmp_path / "data")
    process.send_signal(signal.SIGINT)
    shown += process.stdout.readlines()
    assert process.wait(timeout=60) == 0
    process.stdout.close()
    assert f"READY http://localhost:{port}\n" in shown
    assert any(line.startswith("gateway  | ") for line in shown)
    assert not [line for line in shown if "\x1b" in line]
    _, alive = psutil.wait_procs(processes, timeout=5)
    assert alive == []


def test_being_asked_to_stop_in_the_middle_of_the_start_leaves_nothing(tmp_path: Path) -> None:
    data = tmp_path / "data"
    process = subprocess.Popen([sys.executable, "-c", FOREGROUND, str(data), str(ports.private(1)[0])])
    folder = DataFolder.at(data)
    until(lambda: (found := state.live(folder)) is not None and any(map(ports.answers, found.ports.values())))
    processes = family(data)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) != 0
    _, alive = psutil.wait_procs(processes, timeout=5)
    assert alive == []


def test_a_service_that_cannot_start_stops_all_and_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASR_ENGINE", "no-such-engine")
    monkeypatch.setenv("EARSHOT_LOG_LEVEL", "nonsense")
    with pytest.raises(DidNotStart, match="keeps ending") as caught:
        commands.up(tmp_path / "data", port=ports.private(1)[0], detach=True, say=silent)
    assert ".log" in (caught.value.remedy or "")
    assert commands.down(tmp_path / "data", say=silent).stopped == ()


def test_an_explicit_port_that_is_taken_is_refused_before_anything_starts(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", ports.private(1)[0]))
        other.listen()
        taken = other.getsockname()[1]
        with pytest.raises(PortTaken, match=f"Port {taken} is taken"):
            commands.up(tmp_path / "data", port=taken, detach=True, say=silent)
    assert not (tmp_path / "data" / "postgres" / "18").exists()


def test_servers_that_the_user_brings_along_are_used_and_left_running(
    tmp_path: Path, rabbit: ThrowawayRabbit, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    with ThrowawayPostgres() as database:
        monkeypatch.setenv("DATABASE_URL", database.url)
        monkeypatch.setenv("RABBITMQ_URL", rabbit.url)
        monkeypatch.setenv("OBJECT_STORE_URL", (tmp_path / "objects here").as_uri())
        running = commands.up(data, port=ports.private(1)[0], detach=True, say=silent)
        try:
            assert httpx.get(f"{running.url}/api/health").status_code == 200
            found = commands.status(data)
            assert found.ready
            assert [s.pid for s in found.services if s.name in ("postgres", "rabbitmq")] == [None, None]
            assert list((data / "postgres").iterdir()) == []
            assert list((tmp_path / "objects here").iterdir())
        finally:
            stopped = commands.down(data, say=silent)
        assert set(stopped.stopped) == set(SERVICES)
        assert ports.answers(database.server.port)
        assert rabbit.server.ready
