"""What the figures come to: the ratios that are asked for, each with its bound."""

from collections.abc import Iterable, Sequence

from bench.lines import Line
from bench.peers.rounds import LEAST_RECALL, Measured

FASTER = 2.0
OF_RAW = 0.85
SLOWER_AT_TEN_TIMES = 2.0
OF_RAW_COPY = 0.5
OF_LANGCHAIN = 10.0


def against_peers(mode: str, clients: int, ours: Measured, peers: Iterable[Measured]) -> list[Line]:
    """Only peers that reach the recall are equal."""
    equal = [one for one in peers if one.tuned.equal]
    if not equal:
        return []
    fastest, surest = max(equal, key=lambda one: one.rate), min(equal, key=lambda one: one.late_ms)
    where = f"{mode}, {clients} client{'s' if clients > 1 else ''}"
    rate, late = ours.rate / fastest.rate, ours.late_ms / surest.late_ms
    return [
        Line(
            f"{where}: questions a second",
            f"{ours.rate:,.0f}",
            f"{fastest.name} {fastest.rate:,.0f}",
            f"{rate:.2f}",
            f"≥ {FASTER:g}",
            rate >= FASTER and ours.tuned.equal,
        ),
        Line(
            f"{where}: 95th percentile, ms",
            f"{ours.late_ms:.1f}",
            f"{surest.name} {surest.late_ms:.1f}",
            f"{late:.2f}",
            "< 1",
            late < 1 and ours.tuned.equal,
        ),
    ]


def against_raw(what: str, ours: Measured, raw: Measured, *, bound: bool = True) -> Line:
    ratio = ours.rate / raw.rate
    return Line(
        f"{what}, {ours.clients} client{'s' if ours.clients > 1 else ''}: times a second",
        f"{ours.rate:,.0f}",
        f"{raw.name} {raw.rate:,.0f}",
        f"{ratio:.2f}",
        f"≥ {OF_RAW:g}" if bound else "",
        ratio >= OF_RAW if bound else None,
    )


def filtered(ours: Measured, share: float) -> Line:
    found = ours.tuned
    return Line(
        f"a filter that keeps {share:.1%}: recall, all pages full",
        f"{found.recall:.3f}" + ("" if found.full_pages else ", pages not full"),
        goal=f"≥ {LEAST_RECALL:g}",
        met=found.equal and found.full_pages,
    )


def grown(mode: str, small: Measured, large: Measured) -> Line:
    ratio = large.late_ms / small.late_ms
    return Line(
        f"{mode}, ten times the corpus: 95th percentile, ms",
        f"{large.late_ms:.1f}",
        f"a tenth of it {small.late_ms:.1f}",
        f"{ratio:.2f}",
        f"≤ {SLOWER_AT_TEN_TIMES:g}",
        ratio <= SLOWER_AT_TEN_TIMES,
    )


def missed(lines: Sequence[Line]) -> list[Line]:
    return [line for line in lines if line.met is False]
