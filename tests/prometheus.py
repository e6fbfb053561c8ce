"""A real Prometheus, as deploy/prometheus configures it, that scrapes a stack on loopback every second."""

import shutil
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import httpx
import psutil
import yaml
from stack import leash, ports, programs
from stack.rabbitmq import NODE_MARK
from stack.testing import ThrowawayStack

CONFIG = Path(__file__).parents[1] / "deploy" / "prometheus"
PROMETHEUS = shutil.which("prometheus")


class Prometheus:
    """``range_of`` and ``rules`` answer what its HTTP API does."""

    def __init__(self, targets: Mapping[str, list[str]], folder: Path) -> None:
        """``targets`` by the name of the job."""
        self.folder = folder
        self.url = f"http://127.0.0.1:{ports.private(1)[0]}"
        (folder / "prometheus.yml").write_text(yaml.safe_dump(_configuration(targets)))
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        assert PROMETHEUS is not None
        with (self.folder / "prometheus.log").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    PROMETHEUS,
                    f"--config.file={self.folder / 'prometheus.yml'}",
                    f"--storage.tsdb.path={self.folder / 'data'}",
                    f"--web.listen-address={self.url.removeprefix('http://')}",
                ],
                stdout=log,
                stderr=log,
            )
        self._wait_for_all()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(timeout=30)

    def _wait_for_all(self) -> None:
        deadline = time.monotonic() + 60
        while not self._has_all():
            assert time.monotonic() < deadline, (self.folder / "prometheus.log").read_text()[-2000:]
            time.sleep(0.2)

    def _has_all(self) -> bool:
        try:
            targets = self.ask("/api/v1/targets")["activeTargets"]
        except httpx.HTTPError:
            return False
        return bool(targets) and all(target["health"] == "up" for target in targets)

    def ask(self, path: str, **words: str | float) -> Any:
        answer = httpx.get(self.url + path, params=words, timeout=30)
        assert answer.status_code in (200, 503), answer.text
        answer.raise_for_status()
        return answer.json()["data"]

    def range_of(self, expression: str, start: float, end: float) -> list[list[float | None]]:
        """The values of each series, one a second; None where it has none."""
        found = self.ask("/api/v1/query_range", query=expression, start=start, end=end, step=1)
        count = int(end - start) + 1
        return [_filled(series["values"], start, count) for series in found["result"]]

    def series(self, selector: str) -> list[dict[str, str]]:
        """The labels of every series that was seen of what is chosen."""
        return self.ask("/api/v1/series", **{"match[]": selector})

    def rules(self) -> list[dict[str, Any]]:
        return [rule for group in self.ask("/api/v1/rules")["groups"] for rule in group["rules"]]


def _configuration(targets: Mapping[str, list[str]]) -> dict[str, Any]:
    """The one of docker-compose.yml, with other addresses and another pace."""
    found = yaml.safe_load((CONFIG / "prometheus.yml").read_text())
    jobs = {job["job_name"]: job for job in found["scrape_configs"]}
    found["scrape_configs"] = [
        {key: value for key, value in jobs[name].items() if not key.endswith("_sd_configs")}
        | {"static_configs": [{"targets": addresses}]}
        for name, addresses in targets.items()
    ]
    found["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    found["rule_files"] = [str(CONFIG / "alerts.yml")]
    del found["alerting"]
    return found


def _filled(points: list[Any], start: float, count: int) -> list[float | None]:
    values: list[float | None] = [None] * count
    for at, value in points:
        number = float(value)
        values[round(at - start)] = None if number != number else number
    return values


def serve_metrics_of_broker(stack: ThrowawayStack) -> int:
    """The broker's own plugin, switched on while it runs; the port that it answers on."""
    tools = programs.rabbitmq_server().parent
    node = leash.marked(stack.data.rabbitmq / NODE_MARK)
    assert node is not None
    environment = psutil.Process(node.pid).environ()
    port = ports.private(1)[0]
    setting = f'application:set_env(rabbitmq_prometheus, tcp_config, [{{port, {port}}}, {{ip, "127.0.0.1"}}]).'
    for words in (["rabbitmqctl", "eval", setting], ["rabbitmq-plugins", "enable", "rabbitmq_prometheus"]):
        command = [tools / words[0], *words[1:]]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    return port
