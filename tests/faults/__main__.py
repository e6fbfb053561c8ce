"""``make faults``: thousands of jobs and hundreds of faults on a real Earshot, then the ledger."""

import argparse
import asyncio
import logging
import random
import sys

from rich.console import Console

from tests.faults.run import Effort, run

# The rest of the time is for jobs that are still to be done when the last fault is over.
_FAULTS_SHARE = 0.6


def main() -> int:
    parser = argparse.ArgumentParser(prog="make faults", description=__doc__)
    parser.add_argument("--jobs", type=int, default=5000, help="runs of recordings, at least")
    parser.add_argument("--faults", type=int, default=240, help="faults, at least")
    parser.add_argument("--seed", type=int, default=None, help="decides jobs and faults; a random one when left out")
    parser.add_argument("--minutes", type=float, default=14.0, help="the longest that the load may take")
    parser.add_argument("--in-flight", type=int, default=64, help="recordings worked on at the same time")
    parser.add_argument("--keep", action="store_true", help="keep logs and data of the run")
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.randrange(1_000_000)
    # They tell at length of every connection that is lost, which is what all this is about.
    for noisy in ("aiormq", "aio_pika"):
        logging.getLogger(noisy).setLevel(logging.CRITICAL + 1)
    console = Console(width=120 if not sys.stdout.isatty() else None)
    console.print(f"seed {seed}")
    seconds = options.minutes * 60
    effort = Effort(options.jobs, options.faults, seconds, seconds * _FAULTS_SHARE, options.in_flight)
    report = asyncio.run(run(seed, effort, lambda line: console.print(line, markup=False), keep=options.keep))
    report.show(console)
    return 0 if report.good else 1


if __name__ == "__main__":
    sys.exit(main())
