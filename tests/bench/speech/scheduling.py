"""The accelerator's scheduler on a simulated clock: five afternoons of sixty recordings, the worst of them shown."""

from bench.lines import Line

from tests.unit.asr.accelerator import schedule

SEEDS = range(5)


async def run() -> list[Line]:
    found = [schedule(seed) for seed in SEEDS]
    busy, padding = min(one.busy for one in found), max(one.padding for one in found)
    return [
        Line("accelerator at work (simulated, linear costs)", f"{busy:.1%}", goal="≥ 90%", met=busy >= 0.9),
        Line("… padding in its batches", f"{padding:.1%}", goal="≤ 10%", met=padding <= 0.1),
        _faster("… beside one file at a time", min(one.beside_one_file for one in found), 1.8),
        _faster(
            "… beside one file at a time with as many threads", min(one.beside_one_file_on_threads for one in found)
        ),
    ]


def _faster(what: str, times: float, goal: float | None = None) -> Line:
    met = None if goal is None else times >= goal
    return Line(what, "1", f"takes {times:.2f} as long", f"{times:.2f}", f"≥ {goal:g}" if goal else "", met)
