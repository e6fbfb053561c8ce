"""Progress that only rises, in words a person can read."""

from fetcher.domain.estimates import FROM_STORE, FROM_WEB, eta


def test_a_download_and_its_conversion() -> None:
    half = FROM_WEB.received(5_000_000, 10_000_000, 4.0)
    assert (half.fraction, half.words, half.eta_seconds) == (0.3, "downloading, 5.0 of 10.0 MB", 4.0)
    resumed = FROM_WEB.received(9_000_000, 10_000_000, 4.0, begun_bytes=8_000_000)
    assert (round(resumed.fraction, 3), resumed.eta_seconds) == (0.54, 4.0)
    converted = FROM_WEB.converted(30, 120, 2.0)
    assert (round(converted.fraction, 3), converted.words, converted.eta_seconds) == (0.7, "converting, 25%", 6.0)
    assert FROM_STORE.converted(120, 120, 2.0).fraction == 1.0


def test_unknown_totals_promise_nothing() -> None:
    assert FROM_WEB.received(5_000_000, None, 4.0).eta_seconds is None
    assert FROM_WEB.converted(30, None, 2.0).fraction == FROM_WEB.bringing
    assert eta(0, 10, 5) is None
    assert eta(12, 10, 5) is None
