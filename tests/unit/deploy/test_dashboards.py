"""Dashboards: the files are what the code says, and their panels ask for what there is. tests/e2e asks them."""

import json
import re
from typing import Any

import pytest

from tests.grafana import DASHBOARDS, plain, write
from tests.unit.deploy.test_alerts import ROOT, anchors, known

# Of Grafana, as far as they are used here.
UNITS = {"short", "s", "ops", "reqps", "bytes", "Bps", "percentunit", "currencyUSD"}
_METRIC = re.compile(r"\b((?:earshot|rabbitmq|process)_\w+|up(?=\{))")


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda dashboard: dashboard.uid)
def test_the_file_is_what_the_code_says(dashboard: Any) -> None:
    assert write.file_of(dashboard).read_text() == write.text_of(dashboard), "run make dashboards"


def test_there_are_no_others() -> None:
    assert {path.stem for path in write.FOLDER.glob("*.json")} == {dashboard.uid for dashboard in DASHBOARDS}


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda dashboard: dashboard.uid)
def test_every_panel_says_what_it_shows_of_what_there_is(dashboard: Any) -> None:
    metrics = known()
    titles = [panel.title for panel in dashboard.panels]
    assert len(titles) == len(set(titles))
    for panel in dashboard.panels:
        assert panel.description.endswith("."), panel.title
        assert panel.unit in UNITS
        for query in panel.queries:
            named = set(_METRIC.findall(query.expression))
            assert named, query.expression
            assert named <= set(metrics), query.expression
            labels = set[str]().union(*(metrics[name] for name in named), {"instance", "job"})
            assert set(re.findall(r"\{\{(\w+)\}\}", query.legend)) <= labels, query.legend
            assert "$" not in plain(query.expression)


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda dashboard: dashboard.uid)
def test_a_choice_narrows_whatever_has_its_label(dashboard: Any) -> None:
    metrics = known()
    choices = [variable for variable in dashboard.variables if variable.query]
    for choice in choices:
        assert choice.name == choice.query.rstrip(")").split(", ")[1]
        asked = [query.expression for panel in dashboard.panels for query in panel.queries]
        having = [
            expression
            for expression in asked
            if any(choice.name in metrics.get(name, ()) for name in _METRIC.findall(expression))
        ]
        assert having
        assert all(f'{choice.name}=~"${choice.name}"' in expression for expression in having), choice.name


def test_there_are_choices_of_service_and_of_kind() -> None:
    names = {variable.name for dashboard in DASHBOARDS for variable in dashboard.variables if variable.query}
    assert names == {"service", "kind"}


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda dashboard: dashboard.uid)
def test_it_leads_to_the_others_and_to_a_page(dashboard: Any) -> None:
    page, _, anchor = dashboard.page.partition("#")
    assert (ROOT / "docs" / page).is_file()
    assert not anchor or anchor in anchors(ROOT / "docs" / page)
    links = json.loads(write.text_of(dashboard))["links"]
    assert [link["type"] for link in links] == ["dashboards", "link"]
    assert links[1]["url"] == f"${{docs}}/{dashboard.page}"


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda dashboard: dashboard.uid)
def test_panels_do_not_lie_upon_each_other(dashboard: Any) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in json.loads(write.text_of(dashboard))["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken
        assert place["x"] + place["w"] <= 24
        taken |= cells
