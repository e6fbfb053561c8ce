"""``python deploy/grafana/code/write.py`` writes each dashboard's JSON beside the provisioning of Grafana."""

import json
from pathlib import Path

from dashboards import DASHBOARDS
from panels import Dashboard, render

FOLDER = Path(__file__).parents[1] / "dashboards"


def file_of(dashboard: Dashboard) -> Path:
    return FOLDER / f"{dashboard.uid}.json"


def text_of(dashboard: Dashboard) -> str:
    return json.dumps(render(dashboard), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    for dashboard in DASHBOARDS:
        file_of(dashboard).write_text(text_of(dashboard), encoding="utf-8")
