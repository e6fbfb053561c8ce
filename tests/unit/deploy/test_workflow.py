"""The workflow for GitHub, and the script that tries everything: well formed, and about things that exist."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from tests.unit.deploy.dockerfile import parse

ROOT = Path(__file__).parents[3]
FILE = ROOT / ".github/workflows/ci.yml"
WORKFLOW: dict[str, Any] = yaml.safe_load(FILE.read_text())
SMOKE = ROOT / "deploy/smoke.sh"
STAGES = parse((ROOT / "deploy/docker/Dockerfile").read_text())
FINAL = {name for name, stage in STAGES.items() if stage.all("CMD")}


def test_the_workflow_is_what_github_reads() -> None:
    schemas = ("vendor.github-workflows", "custom.github-workflows-require-timeout")
    for schema in schemas:
        command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, FILE]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stdout


def test_every_image_is_built_listed_and_scanned() -> None:
    job = WORKFLOW["jobs"]["images"]
    assert set(job["strategy"]["matrix"]["target"]) == FINAL
    used = [step["uses"].split("@")[0] for step in job["steps"] if "uses" in step]
    assert (
        used.index("docker/build-push-action") < used.index("anchore/sbom-action") < used.index("anchore/scan-action")
    )
    build = next(step for step in job["steps"] if step.get("name") == "Build")["with"]
    assert (ROOT / build["file"]).is_file()
    assert any(argument.split("=")[0] == "REVISION" for argument in build["build-args"].split())


def test_it_may_read_and_nothing_else() -> None:
    assert WORKFLOW["permissions"] == {"contents": "read"}
    steps = [step for job in WORKFLOW["jobs"].values() for step in job["steps"]]
    for step in steps:
        assert re.search(r"@v\d", step["uses"]) if "uses" in step else step["run"]
        if step.get("uses", "").startswith("actions/checkout"):
            assert step["with"] == {"persist-credentials": False}
    commands = [step["run"] for step in steps if "run" in step]
    assert "make check" in commands
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert all(command.split()[1] in targets for command in commands if command.startswith("make "))


def test_each_claim_that_could_not_be_tried_says_what_tries_it() -> None:
    page = (ROOT / "docs/operations.md").read_text().partition("### Containers and Kubernetes")[2]
    rows = re.findall(r"^\| (?!claim|-)(.+) \| (.+) \|$", page, re.MULTILINE)
    usage = re.findall(r"^#   (deploy/smoke\.sh .*?)  ", SMOKE.read_text(), re.MULTILINE)
    named = {command for _, way in rows for command in re.findall(r"`([^`]+)`", way)}
    assert named == set(usage)
    assert all(way.startswith(("`deploy/smoke.sh ", "by hand", "by pushing")) for _, way in rows)


def test_the_script_can_be_read_and_knows_the_images() -> None:
    subprocess.run(["bash", "-n", SMOKE], check=True, timeout=30)
    (listed,) = re.findall(r"for target in ([a-z ]+); do", SMOKE.read_text())
    assert set(listed.split()) == FINAL - {"asr-cuda"}
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    named = re.findall(
        r"(?:compose exec -T|for service in|compose stop) ([a-z ]+?)(?:;| python| sh|$)", SMOKE.read_text(), re.M
    )
    assert {word for words in named for word in words.split()} <= set(compose)
    for words in ([], ["nonsense"], ["check", "http://127.0.0.1"], ["compose", "--wrong"]):
        done = subprocess.run([SMOKE, *words], capture_output=True, text=True, timeout=30, check=False)
        assert done.returncode == 2
        assert "deploy/smoke.sh k8s" in done.stderr
