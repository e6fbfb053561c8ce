"""``make bench ARGS=gpu``: what a GPU makes of speech, with weights made on the spot in the shape of Whisper large-v3.

    PYTHONPATH=tests:. .venv-whisperx/bin/python -m bench.speech.gpu --minutes 60
    PYTHONPATH=tests:. .venv-whisperx/bin/python -m bench.speech.gpu --shape tiny --device cpu --minutes 2   # tries it

Needs the extra whisperx, 16 GB of memory and 7 GB of disk; nothing is downloaded. See docs/performance.md.
"""

import argparse
import json
import subprocess
import sys
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.lines import HEADS, Line
from bench.speech.recordings import RECORDINGS
from rich.console import Console
from rich.table import Table

from tests.whisperx.accelerated import Pace, Plan, Rig
from tests.whisperx.models import LARGE_V3, TINY, TINY_V3

SHAPES = {"large-v3": LARGE_V3, "tiny-v3": TINY_V3, "tiny": TINY}
GOAL = 1.8


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.speech.gpu", description=__doc__, add_help=True)
    parser.add_argument("--shape", choices=SHAPES, default="large-v3", help="of the Whisper that is made")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--minutes", type=float, default=60.0, help="length of the recording, the demo over and over")
    parser.add_argument("--tokens", type=int, default=100, help="said of each window; people say about 100 in 30 s")
    parser.add_argument("--batch", type=int, default=16, help="most windows at once")
    parser.add_argument("--part-seconds", type=float, default=300.0, help="length that parts aim at")
    parser.add_argument("--no-align", action="store_true", help="Whisper times the words, not a wav2vec2 model")
    parser.add_argument("--json", action="store_true", help="the figures for programs")
    return parser.parse_args()


def long_recording(folder: Path, minutes: float) -> Path:
    sound = folder / "long.flac"
    shape = ["-t", str(60 * minutes), "-ar", "16000", "-ac", "1", "-sample_fmt", "s16"]
    subprocess.run(["ffmpeg", "-v", "error", "-stream_loop", "-1", "-i", RECORDINGS[0], *shape, sound], check=True)
    return sound


def measure(asked: argparse.Namespace) -> tuple[Pace, Pace]:
    """Earshot's way, and one file at a time."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        plan = Plan(
            long_recording(folder, asked.minutes),
            SHAPES[asked.shape],
            asked.device,
            asked.tokens,
            asked.batch,
            align=not asked.no_align,
            part_seconds=asked.part_seconds,
        )
        rig = Rig(plan, folder)
        return rig.through_work(), rig.one_file_at_a_time()


def lines(ours: Pace, peer: Pace) -> list[Line]:
    faster = peer.seconds / ours.seconds
    found = [
        Line(
            "seconds of work for each second of sound",
            f"{ours.factor:.4f}",
            f"one file at a time {peer.factor:.4f}",
            f"{faster:.2f}",
            f"≥ {GOAL:g}",
            faster >= GOAL,
        ),
        Line("… times as fast as the sound", f"{1 / ours.factor:.0f}", f"{1 / peer.factor:.0f}"),
        Line("share of the time outside the model", f"{ours.outside_share:.1%}", f"{peer.outside_share:.1%}"),
        Line("windows in batches", *(f"{pace.windows} in {pace.batches}" for pace in (ours, peer))),
    ]
    if ours.utilisation is not None and peer.utilisation is not None:
        found.append(Line("utilisation by the driver", f"{ours.utilisation:.0%}", f"{peer.utilisation:.0%}"))
    return found


def has_gpu() -> bool:
    library: Any = import_module("ctranslate2")
    return library.get_cuda_device_count() > 0


def main() -> None:
    asked = options()
    if asked.device == "cuda" and not has_gpu():
        sys.exit("No GPU is here. `--shape tiny --device cpu` shows that the measurement itself works.")
    ours, peer = measure(asked)
    if asked.json:
        print(json.dumps({"ours": asdict(ours), "peer": asdict(peer)}))
        return
    title = f"Whisper {asked.shape}, random weights, {asked.tokens} tokens a window, {asked.minutes:g} minutes of sound"
    table = Table(*HEADS, title=f"{title}, {asked.device}", title_justify="left")
    for line in lines(ours, peer):
        table.add_row(*line.cells)
    Console().print(table)


if __name__ == "__main__":
    main()
