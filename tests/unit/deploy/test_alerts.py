"""Alerts: of metrics that exist, with labels that they have, each leading to words that help."""

import importlib
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from common import metrics, topology
from prometheus_client import REGISTRY

from tests.grafana import DASHBOARDS

ROOT = Path(__file__).parents[3]
GROUPS: list[dict[str, Any]] = yaml.safe_load((ROOT / "deploy/prometheus/alerts.yml").read_text())["groups"]
RULES = [rule for group in GROUPS for rule in group["rules"]]
# What others have, with the labels that are used here: RabbitMQ's plugin, the kubelet, cert-manager, CloudNativePG,
# and Prometheus' client library.
FOREIGN: dict[str, set[str]] = {
    "rabbitmq_disk_space_available_bytes": {"instance"},
    "rabbitmq_process_resident_memory_bytes": {"instance"},
    "rabbitmq_detailed_queue_messages": {"queue"},
    "rabbitmq_detailed_queue_messages_ready": {"queue"},
    "rabbitmq_detailed_queue_messages_unacked": {"queue"},
    "kubelet_volume_stats_available_bytes": {"namespace", "persistentvolumeclaim"},
    "kubelet_volume_stats_capacity_bytes": {"namespace", "persistentvolumeclaim"},
    "certmanager_certificate_expiration_timestamp_seconds": {"name", "namespace"},
    "cnpg_collector_last_available_backup_timestamp": {"instance"},
    "process_cpu_seconds_total": {"instance"},
    "process_resident_memory_bytes": {"instance"},
    "process_open_fds": {"instance"},
    "process_max_fds": {"instance"},
}
PROMTOOL = shutil.which("promtool")
TESTS = sorted((ROOT / "deploy/prometheus").glob("alerts*_test.yml"))
_METRIC = re.compile(r"\b(?:earshot|up|rabbitmq|kubelet|certmanager|cnpg)[a-z_]*\b(?=\s*[{\[)]| [=<>]|$)", re.MULTILINE)


def known() -> dict[str, set[str]]:
    """Every series that the code can make, with its labels."""
    for service in topology.SERVICES:
        importlib.import_module(f"{service}.metrics")
    importlib.import_module("common.metrics")
    found: dict[str, set[str]] = {"up": {"job", "instance"}} | FOREIGN
    for collector in list(REGISTRY._collector_to_names):  # pyright: ignore[reportPrivateUsage]
        labels = set(getattr(collector, "_labelnames", ()))
        for name in REGISTRY._collector_to_names[collector]:  # pyright: ignore[reportPrivateUsage]
            found[name] = labels | ({"le"} if name.endswith("_bucket") else set[str]())
    return found


def anchors(page: Path) -> set[str]:
    heads = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).strip().replace(" ", "-") for head in heads}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_asks_for_what_there_is(rule: dict[str, Any]) -> None:
    expression, metrics = rule["expr"], known()
    named = set(_METRIC.findall(expression))
    assert named, expression
    assert named <= set(metrics)
    has = set[str]().union(*(metrics[name] for name in named))
    by = {label.strip() for group in re.findall(r"by \(([^)]*)\)", expression) for label in group.split(",")}
    asked = set(re.findall(r"[{,]\s*(\w+)=~?\"", expression))
    told = set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"]))
    assert by | asked <= has
    assert told <= (by or has)
    assert expression.count("(") == expression.count(")")


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_leads_to_a_page(rule: dict[str, Any]) -> None:
    page, _, anchor = rule["annotations"]["runbook"].partition("#")
    assert (ROOT / page).is_file()
    assert not anchor or anchor in anchors(ROOT / page)
    assert rule["labels"]["severity"] in ("warning", "critical")


def test_the_runbook_says_of_each_alert_what_to_do() -> None:
    page = (ROOT / "docs/operations.md").read_text()
    rows = re.findall(r"^\| `(Earshot\w+)` \|(.*)\|(.*)\|(.*)\|$", page, re.MULTILINE)
    assert [row[0] for row in rows] == [rule["alert"] for rule in RULES]
    assert all(len(cell.strip()) > 5 for row in rows for cell in row)
    # Panels are named as they are.
    panels = {panel.title for dashboard in DASHBOARDS for panel in dashboard.panels}
    assert set(re.findall(r"\*([A-Z][^*|]+)\*", " ".join(row[2] for row in rows))) <= panels
    for link in re.findall(r"\]\(([^)]+)\)", " ".join(row[3] for row in rows)):
        name, _, anchor = link.partition("#")
        assert not anchor or anchor in anchors(ROOT / "docs" / (name or "operations.md")), link


def test_alerts_have_names_of_their_own() -> None:
    names = [rule["alert"] for rule in RULES]
    assert len(names) == len(set(names))
    assert all(name.startswith("Earshot") for name in names)


def test_the_first_event_is_an_increase() -> None:
    """Prometheus sees none where a series begins with its first event: those that alerts ask for begin with zero."""
    metrics.start_at_zero("nobody", ["nobody.x"])
    for rule in RULES:
        for name in re.findall(r"increase\((earshot_messages\w*|earshot_queues\w*)", rule["expr"]):
            labels = dict.fromkeys(known()[name], "nobody")
            labels |= {"queue": "nobody.x"} if "queue" in labels else {}
            assert REGISTRY.get_sample_value(name, labels) == 0, name


def test_every_alert_is_seen_to_fire_and_to_end() -> None:
    asked = [
        case for path in TESTS for test in yaml.safe_load(path.read_text())["tests"] for case in test["alert_rule_test"]
    ]
    for rule in RULES:
        outcomes = [bool(case["exp_alerts"]) for case in asked if case["alertname"] == rule["alert"]]
        # Quiet before, firing, quiet after.
        assert outcomes[0] is False, rule["alert"]
        assert outcomes[-1] is False, rule["alert"]
        assert True in outcomes, rule["alert"]


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed")
@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.stem)
def test_they_do(path: Path) -> None:
    assert PROMTOOL is not None
    done = subprocess.run([PROMTOOL, "test", "rules", str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
