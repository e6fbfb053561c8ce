"""``make bench``: side by side in one run, see SECTIONS. Name some to run only those.

Messaging has four parts that can be named too: consuming, relaying, poison, backlog. So has speech: engines, speakers,
scheduling, sharing. ``gpu`` runs only when it is named, and only where there is one; ``peers`` (see
`bench.peers.run`) only when it is named, first and with options of its own. ``streaming --litellm`` measures LiteLLM's
proxy in the same rounds. ``answers`` runs only when it is named: it reads the file that EARSHOT_QMSUM names.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence

from bench import answers, broker_away, ingest, litellm_proxy, search, streaming, whole
from bench.lines import HEADS, Line
from bench.messaging import backlog, consuming, poison, relaying
from bench.messaging.ground import prepared
from bench.peers import run as peers
from bench.peers.peer import HOW_TO_GET
from bench.speech import engines, scheduling, sharing, speakers
from common.logs import configure_logging
from rich.console import Console
from rich.table import Table
from stack.testing import ThrowawayStack

SECTIONS = ("rest", "overhead", "messaging", "search", "ingest", "speech", "streaming", "broker-away")
MESSAGING = {"consuming": consuming.run, "relaying": relaying.run, "poison": poison.run, "backlog": backlog.run}
SPEECH: Mapping[str, Callable[[], Awaitable[list[Line]]]] = {
    "engines": engines.run,
    "speakers": speakers.run,
    "scheduling": scheduling.run,
    "sharing": sharing.run,
}
GPU = "gpu"
PEERS = "peers"
ANSWERS = "answers"
console = Console()


def show(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    table = Table(title=title, title_justify="left")
    for head in heads:
        table.add_column(head)
    for row in rows:
        table.add_row(*row)
    console.print(table)


def run_whole(wanted: Sequence[str]) -> None:
    with ThrowawayStack() as stack:
        if "rest" in wanted:
            show("The whole stack at rest", ("what", "measured", "goal"), whole.at_rest(stack))
        if "overhead" in wanted:
            show("The road without recognition", ("what", "median of 5", "goal"), whole.overhead(stack))


async def run_messaging(wanted: Sequence[str]) -> None:
    measured: list[Line] = []
    async with prepared() as ground:
        for name, part in MESSAGING.items():
            if name in wanted or "messaging" in wanted:
                console.print(f"[dim]messaging: {name} …[/dim]")
                measured += await part(ground)
    show("Messaging (medians of interleaved rounds)", HEADS, [line.cells for line in measured])


async def run_speech(wanted: Sequence[str]) -> None:
    measured: list[Line] = []
    for name, part in SPEECH.items():
        if name in wanted or "speech" in wanted:
            console.print(f"[dim]speech: {name} …[/dim]")
            measured += await part()
    show("Speech", HEADS, [line.cells for line in measured])


def run_whole_with_others(wanted: Sequence[str]) -> None:
    if "streaming" in wanted:
        beside = litellm_proxy.FLAG in wanted
        if beside and not litellm_proxy.installed():
            sys.exit(f"LiteLLM's proxy is not installed: {HOW_TO_GET}")
        show("Streams of answers", HEADS, [line.cells for line in asyncio.run(streaming.run(litellm=beside))])
    if "broker-away" in wanted:
        show("The gateway while the broker is away", broker_away.HEADS, asyncio.run(broker_away.run()))


def run_answers() -> None:
    path = answers.qmsum()
    if path is None:
        sys.exit("EARSHOT_QMSUM names no file: the validation split of QMSum, as JSON lines")
    show("Answers without a model", HEADS, [line.cells for line in asyncio.run(answers.run(path))])


def main() -> None:
    configure_logging("bench", "WARNING", "console")
    if sys.argv[1:2] == [PEERS]:
        sys.exit(peers.main(sys.argv[2:]))
    wanted = sys.argv[1:] or SECTIONS
    known = (*SECTIONS, *MESSAGING, *SPEECH, GPU, PEERS, ANSWERS, litellm_proxy.FLAG)
    if unknown := set(wanted) - set(known):
        sys.exit(f"no such section: {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    if {"rest", "overhead"} & set(wanted):
        run_whole(wanted)
    if {"messaging", *MESSAGING} & set(wanted):
        asyncio.run(run_messaging(wanted))
    if "search" in wanted:
        asyncio.run(search.main())
    if "ingest" in wanted:
        show("Indexing (medians, recording by recording)", ingest.HEADS, ingest.main())
    if {"speech", *SPEECH} & set(wanted):
        asyncio.run(run_speech(wanted))
    if ANSWERS in wanted:
        run_answers()
    if GPU in wanted:
        speakers.run_with_torch("bench.speech.gpu")
    run_whole_with_others(wanted)


if __name__ == "__main__":
    main()
