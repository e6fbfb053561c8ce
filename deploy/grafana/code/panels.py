"""What Grafana's JSON of a dashboard is made of here: rows of panels, each with queries, a unit and a description.

The shape is that of Grafana's classic dashboard model (schema version 41, Grafana 12).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["timeseries", "stat", "bargauge"]

_SOURCE = {"type": "prometheus", "uid": "prometheus"}
_COLUMNS = 24
_HEIGHT = 8


@dataclass(frozen=True)
class Query:
    """One PromQL expression; ``legend`` names its series by their labels, as ``{{stage}}``."""

    expression: str
    legend: str = ""


@dataclass(frozen=True)
class Panel:
    """``still``: its values need not move while all is well, as those of what has been lost."""

    title: str
    description: str
    unit: str
    queries: Sequence[Query]
    kind: Kind = "timeseries"
    width: int = 8
    still: bool = False
    most: float | None = None


@dataclass(frozen=True)
class Row:
    title: str
    panels: Sequence[Panel]


@dataclass(frozen=True)
class Variable:
    """A choice at the top: the values of a label, or, without ``query``, something to type."""

    name: str
    label: str
    query: str = ""
    default: str = ""


@dataclass(frozen=True)
class Dashboard:
    """``uid`` is the file's name and stands in addresses; ``page`` is the runbook, below docs/."""

    uid: str
    title: str
    description: str
    page: str
    rows: Sequence[Row]
    variables: Sequence[Variable] = ()

    @property
    def panels(self) -> list[Panel]:
        return [panel for row in self.rows for panel in row.panels]


_DOCS = Variable("docs", "Where docs/ can be read", default="https://example.org/earshot/docs")


def render(dashboard: Dashboard) -> dict[str, Any]:
    """Grafana's JSON."""
    return {
        "uid": dashboard.uid,
        "title": dashboard.title,
        "description": dashboard.description,
        "tags": ["earshot"],
        "schemaVersion": 41,
        "editable": False,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "links": [
            {
                "type": "dashboards",
                "title": "Earshot",
                "tags": ["earshot"],
                "asDropdown": True,
                "includeVars": True,
                "keepTime": True,
            },
            {
                "type": "link",
                "title": "Runbook",
                "icon": "doc",
                "url": f"${{docs}}/{dashboard.page}",
                "targetBlank": True,
            },
        ],
        "templating": {"list": [_variable(variable) for variable in (*dashboard.variables, _DOCS)]},
        "panels": _laid_out(dashboard.rows),
    }


def _variable(variable: Variable) -> dict[str, Any]:
    common: dict[str, Any] = {"name": variable.name, "label": variable.label}
    if not variable.query:
        return common | {
            "type": "textbox",
            "query": variable.default,
            "current": {"text": variable.default, "value": variable.default},
        }
    return common | {
        "type": "query",
        "datasource": _SOURCE,
        "query": {"query": variable.query, "refId": variable.name},
        "definition": variable.query,
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": ["All"], "value": ["$__all"]},
    }


def _laid_out(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Each row under its title, panels from left to right as far as there is room."""
    found: list[dict[str, Any]] = []
    top = 0
    for row in rows:
        found.append(
            {
                "id": len(found) + 1,
                "type": "row",
                "title": row.title,
                "collapsed": False,
                "panels": [],
                "gridPos": {"x": 0, "y": top, "w": _COLUMNS, "h": 1},
            }
        )
        top, left = top + 1, 0
        for panel in row.panels:
            if left + panel.width > _COLUMNS:
                top, left = top + _HEIGHT, 0
            place = {"x": left, "y": top, "w": panel.width, "h": _HEIGHT}
            found.append(_panel(panel) | {"id": len(found) + 1, "gridPos": place})
            left += panel.width
        top += _HEIGHT
    return found


def _panel(panel: Panel) -> dict[str, Any]:
    defaults: dict[str, Any] = {"unit": panel.unit, "min": 0}
    if panel.most is not None:
        defaults["max"] = panel.most
    if panel.kind == "timeseries":
        defaults["custom"] = {"fillOpacity": 8, "showPoints": "never", "spanNulls": True}
    return {
        "type": panel.kind,
        "title": panel.title,
        "description": panel.description,
        "datasource": _SOURCE,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": _OPTIONS[panel.kind],
        "targets": [
            {
                "refId": chr(ord("A") + n),
                "datasource": _SOURCE,
                "expr": query.expression,
                "legendFormat": query.legend or "__auto",
                "range": True,
            }
            for n, query in enumerate(panel.queries)
        ],
    }


_OPTIONS: dict[Kind, dict[str, Any]] = {
    "timeseries": {
        "legend": {"displayMode": "list", "placement": "bottom"},
        "tooltip": {"mode": "multi", "sort": "desc"},
    },
    "stat": {"reduceOptions": {"calcs": ["lastNotNull"]}, "colorMode": "value", "graphMode": "area"},
    "bargauge": {"reduceOptions": {"calcs": ["lastNotNull"]}, "displayMode": "basic", "orientation": "horizontal"},
}
