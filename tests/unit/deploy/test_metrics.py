"""Labels of metrics: each one of a few words, so that a series is never made for each asset, user or address."""

from tests.unit.deploy.test_alerts import known

# Each with what bounds it. A label that is not here needs a bound of its own first.
BOUNDED = {
    "service": "there are five",
    "queue": "those of topology.py",
    "type": "the facts of topology.py",
    "connection": "two for each process",
    "outcome": "words in the code",
    "method": "HTTP's, or other",
    "route": "templates of the code, never addresses",
    "status": "2xx to 5xx, or the states of a job",
    "kind": "recording, document, conversation",
    "stage": "fetch, transcribe, index",
    "category": "common/categories.py, or other",
    "upstream": "the services",
    "tool": "those of the gateway's own list",
    "reason": "words in the code",
    "source": "ways of bringing in; of a vector: kept or made",
    "step": "words in the code",
    "mode": "hybrid, lexical, semantic",
    "state": "of a model",
    "part": "table, index",
    "engine": "engines of asr",
    "change": "words in the code",
    "provider": "those that are configured",
    "model": "those that are configured",
    "direction": "input, cached_input, output",
    "error_type": "words in the code",
    "fate": "words in the code",
    "end": "words in the code",
}
OF_HISTOGRAMS = {"le"}


def test_every_label_has_a_bound() -> None:
    ours = {name: labels for name, labels in known().items() if name.startswith("earshot_")}
    assert ours
    used = set[str]().union(*ours.values()) - OF_HISTOGRAMS
    assert used == set(BOUNDED)


def test_names_say_their_unit() -> None:
    ours = {name for name in known() if name.startswith("earshot_")}
    for name in ours:
        assert not name.endswith(("_ms", "_milliseconds", "_mb", "_percent")), name
