"""``make bench``: rest, overhead, messaging and search, side by side in one run. Name some to run only those."""

import asyncio
import sys
from collections.abc import Sequence
from urllib.parse import urlsplit, urlunsplit

import asyncpg
from bench import messaging, search, whole
from common import bootstrap
from common.logs import configure_logging
from common.migrations import core_tables
from rich.console import Console
from rich.table import Table
from stack.testing import ThrowawayPostgres, ThrowawayRabbit, ThrowawayStack

SECTIONS = ("rest", "overhead", "messaging", "search")
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


async def run_messaging() -> None:
    with ThrowawayPostgres(durable=True) as postgres, ThrowawayRabbit() as rabbit:
        parts = urlsplit(postgres.url)
        place = parts.netloc.rpartition("@")[2]
        url = urlunsplit(parts._replace(netloc=f"earshot_chat:secret@{place}"))
        admin = await asyncpg.connect(postgres.url)
        await bootstrap.bootstrap(admin, {"chat": url})
        await admin.close()
        owner = await asyncpg.connect(url)
        await owner.execute(core_tables())
        await owner.close()
        rows = await messaging.run(url, rabbit.url)
    show("Published to handled", ("what", "Earshot", "raw aio-pika, same SQL", "ratio"), rows)


def main() -> None:
    configure_logging("bench", "WARNING", "console")
    wanted = sys.argv[1:] or SECTIONS
    unknown = set(wanted) - set(SECTIONS)
    if unknown:
        sys.exit(f"no such section: {', '.join(sorted(unknown))}; there are {', '.join(SECTIONS)}")
    if {"rest", "overhead"} & set(wanted):
        run_whole(wanted)
    if "messaging" in wanted:
        asyncio.run(run_messaging())
    if "search" in wanted:
        asyncio.run(search.main())


if __name__ == "__main__":
    main()
