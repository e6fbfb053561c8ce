"""The manifests of deploy/k8s as kustomize puts them together, and questions about them."""

import functools
import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import jsonschema
import kubernetes_validate.utils
import yaml

ROOT = Path(__file__).parents[3]
SCHEMAS = Path(__file__).parent / "schemas"
# The oldest Kubernetes that is supported everywhere: a pod's preStop sleep is on by default since.
KUBERNETES = "1.33"
_OF_CORE = ("v1", "apps/", "batch/", "policy/", "autoscaling/", "networking.k8s.io/", "scheduling.k8s.io/")
Manifest = dict[str, Any]
# All definitions of Kubernetes, which it would read anew for each of two hundred manifests.
kubernetes_validate.utils.schema_contents = functools.cache(kubernetes_validate.utils.schema_contents)


@dataclass(frozen=True)
class Rendered:
    """Everything that is applied together."""

    manifests: list[Manifest]

    def of(self, *kinds: str) -> list[Manifest]:
        return [manifest for manifest in self.manifests if manifest["kind"] in kinds]

    def one(self, kind: str, name: str) -> Manifest:
        (found,) = [manifest for manifest in self.of(kind) if manifest["metadata"]["name"] == name]
        return found

    @property
    def pods(self) -> dict[str, Manifest]:
        """Name of whatever makes it to the pod's template."""
        makers = self.of("Deployment", "StatefulSet", "Job")
        return {maker["metadata"]["name"]: maker["spec"]["template"] for maker in makers}

    def chosen(self, selector: Mapping[str, Any]) -> dict[str, Manifest]:
        return {name: pod for name, pod in self.pods.items() if fits(selector, pod["metadata"]["labels"])}

    @property
    def keys(self) -> dict[str, set[str]]:
        """Name of a ConfigMap or Secret to what is in it."""
        return {found["metadata"]["name"]: set(found.get("data", {})) for found in self.of("ConfigMap", "Secret")}


def kustomizer() -> list[str] | None:
    """The command that renders a folder, where there is one."""
    if shutil.which("kubectl"):
        return ["kubectl", "kustomize"]
    return ["kustomize", "build"] if shutil.which("kustomize") else None


def copy_with_secrets(folder: Path) -> Path:
    """deploy/k8s in `folder`, with secrets made as an operator makes them."""
    place = folder / "k8s"
    shutil.copytree(ROOT / "deploy/k8s", place, ignore=shutil.ignore_patterns("*.env"))
    examples = sorted(place.rglob("*.env.example"))
    subprocess.run([ROOT / "deploy/fill-secrets.sh", *examples], check=True, capture_output=True, timeout=60)
    return place


def render(folder: Path) -> Rendered:
    command = kustomizer()
    assert command is not None
    done = subprocess.run([*command, folder], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert not done.stderr, done.stderr
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return Rendered(list(cast("Iterator[Manifest]", yaml.load_all(done.stdout, loader))))


def validate(manifest: Manifest) -> None:
    """Strictly: nothing unknown, nothing missing. Raises ValidationError of one of the two libraries."""
    if str(manifest["apiVersion"]).startswith(_OF_CORE):
        kubernetes_validate.utils.validate(manifest, KUBERNETES, strict=True)
        return
    schema = json.loads((SCHEMAS / f"{manifest['kind'].lower()}.json").read_text())
    jsonschema.Draft202012Validator(schema).validate(manifest)


def fits(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether a label selector of Kubernetes takes these labels."""
    if any(labels.get(key) != value for key, value in selector.get("matchLabels", {}).items()):
        return False
    return all(_meets(rule, labels) for rule in selector.get("matchExpressions", []))


def _meets(rule: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    assert rule["operator"] == "In", "no other is used"
    return labels.get(rule["key"]) in rule["values"]


def containers(pod: Manifest) -> list[Manifest]:
    return [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]


def ports_of(pod: Manifest) -> dict[str, int]:
    return {port["name"]: port["containerPort"] for found in containers(pod) for port in found.get("ports", [])}
