"""The peer everybody knows: Celery 5 on the same RabbitMQ, one transaction on the same Postgres for every task.

Chosen as Celery's own guide advises for tasks that must not be lost, and otherwise left as it comes: tasks are
acknowledged late and given back when their process dies, the queue is a quorum queue (as ours), publishing is
confirmed, messages are JSON and persistent, results are not kept, prefork with a process for every core and its
default prefetch of four for each (more was not faster). Each process keeps one psycopg2 connection; a task is one
transaction with the effect alone: Celery has neither inbox nor lock, so a task that is delivered twice is done twice.

As a program it fills its queue: ``python -m bench.messaging.celery_worker <tasks>``.
"""

import os
import sys
from typing import Any
from uuid import uuid4

import psycopg2
from bench.messaging.ground import EFFECT
from celery import Celery
from celery.signals import worker_process_init

QUEUE = "celery.effects"

app = Celery("bench", broker=os.environ.get("BENCH_RABBITMQ_URL"))
app.conf.update(
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_ignore_result=True,
    task_serializer="json",
    accept_content=["json"],
    task_default_queue=QUEUE,
    task_default_queue_type="quorum",
    broker_transport_options={"confirm_publish": True},
    broker_connection_retry_on_startup=True,
)
_connections: list[Any] = []


@worker_process_init.connect
def connect(**_: object) -> None:
    _connections.append(psycopg2.connect(os.environ["BENCH_DATABASE_URL"]))


@app.task(name="effects.record")
def record_effect(asset_id: str, run: int, collection_id: str, revision: int, model: str) -> None:
    with _connections[0] as connection, connection.cursor() as cursor:
        cursor.execute(EFFECT.replace("$1", "%s"), (asset_id,))


def fill(count: int) -> None:
    with app.producer_pool.acquire(block=True) as producer:
        for _ in range(count):
            record_effect.apply_async((str(uuid4()), 1, str(uuid4()), 1, "minilm"), producer=producer)


if __name__ == "__main__":
    fill(int(sys.argv[1]))
