"""Puts the demo recording into a running stack and follows it until it can be asked."""

from pathlib import Path
from typing import Any

from earshot.cli.output import Output
from earshot.cli.progress import Lines, View, view_for
from earshot.cli.watching import watch
from earshot.client import Client
from earshot.config import read_key
from earshot.demo.reference import QUESTIONS, RECORDING, Reference, read_reference
from earshot.errors import EarshotError
from earshot.models import Asset, Status
from earshot.timecode import size


def load_demo(out: Output, running: Any, folder: Path) -> None:
    """Does nothing when a recording of the demo's title is already there. Beside the services' log lines, no bars."""
    reference = read_reference(folder / QUESTIONS)
    with Client(running.url, read_key(running.data)) as client:
        if any(asset.title == reference.title for asset in client.assets.all(q=reference.title)):
            return
        with view_for(out) if running.detached else Lines(out.note) as view:
            ingest(client, folder / RECORDING, reference, view)


def ingest(client: Client, recording: Path, reference: Reference, view: View) -> tuple[Asset, Status]:
    """The finished asset and its last status; EarshotError when it did not become ready."""

    def uploaded(sent: int, total: int) -> None:
        view.show("Upload", sent / max(total, 1), size(total))

    accepted = client.recordings.upload(recording, uploaded, title=reference.title, key_terms=reference.key_terms)
    # The server was ready a moment ago: when it is away now, it is being stopped.
    status = watch(client, [accepted.asset], view, patience_seconds=5)[accepted.asset.id]
    asset = client.assets.get(accepted.asset.id)
    if asset.status != "ready":
        problem = asset.error
        raise EarshotError(
            problem.message if problem else f"The recording is {asset.status}.",
            advice=problem.advice if problem else None,
        )
    return asset, status
