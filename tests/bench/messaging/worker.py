"""Earshot's side: the gateway's service as it runs in production, with one handler that records one row."""

import os
from pathlib import Path

from bench.messaging.ground import EFFECT, SERVICE
from common.delivery import Delivery
from common.events import AssetIndexed
from common.service import Service
from common.settings import ServiceSettings

# A fact of this model is a bug that shows when everything but the commit is done.
RAISES = "raises"


async def handle(fact: AssetIndexed, delivery: Delivery) -> None:
    async with delivery.record() as rec:
        await rec.conn.execute(EFFECT, fact.asset_id)
        if fact.model == RAISES:
            raise ValueError("this handler always raises")


def main() -> None:
    folder = os.environ["BENCH_FOLDER"]
    settings = ServiceSettings(
        database_url=os.environ["BENCH_DATABASE_URL"],
        rabbitmq_url=os.environ["BENCH_RABBITMQ_URL"],
        object_store_url=f"file://{folder}",
        scratch_dir=Path(folder) / "scratch",
        role="worker",
    )
    service = Service(SERVICE, settings)
    service.hear(AssetIndexed, handle)
    service.run()


if __name__ == "__main__":
    main()
