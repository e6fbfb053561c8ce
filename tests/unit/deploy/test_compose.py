"""docker-compose.yml: valid, and every variable in it is one that somebody reads."""

import base64
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from common import topology
from common.bootstrap import ROLE_CONNECTION_LIMIT
from common.identity import Signer, Verifier
from common.preparing import PreparingSettings
from common.settings import environment_of, variable_of
from stack.example_env import secrets_of
from stack.openapi import settings_class

from tests.unit.deploy.dockerfile import parse

ROOT = Path(__file__).parents[3]
FILE = ROOT / "docker-compose.yml"
COMPOSE: dict[str, Any] = yaml.safe_load(FILE.read_text())
CONTAINERS: dict[str, dict[str, Any]] = COMPOSE["services"]
STAGES = parse((ROOT / "deploy/docker/Dockerfile").read_text())
# Container to the service whose image and settings it has.
OURS = {**{name: name for name in topology.SERVICES}, "asr-worker": "asr", "asr-gpu": "asr"}
OF_LIBRARIES = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "HF_TOKEN"}


def assigned(text: str) -> dict[str, str]:
    """The variables of an environment file, with those that stand there as comments."""
    return dict(re.findall(r"^#?([A-Z][A-Z0-9_]*)=(.*)$", text, re.MULTILINE))


def test_the_file_is_what_compose_reads() -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", FILE]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout
    broken = FILE.read_text().replace("condition: service_healthy", "condition: sometimes", 1)
    refused = subprocess.run(
        [*command[:-1], "-"], input=broken, capture_output=True, text=True, timeout=60, check=False
    )
    assert refused.returncode == 1


@pytest.mark.parametrize("container", OURS)
def test_a_container_is_told_what_its_service_reads_and_no_more(container: str) -> None:
    service = OURS[container]
    told = set(CONTAINERS[container]["environment"])
    read = {name for name, _, _ in environment_of(settings_class(service))}
    assert told <= read | OF_LIBRARIES
    assert set(secrets_of(service)) <= told
    neighbours = {name for name in read if name.endswith(tuple(f"_{other.upper()}_URL" for other in OURS))}
    assert neighbours <= told


def test_no_container_is_told_anothers_secrets() -> None:
    for container, service in OURS.items():
        told = set(CONTAINERS[container]["environment"])
        for other in topology.SERVICES:
            private = {name for name in secrets_of(other) if name.startswith(f"{other.upper()}_")}
            assert service == other or not private & told, f"{container} knows {private & told}"


def test_the_job_is_told_all_it_reads() -> None:
    read = {variable_of(PreparingSettings, name) for name in PreparingSettings.model_fields}
    assert set(CONTAINERS["migrate"]["environment"]) == read | (OF_LIBRARIES - {"HF_TOKEN"})


def test_the_examples_hold_exactly_what_the_file_asks_for() -> None:
    asked = set(re.findall(r"\$\{([A-Z][A-Z0-9_]*)", FILE.read_text())) | {"COMPOSE_PROFILES"}
    assert set(assigned((ROOT / ".env.example").read_text())) == asked
    settings = set(assigned((ROOT / "settings.env.example").read_text()))
    assert not settings & asked
    read = {name for service in topology.SERVICES for name, _, _ in environment_of(settings_class(service))}
    assert settings <= read


def test_what_may_be_set_is_set_by_somebody() -> None:
    """Each setting of each service is in one of the examples, or the file or the image gives it."""
    offered = set(assigned((ROOT / ".env.example").read_text())) | set(
        assigned((ROOT / "settings.env.example").read_text())
    )
    of_images = {word.split("=")[0] for stage in STAGES.values() for step in stage.all("ENV") for word in step.words}
    for service in topology.SERVICES:
        names = {name for name, _, _ in environment_of(settings_class(service))}
        missing = names - offered - of_images - set(CONTAINERS[service]["environment"])
        # A port is what it is inside; the others are for tests, or found by themselves.
        assert missing <= {
            f"{service.upper()}_PORT",
            "EARSHOT_CRASH_AT",
            "EARSHOT_ROLE",
            "EARSHOT_SCRATCH_DIR",
            "GATEWAY_OPENAPI_PATH",
        }


def test_secrets_are_fresh_and_fit_together(tmp_path: Path) -> None:
    example = tmp_path / ".env.example"
    example.write_text((ROOT / ".env.example").read_text())
    script = ROOT / "deploy" / "fill-secrets.sh"
    made: list[dict[str, str]] = []
    for _ in range(2):
        subprocess.run([script, example], check=True, capture_output=True, timeout=60)
        assert (tmp_path / ".env").stat().st_mode & 0o777 == 0o600
        made.append(assigned((tmp_path / ".env").read_text()))
        refused = subprocess.run([script, example], capture_output=True, text=True, timeout=60, check=False)
        assert refused.returncode == 1
        assert "exists already" in refused.stderr
        (tmp_path / ".env").unlink()
    first, second = made
    assert not any("<" in value for value in first.values())
    assert f":{first['POSTGRES_PASSWORD']}@" in first["EARSHOT_ADMIN_DATABASE_URL"]
    assert f":{first['RABBITMQ_PASSWORD']}@" in first["EARSHOT_RABBITMQ_URL"]
    assert len(first["GATEWAY_KEY_SECRET"]) >= 32
    assert first["POSTGRES_PASSWORD"] != second["POSTGRES_PASSWORD"]
    assert len({first[f"{service.upper()}_DATABASE_URL"] for service in topology.SERVICES}) == len(topology.SERVICES)
    believed = Verifier(first["EARSHOT_IDENTITY_PUBLIC_KEYS"])
    for signer in ("gateway", "chat"):
        key = first[f"{signer.upper()}_IDENTITY_PRIVATE_KEY"]
        assert len(base64.b64decode(key, validate=True)) == 32
        assert believed.service(Signer(signer, key).service_token()) == signer


def test_a_template_that_asks_for_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.example").write_text("A=<magic:a>\n")
    script = ROOT / "deploy" / "fill-secrets.sh"
    done = subprocess.run([script, tmp_path / "x.example"], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("container", [*OURS, "migrate"])
def test_our_containers_can_do_little(container: str) -> None:
    found = CONTAINERS[container]
    assert found["read_only"]
    assert found["cap_drop"] == ["ALL"]
    assert found["security_opt"] == ["no-new-privileges:true"]
    assert found["stop_grace_period"] == "15s"
    assert found["build"]["target"] in STAGES
    assert found["image"].split("}/")[1].split(":")[0] == found["build"]["target"]


def test_health_is_asked_where_the_service_listens() -> None:
    for container, service in OURS.items():
        port = str(settings_class(service).model_fields["port"].default)
        assert CONTAINERS[container]["healthcheck"]["test"][-2:] == [port, "ready"]
    prometheus = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())
    targets = prometheus["scrape_configs"][0]["static_configs"][0]["targets"]
    assert targets == [f"{name}:{settings_class(name).model_fields['port'].default}" for name in topology.SERVICES]
    urls = {name: value for c in OURS for name, value in CONTAINERS[c]["environment"].items() if "http://" in value}
    for name, value in urls.items():
        host, port = re.search(r"http://([a-z]+):(\d+)", value).groups()  # type: ignore[union-attr]
        assert host in name.lower()
        assert int(port) == settings_class(host).model_fields["port"].default


def test_prometheus_asks_containers_that_are_there() -> None:
    jobs = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())["scrape_configs"]
    targets = [target for job in jobs for group in job.get("static_configs", []) for target in group["targets"]]
    names = {target.split(":")[0] for target in targets}
    names |= {name for job in jobs for group in job.get("dns_sd_configs", []) for name in group["names"]}
    assert names == {*OURS, "rabbitmq", "objects"}
    (port,) = [target.split(":")[1] for target in targets if target.startswith("objects:")]
    assert f"-metricsPort={port}" in CONTAINERS["objects"]["command"]


def test_everything_waits_for_what_it_needs() -> None:
    for container, found in CONTAINERS.items():
        for needed, how in found.get("depends_on", {}).items():
            assert how["condition"] != "service_healthy" or "healthcheck" in CONTAINERS[needed], (
                f"{container}: {needed}"
            )
    assert all("migrate" in CONTAINERS[container]["depends_on"] for container in OURS)
    assert set(CONTAINERS["migrate"]["depends_on"]) == {"postgres", "rabbitmq", "objects"}


def test_servers_are_pinned_and_out_of_reach() -> None:
    for container in set(CONTAINERS) - set(OURS) - {"migrate"}:
        tag = CONTAINERS[container]["image"].rpartition(":")[2]
        assert re.match(r"v?\d+\.\d+", tag), f"{container}: name a version"
    for container in ("postgres", "rabbitmq", "objects"):
        assert CONTAINERS[container]["networks"] == ["inside"]
        assert "ports" not in CONTAINERS[container]
    assert COMPOSE["networks"]["inside"]["internal"]
    # What deploy/smoke.sh finds shut in is one of these.
    (asked,) = re.findall(r"exec -T (\w+) timeout 3 bash", (ROOT / "deploy/smoke.sh").read_text())
    assert CONTAINERS[asked]["networks"] == ["inside"]
    published = [port for found in CONTAINERS.values() for port in found.get("ports", [])]
    open_ = sorted(name for name, found in CONTAINERS.items() if "ports" in found)
    assert f'"{" ".join(open_)}"' in (ROOT / "deploy/smoke.sh").read_text()
    assert all(re.match(r"\$\{\w+_LISTEN:-127\.0\.0\.1:", port) for port in published)
    version = CONTAINERS["postgres"]["image"].rpartition(":")[2].split("-")[0]
    assert tuple(map(int, version.split("."))) >= (0, 8, 4)


def test_volumes_and_files_that_are_mounted_exist() -> None:
    for container, found in CONTAINERS.items():
        for volume in found.get("volumes", []):
            source = volume.split(":")[0]
            known = (ROOT / source).exists() if source.startswith("./") else source in COMPOSE["volumes"]
            assert known, f"{container}: {source}"
    used = {v.split(":")[0] for found in CONTAINERS.values() for v in found.get("volumes", [])}
    assert set(COMPOSE["volumes"]) <= used


def test_one_of_the_profiles_recognises() -> None:
    profiles = {name: found["profiles"] for name, found in CONTAINERS.items() if "profiles" in found}
    assert profiles == {
        "asr-worker": ["cpu"],
        "asr-gpu": ["gpu"],
        **{name: ["observability"] for name in ("prometheus", "alertmanager", "grafana")},
    }
    assert assigned((ROOT / ".env.example").read_text())["COMPOSE_PROFILES"] == "cpu"
    assert CONTAINERS["asr"]["environment"]["EARSHOT_ROLE"] == "api"


def test_connections_of_all_roles_fit_into_the_server() -> None:
    assert len(topology.SERVICES) * ROLE_CONNECTION_LIMIT < 97, (
        "Postgres' default of 100, three kept for administrators"
    )
