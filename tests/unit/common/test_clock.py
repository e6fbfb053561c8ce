"""Times within a recording, as people read them."""

from common.clock import clock


def test_clock() -> None:
    times = [clock(seconds) for seconds in (0, 59.99, 61, 3600, 3725, None)]
    assert times == ["0:00", "0:59", "1:01", "1:00:00", "1:02:05", ""]
