"""The images: what their stages do is done here in plain folders, and what comes out is started."""

import json
import os
import subprocess
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import monotonic, sleep
from urllib.parse import urlsplit, urlunsplit

import httpx
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


@pytest.mark.skipif("EARSHOT_REPLAY_CUDA" not in os.environ, reason="4 GB: asked for by EARSHOT_REPLAY_CUDA=1")
@pytest.mark.timeout(1800)
def test_the_cuda_image_holds_asr_and_torch(replay: Replay) -> None:
    place = replay.build("asr-cuda")
    names = ["torch", "whisperx", "pyannote.audio", "gateway", "uv", "pytest"]
    code = f"import importlib.util as u, asr.main as m; print([n for n in {names} if u.find_spec(n)], m.__file__)"
    done = run(place, "-c", code)
    assert done.returncode == 0, done.stderr
    found, file = done.stdout.rsplit(" ", 1)
    assert found == "['torch', 'whisperx', 'pyannote.audio']"
    assert Path(file.strip()).is_relative_to(place)


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


def settings_of(service: str, port: str, folder: Path) -> dict[str, str]:
    """What the service wants to be told beside the servers."""
    found = {f"{service.upper()}_PORT": port, "EARSHOT_SCRATCH_DIR": str(folder / service)}
    if service == "embedder":
        found["EARSHOT_MODEL_DIR"] = str(folder / "models")
    return found


def test_every_service_starts_from_its_image_after_the_job_has_prepared_everything(
    replay: Replay, postgres: ThrowawayPostgres, rabbit: ThrowawayRabbit, tmp_path: Path
) -> None:
    job, images = replay.build("migrate"), {service: replay.build(service) for service in SERVICES}
    before = {service: files(image) for service, image in images.items()}
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

    at = dict(zip(SERVICES, map(str, ports.private(len(SERVICES))), strict=True))
    keys = {signer: new_key_pair() for signer in ("gateway", "chat")}
    shared |= {
        "EARSHOT_IDENTITY_PUBLIC_KEYS": ",".join(f"{signer}={public}" for signer, (_, public) in keys.items()),
        "CHAT_EMBEDDER_URL": f"http://127.0.0.1:{at['embedder']}",
        "GATEWAY_KEY_SECRET": "x" * 40,
    } | {f"{signer.upper()}_IDENTITY_PRIVATE_KEY": private for signer, (private, _) in keys.items()}
    with ExitStack() as stack:
        for service, image in images.items():
            told = {**shared, **settings_of(service, at[service], tmp_path)}
            url = f"{service.upper()}_DATABASE_URL"
            process = stack.enter_context(started(image, service, {**told, url: urls[url]}))
            # One after the other: on a small machine all at once are no sooner ready.
            wait_until_ready(image, process, at[service])
        code = f"import urllib.request as u; print(u.urlopen('http://127.0.0.1:{at['gateway']}/openapi.json').read().decode())"
        assert "/api/answers" in json.loads(run(images["gateway"], "-c", code).stdout)["paths"]
    # Their root may be read-only.
    assert {service: files(image) for service, image in images.items()} == before


def wait_until_ready(image: Path, process: subprocess.Popen[bytes], port: str) -> None:
    """Asked from here, which costs less than a process for each look; in the end as the image's health check does."""
    until = monotonic() + 240
    while not answers(f"http://127.0.0.1:{port}/health/ready"):
        assert process.poll() is None, process.stdout and process.stdout.read().decode()
        assert monotonic() < until, f"port {port}: not ready"
        sleep(0.1)
    assert run(image, "-m", "common.probe", port, "ready").returncode == 0


def answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=10).is_success
    except httpx.TransportError:
        return False


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
