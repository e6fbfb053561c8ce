"""The images: what their stages do is done here in plain folders, and what comes out is started."""

import json
import os
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from urllib.parse import urlsplit, urlunsplit

import pytest
from common import topology
from common.identity import new_key_pair
from common.settings import environment_of
from stack import ports
from stack.openapi import settings_class
from stack.testing import ThrowawayPostgres, ThrowawayRabbit

from tests.e2e.test_packages import UV
from tests.unit.deploy.dockerfile import Replay, chain, context, environment, parse

ROOT = Path(__file__).parents[3]
STAGES = parse((ROOT / "deploy/docker/Dockerfile").read_text())
SERVICES = topology.SERVICES
TARGETS = (*SERVICES, "asr-cuda", "migrate")
# Read by libraries, not by Earshot's own settings.
OF_LIBRARIES = {
    "PATH",
    "HOME",
    "PYTHONUNBUFFERED",
    "PYTHONDONTWRITEBYTECODE",
    "HF_HOME",
    "TORCH_HOME",
    "PYANNOTE_METRICS_ENABLED",
    "NVIDIA_VISIBLE_DEVICES",
    "NVIDIA_DRIVER_CAPABILITIES",
}


@pytest.fixture(scope="module")
def replay(tmp_path_factory: pytest.TempPathFactory) -> Replay:
    assert UV is not None, "uv is needed: run make setup"
    return Replay(ROOT, tmp_path_factory.mktemp("images"), STAGES, UV)


def run(place: Path, *words: str, environ: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [place / "opt/earshot/bin/python", *words],
        env={"PATH": "/usr/bin:/bin", "HOME": "/nowhere", **(environ or {})},
        cwd="/",
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


@pytest.mark.parametrize("service", SERVICES)
def test_an_image_holds_its_service_and_no_other(replay: Replay, service: str) -> None:
    place = replay.build(service)
    (step,) = STAGES[service].all("CMD")
    assert json.loads(step.text) == ["python", "-m", f"{service}.main"]
    code = f"""
import importlib.util as u, json, {service}.main as main
from common.migrations import migrations_dir
found = [n for n in {[*SERVICES, "torch", "uv", "pytest", "stack"]} if u.find_spec(n)]
print(json.dumps([found, main.__file__, (migrations_dir("{service}") / "versions").is_dir()]))
"""
    done = run(place, "-c", code)
    assert done.returncode == 0, done.stderr
    found, file, has_migrations = json.loads(done.stdout)
    assert found == [service]
    # From the image's own folder, not from the checkout.
    assert Path(file).is_relative_to(place)
    assert has_migrations


def test_the_cuda_image_is_asr_with_whisperx() -> None:
    assert UV is not None
    (step,) = STAGES["asr-cuda-dependencies"].all("RUN")
    words = [word for word in step.words if word != "uv"]
    done = subprocess.run(
        [UV, *words, "--dry-run", "--project", str(ROOT), "--offline"],
        env={**os.environ, "UV_PROJECT_ENVIRONMENT": "/nonexistent/earshot"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "torch==" in done.stderr, done.stderr
    assert "whisperx==" in done.stderr
    assert STAGES["asr-cuda"].all("CMD")[0].text == STAGES["asr"].all("CMD")[0].text


@pytest.mark.parametrize("target", TARGETS)
def test_a_final_stage_is_safe_to_run(target: str) -> None:
    steps = [step for stage in chain(STAGES, target) for step in stage.steps]
    assert [step.text for step in steps if step.name == "USER"] == ["10001:10001"]
    assert STAGES[target].steps[-2].name == "USER"
    labels = dict(word.split("=", 1) for step in steps if step.name == "LABEL" for word in step.words)
    for name in ("title", "description", "version", "revision", "licenses"):
        assert labels[f"org.opencontainers.image.{name}"]
    assert labels["org.opencontainers.image.title"] == f"earshot-{target}"
    (health,) = [step for step in steps if step.name == "HEALTHCHECK"]
    assert health.text == "NONE" if target == "migrate" else "common.probe" in health.text
    # uv comes by a mount and is gone with it; nothing that builds is installed.
    copied = [step.flag("from") for step in steps if step.name == "COPY"]
    assert copied == [f"{target}-dependencies"]
    installed = " ".join(step.text for step in steps if "apt-get install" in step.text)
    assert not any(tool in installed for tool in ("gcc", "build-essential", "-dev", "git", "curl"))


@pytest.mark.parametrize("service", SERVICES)
def test_a_port_is_the_settings_default_everywhere(service: str) -> None:
    port = str(settings_class(service).model_fields["port"].default)
    targets = [service, "asr-cuda"] if service == "asr" else [service]
    for target in targets:
        assert [step.text for step in STAGES[target].all("EXPOSE")] == [port]
        assert json.loads(STAGES[target].all("HEALTHCHECK")[0].text.removeprefix("CMD "))[-1] == port
        assert environment(STAGES, target)[f"{service.upper()}_HOST"] == "0.0.0.0"


@pytest.mark.parametrize("target", TARGETS)
def test_an_image_sets_only_what_its_service_reads(target: str) -> None:
    service = target.removesuffix("-cuda")
    read = {name for name, _, _ in environment_of(settings_class(service))} if service != "migrate" else set[str]()
    assert set(environment(STAGES, target)) <= read | OF_LIBRARIES


def test_versions_are_pinned() -> None:
    for stage in STAGES.values():
        if stage.base not in STAGES:
            name, _, tag = stage.base.rpartition(":")
            assert name
            assert len(tag.split("-")[0].split(".")) == 3, f"{stage.base}: name a whole version"


def test_the_context_holds_no_secrets_and_no_data() -> None:
    names = context(ROOT)
    assert "uv.lock" in names
    tops = {name.split("/")[0] for name in names}
    assert tops == {"pyproject.toml", "uv.lock", "libs", "services", "schemas"}
    assert not any(name.endswith((".pyc", ".env.example")) or "/.venv" in name for name in names)


def files(image: Path) -> set[Path]:
    """Without what Python compiles, which an image has compiled already."""
    return {path for path in image.rglob("*") if "__pycache__" not in path.parts}


@contextmanager
def started(place: Path, service: str, environ: dict[str, str]) -> Generator[subprocess.Popen[bytes]]:
    python = place / "opt/earshot/bin/python"
    path = f"{python.parent}:/usr/bin:/bin"
    process = subprocess.Popen(
        [python, "-m", f"{service}.main"],
        env={"PATH": path, "HOME": "/nowhere", **environ},
        cwd="/",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def test_the_gateway_starts_from_its_image_after_the_job_has_prepared_everything(
    replay: Replay, postgres: ThrowawayPostgres, rabbit: ThrowawayRabbit, tmp_path: Path
) -> None:
    job, image = replay.build("migrate"), replay.build("gateway")
    before = files(image)
    parts = urlsplit(postgres.url)
    place = parts.netloc.rpartition("@")[2]
    urls = {
        f"{service.upper()}_DATABASE_URL": urlunsplit(parts._replace(netloc=f"image_{service}:secret@{place}"))
        for service in SERVICES
    }
    shared = {"EARSHOT_RABBITMQ_URL": rabbit.url, "EARSHOT_OBJECT_STORE_URL": f"file://{tmp_path / 'objects'}"}
    prepare = {**urls, **shared, "EARSHOT_ADMIN_DATABASE_URL": postgres.url}

    done = run(job, "-m", "common.preparing", environ=prepare)
    assert done.returncode == 0, done.stdout + done.stderr
    assert run(job, "-m", "common.preparing", environ=prepare).returncode == 0, "it may run again"

    port, (private, public) = str(ports.private(1)[0]), new_key_pair()
    environ = {
        **shared,
        "GATEWAY_DATABASE_URL": urls["GATEWAY_DATABASE_URL"],
        "GATEWAY_PORT": port,
        "GATEWAY_IDENTITY_PRIVATE_KEY": private,
        "EARSHOT_IDENTITY_PUBLIC_KEYS": f"gateway={public}",
        "GATEWAY_KEY_SECRET": "x" * 40,
        "EARSHOT_SCRATCH_DIR": str(tmp_path / "scratch"),
    }
    with started(image, "gateway", environ) as process:
        until = monotonic() + 240
        while run(image, "-m", "common.probe", port, "ready").returncode and monotonic() < until:
            assert process.poll() is None, process.stdout and process.stdout.read().decode()
            sleep(0.3)
        assert run(image, "-m", "common.probe", port, "ready").returncode == 0
        code = f"import urllib.request as u; print(u.urlopen('http://127.0.0.1:{port}/openapi.json').read().decode())"
        assert "/api/answers" in json.loads(run(image, "-c", code).stdout)["paths"]
    # Its root may be read-only.
    assert files(image) == before


def test_the_job_names_what_is_missing_and_what_is_away(replay: Replay) -> None:
    job = replay.build("migrate")
    nothing = run(job, "-m", "common.preparing")
    assert nothing.returncode == 1
    assert "EARSHOT_ADMIN_DATABASE_URL" in nothing.stderr
    assert "CHAT_DATABASE_URL" in nothing.stderr
    port = ports.private(1)[0]
    given = {f"{service.upper()}_DATABASE_URL": f"postgresql://a:b@127.0.0.1:{port}/x" for service in SERVICES}
    given |= {
        "EARSHOT_ADMIN_DATABASE_URL": f"postgresql://a:b@127.0.0.1:{port}/x",
        "EARSHOT_RABBITMQ_URL": f"amqp://127.0.0.1:{port}/",
        "EARSHOT_OBJECT_STORE_URL": "file:///nonexistent",
    }
    away = run(job, "-m", "common.preparing", environ=given)
    assert away.returncode == 1
    assert "Is EARSHOT_ADMIN_DATABASE_URL right" in away.stderr
    assert "Traceback" not in away.stderr
