"""Facts that change nothing here: the gateway's own, whose effects are long committed, and summaries. Only the
watchers need to hear."""

from common.delivery import Delivery
from common.events import Fact

from gateway.handlers.news import spread


async def repeat(fact: Fact, delivery: Delivery) -> None:
    async with delivery.record(lock=False):
        pass
    await spread(delivery.live, fact)
