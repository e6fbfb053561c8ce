"""The manifests: each valid by itself, and everything that one names is there in another or in the code."""

import copy
import re
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from common import topology
from common.http import add_health
from common.preparing import PreparingSettings
from common.settings import environment_of, variable_of
from fastapi import FastAPI
from stack.example_env import secrets_of
from stack.openapi import settings_class
from stack.topology_resources import RESOURCES_FILE, topology_resources

from tests.unit.deploy.manifests import (
    ROOT,
    Manifest,
    Rendered,
    containers,
    copy_with_secrets,
    fits,
    kustomizer,
    ports_of,
    render,
    validate,
)

pytestmark = pytest.mark.skipif(kustomizer() is None, reason="neither kubectl nor kustomize is installed")

SERVICES = topology.SERVICES
OF_LIBRARIES = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "HF_HUB_OFFLINE", "FORWARDED_ALLOW_IPS"}
# What the operators make.
OF_OPERATORS = {
    "earshot-db-superuser": {"username", "password"},
    "earshot-rabbitmq-default-user": {"username", "password", "connection_string"},
}
OPERATORS_PODS = ({"cnpg.io/cluster": "earshot-db"}, {"app.kubernetes.io/name": "earshot-rabbitmq"})
# The cluster without KEDA, and with models elsewhere: what else an overlay may be put together from.
ELSEWHERE = """
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
namespace: earshot
resources: [../../base]
components:
  - ../../components/hpa
  - ../../components/hpa-workers
  - ../../components/tracing
  - ../../components/vendors
"""
OVERLAYS = ("local", "production", "elsewhere")


@pytest.fixture(scope="module")
def overlays(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Rendered]:
    place = copy_with_secrets(tmp_path_factory.mktemp("k8s"))
    (place / "overlays/elsewhere").mkdir()
    (place / "overlays/elsewhere/kustomization.yaml").write_text(ELSEWHERE)
    secrets = render(place / "secrets").manifests
    found = {name: render(place / "overlays" / name) for name in OVERLAYS}
    # There, they are applied beside it.
    return {name: Rendered(overlay.manifests + (secrets if name != "local" else [])) for name, overlay in found.items()}


@pytest.fixture(params=OVERLAYS)
def rendered(request: pytest.FixtureRequest, overlays: dict[str, Rendered]) -> Rendered:
    return overlays[request.param]


def service_of(pod: Manifest) -> str:
    return pod["metadata"]["labels"].get("app.kubernetes.io/name", "")


def ours(rendered: Rendered) -> dict[str, Manifest]:
    return {name: pod for name, pod in rendered.pods.items() if service_of(pod) in SERVICES}


def told(rendered: Rendered, pod: Manifest) -> set[str]:
    """Every variable that the pod's container finds."""
    (container,) = containers(pod)
    names = {variable["name"] for variable in container.get("env", [])}
    for source in container.get("envFrom", []):
        (reference,) = source.values()
        names |= rendered.keys[reference["name"]]
    return names


def test_every_manifest_is_valid(rendered: Rendered) -> None:
    for manifest in rendered.manifests:
        validate(manifest)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("Deployment", "asr-worker"),
        ("ScaledObject", "asr-worker"),
        ("Cluster", "earshot-db"),
        ("Exchange", "earshot.events"),
        ("Queue", "gateway.facts"),
        ("Binding", "gateway.facts"),
    ],
)
def test_a_field_that_nobody_knows_is_refused(overlays: dict[str, Rendered], kind: str, name: str) -> None:
    broken = copy.deepcopy(overlays["production"].one(kind, name))
    broken["spec"]["replicaz"] = 3
    with pytest.raises(jsonschema.ValidationError):
        validate(broken)


def test_names_are_there_once_and_in_one_namespace(rendered: Rendered) -> None:
    names = [(found["kind"], found["metadata"]["name"]) for found in rendered.manifests]
    assert len(names) == len(set(names))
    spaces = {
        found["metadata"].get("namespace")
        for found in rendered.manifests
        if found["kind"] not in ("Namespace", "PriorityClass", "Secret")
    }
    assert spaces == {"earshot"}


def test_each_service_has_both_roles(rendered: Rendered) -> None:
    assert set(ours(rendered)) == {f"{service}-{role}" for service in SERVICES for role in ("api", "worker")}
    for name, pod in ours(rendered).items():
        roles = {v["name"]: v.get("value") for v in containers(pod)[0]["env"]}
        assert roles["EARSHOT_ROLE"] == name.rpartition("-")[2]


def test_a_service_is_told_what_it_reads_and_nothing_else(rendered: Rendered) -> None:
    for name, pod in ours(rendered).items():
        service = service_of(pod)
        read = {variable for variable, _, _ in environment_of(settings_class(service))}
        assert told(rendered, pod) <= read | OF_LIBRARIES, name
        optional = {variable for variable in secrets_of(service) if variable.endswith("_API_KEY")}
        assert set(secrets_of(service)) - optional <= told(rendered, pod), name
        others = {f"{service.upper()}_{other.upper()}_URL" for other in SERVICES}
        assert others & read <= told(rendered, pod), name


def test_the_job_is_told_all_it_reads(rendered: Rendered) -> None:
    pod = rendered.pods["earshot-migrate"]
    read = {variable_of(PreparingSettings, name) for name in PreparingSettings.model_fields}
    (container,) = containers(pod)
    names = [variable["name"] for variable in container["env"]]
    made_from = {"DATABASE_ADMIN", "DATABASE_ADMIN_PASSWORD"}
    assert set(names) == read | made_from | {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
    for position, variable in enumerate(container["env"]):
        # What is not defined before is not replaced.
        assert set(re.findall(r"\$\((\w+)\)", variable.get("value", ""))) <= set(names[:position])


def test_every_key_that_is_named_exists(rendered: Rendered) -> None:
    keys = OF_OPERATORS | rendered.keys
    for name, pod in rendered.pods.items():
        for container in containers(pod):
            for variable in container.get("env", []):
                for reference in variable.get("valueFrom", {}).values():
                    assert reference["key"] in keys[reference["name"]], f"{name}: {reference}"
    for authentication in rendered.of("TriggerAuthentication"):
        for reference in authentication["spec"]["secretTargetRef"]:
            assert reference["key"] in keys[reference["name"]]


def test_a_secret_belongs_to_one_service(rendered: Rendered) -> None:
    for service in SERVICES:
        assert all(key.startswith(f"{service.upper()}_") for key in rendered.keys[f"earshot-{service}"])
    for name, pod in ours(rendered).items():
        sources = [source["secretRef"]["name"] for source in containers(pod)[0]["envFrom"] if "secretRef" in source]
        assert sources == ["earshot-shared", f"earshot-{service_of(pod)}"], name
        assert pod["spec"]["serviceAccountName"] == service_of(pod)
    accounts = {found["metadata"]["name"] for found in rendered.of("ServiceAccount")}
    assert accounts == {*SERVICES, "migrate"}


def test_selectors_find_their_pods_and_ports(rendered: Rendered) -> None:
    for service in rendered.of("Service"):
        name = service["metadata"]["name"]
        pods = rendered.chosen({"matchLabels": service["spec"]["selector"]})
        assert len(pods) == 1, name
        for port in service["spec"]["ports"]:
            assert port["port"] == ports_of(next(iter(pods.values())))[port["targetPort"]]
        if name in SERVICES:
            assert port["port"] == settings_class(name).model_fields["port"].default
    for maker in rendered.of("Deployment", "StatefulSet"):
        assert fits(maker["spec"]["selector"], maker["spec"]["template"]["metadata"]["labels"])
        assert list(rendered.chosen(maker["spec"]["selector"])) == [maker["metadata"]["name"]]
    for budget in rendered.of("PodDisruptionBudget"):
        assert list(rendered.chosen(budget["spec"]["selector"])) == [budget["metadata"]["name"]]
    assert {budget["metadata"]["name"] for budget in rendered.of("PodDisruptionBudget")} == set(ours(rendered))
    for pod in ours(rendered).values():
        for constraint in pod["spec"]["topologySpreadConstraints"]:
            assert fits(constraint["labelSelector"], pod["metadata"]["labels"])
    for ingress in rendered.of("Ingress"):
        for rule in ingress["spec"]["rules"]:
            backend = rule["http"]["paths"][0]["backend"]["service"]
            service = rendered.one("Service", backend["name"])
            assert backend["port"]["name"] in [port["name"] for port in service["spec"]["ports"]]


def test_addresses_lead_to_services_and_ports_that_exist(rendered: Rendered) -> None:
    known = {
        service["metadata"]["name"]: {port["port"] for port in service["spec"]["ports"]}
        for service in rendered.of("Service")
    } | {"earshot-db-rw": {5432}, "earshot-rabbitmq": {5672, 15672}}
    for name, pod in rendered.pods.items():
        for variable in containers(pod)[0].get("env", []):
            for host, port in re.findall(r"(?:http://|@)([a-z-]+):(\d+)", variable.get("value", "")):
                assert int(port) in known[host], f"{name}: {variable}"


def test_pods_can_do_little_and_end_soon(rendered: Rendered) -> None:
    for name, pod in rendered.pods.items():
        spec = pod["spec"]
        assert spec["securityContext"]["runAsNonRoot"], name
        assert spec["securityContext"]["runAsUser"] >= 999, name
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert spec["automountServiceAccountToken"] is False
        # A Service `gateway` would make a variable GATEWAY_PORT, which is a setting.
        assert spec["enableServiceLinks"] is False
        for container in containers(pod):
            context = container["securityContext"]
            assert context["allowPrivilegeEscalation"] is False
            assert context["capabilities"] == {"drop": ["ALL"]}
            assert "memory" in container["resources"]["limits"]
            assert {"cpu", "memory"} <= set(container["resources"]["requests"])
            volumes = {volume["name"] for volume in spec.get("volumes", [])} | {"data"}
            assert {mount["name"] for mount in container["volumeMounts"]} <= volumes
    for name, pod in ours(rendered).items():
        (container,) = containers(pod)
        assert pod["spec"]["terminationGracePeriodSeconds"] == 15
        assert container["securityContext"]["readOnlyRootFilesystem"]
        mounted = {mount["mountPath"] for mount in container["volumeMounts"]}
        assert "/tmp" in mounted
        assert ("/var/lib/earshot/scratch" in mounted) == (service_of(pod) in ("fetcher", "asr"))
        classes = {"api": "earshot-interactive", "worker": "earshot-bulk"}
        assert pod["spec"]["priorityClassName"] == classes[name.rpartition("-")[2]]
        assert rendered.one("PriorityClass", pod["spec"]["priorityClassName"])


def test_probes_ask_what_the_services_answer(rendered: Rendered) -> None:
    app = FastAPI()

    async def ready() -> dict[str, bool]:
        return {}

    add_health(app, ready)
    paths = {getattr(route, "path", "") for route in app.routes}
    for pod in ours(rendered).values():
        (container,) = containers(pod)
        asked = {probe: container[probe]["httpGet"] for probe in ("startupProbe", "livenessProbe", "readinessProbe")}
        assert all(get["path"] in paths and get["port"] in ports_of(pod) for get in asked.values())
        # Being alive depends on nobody else.
        assert asked["livenessProbe"]["path"] == asked["startupProbe"]["path"] == "/health/live"
        assert asked["readinessProbe"]["path"] == "/health/ready"
        assert list(ports_of(pod).values()) == [settings_class(service_of(pod)).model_fields["port"].default]


def reached(policy: Manifest) -> list[Any]:
    return [peer for rule in policy["spec"].get("egress", []) for peer in rule["to"]]


def test_policies_speak_of_pods_and_ports_that_exist(rendered: Rendered) -> None:
    for policy in rendered.of("NetworkPolicy"):
        name, spec = policy["metadata"]["name"], policy["spec"]
        subject = spec["podSelector"]
        operators = any(fits(subject, labels) for labels in OPERATORS_PODS)
        assert rendered.chosen(subject) or operators, name
        for rule in spec.get("ingress", []):
            for port in rule["ports"]:
                for pod in () if operators else rendered.chosen(subject).values():
                    known = ports_of(pod)
                    assert not known or port["port"] in {*known, *known.values()}, name
        for way in ("ingress", "egress"):
            for rule in spec.get(way, []):
                for peer in rule["from" if way == "ingress" else "to"]:
                    selector = peer.get("podSelector")
                    found = selector is None or rendered.chosen(selector)
                    assert found or any(fits(selector, labels) for labels in OPERATORS_PODS), name


def test_everybody_is_shut_in_and_only_the_fetcher_gets_out(overlays: dict[str, Rendered]) -> None:
    allowed = {
        "local": {"fetcher-worker"},
        # The job that fetches weights, before there is anything secret in it.
        "production": {"fetcher-worker", "asr-models"},
        # components/vendors was asked for.
        "elsewhere": {
            "fetcher-worker",
            *(f"{n}-{role}" for n in ("asr", "chat", "embedder") for role in ("api", "worker")),
        },
    }
    for name, rendered in overlays.items():
        deny = rendered.one("NetworkPolicy", "earshot-default-deny")["spec"]
        assert sorted(deny["policyTypes"]) == ["Egress", "Ingress"]
        assert set(ours(rendered)) | {"earshot-migrate"} <= set(rendered.chosen(deny["podSelector"]))
        out: set[str] = set()
        for policy in rendered.of("NetworkPolicy"):
            blocks = [peer["ipBlock"] for peer in reached(policy) if "ipBlock" in peer]
            if any(passes(blocks, address) for address in ("1.1.1.1", "2606:4700::1111")):
                out |= set(rendered.chosen(policy["spec"]["podSelector"]))
            for private in ("10.200.3.4", "172.20.1.1", "192.168.1.1", "169.254.169.254", "100.100.1.1", "fd00::1"):
                assert not passes(blocks, private), f"{policy['metadata']['name']}: {private}"
        assert out == allowed[name]


def passes(blocks: list[Any], address: str) -> bool:
    def inside(cidr: str) -> bool:
        network = ip_network(cidr)
        return network.version == ip_address(address).version and ip_address(address) in network

    return any(inside(block["cidr"]) and not any(map(inside, block.get("except", []))) for block in blocks)


def test_workers_are_scaled_by_queues_that_exist(overlays: dict[str, Rendered]) -> None:
    production = overlays["production"]
    queues: dict[str, list[str]] = {}
    for scaled in production.of("ScaledObject"):
        target = scaled["spec"]["scaleTargetRef"]["name"]
        assert target in ours(production)
        for trigger in scaled["spec"]["triggers"]:
            metadata = trigger["metadata"]
            assert (metadata["protocol"], metadata["mode"]) == ("http", "QueueLength")
            assert metadata["excludeUnacknowledged"] == "false"
            assert production.one("TriggerAuthentication", trigger["authenticationRef"]["name"])
            queues.setdefault(target, []).append(metadata["queueName"])
            assert topology.service_of_queue(metadata["queueName"]) == target.removesuffix("-worker")
    assert set().union(*queues.values()) <= set(topology.all_queues())
    # Those that are none at rest must be woken by everything that they hear.
    asr = production.one("ScaledObject", "asr-worker")
    assert asr["spec"]["minReplicaCount"] == 0
    heard = [queue for hearing in topology.hearings("asr") for queue in hearing.queues]
    assert sorted(queues["asr-worker"]) == sorted([*heard, topology.dead_queue("asr")])
    assert all(s["spec"]["minReplicaCount"] > 0 for s in production.of("ScaledObject") if s is not asr)


def test_the_topology_is_whole_and_its_queues_are_retained(overlays: dict[str, Rendered]) -> None:
    assert (ROOT / RESOURCES_FILE).read_text() == topology_resources(), "run: make schemas"
    production = overlays["production"]
    exchanges, queues = (
        {found["spec"]["name"]: found["spec"] for found in production.of(kind)} for kind in ("Exchange", "Queue")
    )
    assert set(queues) == set(topology.all_queues())
    assert {queue["deletionPolicy"] for queue in queues.values()} == {"retain"}
    bindings = [found["spec"] for found in production.of("Binding")]
    assert {binding["destination"] for binding in bindings} == set(queues)
    assert {binding["source"] for binding in bindings} == set(exchanges)
    topological = [found["spec"] for found in production.of("Exchange", "Queue", "Binding")]
    # The services' address has no path, which means the virtual host `/`.
    assert {spec["vhost"] for spec in topological} == {"/"}
    (cluster,) = {spec["rabbitmqClusterReference"]["name"] for spec in topological}
    assert production.one("RabbitmqCluster", cluster)
    # The operator speaks to the management port.
    inside = production.one("NetworkPolicy", "earshot-broker-inside")["spec"]["ingress"]
    operators = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "rabbitmq-system"}}}
    assert any(operators in rule["from"] and {"protocol": "TCP", "port": 15672} in rule["ports"] for rule in inside)
    assert not overlays["local"].of("Exchange", "Queue", "Binding")


def test_nothing_is_scaled_by_two(rendered: Rendered) -> None:
    targets = [
        found["spec"]["scaleTargetRef"]["name"] for found in rendered.of("ScaledObject", "HorizontalPodAutoscaler")
    ]
    assert len(targets) == len(set(targets))
    for name in targets:
        assert "replicas" not in rendered.one("Deployment", name)["spec"]
        (container,) = containers(rendered.pods[name])
        assert container["resources"]["requests"]["cpu"]


def test_asr_workers_run_on_gpus_as_the_profile_says(overlays: dict[str, Rendered]) -> None:
    pod = overlays["production"].pods["asr-worker"]
    (container,) = containers(pod)
    assert container["image"].startswith("earshot/asr-cuda:")
    assert container["resources"]["limits"]["nvidia.com/gpu"] == "1"
    terms = pod["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    assert terms["nodeSelectorTerms"][0]["matchExpressions"][0]["key"] == "nvidia.com/gpu.present"
    assert pod["spec"]["tolerations"][0]["key"] == "nvidia.com/gpu"
    profile = dict(re.findall(r"^(ASR_\w+)=(.*)$", (ROOT / "services/asr/profiles/gpu.env").read_text(), re.MULTILINE))
    given = {variable["name"]: variable.get("value") for variable in container["env"]}
    assert profile.items() <= given.items()
    # Nothing is fetched at run time, so what it names must be what the job fetched.
    fetched = containers(overlays["production"].pods["asr-models"])[0]["args"][0]
    assert "faster-whisper-large-v3" in fetched
    assert given["ASR_WHISPERX_ALIGN_MODELS"].partition("=")[2] in fetched


def test_alerts_are_those_of_compose(overlays: dict[str, Rendered]) -> None:
    alerts = yaml.safe_load((ROOT / "deploy/prometheus/alerts.yml").read_text())
    assert overlays["production"].one("PrometheusRule", "earshot")["spec"] == alerts


def test_monitors_find_ports_of_their_pods(overlays: dict[str, Rendered]) -> None:
    production, local = overlays["production"], overlays["local"]
    for monitor in production.of("PodMonitor"):
        pods = production.chosen(monitor["spec"]["selector"]) or local.chosen(monitor["spec"]["selector"])
        assert pods, monitor["metadata"]["name"]
        for endpoint in monitor["spec"]["podMetricsEndpoints"]:
            # CloudNativePG's own, which the server of the overlay `local` does not have.
            known = {"metrics"} if monitor["metadata"]["name"] == "postgres" else set[str]()
            assert all(endpoint["port"] in {*ports_of(pod), *known} for pod in pods.values())
    chosen = production.chosen(production.one("PodMonitor", "earshot")["spec"]["selector"])
    assert set(chosen) == set(ours(production))


def test_uploads_and_streams_get_through_the_ingress(overlays: dict[str, Rendered]) -> None:
    annotations = overlays["production"].one("Ingress", "earshot")["metadata"]["annotations"]
    largest = settings_class("gateway").model_fields["max_upload_bytes"].default
    for name in ("nginx.org/client-max-body-size", "nginx.ingress.kubernetes.io/proxy-body-size"):
        assert int(annotations[name].removesuffix("m")) * 1024 * 1024 >= largest
    silence = settings_class("gateway").model_fields["upstream_read_seconds"].default
    for name in ("nginx.org/proxy-read-timeout", "nginx.ingress.kubernetes.io/proxy-read-timeout"):
        assert int(annotations[name].removesuffix("s")) > silence


def test_images_are_built_by_a_target_and_pinned(rendered: Rendered) -> None:
    text = (ROOT / "deploy/docker/Dockerfile").read_text()
    for pod in rendered.pods.values():
        for container in containers(pod):
            image, _, tag = container["image"].rpartition(":")
            assert re.match(r"\d+\.\d+", tag), container["image"]
            if image.startswith("earshot/"):
                assert f" AS {image.removeprefix('earshot/')}\n" in text


def test_no_secret_is_in_the_repository() -> None:
    for path in Path(ROOT / "deploy").rglob("*.env.example"):
        for line in path.read_text().splitlines():
            name, _, value = line.partition("=")
            assert line.startswith("#") or not value or "<" in value or name == "username", path
